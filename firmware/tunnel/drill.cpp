#include "firmware/tunnel/drill.h"

#include <fmt/format.h>

#include <utility>

#include "firmware/base/check.h"

namespace sluice::tunnel {

namespace {

ports::ProgramSpec nft(std::string text) {
  ports::ProgramSpec spec;
  spec.program = "nft";
  spec.arguments = {"--file", "-"};
  spec.input = std::move(text);
  return spec;
}

}  // namespace

// On arrival only: what is sent still goes out, as with a path that is cut on its way back.
std::string drill_cut(const std::string& interface) {
  return fmt::format(
      "{}table inet sluice_drill {{\n"
      "  chain cut {{\n"
      "    type filter hook prerouting priority -310; policy accept;\n"
      "    iifname \"{}\" counter drop\n"
      "  }}\n"
      "}}\n",
      drill_removal(), interface);
}

std::string drill_removal() {
  return "table inet sluice_drill {}\ndelete table inet sluice_drill\n";
}

Drill::Drill(const DrillPorts& ports, const PathView& path, Hooks hooks)
    : ports_(ports),
      first_(path),
      hooks_(std::move(hooks)),
      limit_(ports.timers.make([this] { on_time(); })),
      tell_(ports.timers.make([this] { tell(); })) {
  report_.traffic = to_text(TrafficClass::interactive);
  report_.from = first_.name.text();
  cut();
}

Drill::~Drill() = default;

void Drill::move_to(State state, Duration most) {
  ENSURE(state_ != State::over);
  state_ = state;
  limit_->start(most);
}

void Drill::cut() {
  move_to(State::cutting, kMoveMax);
  run_ = ports_.programs.run(
      nft(drill_cut(interface_of(first_.number))), [this](const Result<ports::ProgramEnd>& end) {
        if (state_ != State::cutting) return;
        if (!end || end->exit_code != 0) {
          failed_ = end ? "nft: " + end->errors.substr(0, 200) : end.error().text;
          return finish();
        }
        cut_at_ = ports_.clock.now();
        move_to(State::watching, kMoveMax);
      });
}

void Drill::step() {
  if (is_over()) return;
  const Moment moment = hooks_.look();
  const Instant now = ports_.clock.now();
  if (state_ == State::watching) {
    if (!detected_ && moment.first_state == PathState::dead) {
      detected_ = true;
      report_.detect = now - cut_at_;
      report_.probes_lost = moment.unanswered;
    }
    if (moment.path == first_.number) return;
    report_.switched = now - cut_at_;
    report_.to = hooks_.name(moment.path);
    return heal();
  }
  if (state_ == State::healing && moment.first_state == PathState::good) {
    move_to(State::returning, kReturnMax);
    return hooks_.come_back();
  }
  if (state_ == State::returning && moment.path == first_.number) {
    report_.returned = true;
    finish();
  }
}

void Drill::heal() {
  move_to(State::healing, kHealMax);
  hooks_.undo();
}

void Drill::on_time() {
  if (state_ == State::watching) return heal();  // it did not move
  if (state_ == State::cutting) failed_ = "nft did not come to its end";
  finish();
}

void Drill::abandon(Error why) {
  if (is_over()) return;
  finish();
  result_ = std::move(why);
}

void Drill::finish() {
  const bool cut = state_ == State::watching || state_ == State::cutting;
  state_ = State::over;
  limit_->stop();
  result_ = verdict();
  if (cut) hooks_.undo();
  tell_->start(Duration());
}

void Drill::tell() {
  const Result<DrillReport> result = *std::exchange(result_, std::nullopt);
  hooks_.done(result);
}

Result<DrillReport> Drill::verdict() const {
  if (!failed_.empty()) {
    return Error{ErrorKind::unsupported, "tunnel",
                 "the path could not be cut, so nothing was tried: " + failed_};
  }
  DrillReport report;
  report.steps = {report_};
  report.passed = !report_.to.empty() && report_.returned;
  if (report_.to.empty()) {
    report.en = "Traffic did not leave the path that was cut: see sluiced tunnel status for why.";
    report.zh = "流量没有离开被切断的路径：原因见 sluiced tunnel status。";
  } else if (!report_.returned) {
    report.en = fmt::format("Traffic moved to {} and has not returned to {} yet.", report_.to,
                            report_.from);
    report.zh = fmt::format("流量已切到 {}，尚未回到 {}。", report_.to, report_.from);
  } else {
    report.en = fmt::format("Traffic moved to {} {} ms after the cut, and has returned.",
                            report_.to, report_.switched.as_ms());
    report.zh = fmt::format("切断后 {} 毫秒流量切到 {}，之后已返回。", report_.switched.as_ms(),
                            report_.to);
  }
  return report;
}

}  // namespace sluice::tunnel
