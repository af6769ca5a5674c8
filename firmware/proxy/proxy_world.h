// What an exchange needs of the rest of the box: references, all longer-lived than any exchange.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "firmware/base/callback.h"
#include "firmware/base/log.h"
#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/govern/permit.h"
#include "firmware/identity/key_view.h"
#include "firmware/meter/meter.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/random.h"
#include "firmware/ports/scratch.h"
#include "firmware/ports/timers.h"
#include "firmware/proxy/admission.h"
#include "firmware/proxy/attempt_ids.h"
#include "firmware/proxy/body_room.h"
#include "firmware/proxy/decision_log.h"
#include "firmware/proxy/extra_sends.h"
#include "firmware/proxy/rate_limit.h"
#include "firmware/proxy/response_homes.h"
#include "firmware/proxy/waiting_room.h"
#include "firmware/sense/senses.h"
#include "firmware/upstream/node_target.h"
#include "firmware/valve/policy.h"

namespace sluice::proxy {

// Settings as the proxy sees them; replaced whole, never while a function of the proxy runs.
struct ProxyPolicy {
  AdmissionPolicy admission;
  valve::Policy valve;
  Duration request_max = Duration::seconds(600);
  Duration stream_idle_max = Duration::seconds(120);
  Duration connect_max = Duration::seconds(5);
  Duration queue_wait_max = Duration::seconds(60);
  Duration keepalive_comment = Duration::seconds(15);  // zero: off
  Money budget_per_month;                              // of all keys; zero = no limit
};

// How to reach a node and what may go there.
struct NodeAccess {
  upstream::NodeTarget target;
  upstream::EndpointSet speaks;
  govern::NodePolicy data;
  ports::HttpClient* client = nullptr;  // never null in use; outlives the exchanges
  Callback on_use;                      // whoever observes the node hears that it is in use
};

struct ProxyWorld {
  ports::Clock& clock;
  ports::Calendar& calendar;
  ports::Timers& timers;
  ports::Random& random;
  const identity::KeyView& keys;
  sense::Senses& senses;
  meter::Meter& meter;
  WaitingRoom& room;
  DecisionLog& decisions;
  RateLimit& limits;
  BodyRoom& bodies;  // these two outlive the clients of the nodes too
  ports::ScratchFiles& scratch;
  Log& log;
  ProxyPolicy policy;
  std::map<valve::NodeId, NodeAccess> nodes;
  ResponseHomes response_homes = {};
  AttemptIds attempt_ids = {};
  ExtraSends extras = {};
};

}  // namespace sluice::proxy
