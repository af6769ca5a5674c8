#include "firmware/valve/words.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "firmware/valve/decide.h"
#include "tests/unit/valve/samples.h"

using namespace sluice;
using namespace sluice::valve;
using namespace sluice::valve::samples;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool is_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

template <class E>
std::set<std::string> names_up_to(E last) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(last); ++i) names.insert(to_text(static_cast<E>(i)));
  CHECK(names.size() == static_cast<size_t>(last) + 1);
  CHECK(names.count("") == 0);
  return names;
}

}  // namespace

TEST_CASE("words: every reason has a sentence of its own in both languages") {
  std::set<std::string> english;
  std::set<std::string> chinese;
  const int last = static_cast<int>(kReasonLast);
  for (int i = 0; i <= last; ++i) {
    Plan plan;
    plan.verdict = Verdict::refuse;
    plan.reason = static_cast<Reason>(i);
    CAPTURE(to_text(plan.reason));
    const std::string en = explain(View(), plan, Language::en);
    const std::string zh = explain(View(), plan, Language::zh);
    CHECK(has(en, "Refused: "));
    CHECK(en.size() > std::string("Refused: .").size());
    CHECK(is_ascii(en));
    CHECK(has(zh, "拒绝："));
    CHECK(zh.size() > std::string("拒绝：。").size());
    english.insert(en);
    chinese.insert(zh);
  }
  CHECK(english.size() == static_cast<size_t>(last) + 1);
  CHECK(chinese.size() == static_cast<size_t>(last) + 1);
}

TEST_CASE("words: the names of all enumerators differ") {
  CHECK(names_up_to(Verdict::refuse).count("hold") == 1);
  CHECK(names_up_to(kReasonLast).count("local_draining") == 1);
  CHECK(names_up_to(Bound::ttft).count("untried") == 1);
  CHECK(names_up_to(Place::cloud).count("local") == 1);
  CHECK(names_up_to(Health::unknown).count("slow_start") == 1);
  CHECK(names_up_to(Priority::high).count("low") == 1);
  CHECK(names_up_to(kGoalLast).count("home-first") == 1);
  CHECK(names_up_to(Feature::structured_output).size() == static_cast<size_t>(kFeatureCount));
}

TEST_CASE("words: an overflow names the node and the figures") {
  const View view = view_of({local_node(45), cloud_node()});
  const Plan plan = decide(ask_for(view), view, Policy(), {});
  CHECK(explain(view, plan, Language::en) ==
        "To cloud-1 (cloud): one more request would slow every local stream below its service "
        "level (water level 115 % of a line at 40); expected there: TTFT 450 ms, TPOT not yet "
        "measured.");
  CHECK(explain(view, plan, Language::zh) ==
        "送往 cloud-1（云端）：再加一个请求会使本地所有输出慢于服务等级（水位 115 %，溢出线为 40 "
        "个并发）；预计首字时延 450 毫秒，每字时延 尚未测得。");
}

TEST_CASE("words: what stays local names the local engine and its rates") {
  const View view = view_of({local_node(19)});
  const Plan plan = decide(ask_for(view), view, Policy(), {});
  const std::string en = explain(view, plan, Language::en);
  CHECK(has(en, "To gpu-0 (local): "));
  CHECK(has(en, "50 % of a line at 40"));
  CHECK(has(en, "TTFT 150 ms, TPOT 40 ms."));
  CHECK(has(explain(view, plan, Language::zh), "每字时延 40 毫秒。"));
}

TEST_CASE("words: what waits is told how many are before it") {
  View view = view_of({local_node(45)});
  view.held = 3;
  const Plan plan = decide(ask_for(view), view, Policy(), {});
  CHECK(explain(view, plan, Language::en) ==
        "Waits behind 3 others: the local engine is full and no cloud node can take it (water "
        "level 115 % of a line at 40).");
  CHECK(has(explain(view, plan, Language::zh), "前面有 3 个"));
}

TEST_CASE("words: a level beyond all measure is still said") {
  Plan plan;
  plan.verdict = Verdict::hold;
  plan.reason = Reason::full_no_cloud;
  plan.line = 4;
  plan.level = std::numeric_limits<double>::infinity();
  CHECK(has(explain(View(), plan, Language::en), "water level 100000 % of a line at 4"));
}
