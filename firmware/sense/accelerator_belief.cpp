#include "firmware/sense/accelerator_belief.h"

#include <algorithm>
#include <utility>

#include "firmware/sense/accelerator_reading.h"

namespace sluice::sense {

namespace {

Figure to_figure(const ports::AcceleratorValue& value, Instant at) {
  Figure figure;
  figure.value = value.value;
  if (value.value) figure.confidence = value.reckoned ? Confidence::derived : Confidence::told;
  if (!value.source.empty()) figure.source = value.source;
  figure.at = at;
  return figure;
}

// What a page calls a device is shown in other pages.
void make_plain(std::string& text) {
  if (text.size() > kAcceleratorTextMax) text.resize(kAcceleratorTextMax);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
}

}  // namespace

const char* to_text(AcceleratorSourceState state) {
  switch (state) {
    case AcceleratorSourceState::waiting:
      return "waiting";
    case AcceleratorSourceState::answers:
      return "answers";
    case AcceleratorSourceState::silent:
      return "silent";
    case AcceleratorSourceState::unrecognised:
      return "unrecognised";
    case AcceleratorSourceState::no_device:
      return "no_device";
    case AcceleratorSourceState::no_library:
      return "no_library";
    case AcceleratorSourceState::library_too_old:
      return "library_too_old";
    case AcceleratorSourceState::driver_not_running:
      return "driver_not_running";
    case AcceleratorSourceState::not_supported:
      return "not_supported";
    case AcceleratorSourceState::not_allowed:
      return "not_allowed";
    case AcceleratorSourceState::broken:
      break;
  }
  return "broken";
}

AcceleratorSourceState to_source_state(ports::AcceleratorState state) {
  switch (state) {
    case ports::AcceleratorState::answers:
      return AcceleratorSourceState::answers;
    case ports::AcceleratorState::no_device:
      return AcceleratorSourceState::no_device;
    case ports::AcceleratorState::no_library:
      return AcceleratorSourceState::no_library;
    case ports::AcceleratorState::library_too_old:
      return AcceleratorSourceState::library_too_old;
    case ports::AcceleratorState::driver_not_running:
      return AcceleratorSourceState::driver_not_running;
    case ports::AcceleratorState::not_supported:
      return AcceleratorSourceState::not_supported;
    case ports::AcceleratorState::not_allowed:
      return AcceleratorSourceState::not_allowed;
    case ports::AcceleratorState::broken:
      break;
  }
  return AcceleratorSourceState::broken;
}

AcceleratorLoad to_load(const ports::AcceleratorReading& reading, Instant at) {
  AcceleratorLoad load;
  load.id = reading.id;
  load.name = reading.name;
  load.vendor = reading.vendor;
  load.busy = to_figure(reading.busy, at);
  load.memory_used_bytes = to_figure(reading.memory_used_bytes, at);
  load.memory_total_bytes = to_figure(reading.memory_total_bytes, at);
  load.power_w = to_figure(reading.power_w, at);
  load.temperature_c = to_figure(reading.temperature_c, at);
  load.health = to_figure(reading.health, at);
  load.trouble = reading.trouble;
  return load;
}

AcceleratorBelief::AcceleratorBelief(std::string name, std::string driver) {
  report_.name = std::move(name);
  report_.driver = std::move(driver);
}

void AcceleratorBelief::believe(std::vector<AcceleratorLoad> accelerators, Instant now) {
  report_.state = AcceleratorSourceState::answers;
  report_.why.clear();
  for (AcceleratorLoad& load : accelerators) {
    for (std::string* text : {&load.id, &load.name, &load.vendor, &load.trouble}) make_plain(*text);
  }
  keep_ages(report_.accelerators, accelerators);
  report_.accelerators = std::move(accelerators);
  at_ = now;
}

void AcceleratorBelief::doubt(AcceleratorSourceState state, std::string why) {
  report_.state = state;
  report_.why = std::move(why);
  if (state == AcceleratorSourceState::no_device) report_.accelerators.clear();
}

AcceleratorSourceReport AcceleratorBelief::report(Duration stale_after, Instant now) const {
  AcceleratorSourceReport report = report_;
  if (!at_) return report;
  report.age = now - *at_;
  if (*report.age > kAcceleratorForgotten) report.accelerators.clear();
  for (AcceleratorLoad& load : report.accelerators) mark_stale(load, stale_after, now);
  return report;
}

}  // namespace sluice::sense
