// From settings to what each part of the box wants to know. Pure.
#pragma once

#include <vector>

#include "firmware/capacity/leases.h"
#include "firmware/ports/tls.h"
#include "firmware/proxy/http_server.h"
#include "firmware/proxy/proxy_world.h"
#include "firmware/proxy/shadow.h"
#include "firmware/sense/driver_facts.h"
#include "firmware/sense/node_state.h"
#include "firmware/sense/probe.h"
#include "firmware/settings/settings.h"
#include "firmware/valve/policy.h"

namespace sluice::box {

valve::Policy valve_policy(const settings::Settings& settings);
proxy::ShadowRule shadow_rule(const settings::Settings& settings);
proxy::ProxyPolicy proxy_policy(const settings::Settings& settings);
proxy::ExtraShares extra_shares(const settings::Settings& settings);
proxy::BodyBounds body_bounds(const settings::Settings& settings);
sense::SenseTimes sense_times(const settings::Settings& settings);
sense::ProbeTimes probe_times(const settings::Settings& settings, valve::Place place);
ports::TlsLimits tls_limits(const settings::Settings& settings);
proxy::ServerLimits server_limits(const settings::Settings& settings, std::string own_name);

// Prices in the box's currency per token.
sense::NodeProfile node_profile(const settings::NodeSettings& node,
                                const settings::Settings& settings);
// Of a leased instance: what it would be if somebody had written it down.
settings::NodeSettings leased_node_settings(const capacity::LeasedNode& node);
// Errors: refused, if the engine's description names an endpoint that is not known.
Result<upstream::EndpointSet> endpoints_of(const settings::NodeSettings& node,
                                           const sense::DriverFacts& facts);
govern::NodePolicy node_policy(const settings::NodeSettings& node);

// When the figures of an engine are too old: as its driver says, but never before three looks.
Duration stale_after(const sense::ScrapeFacts& facts, Duration scrape);

}  // namespace sluice::box
