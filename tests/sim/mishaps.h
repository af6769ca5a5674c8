// What goes wrong, and when: faults of nodes and links, each with its beginning and its end.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/site.h"

namespace sluice::sim {

struct Mishap {
  enum class Kind {
    down,      // nobody listens; what it had is lost
    restart,   // what it had is lost, at once it is back
    link_out,  // nothing passes
    loss,      // `amount` of the pieces of streams are sent again
    slow,      // an engine's steps take `amount` times as long
    lies,      // its metrics say that it is idle
    mute,      // its metrics fail
    busy,      // 429 to everybody
    broken,    // 500 to everybody
    flaky,     // 503 to a share of `amount`
  };
  static constexpr int kKinds = 10;

  Kind kind = Kind::down;
  size_t node = 0;
  Duration at;      // since the run began
  Duration length;  // zero for `restart`
  double amount = 0;
};

std::string to_text(const Mishap& mishap);

class Mishaps {
 public:
  Mishaps(Site& site, std::vector<Mishap> mishaps);

  void start();

 private:
  void change(size_t index, bool begins);
  void apply(size_t node);

  Site& site_;
  const std::vector<Mishap> mishaps_;
  std::vector<bool> on_;
  std::vector<std::unique_ptr<ports::Timer>> timers_;  // beginning and end of each
};

}  // namespace sluice::sim
