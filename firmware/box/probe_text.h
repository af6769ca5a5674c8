// What `sluiced probe` says of a place: what answered, which driver fits and why, each field with
// the value read, and the settings to paste.
#pragma once

#include <string>

#include "firmware/ports/http_client.h"
#include "firmware/ports/json.h"
#include "firmware/sense/identity.h"

namespace sluice::box {

struct ProbedPlace {
  ports::HttpOrigin origin;
  const sense::AnswersRead& answers;
  const sense::Identity& identity;
};

// `all`: also why every other driver does not fit.
std::string probe_text(const ProbedPlace& place, bool all);
ports::JsonValue probe_json(const ProbedPlace& place);

// A few words, for the list of a subnet: "vllm, 64 running, 37 waiting".
std::string probe_line(const ProbedPlace& place);

// YAML; empty where there is nothing to paste.
std::string settings_to_paste(const ProbedPlace& place);

}  // namespace sluice::box
