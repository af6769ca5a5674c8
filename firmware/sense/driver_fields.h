// The fields of a driver file: what of an engine or device is read from which name, in which unit.
#pragma once

#include "firmware/ports/config.h"
#include "firmware/sense/driver_facts.h"
#include "firmware/sense/driver_schema.h"

namespace sluice::sense {

// Reads the map `fields` into `facts`, whose kind and documents are known already.
void read_driver_fields(const ports::ConfigNode& fields, DriverSchema& schema, DriverFacts& facts);

// "-1" or ">=9e18".
std::vector<Sentinel> read_sentinels(const ports::ConfigNode& map, DriverSchema& schema);

// Every series that a source can use, as on the page but without prefix.
void add_series_names(const ValueSource& source, bool histogram, std::vector<std::string>& names);

}  // namespace sluice::sense
