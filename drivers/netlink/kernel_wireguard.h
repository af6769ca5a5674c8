// WireGuard as a part of the kernel: ports::WireGuard by rtnetlink (the interface) and generic
// netlink (keys and peers), in the network namespace in which this was made.
//
// A change of many peers goes out in several messages, each applied as a whole, one after another;
// an error leaves what came before it applied. Keys are wiped from every buffer after use.
// The kernel's WireGuard has no events and does not die: a WgEvents is never called.
// Thread: loop; the kernel answers within the call, the callback comes in a later turn.
// Lifetime: destroyed before the timers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/callback.h"
#include "firmware/ports/timers.h"
#include "firmware/ports/wireguard.h"

namespace sluice::drivers {

class NetlinkSocket;

// Whether this kernel can make WireGuard interfaces. Makes nothing; the kernel may load its module.
// Needs the right to administer the network; without it the answer is no.
bool kernel_has_wireguard();

class KernelWireGuard final : public ports::WireGuard {
 public:
  explicit KernelWireGuard(ports::Timers& timers);
  ~KernelWireGuard() override;
  KernelWireGuard(const KernelWireGuard&) = delete;
  KernelWireGuard& operator=(const KernelWireGuard&) = delete;

  std::string_view backend() const override { return "kernel"; }
  void open(const std::string& interface, Done done) override;
  void change(ports::WgChange change, Done done) override;
  void read(const std::string& interface, OnState done) override;
  void remove(const std::string& interface, Done done) override;

 private:
  Result<uint16_t> family();
  void later(Callback answer);
  void answer();

  // Fixed after construction.
  std::unique_ptr<NetlinkSocket> route_;
  std::unique_ptr<NetlinkSocket> generic_;
  // Changes.
  uint16_t family_ = 0;  // the kernel's number for "wireguard"; 0 = not asked yet
  std::vector<Callback> answers_;
  std::unique_ptr<ports::Timer> turn_;
};

}  // namespace sluice::drivers
