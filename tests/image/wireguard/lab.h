// Where a WireGuard backend is tried: the box in a network namespace of its own, a PoP in another,
// two wires between them, and on the PoP's side only stock tools.
//
//   box  ua 10.1.0.2 ---- 10.1.0.1 pa  PoP
//        ub 10.2.0.2 ---- 10.2.0.1 pb
//   inner addresses: box 10.88.0.2, PoP 10.88.0.1, each on lo
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/netlink/kernel_links.h"
#include "drivers/uv/clock.h"
#include "drivers/uv/loop.h"
#include "drivers/uv/timers.h"
#include "firmware/base/log.h"
#include "firmware/ports/wireguard.h"

namespace sluice::image {

enum class Backend { kernel, userspace };
Backend chosen_backend();  // --backend of the command line

struct Outcome {
  int status = 0;
  std::string text;  // both outputs
};
Outcome try_command(const std::string& command);
std::string run(const std::string& command);  // it must succeed

struct KeyPair {
  ports::WgSecret secret;
  ports::WgKey open{};
  std::string secret_text;  // of a test, thrown away with it
};
KeyPair new_keys();
ports::WgKey numbered_key(int number);  // of a peer that nobody is
IpPrefix net(std::string_view text);
IpEndpoint endpoint(std::string_view text);

// A WireGuard interface on the PoP's side.
struct Lane {
  std::string interface;
  ports::WgKey open{};
  IpEndpoint endpoint;
};

struct NoLog final : Log {
  bool enabled(LogLevel) const override { return false; }
  void write(LogLevel, std::string_view, std::string_view) override {}
};

// Control sockets of userspace WireGuard are files: the lab has a folder of its own for them.
class Lab {
 public:
  Lab();
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  Result<void> open(const std::string& interface);
  Result<void> change(const ports::WgChange& change);
  Result<ports::WgState> read(const std::string& interface);
  Result<void> remove(const std::string& interface);

  // By stock tools: the kernel's own where it has one, or wireguard-go.
  enum class Stock { kernel, userspace };
  void make_stock(const std::string& name, Stock stock);  // in the PoP's namespace, empty
  Lane make_lane(const std::string& name, uint16_t port, const std::string& wire_address,
                 const ports::WgKey& box, Stock stock);
  // The box's end of a lane, up, with the whole inner network behind it.
  void join(const std::string& interface, const KeyPair& keys, const Lane& lane);
  std::string in_pop(const std::string& command) {
    return run("ip netns exec suitepop " + command);
  }
  int index_of(const std::string& interface);

 private:
  template <class Value, class Start>
  Result<Value> wait(Start&& start);

 public:
  // Fixed after construction; the links and the WireGuard are those of the box.
  drivers::UvLoop loop;
  drivers::UvClock clock{loop};
  drivers::UvTimers timers{loop, clock};
  drivers::KernelLinks links{loop};
  NoLog log;
  std::unique_ptr<ports::WireGuard> wireguard;
};

// A row of echo requests to the PoP's inner address, in the background.
class Pings {
 public:
  Pings(int count, const std::string& interval_seconds);
  ~Pings();
  Pings(const Pings&) = delete;
  Pings& operator=(const Pings&) = delete;
  int answered();  // waits for the end

 private:
  FILE* pipe_;
};

}  // namespace sluice::image
