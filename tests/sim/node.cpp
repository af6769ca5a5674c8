#include "tests/sim/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "firmware/base/check.h"
#include "firmware/base/text.h"

namespace sluice::sim {

using Stage = ports::HttpFailure::Stage;

struct SimNode::Handle final : ports::HttpCall {
  Handle(SimNode& of, SeatId at, uint32_t which) : node(of), seat(at), generation(which) {}
  ~Handle() override { node.let_go(seat, generation); }
  void pause() override {
    if (is_ours()) node.calls_[seat]->paused = true;
  }
  void resume() override {
    if (!is_ours() || !std::exchange(node.calls_[seat]->paused, false)) return;
    node.to_flush_.push_back(seat);
    node.flush_->start(Duration());
  }
  bool is_ours() const { return node.calls_[seat]->generation == generation; }

  SimNode& node;
  SeatId seat;
  uint32_t generation;
};

SimNode::SimNode(int index, std::string model, std::unique_ptr<Service> service,
                 const LinkSpec& link, script::SimClock& clock, script::SimTimers& timers,
                 NodeObserver& observer, Chance chance)
    : index_(index),
      model_(std::move(model)),
      service_(std::move(service)),
      link_(link),
      clock_(clock),
      observer_(observer),
      chance_(chance),
      timers_(timers),
      wake_(timers.make([this] { on_wake(); })),
      flush_(timers.make([this] { on_flush(); })) {
  token_text_ = fmt::format(
      "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"{}\","
      "\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" ",
      model_);
  token_at_ = token_text_.size();
  token_text_ += "0000\"},\"finish_reason\":null}]}\n\n";
}

SeatId SimNode::take_seat() {
  if (free_.empty()) {
    const SeatId seat = calls_.size();
    calls_.push_back(std::make_unique<Call>());
    calls_.back()->watch = timers_.make([this, seat] { on_watch(seat); });
    return seat;
  }
  const SeatId seat = free_.back();
  free_.pop_back();
  return seat;
}

std::unique_ptr<ports::HttpCall> SimNode::call(ports::HttpCallSpec spec,
                                               ports::HttpCallSink& sink) {
  const SeatId seat = take_seat();
  Call& call = *calls_[seat];
  ++call.generation;
  call.sink = &sink;
  call.kind = spec.method == "POST" ? Kind::answer : Kind::page;
  call.path = call.kind == Kind::page ? std::move(spec.target) : std::string();
  call.timeouts = spec.timeouts;
  call.began = call.last_heard = clock_.now();
  call.connected = call.head_told = call.paused = call.head_late = call.end_late = false;
  call.service_done = false;
  call.still_until = Instant();
  call.late.clear();
  call.late_tokens = 0;
  call.book = {};
  call.book.sum = kFnvStart;
  if (call.kind == Kind::answer) {
    const auto number = to_integer(spec.fields.get(kRequestField));
    ENSURE(number.has_value());
    call.book.request = static_cast<uint32_t>(*number);
    call.facts = observer_.facts_of(call.book.request);
    ++open_calls_;
    observer_.on_call(index_, call.book.request);
  }
  if (faults_.link_out) {
    stranded_.push_back(seat);
  } else {
    post(seat, false);
  }
  watch(call);
  return std::make_unique<Handle>(*this, seat, call.generation);
}

void SimNode::post(SeatId seat, bool cancel) {
  const Micros at = (clock_.now() + link_.one_way).as_us();
  inbox_.push_back({inbox_.empty() ? at : std::max(at, inbox_.back().at), seat,
                    calls_[seat]->generation, cancel});
  arm();
}

void SimNode::let_go(SeatId seat, uint32_t generation) {
  Call& call = *calls_[seat];
  if (call.generation != generation || call.sink == nullptr) return;
  call.sink = nullptr;
  call.watch->stop();
  if (call.kind == Kind::answer) --open_calls_;
  if (std::erase(stranded_, seat) > 0) call.service_done = true;  // it never heard of it
  if (call.service_done) return free_if_over(seat);
  post(seat, true);
}

void SimNode::free_if_over(SeatId seat) {
  Call& call = *calls_[seat];
  if (call.sink != nullptr || !call.service_done) return;
  ++call.generation;
  if (call.kind == Kind::answer) observer_.on_call_over(index_, call.book);
  free_.push_back(seat);
}

void SimNode::arm() {
  std::optional<Micros> next = service_->next_event();
  if (!inbox_.empty() && (!next || inbox_.front().at < *next)) next = inbox_.front().at;
  if (!next) return wake_->stop();
  const Instant at = std::max(clock_.now(), Instant::from_us(*next) + link_.one_way);
  if (wake_->is_running() && wake_at_ == at) return;
  wake_at_ = at;
  wake_->start(at - clock_.now());
}

void SimNode::on_wake() {
  const Micros until = (clock_.now() - link_.one_way).as_us();
  while (true) {
    const std::optional<Micros> next = service_->next_event();
    const bool has_post = !inbox_.empty() && inbox_.front().at <= until;
    if (next && *next <= until && (!has_post || *next <= inbox_.front().at)) {
      service_->advance(*next);
      hear_events();
    } else if (has_post) {
      const Post next_post = inbox_.front();
      inbox_.pop_front();
      receive(next_post);
    } else {
      break;
    }
  }
  arm();
}

void SimNode::receive(const Post& post) {
  Call& call = *calls_[post.seat];
  if (call.generation != post.generation) return;  // it ended meanwhile
  if (post.cancel) {
    if (!call.service_done && call.book.taken) service_->cancel(post.at, post.seat);
    call.service_done = true;
    hear_events();
    return free_if_over(post.seat);
  }
  call.connected = !faults_.off;
  if (faults_.off) {
    call.service_done = true;
    return fail(post.seat, Stage::connect, false);
  }
  if (call.kind == Kind::page) return answer_page(post.seat);
  int status = faults_.status;
  if (status == 0 && faults_.status_share > 0 && chance_.happens(faults_.status_share))
    status = 503;
  if (status == 0) {
    status = service_->submit(post.at, post.seat, call.facts.prompt, call.facts.output);
    call.book.taken = status == 200;
    hear_events();
  }
  if (status != 200) return refuse(post.seat, status);
}

void SimNode::answer_page(SeatId seat) {
  Call& call = *calls_[seat];
  call.service_done = true;
  std::string text;
  if (call.path.ends_with("/models")) {
    text = fmt::format(R"({{"object":"list","data":[{{"id":"{}","object":"model"}}]}})", model_);
  } else if (call.path.ends_with("/metrics")) {
    if (faults_.metrics_broken) return refuse(seat, 500);
    text = faults_.metrics_lie
               ? testbed::EngineMetrics(testbed::MetricsDialect::vllm_v1, model_).render({})
               : service_->metrics();
  }
  tell_head(seat);
  if (call.sink != nullptr && !text.empty()) say(seat, text, Piece::other);
  say_end(seat);
}

void SimNode::refuse(SeatId seat, int status) {
  Call& call = *calls_[seat];
  call.service_done = true;
  if (call.sink == nullptr) return free_if_over(seat);
  if (faults_.link_out) return;  // it waits for its own timeout
  ports::HttpResponseHead head;
  head.status = status;
  head.fields.add("content-type", "application/json");
  call.sink->on_head(head);
  if (call.sink != nullptr) call.sink->on_body(R"({"error":{"message":"not now"}})");
  say_end(seat);
}

void SimNode::hear_events() {
  // Whoever hears of a token may begin or end calls, but posts only: no service is called inside.
  service_->take_events(events_);
  for (const testbed::EngineEvent& event : events_) hear(event);
}

void SimNode::hear(const testbed::EngineEvent& event) {
  using EventKind = testbed::EngineEvent::Kind;
  const SeatId seat = event.id;
  Call& call = *calls_[seat];
  switch (event.kind) {
    case EventKind::first_token:
      ++call.book.generated;
      if (call.sink == nullptr || !call.facts.stream) return;
      tell_head(seat);
      if (call.sink != nullptr) say(seat, token_event(call, 0), Piece::token);
      if (call.sink != nullptr) observer_.on_answer_begins(index_, call.book.request);
      return;
    case EventKind::token:
      ++call.book.generated;
      if (call.sink != nullptr && call.facts.stream) {
        say(seat, token_event(call, event.index), Piece::token);
      }
      return;
    case EventKind::finished:
      return hear_end(seat);
    case EventKind::admitted:
    case EventKind::preempted:
      return;
  }
}

void SimNode::hear_end(SeatId seat) {
  Call& call = *calls_[seat];
  call.service_done = true;
  const std::string usage =
      fmt::format("\"usage\":{{\"prompt_tokens\":{},\"total_tokens\":{},\"completion_tokens\":{}}}",
                  call.facts.prompt, call.facts.prompt + call.facts.output, call.facts.output);
  if (call.facts.stream) {
    say(seat,
        fmt::format("data: {{\"id\":\"c\",\"model\":\"{}\",\"choices\":[],{}}}\n\n", model_, usage),
        Piece::usage);
    say(seat, "data: [DONE]\n\n", Piece::other);
  } else {
    tell_head(seat);
    say(seat,
        fmt::format("{{\"id\":\"c\",\"model\":\"{}\",\"choices\":[{{\"message\":{{\"content\":"
                    "\"all of it\"}},\"finish_reason\":\"stop\"}}],{}}}",
                    model_, usage),
        Piece::other);
    if (call.sink != nullptr) observer_.on_answer_begins(index_, call.book.request);
  }
  say_end(seat);
}

void SimNode::tell_head(SeatId seat) {
  Call& call = *calls_[seat];
  if (call.sink == nullptr || std::exchange(call.head_told, true)) return;
  if (is_held_back(call)) {
    call.head_late = true;
    return;
  }
  call.last_heard = clock_.now();
  ports::HttpResponseHead head;
  const bool stream = call.kind == Kind::answer && call.facts.stream;
  head.fields.add("content-type", stream                      ? "text/event-stream"
                                  : call.kind == Kind::answer ? "application/json"
                                                              : "text/plain; version=0.0.4");
  call.sink->on_head(head);
}

bool SimNode::is_held_back(const Call& call) const {
  return faults_.link_out || call.paused || call.head_late || !call.late.empty() ||
         clock_.now() < call.still_until;
}

// The usage event was asked for by the box alone: it is left out of what it passes on.
void SimNode::say(SeatId seat, std::string_view bytes, Piece piece) {
  Call& call = *calls_[seat];
  if (call.sink == nullptr) return;
  if (keeps_sums_ && piece != Piece::usage) call.book.sum = fnv(bytes, call.book.sum);
  if (link_.loss > 0 && call.kind == Kind::answer && chance_.happens(link_.loss)) {
    call.still_until = clock_.now() + link_.resend;
    watch(call);
  }
  const int64_t tokens = piece == Piece::token ? 1 : 0;
  if (is_held_back(call)) {
    call.late += bytes;
    call.late_tokens += tokens;
    return;
  }
  call.last_heard = clock_.now();
  call.book.heard += tokens;
  call.sink->on_body(bytes);
}

void SimNode::say_end(SeatId seat) {
  Call& call = *calls_[seat];
  if (call.sink != nullptr && is_held_back(call)) {
    call.end_late = true;
    return;
  }
  if (call.sink != nullptr) {
    ports::HttpCallSink* sink = std::exchange(call.sink, nullptr);
    call.watch->stop();
    if (call.kind == Kind::answer) --open_calls_;
    call.book.whole = call.book.taken;
    sink->on_end();
  }
  free_if_over(seat);
}

// What was held back, once nothing holds it back any more.
void SimNode::flush(SeatId seat) {
  Call& call = *calls_[seat];
  if (call.sink == nullptr || call.paused || faults_.link_out) return;
  if (clock_.now() < call.still_until) return;
  if (std::exchange(call.head_late, false)) {
    call.head_told = false;
    const std::string late = std::exchange(call.late, {});
    tell_head(seat);
    call.late = late;
    if (call.sink == nullptr) return;
  }
  if (!call.late.empty()) {
    const std::string late = std::exchange(call.late, {});
    call.last_heard = clock_.now();
    call.book.heard += std::exchange(call.late_tokens, 0);
    call.sink->on_body(late);
  }
  if (call.sink != nullptr && call.end_late && !call.paused) {
    call.end_late = false;
    say_end(seat);
  }
}

void SimNode::on_flush() {
  const std::vector<SeatId> seats = std::exchange(to_flush_, {});
  for (const SeatId seat : seats) flush(seat);
}

void SimNode::set_faults(const NodeFaults& faults) {
  const bool back = faults_.link_out && !faults.link_out;
  faults_ = faults;
  if (!back) return;
  for (const SeatId seat : std::exchange(stranded_, {})) post(seat, false);
  for (SeatId seat = 0; seat < calls_.size(); ++seat) to_flush_.push_back(seat);
  flush_->start(Duration());
}

void SimNode::restart_engine() {
  for (SeatId seat = 0; seat < calls_.size(); ++seat) {
    Call& call = *calls_[seat];
    if (call.service_done || !call.book.taken) continue;
    service_->cancel((clock_.now() - link_.one_way).as_us(), seat);
    call.service_done = true;
    if (call.sink != nullptr && !faults_.link_out) {
      fail(seat, call.head_told ? Stage::in_body : Stage::before_head, false);
    } else {
      free_if_over(seat);
    }
  }
  if (auto* engine = dynamic_cast<EngineService*>(service_.get())) engine->restart();
  arm();
}

// One timer for all four timeouts: it looks again when the first of them could have passed.
void SimNode::watch(Call& call) {
  Instant next = Instant::from_us(INT64_MAX / 2);
  const auto within = [&next](Instant since, Duration max) {
    if (!max.is_zero()) next = std::min(next, since + max);
  };
  within(call.began, call.timeouts.total);
  if (!call.connected) within(call.began, call.timeouts.connect);
  if (!call.head_told || call.head_late) within(call.began, call.timeouts.first_byte);
  if (call.head_told && !call.head_late) within(call.last_heard, call.timeouts.idle);
  if (clock_.now() < call.still_until) next = std::min(next, call.still_until);
  if (next != Instant::from_us(INT64_MAX / 2)) {
    call.watch->start(std::max(Duration(), next - clock_.now()));
  }
}

void SimNode::on_watch(SeatId seat) {
  Call& call = *calls_[seat];
  if (call.sink == nullptr) return;
  const Instant now = clock_.now();
  const auto passed = [now](Instant since, Duration max) {
    return !max.is_zero() && now >= since + max;
  };
  const bool head = call.head_told && !call.head_late;
  const Stage stage = head ? Stage::in_body : Stage::before_head;
  if (!call.connected && passed(call.began, call.timeouts.connect)) {
    return fail(seat, Stage::connect, true);
  }
  if (passed(call.began, call.timeouts.total)) return fail(seat, stage, true);
  if (!head && passed(call.began, call.timeouts.first_byte)) return fail(seat, stage, true);
  if (head && !call.paused && passed(call.last_heard, call.timeouts.idle)) {
    return fail(seat, stage, true);
  }
  if (head && call.paused) call.last_heard = now;
  if (now >= call.still_until) flush(seat);
  if (call.sink != nullptr) watch(call);
}

void SimNode::fail(SeatId seat, Stage stage, bool timed_out) {
  Call& call = *calls_[seat];
  if (call.sink == nullptr) return free_if_over(seat);
  ports::HttpCallSink* sink = std::exchange(call.sink, nullptr);
  call.watch->stop();
  if (call.kind == Kind::answer) --open_calls_;
  if (std::erase(stranded_, seat) > 0) call.service_done = true;
  if (!call.service_done) post(seat, true);
  const Error error{ErrorKind::gone, "sim", timed_out ? "no byte in time" : "connection lost"};
  sink->on_fail({error, stage, false, timed_out});
  free_if_over(seat);
}

std::string_view SimNode::token_event(const Call& call, int64_t index) {
  uint64_t mix = (call.book.request * 0x9E3779B97F4A7C15ull) ^ (static_cast<uint64_t>(index) << 7);
  mix ^= mix >> 29;
  for (size_t i = 0; i < 4; ++i) {
    token_text_[token_at_ + i] = static_cast<char>('a' + (mix >> (8 * i) & 15));
  }
  return token_text_;
}

}  // namespace sluice::sim
