#include "firmware/govern/permit.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

using namespace sluice::govern;

namespace {

constexpr std::array kClasses = {DataClass::open, DataClass::internal, DataClass::home_only};

}  // namespace

TEST_CASE("permit: the whole table of classes and nodes") {
  struct Line {
    bool is_cloud, open, internal;
    std::array<bool, 3> may;  // by class
  };
  const Line lines[] = {
      {false, false, false, {false, false, true}}, {false, false, true, {false, true, true}},
      {false, true, false, {true, false, true}},   {false, true, true, {true, true, true}},
      {true, false, false, {false, false, false}}, {true, false, true, {false, true, false}},
      {true, true, false, {true, false, false}},   {true, true, true, {true, true, false}},
  };
  for (const Line& line : lines) {
    for (size_t i = 0; i < kClasses.size(); ++i) {
      CAPTURE(line.is_cloud);
      CAPTURE(line.open);
      CAPTURE(line.internal);
      CAPTURE(to_text(kClasses[i]));
      CHECK(may_go(kClasses[i], {line.is_cloud, line.open, line.internal}) == line.may[i]);
    }
  }
}

TEST_CASE("permit: the stricter of two classes wins, whichever is first") {
  for (size_t a = 0; a < kClasses.size(); ++a) {
    for (size_t b = 0; b < kClasses.size(); ++b) {
      CHECK(stricter(kClasses[a], kClasses[b]) == kClasses[std::max(a, b)]);
    }
  }
}

TEST_CASE("permit: classes have names that read back, and no others do") {
  for (const DataClass one : kClasses) CHECK(data_class_from_text(to_text(one)) == one);
  for (const char* wrong : {"", "Open", "open ", "home_only", "home", "public", "secret"}) {
    CAPTURE(wrong);
    CHECK_FALSE(data_class_from_text(wrong).has_value());
  }
}

TEST_CASE("permit: something outside the list of classes may go nowhere") {
  CHECK_FALSE(may_go(static_cast<DataClass>(7), {false, true, true}));
  CHECK_FALSE(may_go(static_cast<DataClass>(7), {true, true, true}));
}
