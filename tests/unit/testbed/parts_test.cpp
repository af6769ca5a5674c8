#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/testbed/engine_metrics.h"
#include "tests/testbed/faults.h"
#include "tests/testbed/http_reader.h"
#include "tests/testbed/load_request.h"
#include "tests/testbed/samples.h"
#include "tests/testbed/sse_lines.h"
#include "tests/testbed/words.h"

using namespace sluice::testbed;

TEST_CASE("words: a token depends on prompt and index only, all texts are valid JSON strings") {
  const std::uint64_t seed = text_seed("a prompt");
  CHECK(word(seed, 7) == word(text_seed("a prompt"), 7));
  CHECK(word(seed, 7) != word(text_seed("a prompu"), 7));
  const std::string text = words(seed, 500);
  CHECK(text == words(seed, 499) + word(seed, 499));
  CHECK(nlohmann::json::parse(nlohmann::json(text).dump()) == text);
  CHECK(text.find("\u00e9\u6f22") != std::string::npos);
  CHECK(text.find('"') != std::string::npos);
  CHECK(prompt_tokens(3) == 1);
  CHECK(prompt_tokens(4096) == 1024);
}

TEST_CASE("samples: percentiles interpolate between order statistics") {
  Samples samples;
  CHECK(samples.percentile(0.5) == 0);
  for (int i = 100; i >= 1; --i) samples.add(i);
  CHECK(samples.percentile(0) == 1);
  CHECK(samples.percentile(0.5) == doctest::Approx(50.5));
  CHECK(samples.percentile(0.95) == doctest::Approx(95.05));
  CHECK(samples.percentile(1) == 100);
  CHECK(samples.mean() == doctest::Approx(50.5));
  samples.add(1000);
  CHECK(samples.max() == 1000);
  CHECK(samples.percentile(1) == 1000);
}

TEST_CASE("load request: prompts are unique, of the asked length and valid UTF-8") {
  LoadOptions options;
  const std::string first = prompt_of(options, 1, 300);
  CHECK(first.size() == 1200);
  CHECK(first != prompt_of(options, 2, 300));
  CHECK(nlohmann::json::parse(nlohmann::json(first).dump()) == first);
  options.same_prompt = true;
  CHECK(prompt_of(options, 1, 300) == prompt_of(options, 2, 300));
}

TEST_CASE("faults: drawn as often as asked, alike for equal seeds") {
  Faults faults(3);
  Faults same(3);
  const auto wish = Faults::wish_of("cut=0.1,status503=0.3,lie=zero,slow=2");
  REQUIRE_FALSE(faults.apply(wish).has_value());
  REQUIRE_FALSE(same.apply(wish).has_value());
  int cuts = 0;
  int refusals = 0;
  for (int i = 0; i < 10000; ++i) {
    const FaultDraw draw = faults.draw();
    CHECK(draw.fault == same.draw().fault);
    cuts += draw.fault == Fault::cut ? 1 : 0;
    refusals += draw.fault == Fault::status503 ? 1 : 0;
  }
  CHECK(cuts == doctest::Approx(1000).epsilon(0.1));
  CHECK(refusals == doctest::Approx(3000).epsilon(0.1));
  CHECK(faults.lie() == Lie::zero);
  CHECK(faults.slow() == 2);
}

TEST_CASE("faults: a wish with a wrong part changes nothing") {
  Faults faults(3);
  CHECK(faults.apply(Faults::wish_of("cut=1,nonsense=1")).has_value());
  CHECK(faults.apply(Faults::wish_of("cut=1.5")).has_value());
  CHECK(faults.apply(Faults::wish_of("lie=sometimes")).has_value());
  CHECK(faults.draw().fault == Fault::none);
}

TEST_CASE("http reader: chunks, lengths and the next message's bytes are told apart") {
  const std::string text =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
      "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\nREST";
  for (std::size_t slice = 1; slice <= text.size(); ++slice) {
    HttpReader reader(HttpReader::Role::response);
    std::size_t used = 0;
    for (std::size_t at = 0; at < text.size() && !reader.done(); at += slice) {
      used += reader.feed(std::string_view(text).substr(at, slice));
    }
    CHECK(reader.done());
    CHECK(reader.body() == "hello world");
    CHECK(reader.header("x-a") == "b");
    CHECK(used == text.size() - 4);
  }
}

TEST_CASE("http reader: what cannot be framed is broken") {
  const auto breaks = [](std::string_view text) {
    HttpReader reader(HttpReader::Role::response);
    reader.feed(text);
    return reader.broken();
  };
  CHECK(breaks("HTTQ/1.1 2OO OK\r\n"));
  CHECK(breaks("HTTP/1.1 200 OK\nA: b\n"));
  CHECK(breaks("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyzzy\r\n"));
  CHECK(breaks("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"));
  CHECK(breaks("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"));
}

TEST_CASE("sse lines: all line ends, comments and several data lines") {
  SseLines lines;
  std::vector<std::string> seen;
  lines.feed(": hi\r\ndata: a\r\ndata: b\r\n\r\nevent: x\rdata:c\r\rdata: d\n\n\ndata: e\n",
             [&seen](std::string_view name, std::string_view data) {
               seen.push_back(std::string(name) + "|" + std::string(data));
             });
  CHECK(seen == std::vector<std::string>{"|a\nb", "x|c", "|d"});
  CHECK(lines.comments() == 1);
  CHECK(lines.pending());
}

TEST_CASE("engine metrics: histograms are cumulative and end at +Inf") {
  EngineMetrics metrics(MetricsDialect::vllm_v1, "m");
  metrics.on_first_token(0.03, 12);
  metrics.on_first_token(3, 10);
  metrics.on_finished("length", 4);
  const std::string text = metrics.render(EngineGauges{.running = 3, .kv_usage = 0.25});
  const auto has = [&text](const std::string& line) {
    return text.find(line + "\n") != std::string::npos;
  };
  const std::string labels = "engine=\"0\",model_name=\"m\"";
  CHECK(has("vllm:num_requests_running{" + labels + "} 3"));
  CHECK(has("vllm:kv_cache_usage_perc{" + labels + "} 0.25"));
  CHECK(has("vllm:prompt_tokens_total{" + labels + "} 22"));
  CHECK(has("vllm:time_to_first_token_seconds_bucket{" + labels + ",le=\"0.02\"} 0"));
  CHECK(has("vllm:time_to_first_token_seconds_bucket{" + labels + ",le=\"0.04\"} 1"));
  CHECK(has("vllm:time_to_first_token_seconds_bucket{" + labels + ",le=\"+Inf\"} 2"));
  CHECK(has("vllm:request_success_total{" + labels + ",finished_reason=\"length\"} 1"));
}
