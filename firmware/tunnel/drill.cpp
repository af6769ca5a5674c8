#include "firmware/tunnel/drill.h"

#include <fmt/format.h>

#include <utility>

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

Drill::Drill(const DrillPorts& ports, const PathView& path, Look look, Callback come_back,
             std::function<std::string(int)> name, TunnelCommands::OnDrill done)
    : ports_(ports),
      first_(path),
      look_(std::move(look)),
      come_back_(std::move(come_back)),
      name_(std::move(name)),
      done_(std::move(done)),
      limit_(ports.timers.make([this] { on_time(); })) {
  report_.traffic = to_text(TrafficClass::interactive);
  report_.from = first_.name.text();
  cut();
}

Drill::~Drill() = default;

void Drill::move_to(State state, Duration most) {
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
  const Moment moment = look_();
  const Instant now = ports_.clock.now();
  if (state_ == State::watching) {
    if (!detected_ && moment.first_state == PathState::dead) {
      detected_ = true;
      report_.detect = now - cut_at_;
      report_.probes_lost = moment.unanswered;
    }
    if (moment.path == first_.number) return;
    report_.switched = now - cut_at_;
    report_.to = name_(moment.path);
    return heal();
  }
  if (state_ == State::healing && moment.first_state == PathState::good) {
    move_to(State::returning, kReturnMax);
    return come_back_();
  }
  if (state_ == State::returning && moment.path == first_.number) {
    report_.returned = true;
    finish();
  }
}

void Drill::heal() {
  move_to(State::healing, kHealMax);
  undo_ = ports_.programs.run(nft(drill_removal()), [](const Result<ports::ProgramEnd>&) {});
}

void Drill::on_time() {
  if (state_ == State::watching) return heal();  // it did not move
  finish();
}

void Drill::finish() {
  if (state_ == State::over) return;
  const bool cut = state_ == State::watching || state_ == State::cutting;
  state_ = State::over;
  limit_->stop();
  if (cut) undo_ = ports_.programs.run(nft(drill_removal()), [](const auto&) {});
  if (!failed_.empty()) {
    return done_(Error{ErrorKind::unsupported, "tunnel",
                       "the path could not be cut, so nothing was tried: " + failed_});
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
  done_(report);
}

}  // namespace sluice::tunnel
