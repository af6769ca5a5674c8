// A rehearsal of failover: the answers of the path in use are dropped on arrival, traffic must move
// to another one; then the path is given back and traffic returns. Streams live on.
//
//   cutting -> watching -> healing -> returning -> over      any -> over: it took too long
//
// Thread: loop. Order: step() whenever a path changed. `done` is told in a later turn. Lifetime:
// ends before the ports, not inside `done`. The cut is taken away by DrillHooks::undo, which has to
// see to it that this is done in the end; also after one that ended before it was over, with its
// program.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "firmware/ports/clock.h"
#include "firmware/ports/programs.h"
#include "firmware/ports/timers.h"
#include "firmware/tunnel/tunnel_commands.h"
#include "firmware/tunnel/tunnel_view.h"

namespace sluice::tunnel {

struct DrillPorts {
  const ports::Clock& clock;
  ports::Timers& timers;
  ports::Programs& programs;
};

// The rule that cuts a path's way back, and the text that takes it away, for nft.
std::string drill_cut(const std::string& interface);
std::string drill_removal();

class Drill {
 public:
  static constexpr Duration kMoveMax = Duration::seconds(5);
  static constexpr Duration kHealMax = Duration::seconds(15);
  static constexpr Duration kReturnMax = Duration::seconds(10);

  struct Moment {  // of the traffic class that is drilled
    int path = -1;
    PathState first_state = PathState::down;  // of the path that was cut
    int unanswered = 0;                       // its probes
  };
  struct Hooks {
    std::function<Moment()> look;
    Callback come_back;  // the first path is well again, traffic shall return to it
    Callback undo;       // take the cut away: drill_removal()
    std::function<std::string(int)> name;
    TunnelCommands::OnDrill done;
  };
  Drill(const DrillPorts& ports, const PathView& path, Hooks hooks);
  ~Drill();
  Drill(const Drill&) = delete;
  Drill& operator=(const Drill&) = delete;

  void step();
  void abandon(Error why);  // what it rests on is gone
  bool is_over() const { return state_ == State::over; }
  bool is_told() const { return is_over() && !result_; }

 private:
  enum class State { cutting, watching, healing, returning, over };
  void move_to(State state, Duration most);
  void cut();
  void heal();
  void finish();
  Result<DrillReport> verdict() const;
  void tell();
  void on_time();

  // Fixed after construction.
  const DrillPorts ports_;
  const PathView first_;
  const Hooks hooks_;
  // Changes.
  State state_ = State::cutting;
  DrillStep report_;
  Instant cut_at_;
  bool detected_ = false;
  std::string failed_;
  std::optional<Result<DrillReport>> result_;  // until it is told
  std::unique_ptr<ports::ProgramRun> run_;
  std::unique_ptr<ports::Timer> limit_;
  std::unique_ptr<ports::Timer> tell_;
};

}  // namespace sluice::tunnel
