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
#include "firmware/sense/engine_facts.h"

namespace sluice::drivers {
std::vector<EmbeddedFile> embedded_engines();
}

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

inline EngineFacts facts_from(std::string_view yaml) {
  const Result<ports::ConfigNode> node = ports::parse_config(yaml, "test.yaml");
  REQUIRE(node);
  const Result<EngineFacts> facts = read_engine_facts(*node, "test.yaml");
  REQUIRE(facts);
  return *facts;
}

inline EngineFacts built_in_facts(std::string_view engine) {
  for (const EmbeddedFile& file : drivers::embedded_engines()) {
    if (file.name == std::string(engine) + ".yaml") return facts_from(file.bytes);
  }
  FAIL("no such engine");
  return {};
}

}  // namespace sluice::sense
