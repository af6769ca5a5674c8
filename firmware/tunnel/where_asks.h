// `where` questions on their way: each is sent again until it is answered, refused or given up.
// Questions share sockets, so that one local port asks several PoPs.
// Thread: loop. The sink is called in a later turn than ask(), and may ask on from inside; it may
// not destroy this.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/ports/clock.h"
#include "firmware/ports/datagrams.h"
#include "firmware/ports/random.h"
#include "firmware/ports/timers.h"
#include "firmware/tunnel/probe_identity.h"
#include "firmware/tunnel/probe_packet.h"

namespace sluice::tunnel {

inline constexpr int kWhereTries = 4;                      // at 0, 100, 300 and 700 ms
inline constexpr Duration kWhereWait = Duration::ms(100);  // then twice, four times that
inline constexpr Duration kWhereGiveUp = Duration::ms(1500);
inline constexpr size_t kWhereSocketsMax = 16;
inline constexpr size_t kWhereQuestionsMax = 256;

struct WhereAnswer {
  bool answered = false;
  int tries = 0;
  Duration round_trip;
  Instant received;
  ProbePacket packet;                 // valid when answered
  std::optional<IpAddress> ended_by;  // said that it came no further: hops_max was too few
  std::string trouble;                // why it was not sent or did not arrive, if somebody told
};

class WhereSink {
 public:
  virtual ~WhereSink() = default;
  virtual void on_where_settled(size_t question) = 0;  // once for each that was not dropped
};

class WhereAsks {
 public:
  WhereAsks(const ports::Clock& clock, ports::Timers& timers, ports::Random& random,
            ports::Datagrams& datagrams, ProbeIdentity identity, WhereSink& sink);
  ~WhereAsks();
  WhereAsks(const WhereAsks&) = delete;
  WhereAsks& operator=(const WhereAsks&) = delete;

  // The number of a socket. Errors: those of ports::Datagrams, busy (kWhereSocketsMax).
  Result<size_t> open(const ports::DatagramSpec& spec);
  // Sends at once; `size` in bytes of the datagram, `tries` at most kWhereTries. The number of the
  // question, from 0 by one. Nothing: kWhereQuestionsMax were asked.
  std::optional<size_t> ask(size_t socket, const IpEndpoint& to, size_t size = kProbeBytesMin,
                            int tries = kWhereTries);
  void drop(size_t question);  // its answer is of no use any more; the sink does not hear of it
  const WhereAnswer& answer(size_t question) const { return questions_[question].answer; }
  size_t open_questions() const { return open_; }

 private:
  struct Ear;
  struct Question {
    size_t socket = 0;
    IpEndpoint to;
    size_t size = 0;
    int tries = kWhereTries;
    Instant first;
    Instant due;  // what to do next: to ask again, to give up, or to tell
    enum class State { asking, settled, over } state = State::asking;
    WhereAnswer answer;
  };

  void send(size_t number);
  void settle(Question& question);
  void hear(size_t socket, const IpEndpoint& from, std::string_view bytes, Instant received);
  void hear_trouble(size_t socket, const IpEndpoint& to, const IpAddress& by, bool hops_ended,
                    const Error& error);
  void wake();
  void plan();

  // Fixed after construction.
  const ports::Clock& clock_;
  ports::Datagrams& datagrams_;
  const ProbeIdentity identity_;
  WhereSink& sink_;
  const uint64_t start_;

  // Changes.
  std::vector<std::unique_ptr<Ear>> ears_;
  std::vector<Question> questions_;
  size_t open_ = 0;
  std::unique_ptr<ports::Timer> wake_;
};

}  // namespace sluice::tunnel
