// Random scripts: each seed makes requests, has the nodes do what nodes may do, and lets clients
// leave. What must always hold is checked after every turn (world.h); here stands what the client
// may have seen of the answer. A failure prints its seed, nothing else is needed.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/script/world.h"

namespace sluice::script {

namespace {

using Stage = ports::HttpFailure::Stage;

constexpr uint64_t kSeeds = 2000;
constexpr int kRequestsMax = 8;
constexpr int kEventsMax = 6;

// The client itself asks for the usage chunk: every byte passes.
const std::string kUsageStream =
    chat(",\"n\":1,\"stream\":true,\"stream_options\":{\"include_usage\":true}");

// What one node does with one call, in steps of virtual time.
struct Fate {
  enum class Kind { refuse, hang, status, reset, cut, truncate, stall, serve } kind;
  int status = 200;
  int break_at = 0;  // event before which it breaks
};

// The client's bytes without what the box is known to add.
std::string without_additions(std::string body) {
  constexpr std::string_view kComment = ": waiting\n\n";
  while (body.starts_with(kComment)) body.erase(0, kComment.size());
  const size_t error = body.find("data: {\"error\":");
  if (error != std::string::npos) {
    body.erase(error);
    if (body.ends_with("\n\n")) body.erase(body.size() - 2);  // set before the error
  }
  return body;
}

class Swarm {
 public:
  explicit Swarm(uint64_t seed) : chance_(seed * 2 + 1), world_(seed, chance_.below(3)) {
    const uint64_t drawn = chance_.next();
    faults_ = static_cast<int>(drawn & 0xff);  // which kinds this seed may draw
    if ((drawn & 0x100) != 0) hedge();
    tick_ = world_.timers.make([this] { on_tick(); });
  }

  void run() {
    requests_left_ = 1 + chance_.below(kRequestsMax);
    tick_->start(Duration());
    world_.pass(Duration::seconds(1800));
    world_.finish();
    for (size_t i = 0; i < world_.clients.size(); ++i) check_bytes(i);
    world_.trace += world_.files.appended;
  }

  const std::vector<std::string>& violations() const { return world_.violations; }
  int tokens_compared() const { return world_.tokens_compared; }
  const std::string& trace() const { return world_.trace; }
  int count(meter::Outcome outcome) const {
    const auto all = world_.outcomes();
    return static_cast<int>(std::count(all.begin(), all.end(), outcome));
  }

 private:
  // Whatever has no first byte after 200 ms gets a copy elsewhere.
  void hedge() {
    world_.proxy.policy.valve.hedge = true;
    world_.proxy.extras.set_shares({0.1, 10, 1});
    const Instant now = world_.clock.now();
    sense::SenseTimes times;
    times.late_quantile = 0.9;
    for (uint8_t i = 0; i < 3; ++i) {
      sense::NodeState& node = world_.senses.node({i});
      node.set_times(times);
      for (uint64_t id = 1; id <= 20; ++id) {
        node.reserve({id, {1}, Duration::ms(100), true, {}}, now);
        node.first_token(id, now + Duration::ms(200));
        node.end(id, {sense::FlightEnd::cancelled, {}, true, {}, {}, -1}, now);
      }
      node.learn(now);
    }
  }

  struct Playing {
    NodeCall* call;
    Fate fate;
    bool stream;
    int step = 0;
    std::string whole;  // what this node would say in all, without the usage chunk
    Instant next;
    bool stalled = false;
  };

  Fate draw_fate() {
    const auto kind = static_cast<Fate::Kind>(chance_.below(8));
    const bool allowed = (faults_ >> static_cast<int>(kind) & 1) != 0;
    constexpr int kStatus[] = {400, 401, 403, 404, 429, 500, 503, 529};
    return {allowed ? kind : Fate::Kind::serve, kStatus[chance_.below(8)],
            chance_.below(kEventsMax + 2)};
  }

  // Every so often: new calls get a fate, all calls go a step on, clients come and leave.
  void on_tick() {
    adopt_calls();
    for (size_t i = 0; i < playing_.size(); ++i) {
      if (playing_[i].call->is_live() && world_.clock.now() >= playing_[i].next) play(i);
    }
    if (requests_left_ > 0 && chance_.below(3) == 0) come();
    if (!world_.clients.empty() && chance_.below(40) == 0) leave();
    for (Client& client : world_.clients) {
      if (client.backlog > 0 && chance_.below(2) == 0) client.drain();
    }
    const bool all_over = std::all_of(world_.clients.begin(), world_.clients.end(),
                                      [](const Client& client) { return client.is_over(); });
    if (requests_left_ == 0 && all_over) return;
    tick_->start(Duration::ms(1 + chance_.below(chance_.below(20) == 0 ? 9000 : 400)));
  }

  void come() {
    --requests_left_;
    const bool stream = chance_.below(2) == 0;
    const bool home = chance_.below(3) == 0;
    const bool wants_usage = stream && chance_.below(3) == 0;
    world_.ask(home ? "key-home" : "key-internal",
               wants_usage ? kUsageStream : (stream ? kStream : chat()));
    if (chance_.below(8) == 0) world_.clients.back().backlog = ports::kAnswerBacklogHigh + 1;
  }

  void leave() {
    world_.clients[static_cast<size_t>(chance_.below(static_cast<int>(world_.clients.size())))]
        .leave();
  }

