// Hears what the kernel announces about links, addresses, routes and nexthops, and tells that
// something changed, not what: whoever wants to know reads again.
// Lifetime: as its sink; the loop outlives it.
#pragma once

#include "drivers/uv/loop.h"
#include "firmware/ports/links.h"

struct mnl_socket;
struct uv_poll_s;
typedef struct uv_poll_s uv_poll_t;

namespace sluice::drivers {

inline constexpr int kAnnouncementsMax = 1000;  // taken in one turn

class ChangeWatch {
 public:
  // If the kernel refuses the socket it stays silent; read() will say why.
  ChangeWatch(UvLoop& loop, ports::LinksSink& sink);
  ~ChangeWatch();  // not inside on_network_changed
  ChangeWatch(const ChangeWatch&) = delete;
  ChangeWatch& operator=(const ChangeWatch&) = delete;

 private:
  static void on_readable(uv_poll_t* poll, int status, int events) noexcept;
  bool open();
  bool drain();  // true: something was announced

  ports::LinksSink& sink_;
  mnl_socket* socket_ = nullptr;
  uv_poll_t* poll_ = nullptr;  // lives until its close callback
};

}  // namespace sluice::drivers
