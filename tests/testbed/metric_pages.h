// What an engine answers about itself: its metrics page and the documents beside it, each at the
// path where the real one has it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tests/testbed/engine_book.h"

namespace sluice::testbed {

// An engine at one moment.
struct EngineSnapshot {
  MetricsDialect dialect;
  const std::string& model;
  const EngineBook& book;
  const EngineGauges& gauges;
};

struct Page {
  int status = 200;
  std::string type;
  std::string body;
};

// Where the metrics page is; empty: there is none.
std::string_view metrics_path(MetricsDialect dialect);
std::string metrics_page(const EngineSnapshot& engine);
// Of a path (with its query) that this kind of engine answers; health and model list are not here.
std::optional<Page> page_at(std::string_view target, const EngineSnapshot& engine);
// A page on which a metric goes by another name, in all its samples and comments.
std::string renamed(const std::string& page, std::string_view metric, std::string_view name);

std::string vllm_page(const EngineSnapshot& engine);
std::string mindie_page(const EngineSnapshot& engine);
std::string trtllm_page(const EngineSnapshot& engine);
std::string sglang_page(const EngineSnapshot& engine);
std::string sglang_loads(const EngineSnapshot& engine, bool prometheus);
std::string tgi_page(const EngineSnapshot& engine);
std::string llamacpp_page(const EngineSnapshot& engine);

}  // namespace sluice::testbed
