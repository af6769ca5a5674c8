// The sample pages of tests/data/metrics, and the engine descriptions built into the program.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/embedded.h"
#include "firmware/ports/config.h"
#include "firmware/sense/driver_catalog.h"

namespace sluice::drivers {
std::vector<EmbeddedFile> embedded_engines();
std::vector<EmbeddedFile> embedded_accelerators();
}  // namespace sluice::drivers

namespace sluice::sense {

inline std::filesystem::path sample_folder() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "data" /
         "metrics";
}

inline std::string read_sample(const std::string& name) {
  std::ifstream file(sample_folder() / name, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline DriverFacts facts_from(std::string_view yaml) {
  const Result<ports::ConfigNode> node = ports::parse_config(yaml, "test.yaml");
  REQUIRE(node);
  const Result<DriverFacts> facts = read_driver_facts(*node, "test.yaml");
  REQUIRE(facts);
  return *facts;
}

// An engine with a metrics page and these fields.
inline DriverFacts engine_with(const std::string& fields) {
  return facts_from("driver: e\nkind: engine\nfor: tests\nscrape: {pages: [/metrics]}\nfields:\n" +
                    fields);
}

inline DriverCatalog built_in_catalog() {
  DriverCatalog catalog;
  REQUIRE(add_drivers(catalog, DriverShelf::engines, drivers::embedded_engines()));
  REQUIRE(add_drivers(catalog, DriverShelf::accelerators, drivers::embedded_accelerators()));
  return catalog;
}

inline DriverFacts built_in_facts(const std::string& name) {
  const DriverCatalog catalog = built_in_catalog();
  const DriverFacts* facts = catalog.engine(name);
  if (facts == nullptr) facts = catalog.accelerator(name);
  REQUIRE_MESSAGE(facts != nullptr, name);
  return *facts;
}

}  // namespace sluice::sense
