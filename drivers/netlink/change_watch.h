// Hears what the kernel announces about links, addresses, routes and nexthops, and tells that
// something changed, and of which links, not what: whoever wants to know reads again. It is told
// after the socket phase of the turn in which it was heard, and may destroy the watch.
// Lifetime: as its sink; the loop outlives it.
#pragma once

#include <vector>

#include "drivers/uv/loop.h"
#include "firmware/ports/links.h"

struct mnl_socket;
struct uv_poll_s;
typedef struct uv_poll_s uv_poll_t;
struct uv_check_s;
typedef struct uv_check_s uv_check_t;

namespace sluice::drivers {

inline constexpr int kAnnouncementsMax = 1000;  // taken in one turn
inline constexpr size_t kLinksToldMax = 64;     // of one turn; the others go unnamed

class ChangeWatch {
 public:
  // If the kernel refuses the socket it stays silent; read() will say why.
  ChangeWatch(UvLoop& loop, ports::LinksSink& sink);
  ~ChangeWatch();
  ChangeWatch(const ChangeWatch&) = delete;
  ChangeWatch& operator=(const ChangeWatch&) = delete;

 private:
  static void on_readable(uv_poll_t* poll, int status, int events) noexcept;
  static void on_turn(uv_check_t* tell) noexcept;
  bool open();
  bool drain();  // true: something was announced
  void note(const char* head, size_t size);

  ports::LinksSink& sink_;
  mnl_socket* socket_ = nullptr;
  uv_poll_t* poll_ = nullptr;  // these two live until their close callbacks
  uv_check_t* tell_ = nullptr;
  std::vector<int> links_;  // to be told
};

}  // namespace sluice::drivers