  void adopt_calls() {
    for (size_t node = 0; node < 3; ++node) {
      auto& calls = world_.nodes[node].calls();
      for (; adopted_[node] < calls.size(); ++adopted_[node]) {
        Playing playing{&calls[adopted_[node]], draw_fate(), false, 0, "",
                        world_.clock.now(),     false};
        playing.stream = playing.call->sent_body().find("\"stream\":true") != std::string::npos;
        playing_.push_back(playing);
      }
    }
  }

  void play(size_t index) {
    Playing& p = playing_[index];
    NodeCall& call = *p.call;
    switch (p.fate.kind) {
      case Fate::Kind::refuse:
        return call.fail(Stage::connect, chance_.below(4) == 0);
      case Fate::Kind::hang:
        if (p.step++ > 0) return call.fail(Stage::before_head, false, true);
        p.next = world_.clock.now() + call.spec.timeouts.first_byte;
        return;
      case Fate::Kind::status:
        return call.answer(p.fate.status, R"({"error":{"message":"no"}})");
      case Fate::Kind::reset:
        return call.fail(Stage::before_head, chance_.below(2) == 0);
      case Fate::Kind::cut:
      case Fate::Kind::truncate:
      case Fate::Kind::stall:
      case Fate::Kind::serve:
        return say_next(p);
    }
  }

  void say_next(Playing& p) {
    NodeCall& call = *p.call;
    if (call.paused) return;
    const bool breaks = p.fate.kind != Fate::Kind::serve && p.step == p.fate.break_at;
    if (p.step == 0) {
      ++p.step;
      call.head(200, {{"content-type", p.stream ? "text/event-stream" : "application/json"}});
      if (breaks) break_off(p);
      return;
    }
    if (breaks) return break_off(p);
    if (p.step <= kEventsMax) {
      const std::string part = p.stream ? token_event(std::to_string(chance_.below(1000)))
                                        : std::to_string(chance_.below(1000)) + ",";
      ++p.step;
      return say(p, part);
    }
    if (p.stream) {
      say(p, kUsageEvent, call.sent_body() == kUsageStream);
      if (call.is_live()) say(p, kDone);
    }
    if (call.is_live()) call.end();
  }

  // In pieces, as a network cuts them.
  void say(Playing& p, std::string_view part, bool passes_on = true) {
    if (passes_on) p.whole += part;
    const auto cut = static_cast<size_t>(chance_.below(static_cast<int>(part.size())));
    if (cut > 0) p.call->body(part.substr(0, cut));
    if (p.call->is_live()) p.call->body(part.substr(cut));
  }

  void break_off(Playing& p) {
    NodeCall& call = *p.call;
    if (p.stalled) return call.fail(Stage::in_body, false, true);
    if (chance_.below(2) == 0) {
      p.whole += "data: {\"half";
      call.body("data: {\"half");
    }
    if (p.fate.kind == Fate::Kind::truncate && p.stream) return call.end();
    if (p.fate.kind != Fate::Kind::stall) return call.fail(Stage::in_body);
    p.stalled = true;
    p.next = world_.clock.now() + call.spec.timeouts.idle;
  }

  // The client saw a beginning of what its last candidate said, all of it if its answer ended; of
  // two that ran at once, what one of them said.
  void check_bytes(size_t index) {
    const Client& client = world_.clients[index];
    if (client.status != 200) return;
    const std::string seen = without_additions(client.body);
    const auto is_of = [&](const std::string& whole) {
      return client.ended ? seen == whole : whole.starts_with(seen);
    };
    bool is_right = is_of("");
    for (const Playing& p : playing_) {
      if (!p.call->spec.fields.get("x-request-id").starts_with(client.request_id())) continue;
      is_right = is_of(p.whole) || (is_right && world_.proxy.policy.valve.hedge);
    }
    if (!is_right) {
      world_.violations.push_back("not the bytes of its candidate: " + client.body);
    }
    const bool has_end_mark = client.body.find("[DONE]") != std::string::npos;
    if (client.was_cut && has_end_mark) {
      world_.violations.push_back("an error after the end mark");
    }
  }

  SimRandom chance_;
  World world_;
  int faults_ = 0;
  int requests_left_ = 0;
  size_t adopted_[3] = {0, 0, 0};
  std::vector<Playing> playing_;
  std::unique_ptr<ports::Timer> tick_;
};

}  // namespace

TEST_CASE(
    "swarm: whatever nodes and clients do, every exchange ends once and nothing is invented") {
  int reached[meter::kOutcomeCount] = {};
  int compared = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Swarm first(seed);
    first.run();
    INFO("seed " << seed);
    REQUIRE(first.violations() == std::vector<std::string>{});
    Swarm second(seed);
    second.run();
    REQUIRE(std::hash<std::string>()(first.trace()) == std::hash<std::string>()(second.trace()));
    for (int i = 0; i < meter::kOutcomeCount; ++i) {
      reached[i] += first.count(static_cast<meter::Outcome>(i));
    }
    compared += first.tokens_compared();
  }
  for (int i = 0; i < meter::kOutcomeCount; ++i) {
    const auto outcome = static_cast<meter::Outcome>(i);
    if (outcome == meter::Outcome::interrupted) continue;  // needs a crash
    if (outcome == meter::Outcome::superseded) continue;   // needs an engine that has been learned
    INFO(meter::to_text(outcome));
    CHECK(reached[i] > 50);  // the swarm really goes everywhere
  }
  CHECK(compared > 1000);
}

}  // namespace sluice::script
