#include "tests/testbed/load_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace sluice::testbed {

namespace {

using nlohmann::json;

json summary(const Samples& samples) {
  return {{"count", samples.count()},        {"mean", samples.mean()},
          {"p50", samples.percentile(0.50)}, {"p95", samples.percentile(0.95)},
          {"p99", samples.percentile(0.99)}, {"max", samples.max()}};
}

std::string row(std::string_view name, const Samples& samples) {
  return fmt::format("{:<10} {:>8} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.3f}\n", name,
                     samples.count(), samples.mean(), samples.percentile(0.50),
                     samples.percentile(0.95), samples.percentile(0.99), samples.max());
}

double tpot_of(const LoadResult& result) {
  return to_seconds(result.last_text - result.first_text) / static_cast<double>(result.tokens - 1);
}

}  // namespace

std::string LoadReport::key_of(const LoadResult& result) {
  if (result.outcome == Outcome::http_error) return fmt::format("http_{}", result.status);
  return std::string(name_of(result.outcome));
}

void LoadReport::add(const LoadRequest& request, const LoadResult& result) {
  ++ended_;
  ++outcomes_[key_of(result)];
  tokens_ += static_cast<std::uint64_t>(result.tokens);
  comments_ += result.comments;
  if (result.resent) ++resent_;
  if (!result.node.empty()) ++answers_by_node_[result.node];
  if (!result.model.empty()) ++models_[result.model];
  const bool strange =
      result.outcome == Outcome::wrong_bytes || result.outcome == Outcome::malformed;
  if (strange && explained_.size() < kMaxExplained) {
    explained_.push_back(fmt::format("request {}: {}", request.index, result.why));
  }
  if (result.outcome != Outcome::ok) return;
  const double time = to_seconds(result.ended - result.started);
  time_.add(time);
  if (!result.node.empty()) nodes_[result.node].add(time);
  if (result.first_text == 0) return;
  ttft_.add(to_seconds(result.first_text - result.started));
  if (result.tokens > 1) tpot_.add(tpot_of(result));
}

json LoadReport::record(const LoadRequest& request, const LoadResult& result) {
  json line = {{"index", request.index},
               {"outcome", key_of(result)},
               {"stream", request.stream},
               {"started_s", to_seconds(result.started)},
               {"time_s", to_seconds(result.ended - result.started)},
               {"tokens", result.tokens}};
  if (result.first_text > 0) line["ttft_s"] = to_seconds(result.first_text - result.started);
  if (result.tokens > 1) line["tpot_s"] = tpot_of(result);
  if (!result.node.empty()) line["node"] = result.node;
  if (!result.request_id.empty()) line["request"] = result.request_id;
  if (!result.why.empty()) line["why"] = result.why;
  return line;
}

std::uint64_t LoadReport::count(const std::string& outcome) const {
  const auto found = outcomes_.find(outcome);
  return found == outcomes_.end() ? 0 : found->second;
}

std::string LoadReport::table() const {
  std::string text = fmt::format("{:<14} {:>8}\n", "outcome", "count");
  for (const auto& [outcome, count] : outcomes_) {
    text += fmt::format("{:<14} {:>8}\n", outcome, count);
  }
  text += fmt::format("\n{:<10} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "seconds", "count", "mean",
                      "p50", "p95", "p99", "max");
  text += row("time", time_) + row("ttft", ttft_) + row("tpot", tpot_);
  for (const auto& [node, samples] : nodes_) text += row("@" + node, samples);
  const double seconds = duration_s_ > 0 ? duration_s_ : 1;
  text += fmt::format("\n{} requests in {:.1f} s: {:.2f} ok/s, {:.1f} token/s\n", ended_,
                      duration_s_, static_cast<double>(count("ok")) / seconds,
                      static_cast<double>(tokens_) / seconds);
  if (dropped_ > 0) text += fmt::format("{} arrivals dropped: too many open\n", dropped_);
  for (const std::string& line : explained_) text += "! " + line + "\n";
  return text;
}

json LoadReport::to_json() const {
  const double seconds = duration_s_ > 0 ? duration_s_ : 1;
  json by_node = json::object();
  for (const auto& [node, samples] : nodes_) by_node[node] = summary(samples);
  return {{"requests", ended_},
          {"outcomes", outcomes_},
          {"duration_s", duration_s_},
          {"ok_per_s", static_cast<double>(count("ok")) / seconds},
          {"tokens", tokens_},
          {"tokens_per_s", static_cast<double>(tokens_) / seconds},
          {"time_s", summary(time_)},
          {"ttft_s", summary(ttft_)},
          {"tpot_s", summary(tpot_)},
          {"nodes", answers_by_node_},
          {"time_s_by_node", by_node},
          {"models", models_},
          {"keep_alive_comments", comments_},
          {"resent_on_new_connection", resent_},
          {"dropped_arrivals", dropped_},
          {"explained", explained_}};
}

}  // namespace sluice::testbed
