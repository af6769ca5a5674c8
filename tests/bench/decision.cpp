// How long a decision takes: view, what is cached where, decide, reservation, the valve's state; as
// the daemon does it for each request, with 16 nodes that have learned, 128 requests in flight and
// a full index of prefixes. Each prompt of 16 KB goes on from one of 2,000 conversations. Reading
// the prompt, and the end of a request, are not part of it. Prints one line of JSON, times in
// nanoseconds.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include "firmware/sense/senses.h"
#include "firmware/valve/decide.h"

namespace {

using namespace sluice;

constexpr int kInFlight = 128;
constexpr int kLocals = 4;
constexpr int kClouds = 12;
constexpr size_t kTalks = 2000;
constexpr size_t kPromptBytes = 16 * 1024;
constexpr int kTokens = 20;
constexpr Duration kStep = Duration::ms(1);  // between two decisions
constexpr Duration kTpotMax = Duration::ms(100);
const std::string kModel = "qwen2.5-7b-instruct";

sense::NodeProfile profile(const std::string& name, valve::Place place, int untried) {
  sense::NodeProfile made;
  made.name = name;
  made.place = place;
  made.models = {{kModel, kModel}};
  made.untried_concurrency = untried;
  if (place == valve::Place::cloud) made.price_in_nano = made.price_out_nano = 500;
  return made;
}

struct InFlight {
  uint64_t id = 0;
  valve::NodeId node;
};

class Box {
 public:
  Box() {
    std::vector<sense::NodeProfile> profiles;
    for (int i = 0; i < kLocals; ++i) {
      profiles.push_back(profile(fmt::format("gpu-{}", i), valve::Place::local, 32));
    }
    for (int i = 0; i < kClouds; ++i) {
      profiles.push_back(profile(fmt::format("cloud-{}", i), valve::Place::cloud, 0));
      profiles.back().price_in_nano = profiles.back().price_out_nano = 500 + 3 * (i % 4);
    }
    const auto configured = senses_.configure(profiles, sense::SenseTimes(), policy_, kTpotMax);
    if (!configured.has_value()) std::abort();
    ask_.key = "k-0001";
    ask_.model = kModel;
    ask_.prompt_tokens = Tokens{kPromptBytes / 4};
    ask_.stream = true;
    for (size_t talk = 0; talk < kTalks; ++talk) {
      talks_.push_back(marks_of(talk));
      senses_.prefilled({static_cast<uint8_t>(talk % (kLocals + kClouds))}, talks_.back());
    }
  }

  // The nanoseconds of one decision.
  int64_t decide() {
    now_ = now_ + kStep;
    ask_.id = ++last_id_;
    ask_.arrived = now_;
    ask_.deadline = now_ + Duration::seconds(60);
    ask_.may_use = senses_.serving(kModel);
    const sense::PromptMarks& marks = talks_[ask_.id * 0x9e3779b97f4a7c15U % kTalks];
    const auto before = std::chrono::steady_clock::now();
    valve::View view = senses_.view(kModel, 0, now_);
    senses_.add_prompt(view, marks, ask_.prompt_tokens);
    const valve::Plan plan = valve::decide(ask_, view, policy_, {ask_.id * 0x9e3779b97f4a7c15U});
    senses_.decided(kModel, plan, now_);
    if (!plan.candidates.empty()) {
      senses_.node(plan.candidates[0].node)
          .reserve({ask_.id, ask_.prompt_tokens, kTpotMax, true, {}}, now_);
    }
    const auto after = std::chrono::steady_clock::now();
    if (!plan.candidates.empty()) {
      open_.push_back({ask_.id, plan.candidates[0].node});
      senses_.prefilled(plan.candidates[0].node, marks);
    }
    move_on();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(after - before).count();
  }

 private:
  // A prompt of its own, after a beginning that all share.
  static sense::PromptMarks marks_of(size_t talk) {
    std::string prompt(kPromptBytes / 8, 's');
    while (prompt.size() < kPromptBytes)
      prompt += fmt::format("{} of talk {} ", prompt.size(), talk);
    sense::MarkMaker maker(kModel);
    maker.feed(prompt);
    return maker.take();
  }

  // The oldest request ends, having had its tokens; now and then the nodes learn.
  void move_on() {
    if (open_.size() > kInFlight) {
      const InFlight oldest = open_.front();
      open_.pop_front();
      sense::NodeState& node = senses_.node(oldest.node);
      node.first_token(oldest.id, now_ - Duration::ms(40));
      for (int i = kTokens; i-- > 0;) node.tokens(oldest.id, 1, now_ - Duration::ms(2) * i);
      node.end(oldest.id, {sense::FlightEnd::served, Tokens{kTokens + 1}, true, {}, {}}, now_);
    }
    if (last_id_ % 250 == 0) senses_.learn(now_);
  }

  sense::Senses senses_;
  valve::Policy policy_;
  valve::Ask ask_;
  std::vector<sense::PromptMarks> talks_;
  Instant now_ = Instant::from_us(1'000'000);
  uint64_t last_id_ = 0;
  std::deque<InFlight> open_;
};

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 200'000;
  if (count < 100) {
    std::fputs("bench-decision [how many decisions, at least 100]\n", stderr);
    return 2;
  }
  Box box;
  for (int i = 0; i < count / 10; ++i) (void)box.decide();
  std::vector<int64_t> times;
  times.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) times.push_back(box.decide());
  std::sort(times.begin(), times.end());
  const size_t last = times.size() - 1;
  fmt::print("{{\"count\":{},\"p50_ns\":{},\"p99_ns\":{},\"max_ns\":{}}}\n", times.size(),
             times[last / 2], times[last * 99 / 100], times[last]);
  return 0;
}
