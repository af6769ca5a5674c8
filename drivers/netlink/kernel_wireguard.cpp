#include "drivers/netlink/kernel_wireguard.h"

#include <linux/rtnetlink.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "drivers/netlink/netlink_socket.h"
#include "drivers/netlink/route_replies.h"
#include "drivers/netlink/route_requests.h"
#include "drivers/netlink/wireguard_replies.h"
#include "drivers/netlink/wireguard_requests.h"

namespace sluice::drivers {

namespace {

using namespace sluice::ports;

constexpr std::string_view kKind = "wireguard";

Error absent() {
  return {ErrorKind::unsupported, "netlink",
          "this kernel has no WireGuard: it was built without it, or its module is not installed; "
          "tunnels need wireguard-go then"};
}

Error taken(const LinkState& link) {
  const std::string kind = link.kind.empty() ? "network" : link.kind;
  return {ErrorKind::refused, "netlink",
          "the name " + link.name + " belongs to a " + kind +
              " interface that is no WireGuard one; remove or rename that one"};
}

// The link of this name; code ENODEV: there is none.
Answer find(NetlinkSocket& socket, const std::string& name, std::optional<LinkState>& link) {
  NetlinkMessage request = link_request(name);
  const Answer answer = socket.ask(request, [&](const Reply& reply) {
    if (reply.type == RTM_NEWLINK) link = read_link(reply.body);
  });
  if (answer.code == 0 && !link) return {EBADMSG, {}, false};
  return answer;
}

bool can_be_name(const std::string& name) {
  return !name.empty() && name.size() <= kInterfaceNameMax && name.find('/') == std::string::npos;
}

Result<void> make(NetlinkSocket& socket, const std::string& name) {
  if (!can_be_name(name)) {
    return Error{ErrorKind::refused, "netlink", "an interface's name has 1 to 15 characters"};
  }
  std::optional<LinkState> link;
  Answer answer = find(socket, name, link);
  if (answer.code == ENODEV) {
    NetlinkMessage request = make_link_request(name, kKind);
    answer = socket.ask(request);
    if (answer.code == EOPNOTSUPP) return absent();
    if (answer.code == 0) return {};
    if (answer.code == EEXIST) answer = find(socket, name, link);  // somebody was faster
  }
  if (answer.code != 0) return kernel_error("making the interface " + name, answer);
  if (link->kind != kKind) return taken(*link);
  return {};
}

Result<void> unmake(NetlinkSocket& socket, const std::string& name) {
  std::optional<LinkState> link;
  Answer answer = can_be_name(name) ? find(socket, name, link) : Answer{ENODEV, {}, false};
  if (answer.code == ENODEV) return {};
  if (answer.code == 0 && link->kind != kKind) return taken(*link);
  if (answer.code == 0) {
    auto request = change_request(RemoveLink{link->index});
    answer = request ? socket.ask(*request) : Answer{EINVAL, {}, false};
    if (answer.code == 0 || answer.code == ENODEV) return {};
  }
  return kernel_error("removing the interface " + name, answer);
}

Result<void> send_all(NetlinkSocket& socket, uint16_t family, const WgChange& change) {
  auto requests = set_requests(family, change);
  if (!requests) return requests.error();
  for (NetlinkMessage& request : *requests) {
    const Answer answer = socket.ask(request);
    if (answer.code == 0) continue;
    Error error = kernel_error("configuring " + change.interface, answer);
    if (answer.code == EADDRINUSE && change.listen_port) {
      error.text += "; UDP port " + std::to_string(*change.listen_port) +
                    " is taken by another program or interface";
    }
    return error;
  }
  return {};
}

}  // namespace

bool kernel_has_wireguard() {
  NetlinkSocket socket(NETLINK_ROUTE);
  NetlinkMessage request = absurd_link_request(kKind);
  return socket.ask(request).code == EINVAL;
}

KernelWireGuard::KernelWireGuard(Timers& timers)
    : route_(std::make_unique<NetlinkSocket>(NETLINK_ROUTE)),
      generic_(std::make_unique<NetlinkSocket>(NETLINK_GENERIC)),
      turn_(timers.make([this] { answer(); })) {}

KernelWireGuard::~KernelWireGuard() = default;

void KernelWireGuard::later(Callback callback) {
  answers_.push_back(std::move(callback));
  if (!turn_->is_running()) turn_->start(Duration());
}

// A callback may call again: its answer waits for the next turn.
void KernelWireGuard::answer() {
  std::vector<Callback> now;
  now.swap(answers_);
  for (const Callback& callback : now) callback();
}

Result<uint16_t> KernelWireGuard::family() {
  if (family_ != 0) return family_;
  NetlinkMessage request = family_request(kKind);
  const Answer answer =
      generic_->ask(request, [this](const Reply& reply) { family_ = read_family(reply.body); });
  if (answer.code == ENOENT) return absent();
  if (answer.code != 0) return kernel_error("looking for WireGuard", answer);
  if (family_ == 0) return kernel_error("looking for WireGuard", {EBADMSG, {}, false});
  return family_;
}

void KernelWireGuard::open(const std::string& interface, Done done) {
  family_ = 0;  // a module that was loaded anew has another number
  later([done = std::move(done), result = make(*route_, interface)] { done(result); });
}

void KernelWireGuard::change(WgChange change, Done done) {
  const auto number = family();
  Result<void> result = number ? send_all(*generic_, *number, change) : number.error();
  later([done = std::move(done), result = std::move(result)] { done(result); });
}

void KernelWireGuard::read(const std::string& interface, OnState done) {
  const auto number = family();
  WgState state;
  Result<WgState> result = state;
  if (number) {
    NetlinkMessage request = get_request(*number, interface);
    const Answer answer = ask_coherently(
        *generic_, request, [&] { state = {}; },
        [&](const Reply& reply) {
          if (reply.type == *number) add_to(state, reply.body);
        });
    result = answer.code == 0 ? Result<WgState>(std::move(state))
                              : kernel_error("reading " + interface, answer);
  } else {
    result = number.error();
  }
  later([done = std::move(done), result = std::move(result)] { done(result); });
}

void KernelWireGuard::remove(const std::string& interface, Done done) {
  later([done = std::move(done), result = unmake(*route_, interface)] { done(result); });
}

}  // namespace sluice::drivers
