// Addresses of the PoPs, per family, kept fresh: names are resolved every 30 s while a path to the
// PoP is not good and every 5 min else. An address that works is never given up for an answer of
// the resolver; one that does not work is replaced by the next that is known.
// Thread: loop. The sink is called in a later turn than the call that caused it; it may not destroy
// the book.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/ip.h"
#include "firmware/base/time.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/names.h"
#include "firmware/ports/timers.h"
#include "firmware/tunnel/membership.h"

namespace sluice::tunnel {

inline constexpr Duration kResolveEvery = Duration::seconds(30);
inline constexpr Duration kResolveEveryGood = Duration::seconds(300);
inline constexpr Duration kResolveGap = Duration::seconds(5);  // between two questions at least
// An address is given this long before the next is tried: two handshakes of WireGuard.
inline constexpr Duration kAddressTrial = Duration::seconds(11);
inline constexpr size_t kAddressesMax = 16;  // of one PoP and family

class EndpointSink {
 public:
  virtual ~EndpointSink() = default;
  // address(pop, family) is another one now, or there is one for the first time.
  virtual void on_address_changed(const std::string& pop, IpAddress::Family family) = 0;
};

class EndpointBook {
 public:
  EndpointBook(ports::Names& names, ports::Timers& timers, const ports::Clock& clock,
               EndpointSink& sink);
  ~EndpointBook();

  // All there are; those not named are forgotten. Numeric hosts are known at once.
  void follow(const std::vector<Pop>& pops);
  // How it is with paths to this PoP over this family: call when it changes. While some path is
  // good the address stays; while none is, the next one is tried after kAddressTrial.
  void set_good(std::string_view pop, IpAddress::Family family, bool good);
  // The network changed: ask again now, and begin the trial of the present addresses anew.
  void network_changed();

  std::optional<IpAddress> address(std::string_view pop, IpAddress::Family family) const;
  // Of the transport; TCP goes over v4 unless only v6 is usable or known.
  std::optional<IpAddress> address_for(std::string_view pop, Transport transport, bool v4_usable,
                                       bool v6_usable) const;
  // What the resolver said last when it had no answer; empty: it had one, or was not asked.
  std::string trouble(std::string_view pop) const;

 private:
  struct Entry;
  void wake();
  void look(Entry& entry);
  void ask(Entry& entry);
  void on_resolved(const std::string& pop, size_t host, Result<std::vector<IpAddress>> answer);
  void settle(Entry& entry);
  void plan();

  ports::Names& names_;
  const ports::Clock& clock_;
  EndpointSink& sink_;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;
  std::unique_ptr<ports::Timer> timer_;
};

}  // namespace sluice::tunnel
