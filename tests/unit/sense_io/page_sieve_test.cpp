#include "firmware/sense/page_sieve.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <vector>

#include "firmware/sense/exposition.h"
#include "tests/unit/sense_io/samples.h"

namespace sluice::sense {
namespace {

constexpr Bytes kMost{1024 * 1024};

std::string sieved(std::string_view page, const std::vector<std::string>& names, size_t chunk) {
  PageSieve sieve(names, kMost);
  for (; !page.empty(); page.remove_prefix(std::min(page.size(), chunk))) {
    REQUIRE(sieve.feed(page.substr(0, chunk)));
  }
  sieve.finish();
  return std::string(sieve.text());
}

// What can be compared of two readings of different texts.
std::vector<std::string> series_of(const Exposition& page) {
  std::vector<std::string> series;
  for (const Sample& sample : page.samples) {
    std::string text(sample.name);
    for (const Label& label : page.labels(sample)) {
      text.append("|").append(label.name).append("=").append(label.escaped);
    }
    series.push_back(text + " " + std::to_string(sample.value) + "@" +
                     std::to_string(sample.timestamp_ms.value_or(-1)));
  }
  return series;
}

TEST_CASE("page sieve: every sample reads the same through it, however it is cut") {
  int pages = 0;
  for (const auto& entry : std::filesystem::directory_iterator(sample_folder())) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".prom") && !name.ends_with(".txt") && !name.ends_with(".om")) continue;
    CAPTURE(name);
    const std::string page = read_sample(name);
    const Exposition whole = parse_exposition(page);
    for (const size_t chunk : {size_t{1}, size_t{7}, size_t{4096}}) {
      const std::string kept = sieved(page, {}, chunk);
      const Exposition read = parse_exposition(kept);
      CHECK(series_of(read) == series_of(whole));
      CHECK(read.bad_lines == whole.bad_lines);
      CHECK(read.duplicates == whole.duplicates);
    }
    ++pages;
  }
  CHECK(pages > 40);
}

TEST_CASE("page sieve: lines of other names, comments and blank lines are not kept") {
  CHECK(sieved("# HELP a x\n# TYPE a gauge\na 1\n\nab 2\n  b{l=\"a\"} 3 \r\nc 4\nc_total 5",
               {"a", "b"}, 3) == "a 1\nb{l=\"a\"} 3\n");
  CHECK(sieved("a 1\nc_total 5", {"c_total"}, 2) == "c_total 5\n");
  CHECK(sieved("c 5\n# EOF\n", {"a"}, 2) == "# EOF\n");
}

TEST_CASE("page sieve: the end of a page is kept only where it is the end") {
  CHECK(sieved("a 1\n# EOF\na 2\n", {"a"}, 2) == "a 1\na 2\n");
  CHECK(sieved("a 1\n# EOF\n# more\n", {"a"}, 2) == "a 1\n");
  CHECK(sieved("a 1\n# EOF\nb 2\n", {"a"}, 2) == "a 1\n");
  CHECK(sieved("a 1\n  # EOF", {}, 2) == "a 1\n");
  CHECK(sieved("a 1\n# EOF \r\n\n \n", {"a"}, 2) == "a 1\n# EOF\n");
}

TEST_CASE("page sieve: a page longer than is read is refused, a line too long is left out") {
  const std::vector<std::string> names = {"a", "b"};
  PageSieve small(names, Bytes{8});
  CHECK(small.feed("a 1\nb"));
  CHECK_FALSE(small.feed(" 2\nb 3"));
  CHECK(small.read_bytes() == 5);
  PageSieve sieve(names, kMost);
  const std::string filler(static_cast<size_t>(kMetricsLineMax.count), 'x');
  for (const std::string& part :
       {std::string("a 1\na{l=\""), filler, filler, std::string("\"} 2\nb 3\n")})
    REQUIRE(sieve.feed(part));
  REQUIRE(sieve.feed("a{l=\"" + filler + "\"} 4\nb 5"));
  sieve.finish();
  CHECK(sieve.text() == "a 1\nb 3\nb 5\n");
  CHECK(sieve.long_lines() == 2);
}

}  // namespace
}  // namespace sluice::sense
