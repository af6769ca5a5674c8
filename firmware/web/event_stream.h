// GET /api/v1/events: a status at once and then every kEventPeriod, and each decision as it falls
// (server-sent events, WHATWG HTML section 9.2).
// waiting -> streaming -> ended
//   waiting, streaming -> ended   the client left, or is cut off for reading nothing
// A client that reads slowly misses statuses, not the newest decisions.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "firmware/ports/http_service.h"
#include "firmware/ports/timers.h"
#include "firmware/web/web_world.h"

namespace sluice::web {

inline constexpr Duration kEventPeriod = Duration::ms(500);
inline constexpr size_t kEventDecisionsMax = 20;        // per period; of more, the newest
inline constexpr size_t kEventBacklogMax = 128 * 1024;  // bytes unread by the client: skip a turn
inline constexpr int kEventSkipsMax = 120;              // in a row; then the client is cut off
inline constexpr int kEventStreamsMax = 16;             // at one door

// The streams of one door. Shared: a stream may outlive the service by a turn at stop.
struct EventStreams {
  int open = 0;
  bool finishing = false;  // each ends at its next period
};

class EventStream : public ports::HttpActivity {
 public:
  EventStream(const WebWorld& world, std::shared_ptr<EventStreams> streams,
              ports::HttpAnswer& answer);
  ~EventStream() override;

  void on_body(std::string_view) override {}
  void on_body_end() override;
  void on_client_gone() override;
  void on_drained() override {}

 private:
  enum class State { waiting, streaming, ended };

  void move_to(State state);
  void on_period();
  void send_decisions();
  void send_event(std::string_view name, std::string_view json);

  // Fixed after construction.
  const WebWorld& world_;
  std::shared_ptr<EventStreams> streams_;
  ports::HttpAnswer& answer_;
  std::unique_ptr<ports::Timer> period_;

  // Changes.
  State state_ = State::waiting;
  uint64_t last_decision_ = 0;
  int skips_ = 0;
};

// What GET /api/v1/status answers now.
std::string status_now(const WebWorld& world);

}  // namespace sluice::web
