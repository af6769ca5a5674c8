#include "drivers/netlink/change_watch.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <uv.h>

#include <array>
#include <cerrno>

#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

constexpr std::array<int, 6> kGroups{RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_NEXTHOP};

}  // namespace

ChangeWatch::ChangeWatch(UvLoop& loop, ports::LinksSink& sink) : sink_(sink) {
  if (!open()) return;
  poll_ = new uv_poll_t;
  ENSURE(uv_poll_init(loop.raw(), poll_, mnl_socket_get_fd(socket_)) == 0);
  poll_->data = this;
  ENSURE(uv_poll_start(poll_, UV_READABLE, on_readable) == 0);
}

// The descriptor is closed only after libuv has let go of it.
ChangeWatch::~ChangeWatch() {
  if (poll_ == nullptr) return;
  poll_->data = socket_;
  uv_close(reinterpret_cast<uv_handle_t*>(poll_), [](uv_handle_t* closed) {
    mnl_socket_close(static_cast<mnl_socket*>(closed->data));
    delete reinterpret_cast<uv_poll_t*>(closed);
  });
}

bool ChangeWatch::open() {
  socket_ = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket_ == nullptr) return false;
  if (mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) != 0) {
    mnl_socket_close(socket_);
    socket_ = nullptr;
    return false;
  }
  // A kernel without nexthop objects refuses only that group.
  for (int group : kGroups) {
    mnl_socket_setsockopt(socket_, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
  }
  return true;
}

void ChangeWatch::on_readable(uv_poll_t* poll, int, int) noexcept {
  auto* watch = static_cast<ChangeWatch*>(poll->data);
  if (watch->drain()) watch->sink_.on_network_changed();
}

// What does not fit the small buffer is cut off: that it came is all that counts. ENOBUFS says that
// announcements were lost, which is news as well.
bool ChangeWatch::drain() {
  std::array<char, 64> head;
  bool any = false;
  for (int i = 0; i < kAnnouncementsMax; ++i) {
    const ssize_t size = recv(mnl_socket_get_fd(socket_), head.data(), head.size(), MSG_DONTWAIT);
    if (size < 0 && errno != ENOBUFS && errno != EINTR) break;
    any = true;
  }
  return any;
}

}  // namespace sluice::drivers
