// One interface and the program that carries it.
//
//   closed --open, an earlier run's program is there--> checking --it answers--> running
//   closed --open--> starting --it answers--> running
//   starting, of an interface that open() made --it ends--> closed, with an error
//   checking, starting, running --it ends--> lost --at once, or after a delay--> starting
//   any --remove--> removing --it has ended--> closed
//
// One that does not answer is killed, so that it ends. The TUN and the control socket are held here
// too: while nothing carries the interface, it keeps its carrier, its addresses, and the routes and
// nexthops by it, and what is sent into it is dropped.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "drivers/uapi/plane_record.h"
#include "drivers/uapi/plane_world.h"
#include "drivers/uapi/secret_text.h"
#include "drivers/uapi/uapi_exchange.h"
#include "drivers/uv/held_descriptor.h"
#include "drivers/uv/process.h"

namespace sluice::drivers {

inline constexpr size_t kUapiWaitingMax = 64;  // requests about one interface

// One that ended sooner after its start than this has ended quickly. After so many quick ends in a
// row it is started anew only after a delay, which doubles from the first to the last.
inline constexpr Duration kQuickEnd = Duration::seconds(2);
inline constexpr int kQuickEndsFree = 2;
inline constexpr Duration kRestartDelayMin = Duration::ms(100);
inline constexpr Duration kRestartDelayMax = Duration::seconds(30);
Duration restart_delay(int quick_ends);

inline constexpr Duration kGentleEndMax = Duration::seconds(1);  // after SIGTERM; then it is killed

class DataPlane {
 public:
  using Done = ports::WireGuard::Done;
  using OnAnswer = std::function<void(const Result<SecretText>&)>;

  DataPlane(PlaneWorld& world, std::string interface);
  ~DataPlane();  // what runs goes on
  DataPlane(const DataPlane&) = delete;
  DataPlane& operator=(const DataPlane&) = delete;

  void open(Done done);
  // One after the other, once it runs. The answer is told inside a callback of the exchange: it is
  // for world.post(). Errors: gone (closed), busy (lost, silent, or too many wait).
  void ask(SecretText request, OnAnswer on_answer);
  // Also of one that is not open: what an earlier run has left.
  void remove(Done done);
  bool is_closed() const { return state_ == State::closed; }

 private:
  enum class State { closed, checking, starting, running, lost, removing };
  struct Waiting {
    SecretText request;
    OnAnswer on_answer;
  };

  void move_to(State next);
  Result<void> begin();
  bool adopt(const PlaneRecord& record);
  Result<void> make(bool is_known);
  Result<void> spawn();
  Result<void> listen_again();
  Result<void> attach(int packet_prefix);
  void check();
  void checked(const Result<SecretText>& answer);
  void runs();
  void ask_next();
  void answered(const Result<SecretText>& answer);
  void on_ended(int exit_code);
  void lose();
  void restart_later();
  void on_time();
  void fail_open(const Error& why);
  void refuse_all(const Error& why);
  Result<void> tear_down();
  void finish_removal();
  void tell_all(std::vector<Done>& waiting, const Result<void>& result);
  std::string path(const char* ending) const;

  // Fixed after construction.
  PlaneWorld& world_;
  const std::string interface_;
  // Changes.
  State state_ = State::closed;
  std::vector<Done> openers_;
  std::vector<Done> removers_;
  bool opens_again_ = false;  // open() came after remove()
  bool was_made_ = false;     // by this open(); nothing was there
  bool was_lost_ = false;     // the events' sink has been told
  HeldDescriptor tun_;        // not open: that of an earlier run's program could not be shared
  int packet_prefix_ = 0;     // of tun_: bytes before each packet
  HeldDescriptor listener_;   // the same
  std::unique_ptr<UvProcess> process_;
  bool is_killed_ = false;  // it will end; nothing is asked any more
  Instant started_;
  int quick_ends_ = 0;
  int mtu_ = 0;  // to be set again when it runs: it sets its own at its start; 0 = none
  std::deque<Waiting> waiting_;
  OnAnswer asked_;  // of the exchange
  std::unique_ptr<UapiExchange> exchange_;
  std::unique_ptr<ports::Timer> timer_;
};

}  // namespace sluice::drivers
