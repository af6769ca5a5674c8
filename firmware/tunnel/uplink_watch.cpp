#include "firmware/tunnel/uplink_watch.h"

#include <algorithm>
#include <utility>

namespace sluice::tunnel {

class UplinkWatch::Asked final : private UplinkProbeSink {
 public:
  Asked(UplinkWatch& watch, const UplinkProbePorts& ports, UplinkProbeSpec spec)
      : watch_(watch), asked_(ports.clock.now()), probe_(ports, std::move(spec), *this) {
    probe_.start();
  }
  bool is_over() const { return over_; }

 private:
  void on_uplink_probed(const UplinkFinding& finding) override {
    over_ = true;
    watch_.on_found(finding, asked_);
  }

  UplinkWatch& watch_;
  const Instant asked_;
  bool over_ = false;
  UplinkProbe probe_;
};

UplinkWatch::UplinkWatch(const UplinkProbePorts& ports, Callback on_told)
    : ports_(ports), on_told_(std::move(on_told)) {}

UplinkWatch::~UplinkWatch() = default;

void UplinkWatch::poll(const std::vector<UplinkSeen>& uplinks, const Membership& membership,
                       const EndpointBook& book, const std::vector<std::string>& unwell) {
  const std::optional<ProbeIdentity> identity = probe_identity(membership);
  if (!identity) return;
  const Instant now = ports_.clock.now();
  for (const UplinkSeen& uplink : uplinks) {
    if (!uplink.trouble.empty()) continue;
    const auto running = asked_.find(uplink.name);
    if (running != asked_.end() && !running->second->is_over()) continue;
    const bool well =
        std::find(unwell.begin(), unwell.end(), uplink.name) == unwell.end() && date();
    const Known* before = known(uplink.name);
    const bool fresh = before != nullptr && before->asked >= ask_anew_;
    if (fresh && now < before->at + (well ? kWhenWell : kWhenNot)) continue;
    UplinkProbeSpec spec;
    spec.uplink = uplink.name;
    spec.way.interface = uplink.interface;
    spec.way.mark = uplink_mark(uplink.number);
    spec.identity = *identity;
    spec.link_mtu = uplink.mtu;
    for (const Pop& pop : membership.pops) {
      AskedPop asked{pop.name, {}, pop.where_port};
      for (const auto family : {IpAddress::Family::v4, IpAddress::Family::v6}) {
        const auto address = book.address(pop.name, family);
        if (address && uplink.carries(family)) asked.hosts.push_back(*address);
      }
      if (pop.where_port != 0 && !asked.hosts.empty()) spec.pops.push_back(std::move(asked));
    }
    if (spec.pops.empty()) continue;
    asked_[uplink.name] = std::make_unique<Asked>(*this, ports_, std::move(spec));
  }
}

void UplinkWatch::on_found(const UplinkFinding& finding, Instant asked) {
  known_[finding.uplink] = {finding, ports_.clock.now(), asked};
  if (finding.date) dates_.note(*finding.date);
  on_told_();
}

void UplinkWatch::forget() {
  asked_.clear();
  known_.clear();
  dates_.forget();
}

const UplinkWatch::Known* UplinkWatch::known(const std::string& uplink) const {
  const auto found = known_.find(uplink);
  return found == known_.end() ? nullptr : &found->second;
}

void UplinkWatch::date_was_set() {
  ask_anew_ = ports_.clock.now();
  dates_.void_until(ask_anew_);
}

}  // namespace sluice::tunnel
