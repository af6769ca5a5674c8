// One node as the box sees it: an HttpClient, at whose other end, behind a link, a service answers
// in real bytes: event streams, refusals, metrics pages. What the box asks reaches the service
// `one_way` later, and what the service says is heard `one_way` after it was said: the service is
// simply told to live that much behind. So one timer serves a whole step of an engine. The head of
// a stream comes with its first token.
//
// Faults: the node is off (calls are refused), the link is out (nothing passes; what was said then
// is heard when it is back), a segment is lost (that stream stands still for `resend`), statuses,
// an engine that restarts, metrics that lie or fail.
// Order: sinks are called from timers only, never inside call() or the handle's functions.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/ports/http_client.h"
#include "tests/script/sim_time.h"
#include "tests/sim/chance.h"
#include "tests/sim/service.h"

namespace sluice::sim {

struct LinkSpec {
  Duration one_way = Duration::us(100);
  double loss = 0;  // of the pieces of a stream
  Duration resend = Duration::ms(200);
};

struct NodeFaults {
  bool off = false;         // nobody listens
  bool link_out = false;    // nothing passes
  int status = 0;           // every request is refused with it
  double status_share = 0;  // or a share of them with 503
  bool metrics_broken = false;
  bool metrics_lie = false;  // an idle engine, whatever it does
};

// What a service has to know of a request; the box carries its number in a field of its own.
struct RequestFacts {
  int64_t prompt = 1;
  int64_t output = 1;
  bool stream = true;
};
inline constexpr std::string_view kRequestField = "sim-request";

// A call for an answer, once it is over.
struct CallBook {
  uint32_t request = 0;
  int64_t generated = 0;  // tokens, by the service, until it heard that nobody wants more
  int64_t heard = 0;      // tokens of a stream, passed to the box
  bool taken = false;     // the service began to work on it
  bool whole = false;     // all of it was passed to the box
  uint64_t sum = 0;       // FNV-1a of the body without its usage event, if sums are kept
};

class NodeObserver {
 public:
  virtual ~NodeObserver() = default;
  virtual RequestFacts facts_of(uint32_t request) const = 0;
  virtual void on_call(int node, uint32_t request) = 0;
  virtual void on_answer_begins(int node, uint32_t request) = 0;  // its first token was passed
  virtual void on_call_over(int node, const CallBook& book) = 0;
};

class SimNode final : public ports::HttpClient {
 public:
  SimNode(int index, std::string model, std::unique_ptr<Service> service, const LinkSpec& link,
          script::SimClock& clock, script::SimTimers& timers, NodeObserver& observer,
          Chance chance);

  std::unique_ptr<ports::HttpCall> call(ports::HttpCallSpec spec,
                                        ports::HttpCallSink& sink) override;

  void set_link(const LinkSpec& link) { link_ = link; }
  void set_faults(const NodeFaults& faults);
  const NodeFaults& faults() const { return faults_; }
  void restart_engine();  // connections break; a TokenCloud only loses its requests
  void keep_sums(bool keep) { keeps_sums_ = keep; }

  Service& service() { return *service_; }
  int open_calls() const { return open_calls_; }  // for answers, that the box has not let go of

 private:
  enum class Kind { answer, page };
  struct Call {
    uint32_t generation = 0;  // a seat is used again and again
    Kind kind = Kind::answer;
    ports::HttpCallSink* sink = nullptr;  // null: the box has let go, or was told the end
    std::string path;                     // of a page
    ports::HttpTimeouts timeouts;
    RequestFacts facts;
    CallBook book;
    Instant began;
    Instant last_heard;
    bool connected = false;
    bool head_told = false;
    bool service_done = true;  // it knows nothing of the call (any more)
    bool paused = false;
    Instant still_until;  // a lost piece is sent again
    std::string late;     // said, but not yet passed on
    int64_t late_tokens = 0;
    bool head_late = false;
    bool end_late = false;
    std::unique_ptr<ports::Timer> watch;
  };
  struct Post {
    Micros at;
    SeatId seat;
    uint32_t generation;
    bool cancel;
  };
  struct Handle;

  SeatId take_seat();
  void free_if_over(SeatId seat);
  void let_go(SeatId seat, uint32_t generation);
  void post(SeatId seat, bool cancel);
  void arm();
  void on_wake();
  void receive(const Post& post);
  void answer_page(SeatId seat);
  void refuse(SeatId seat, int status);
  void hear_events();
  void hear(const testbed::EngineEvent& event);
  void hear_end(SeatId seat);
  void tell_head(SeatId seat);
  enum class Piece { token, usage, other };
  void say(SeatId seat, std::string_view bytes, Piece piece);
  void say_end(SeatId seat);
  bool is_held_back(const Call& call) const;
  void flush(SeatId seat);
  void on_flush();
  void watch(Call& call);
  void on_watch(SeatId seat);
  void fail(SeatId seat, ports::HttpFailure::Stage stage, bool timed_out);
  std::string_view token_event(const Call& call, int64_t index);

  const int index_;
  const std::string model_;
  std::unique_ptr<Service> service_;
  LinkSpec link_;
  script::SimClock& clock_;
  NodeObserver& observer_;
  Chance chance_;
  script::SimTimers& timers_;
  NodeFaults faults_;
  bool keeps_sums_ = false;

  std::vector<std::unique_ptr<Call>> calls_;
  std::vector<SeatId> free_;
  std::deque<Post> inbox_;
  std::vector<SeatId> stranded_;  // begun while the link was out
  std::vector<SeatId> to_flush_;
  std::vector<testbed::EngineEvent> events_;
  std::string token_text_;
  size_t token_at_ = 0;  // of the part that differs
  int open_calls_ = 0;
  std::unique_ptr<ports::Timer> wake_;
  Instant wake_at_;
  std::unique_ptr<ports::Timer> flush_;
};

}  // namespace sluice::sim
