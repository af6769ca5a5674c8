#include "firmware/sense/host_accelerators.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "firmware/base/check.h"

namespace sluice::sense {

struct HostAccelerators::Errand {
  HostAccelerators* owner = nullptr;  // loop only; null: nobody waits for it any more
  ports::AcceleratorLook look;
};

namespace {

// The n-th look in a row without an answer is followed by gap * 2^n.
Duration wider(Duration gap, int failures, Duration most) {
  for (int i = 0; i < failures && gap < most; ++i) gap = std::min(gap * 2, most);
  return gap;
}

}  // namespace

HostAccelerators::HostAccelerators(HostAcceleratorPorts ports,
                                   std::shared_ptr<ports::Accelerators> source, HostLookTimes times,
                                   Callback on_change)
    : ports_(ports),
      source_(std::move(source)),
      times_(times),
      on_change_(std::move(on_change)),
      belief_(fmt::format("host {}", source_->name()), source_->name()),
      timer_(ports_.timers.make([this] { on_due(); })) {}

// The source may end with a call into its driver, which may block like any other.
HostAccelerators::~HostAccelerators() {
  stop();
  ports_.work.run([source = std::move(source_)] {}, [] {});
}

void HostAccelerators::move_to(State next) {
  const bool allowed = next == State::stopped ||
                       (state_ == State::stopped && next == State::waiting) ||
                       (state_ == State::waiting && next == State::looking) ||
                       (state_ == State::looking && next == State::waiting);
  ENSURE(allowed);
  state_ = next;
}

void HostAccelerators::start() {
  move_to(State::waiting);
  timer_->start(Duration());
}

void HostAccelerators::stop() {
  timer_->stop();
  if (errand_) errand_->owner = nullptr;
  errand_.reset();
  move_to(State::stopped);
}

// While a look is out the timer stands for its lateness.
void HostAccelerators::on_due() {
  if (state_ == State::waiting) return begin_look();
  if (belief_.state() == AcceleratorSourceState::silent) return;
  belief_.doubt(AcceleratorSourceState::silent,
                fmt::format("a look at {} does not come back: its driver hangs", source_->name()));
  on_change_();
}

void HostAccelerators::begin_look() {
  move_to(State::looking);
  timer_->start(times_.late);
  errand_ = std::make_shared<Errand>();
  errand_->owner = this;
  ports_.work.run([errand = errand_, source = source_] { errand->look = source->look(); },
                  [errand = errand_] {
                    if (errand->owner != nullptr) errand->owner->on_back(errand->look);
                  });
}

void HostAccelerators::on_back(const ports::AcceleratorLook& look) {
  move_to(State::waiting);
  const std::shared_ptr<Errand> over = std::move(errand_);
  const AcceleratorSourceState before = belief_.state();
  const size_t unwell_before = unwell_;
  if (look.state == ports::AcceleratorState::answers) {
    failures_ = 0;
    unwell_ = 0;
    std::vector<AcceleratorLoad> loads;
    for (const ports::AcceleratorReading& reading : look.devices) {
      loads.push_back(to_load(reading, ports_.clock.now()));
      if (reading.health.value == 0.0) ++unwell_;
    }
    belief_.believe(std::move(loads), ports_.clock.now());
  } else {
    belief_.doubt(to_source_state(look.state), look.words);
    ++failures_;
  }
  timer_->start(wider(times_.gap, failures_, times_.gap_max));
  if (belief_.state() != before || unwell_ != unwell_before) on_change_();
}

AcceleratorSourceReport HostAccelerators::report(Instant now) const {
  return belief_.report(times_.stale_after, now);
}

}  // namespace sluice::sense
