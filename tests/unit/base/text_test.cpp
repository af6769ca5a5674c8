#include "firmware/base/text.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace sluice;

TEST_CASE("text: numbers are whole or nothing") {
  CHECK(to_integer("42") == 42);
  CHECK(to_integer("-7") == -7);
  CHECK_FALSE(to_integer("42x"));
  CHECK_FALSE(to_integer(" 42"));
  CHECK_FALSE(to_integer(""));
  CHECK_FALSE(to_integer("99999999999999999999"));
  CHECK(to_number("1e3") == 1000.0);
  CHECK(std::isnan(*to_number("NaN")));
  CHECK(std::isinf(*to_number("+Inf")));
  CHECK(*to_number("-Inf") < 0);
  CHECK_FALSE(to_number("0x1F"));
  CHECK_FALSE(to_number("1_000"));
  CHECK_FALSE(to_number("++1"));
}

TEST_CASE("text: a date is printed in UTC with milliseconds") {
  CHECK(to_rfc3339(0) == "1970-01-01T00:00:00.000Z");
  CHECK(to_rfc3339(1795310645123456) == "2026-11-22T01:24:05.123Z");
  CHECK(to_rfc3339(951782400000000) == "2000-02-29T00:00:00.000Z");
  CHECK(to_rfc3339(-1000) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("text: case does not matter where it should not") {
  CHECK(equal_ignoring_case("Content-Length", "content-LENGTH"));
  CHECK_FALSE(equal_ignoring_case("a", "ab"));
  CHECK(starts_with_ignoring_case("Bearer x", "bearer "));
  CHECK(trim(" \ta b\r\n") == "a b");
  CHECK(split("a,,b", ',').size() == 3);
  CHECK(split("", ',').size() == 1);
}
