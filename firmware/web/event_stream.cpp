#include "firmware/web/event_stream.h"

#include <fmt/format.h>

#include "firmware/base/check.h"
#include "firmware/web/answers.h"
#include "firmware/web/status_json.h"

namespace sluice::web {

EventStream::EventStream(const WebWorld& world, std::shared_ptr<EventStreams> streams,
                         ports::HttpAnswer& answer)
    : world_(world),
      streams_(std::move(streams)),
      answer_(answer),
      period_(world.timers.make([this] { on_period(); })) {
  ++streams_->open;
}

EventStream::~EventStream() { --streams_->open; }

void EventStream::move_to(State state) {
  ENSURE(state_ != State::ended && state != State::waiting);
  state_ = state;
  if (state == State::ended) period_->stop();
}

void EventStream::on_body_end() {
  if (state_ != State::waiting) return;
  move_to(State::streaming);
  const auto newest = world_.decisions.decisions(0, 1);
  if (!newest.empty()) last_decision_ = newest.front().sequence;
  answer_.send_head(200, answer_fields("text/event-stream", "no-store"), std::nullopt);
  send_event("status", status_now(world_));
  period_->start(kEventPeriod);
}

void EventStream::on_client_gone() {
  if (state_ != State::ended) move_to(State::ended);
}

void EventStream::on_period() {
  if (streams_->finishing) {
    move_to(State::ended);
    return answer_.end();
  }
  if (answer_.backlog_bytes() > kEventBacklogMax) {
    if (++skips_ > kEventSkipsMax) {
      move_to(State::ended);
      return answer_.cut();
    }
  } else {
    skips_ = 0;
    send_decisions();
    send_event("status", status_now(world_));
  }
  period_->start(kEventPeriod);
}

void EventStream::send_decisions() {
  const auto fresh = world_.decisions.decisions(last_decision_, kEventDecisionsMax);
  if (fresh.empty()) return;
  last_decision_ = fresh.front().sequence;
  for (auto decision = fresh.rbegin(); decision != fresh.rend(); ++decision) {
    send_event("decision", decision_json(*decision));
  }
}

void EventStream::send_event(std::string_view name, std::string_view json) {
  answer_.send_body(fmt::format("event: {}\ndata: {}\n\n", name, json));
}

std::string status_now(const WebWorld& world) {
  const Instant now = world.clock.now();
  return status_json({world.box.status(), world.calendar.now(), world.senses.reports(now),
                      world.meter.share(now), world.queue.queue(), world.shadow.shadow(),
                      world.accelerators.accelerators(now), now, world.tunnels.tunnels()});
}

}  // namespace sluice::web
