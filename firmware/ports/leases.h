// Compute that is rented by time: a platform that starts an instance when asked and bills it until
// it is asked to end. What is said to it may be said twice: a lease is known by an id that the box
// chose before it asked, so that after a power cut nothing is started twice and nothing that costs
// money is forgotten.
// Units: money in the box's currency.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/base/units.h"

namespace sluice::ports {

struct LeaseOffer {
  std::string id;         // the platform's name for it
  std::string model;      // what its instances serve
  Money price_per_hour;   // from open() to the platform's `closed`
  Money opening_fee;      // once
  Duration cold_start;    // from open() to serving, as the platform says
  Duration billed_min;    // paid at least, however soon it ends
  int slots = 0;          // requests at a time
  double prompt_tps = 0;  // prompt tokens a second that one instance reads if it does nothing else
  double output_tps = 0;  // answer tokens a second that it writes if it does nothing else
  bool operator==(const LeaseOffer&) const = default;
};

struct LeaseEvent {
  enum class Kind {
    serving,  // answers at `url`
    refused,  // will not be started, nothing is billed: `text` says why
    failed,   // its instance ended by itself; it may still be billed
    closed,   // ended when asked; nothing more is billed
    unknown,  // the platform knows no such lease: nothing is billed
  };
  Kind kind = Kind::unknown;
  std::string lease;
  std::string url;         // of `serving`
  std::string credential;  // of `serving`, a bearer key; never in a log, a file or a view
  std::string text;        // for people
};

class LeaseSink {
 public:
  virtual ~LeaseSink() = default;
  virtual void on_lease_event(const LeaseEvent& event) = 0;
  // Every lease of this box that the platform bills now.
  virtual void on_leases_held(const std::vector<std::string>& leases) = 0;
  // It cannot be reached, or can again; what was asked meanwhile is lost.
  virtual void on_platform(bool reachable, std::string_view why) = 0;
};

// Order: set_sink first. The sink is never called inside a call to the platform.
class LeasePlatform {
 public:
  virtual ~LeasePlatform() = default;
  virtual void set_sink(LeaseSink* sink) = 0;
  virtual std::vector<LeaseOffer> offers() const = 0;  // as last heard; empty: none
  // Events follow; of a lease that serves already, `serving` again.
  virtual void open(const std::string& lease, const LeaseOffer& offer) = 0;
  virtual void close(const std::string& lease) = 0;  // `closed` or `unknown` follows
  virtual void list() = 0;                           // on_leases_held follows
};

}  // namespace sluice::ports
