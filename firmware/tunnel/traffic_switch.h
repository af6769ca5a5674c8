// Which path carries which class, carried out: asks choice, replaces nexthop groups, keeps the
// records. The one place that moves traffic.
// Thread: loop. Lifetime: ends before the ports.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "firmware/base/log.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/links.h"
#include "firmware/tunnel/choice.h"
#include "firmware/tunnel/switch_log.h"
#include "firmware/tunnel/tunnel_view.h"
#include "firmware/tunnel/wanted.h"

namespace sluice::tunnel {

struct SwitchPorts {
  const ports::Clock& clock;
  const ports::Calendar& calendar;
  ports::Links& links;
  ports::Files& files;
  Log& log;
};

// What is known of a path beside its view, for the record.
struct PathLoss {
  int path = kNoPath;
  std::optional<DeathCause> cause;  // if it is dead
  int unanswered = 0;
};

class TrafficSwitch {
 public:
  // So long all paths have time to answer before the first choice is made among those that did.
  static constexpr Duration kSettle = Duration::ms(800);

  TrafficSwitch(const SwitchPorts& ports, const std::string& state_folder);

  void open() { log_.open(); }
  // Chooses anew for every class and moves what is to be moved, at once. `network`: as last read.
  // True: something moved.
  bool choose(const std::vector<PathView>& paths, const std::vector<PathLoss>& losses,
              const ports::NetworkState& network, const PathSettings& settings);
  // What an earlier run of the program has left in the kernel goes on carrying, until it is known
  // to be worse than another. Order: once, before the first choose().
  void adopt(const ports::NetworkState& network, const std::vector<PathView>& paths);
  void hold_still(bool still) { still_ = still; }  // no failover
  void forget();                                   // the paths are gone
  void want(TrafficClass traffic, const ChoiceWish& wish) { wishes_[index(traffic)] = wish; }
  void set_drill(bool drill) { drill_ = drill; }

  std::optional<int> chosen(TrafficClass traffic) const;
  ChosenPaths chosen() const;
  std::optional<Instant> again() const;  // choose() anew then
  std::vector<ClassView> classes(const std::vector<PathView>& paths) const;
  std::vector<SwitchView> switches(size_t most) const;
  uint64_t count() const { return log_.count(); }

 private:
  static size_t index(TrafficClass traffic) { return static_cast<size_t>(traffic); }
  bool is_settling(const std::vector<PathView>& paths, Instant now);
  void move(const Choice& choice, TrafficClass traffic, const std::vector<PathView>& paths,
            const std::vector<PathLoss>& losses, const ports::NetworkState& network);

  const SwitchPorts ports_;
  SwitchLog log_;
  std::array<Standing, kClasses> standing_;
  std::array<Choice, kClasses> last_;
  std::array<ChoiceWish, kClasses> wishes_;
  bool still_ = false;
  bool drill_ = false;
  bool adopted_ = false;
  bool settling_ = false;
  std::optional<Instant> first_paths_;  // when there were any for the first time
};

}  // namespace sluice::tunnel
