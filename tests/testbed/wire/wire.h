// The wire: two TAP devices, a Line each way, and what may be asked of it while it runs.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/testbed/poller.h"
#include "tests/testbed/wire/flow_book.h"
#include "tests/testbed/wire/line.h"
#include "tests/testbed/wire/tap.h"

namespace sluice::testbed {

struct WireOptions {
  std::string a;  // as Tap::open takes it
  std::string b;
  std::uint64_t seed = 1;
  std::vector<std::string> watch;     // prefixes whose packets are counted as they enter
  std::vector<std::string> settings;  // commands, applied before the first frame
};

class Wire {
 public:
  Wire(Poller& poller, const WireOptions& options);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  std::optional<std::string> open();  // an error text
  // A command of main.cpp's --help. The answer has "ok", "at_us" (CLOCK_MONOTONIC, by when it had
  // taken effect) and "error" or what was asked for.
  nlohmann::json obey(const std::string& command);

 private:
  // A direction: its line, the end that it reads from, and the end that it writes to.
  struct Way : Pollable {
    Way(Wire& owner, int which, std::uint64_t seed) : wire(owner), number(which), line(seed) {}
    void on_ready(std::uint32_t epoll_events) override;
    Wire& wire;
    int number;  // 0: from a to b
    Line line;
    std::optional<Poller::TimerId> timer;
    std::uint64_t watched = 0;
  };

  void take(Way& way);
  void enter(Way& way, std::string bytes);
  void deliver(Way& way);
  void set_timer(Way& way);
  std::optional<std::string> set_carrier(const std::string& end, const std::string& value);
  std::optional<std::string> set_nat_age(const std::string& value);
  std::optional<std::string> set_ways(const std::string& target, const std::string& key,
                                      const std::string& value);
  std::optional<std::string> apply(const std::string& target,
                                   const std::vector<std::string>& words);
  nlohmann::json counters(const Way& way) const;

  // Fixed after construction.
  Poller& poller_;
  const WireOptions options_;
  std::vector<WirePrefix> watch_;
  std::array<Tap, 2> ends_;
  // Changes.
  Way a2b_;
  Way b2a_;
  FlowBook flows_;
};

}  // namespace sluice::testbed
