// What came of a run: endings, times, throughput, nodes; as a table and as JSON.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tests/testbed/load_exchange.h"
#include "tests/testbed/samples.h"

namespace sluice::testbed {

class LoadReport {
 public:
  static constexpr std::size_t kMaxExplained = 10;

  void add(const LoadRequest& request, const LoadResult& result);
  void set_duration(double seconds) { duration_s_ = seconds; }
  void note_dropped() { ++dropped_; }

  // "ok", "timeout", ...; HTTP errors by status: "http_503".
  static std::string key_of(const LoadResult& result);
  static nlohmann::json record(const LoadRequest& request, const LoadResult& result);

  std::uint64_t ended() const { return ended_; }
  std::uint64_t count(const std::string& outcome) const;
  std::uint64_t tokens() const { return tokens_; }
  const std::vector<std::string>& explained() const { return explained_; }

  std::string table() const;
  nlohmann::json to_json() const;

 private:
  std::map<std::string, std::uint64_t> outcomes_;
  std::map<std::string, Samples> nodes_;  // times of answers that were ok
  std::map<std::string, std::uint64_t> answers_by_node_;
  std::map<std::string, std::uint64_t> models_;
  std::vector<std::string> explained_;  // the first wrong or malformed answers
  std::uint64_t ended_ = 0;
  std::uint64_t tokens_ = 0;
  std::uint64_t comments_ = 0;
  std::uint64_t resent_ = 0;
  std::uint64_t dropped_ = 0;
  double duration_s_ = 0;
  Samples time_;  // of ok answers, from when the request was due
  Samples ttft_;  // of ok streams
  Samples tpot_;  // of ok streams of at least two tokens
};

}  // namespace sluice::testbed
