#include "firmware/tunnel/portal_watch.h"

#include <utility>

namespace sluice::tunnel {

// Of one uplink: the question, and the last answer.
class PortalWatch::Asked final : private PortalSink {
 public:
  Asked(PortalWatch& watch, const UplinkSeen& uplink) : watch_(watch) {
    ports::OutboundWay way;
    way.interface = uplink.interface;
    way.mark = uplink_mark(uplink.number);
    dialer_ = watch_.ports_.dialers.by(way);
    http_ = watch_.ports_.http(*dialer_);
    PortalSink& sink = *this;
    check_ = std::make_unique<PortalCheck>(*http_, watch_.ports_.timers, sink);
  }

  void poll(const ports::HttpOrigin& origin) {
    const Instant now = watch_.ports_.clock.now();
    if (running_ || (began_ && now < *began_ + kEvery)) return;
    began_ = now;
    running_ = true;
    check_->start(origin);
  }
  const PortalFinding* finding() const { return finding_ ? &*finding_ : nullptr; }

 private:
  void on_portal_checked(const PortalFinding& finding) override {
    running_ = false;
    finding_ = finding;
    watch_.on_told_();
  }

  PortalWatch& watch_;
  std::unique_ptr<ports::Dialer> dialer_;
  std::unique_ptr<ports::HttpClient> http_;
  std::unique_ptr<PortalCheck> check_;
  bool running_ = false;
  std::optional<Instant> began_;
  std::optional<PortalFinding> finding_;
};

PortalWatch::PortalWatch(PortalWatchPorts ports, Callback on_told)
    : ports_(std::move(ports)), on_told_(std::move(on_told)) {}

PortalWatch::~PortalWatch() = default;

void PortalWatch::poll(const std::vector<UplinkSeen>& uplinks, const std::set<std::string>& dead,
                       const std::optional<ports::HttpOrigin>& origin) {
  std::erase_if(asked_, [&](const auto& one) { return !dead.contains(one.first); });
  if (!origin || !ports_.http) return;
  for (const UplinkSeen& uplink : uplinks) {
    if (!uplink.trouble.empty() || !dead.contains(uplink.name)) continue;
    std::unique_ptr<Asked>& asked = asked_[uplink.name];
    if (!asked) asked = std::make_unique<Asked>(*this, uplink);
    asked->poll(*origin);
  }
}

void PortalWatch::forget() { asked_.clear(); }

const PortalFinding* PortalWatch::known(const std::string& uplink) const {
  const auto found = asked_.find(uplink);
  return found == asked_.end() ? nullptr : found->second->finding();
}

}  // namespace sluice::tunnel
