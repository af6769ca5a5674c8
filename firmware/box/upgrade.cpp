#include "firmware/box/upgrade.h"

#include <fmt/format.h>

#include <utility>

#include "firmware/base/check.h"
#include "firmware/box/handover.h"

namespace sluice::box {

Upgrade::Upgrade(ports::Successors& successors, ports::Timers& timers, Log& log,
                 Callback on_handed_over, Callback on_abandoned)
    : successors_(successors),
      log_(log),
      on_handed_over_(std::move(on_handed_over)),
      on_abandoned_(std::move(on_abandoned)),
      late_(timers.make([this] { on_late(); })),
      turn_(timers.make([this] { successor_.reset(); })),
      again_(timers.make([this] { start_again(); })) {}

// One that has not served would hold sockets and the folder that nobody knows of.
Upgrade::~Upgrade() {
  if (state_ == State::giving_up && successor_) successor_->kill();
}

void Upgrade::move_to(State state) {
  ENSURE(state_ != State::handed_over && state_ != State::giving_up);
  ENSURE((state_ == State::idle) == (state == State::starting));
  state_ = state;
}

void Upgrade::begin(ports::SuccessorSpec spec, Done done) {
  if (state_ != State::idle || turn_->is_running()) {
    return done(Error{ErrorKind::busy, "box",
                      "an upgrade is under way already; ask again when it has ended"});
  }
  const std::string program = spec.program;
  plain_ = {spec.program, spec.arguments, {}, {}};
  Result<std::unique_ptr<ports::Successor>> started = successors_.start(
      std::move(spec), [this](const Result<std::string>& report) { on_report(report); },
      [this](const Error& how) { on_lost(how); });
  if (!started) {
    log_.error("box", "no upgrade: {}", started.error().text);
    return done(started.error());
  }
  move_to(State::starting);
  successor_ = std::move(*started);
  done_ = std::move(done);
  late_->start(kReadyMax);
  log_.info("box", "upgrade: {} started as process {}", program, successor_->pid());
}

void Upgrade::on_report(const Result<std::string>& report) {
  if (state_ == State::giving_up) return turn_->start(Duration());  // it ends by itself
  if (state_ != State::starting) return;
  const Result<void> ready = report ? read_report(*report) : Result<void>(report.error());
  if (!ready) return fail(ready.error());
  const int pid = successor_->pid();
  late_->stop();
  move_to(State::handed_over);
  log_.info("box", "upgrade: process {} serves", pid);
  const Done done = std::move(done_);
  done(pid);
  on_handed_over_();
}

void Upgrade::on_lost(const Error& how) {
  if (!watches_) return;
  log_.error("box", "the process that took over is lost: {}", how.text);
  if (++starts_again_ <= kStartsAgainMax) return again_->start(kStartAgainAfter);
  log_.error("box", "it is not started a {}th time: NOBODY SERVES", starts_again_);
  on_abandoned_();
}

// Without a handover it reports nothing: what is heard is its end.
void Upgrade::start_again() {
  successor_.reset();
  Result<std::unique_ptr<ports::Successor>> started = successors_.start(
      plain_,
      [this](const Result<std::string>& report) {
        if (!report) on_lost(report.error());
      },
      [this](const Error& how) { on_lost(how); });
  if (!started) return on_lost(started.error());
  successor_ = std::move(*started);
  log_.warning("box", "{} was started again, as process {}", plain_.program, successor_->pid());
}

void Upgrade::on_late() {
  fail({ErrorKind::gone, "box",
        fmt::format("it was not ready within {} s", kReadyMax.as_ms() / 1000)});
}

void Upgrade::fail(const Error& error) {
  successor_->kill();
  late_->stop();
  turn_->start(Duration());
  move_to(State::idle);
  log_.error("box", "upgrade: the new process failed, this one serves on: {}", error.text);
  const Done done = std::move(done_);
  done(Error{ErrorKind::broken, "box",
             fmt::format("the new process failed and the old one serves on: {}", error.text)});
}

void Upgrade::give_up() {
  watches_ = false;
  again_->stop();
  if (state_ != State::starting) return;
  successor_->ask_to_end();  // it may be serving already: let it finish
  late_->stop();
  move_to(State::giving_up);
  const Done done = std::move(done_);
  done(Error{ErrorKind::gone, "box", "the box was asked to stop meanwhile"});
}

}  // namespace sluice::box
