// A rehearsal of failover: the answers of the path in use are dropped on arrival, traffic must move
// to another one; then the path is given back and traffic returns. Streams live on.
//
//   cutting -> watching -> healing -> returning -> over      any -> over: it took too long
//
// Thread: loop; step() is called whenever a path changed, and by a timer of its own. Lifetime: ends
// before the ports. When it ends before it is over, the cut is undone by undo(), also of an earlier
// run of the program.
#pragma once

#include <functional>
#include <memory>
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
  using Look = std::function<Moment()>;
  // `come_back`: the first path is well again, traffic shall return to it.
  Drill(const DrillPorts& ports, const PathView& path, Look look, Callback come_back,
        std::function<std::string(int)> name, TunnelCommands::OnDrill done);
  ~Drill();
  Drill(const Drill&) = delete;
  Drill& operator=(const Drill&) = delete;

  void step();
  bool is_over() const { return state_ == State::over; }

 private:
  enum class State { cutting, watching, healing, returning, over };
  void move_to(State state, Duration most);
  void cut();
  void heal();
  void finish();
  void on_time();

  // Fixed after construction.
  const DrillPorts ports_;
  const PathView first_;
  const Look look_;
  const Callback come_back_;
  const std::function<std::string(int)> name_;
  const TunnelCommands::OnDrill done_;
  // Changes.
  State state_ = State::cutting;
  DrillStep report_;
  Instant cut_at_;
  bool detected_ = false;
  std::string failed_;
  std::unique_ptr<ports::ProgramRun> run_;
  std::unique_ptr<ports::ProgramRun> undo_;
  std::unique_ptr<ports::Timer> limit_;
};

}  // namespace sluice::tunnel
