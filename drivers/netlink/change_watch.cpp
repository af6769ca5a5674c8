#include "drivers/netlink/change_watch.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

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
  tell_ = new uv_check_t;
  ENSURE(uv_check_init(loop.raw(), tell_) == 0);
  tell_->data = this;
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
  uv_close(reinterpret_cast<uv_handle_t*>(tell_),
           [](uv_handle_t* closed) { delete reinterpret_cast<uv_check_t*>(closed); });
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
  if (watch->drain()) uv_check_start(watch->tell_, on_turn);
}

// The sink may destroy the watch.
void ChangeWatch::on_turn(uv_check_t* tell) noexcept {
  uv_check_stop(tell);
  auto* watch = static_cast<ChangeWatch*>(tell->data);
  const std::vector<int> links = std::exchange(watch->links_, {});
  watch->sink_.on_network_changed(links);
}

// What does not fit the small buffer is cut off: that it came, and of which link, is all that
// counts. ENOBUFS says that announcements were lost, which is news as well.
bool ChangeWatch::drain() {
  std::array<char, 64> head;
  bool any = false;
  for (int i = 0; i < kAnnouncementsMax; ++i) {
    const ssize_t size = recv(mnl_socket_get_fd(socket_), head.data(), head.size(), MSG_DONTWAIT);
    if (size < 0 && errno != ENOBUFS && errno != EINTR) break;
    any = true;
    if (size > 0) note(head.data(), static_cast<size_t>(size));
  }
  return any;
}

// rtnetlink(7): the header, then ifinfomsg or ifaddrmsg, each with an index.
void ChangeWatch::note(const char* head, size_t size) {
  nlmsghdr header;
  if (size < sizeof header) return;
  std::memcpy(&header, head, sizeof header);
  const char* body = head + NLMSG_HDRLEN;
  const size_t left = size - std::min<size_t>(size, NLMSG_HDRLEN);
  int link = 0;
  if (header.nlmsg_type == RTM_NEWLINK || header.nlmsg_type == RTM_DELLINK) {
    ifinfomsg about;
    if (left < sizeof about) return;
    std::memcpy(&about, body, sizeof about);
    link = about.ifi_index;
  } else if (header.nlmsg_type == RTM_NEWADDR || header.nlmsg_type == RTM_DELADDR) {
    ifaddrmsg about;
    if (left < sizeof about) return;
    std::memcpy(&about, body, sizeof about);
    link = static_cast<int>(about.ifa_index);
  }
  const bool known = std::find(links_.begin(), links_.end(), link) != links_.end();
  if (link != 0 && !known && links_.size() < kLinksToldMax) links_.push_back(link);
}

}  // namespace sluice::drivers
