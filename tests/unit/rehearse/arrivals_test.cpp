#include "firmware/rehearse/arrivals.h"

#include <doctest/doctest.h>

#include <string>

using namespace sluice;
using namespace sluice::rehearse;

namespace {

const std::string kColumns = "t_s,client,input_tokens,output_tokens,reason_ratio\n";
const std::string kAzure = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

std::string trouble(const std::string& text) {
  const Result<Trace> read = parse_trace(text);
  return read ? "" : read.error().text;
}

}  // namespace

TEST_CASE("arrivals: each format is read, in order of time and from zero") {
  const auto columns = parse_trace(kColumns + "3,1,10,20,0.5\n\n2.5,2,0,0,0\r\n");
  REQUIRE(columns.has_value());
  CHECK(*columns == Trace{{0, 2, 1, 1, {}}, {500000, 1, 10, 20, {}}});
  const auto azure = parse_trace(kAzure +
                                 "2023-11-16 18:15:46.6805900,374,44\n"
                                 "2023-12-01 00:00:00.500000+00:00,7,8\n");
  REQUIRE(azure.has_value());
  const int64_t day_us = 86'400'000'000;
  const int64_t from = (18 * 3600 + 15 * 60 + 46) * 1'000'000ll + 680'590;
  CHECK(*azure == Trace{{0, 0, 374, 44, {}}, {15 * day_us - from + 500'000, 0, 7, 8, {}}});
  const auto lines = parse_trace(
      "{\"timestamp\": 1000, \"input_length\": 513, \"output_length\": 2, \"hash_ids\": [5, 9]}\n"
      "{\"timestamp\": 1500, \"input_length\": 1, \"output_length\": 3}");
  REQUIRE(lines.has_value());
  CHECK(*lines == Trace{{0, 0, 513, 2, {5, 9}}, {500000, 0, 1, 3, {}}});
}

TEST_CASE("arrivals: what is no trace is refused with its line and what belongs there") {
  CHECK(trouble("hello\n").starts_with(
      "line 1: \"hello\" is not the head of a trace that is known here. Begin with"));
  CHECK(trouble(kColumns + "1.5,2,3,4\n1.5,2,x,4\n") ==
        "line 3: \"1.5,2,x,4\" is not seconds, a client's number, prompt tokens and output tokens, "
        "with commas");
  CHECK(trouble(kColumns + "1.5,2,3,-4\n").starts_with("line 2: "));
  CHECK(trouble(kColumns + "nan,2,3,4\n").starts_with("line 2: "));
  CHECK(trouble(kColumns + "1e30,2,3,4\n").starts_with("line 2: "));
  CHECK(trouble(kColumns + "1,2,3\n").starts_with("line 2: "));
  CHECK(trouble(kColumns + "1,2,3,999999999\n").starts_with("line 2: "));
  CHECK(trouble(kAzure + "2023-13-16 18:15:46,1,1\n").starts_with("line 2: "));
  CHECK(trouble(kAzure + "2023-11-16 18:15:46,1,1,1\n").starts_with("line 2: "));
  CHECK(trouble("{\"timestamp\": 0}\n").starts_with("line 1: \"{\"timestamp\": 0}\" is not {"));
  CHECK(trouble("{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n{\"t")
            .starts_with("line 2: "));
  CHECK(trouble(std::string(200, 'x')).size() < 400);
}

TEST_CASE("arrivals: stretched time gives the wanted load and keeps the order of things") {
  const WorkLaw law{0.0128, 0.0002, 4e-8, 0.0004};
  Trace trace;
  for (int64_t i = 0; i < 100; ++i) trace.push_back({i * i * 10'000, 0, 1000, 200, {}});
  const Trace fitted = dilated(trace, law, 0.8);
  CHECK(offered_load(fitted, law) == doctest::Approx(0.8).epsilon(1e-4));
  CHECK(fitted.size() == trace.size());
  CHECK(hurried(trace, 2).back().at_us == trace.back().at_us / 2);
  CHECK(offered_load(hurried(trace, 2), law) == doctest::Approx(2 * offered_load(trace, law)));
}
