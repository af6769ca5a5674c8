#include "firmware/box/configure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sluice::box {

namespace {

// Nodes without metrics of their own are asked for their model list only, and no more often than
// this: a provider counts every call.
constexpr Duration kCloudProbeMin = Duration::seconds(5);

// Price of a million tokens -> of one token in billionths of the box's currency.
int64_t nano_per_token(Money per_million, double rate) {
  return std::llround(static_cast<double>(per_million.nano) * rate / 1e6);
}

valve::Rule to_valve(settings::Rule rule) {
  switch (rule) {
    case settings::Rule::predict:
      return valve::Rule::predict;
    case settings::Rule::local_only:
      return valve::Rule::local_only;
    case settings::Rule::cloud_only:
      return valve::Rule::cloud_only;
    case settings::Rule::round_robin:
      return valve::Rule::round_robin;
    case settings::Rule::least_outstanding:
      return valve::Rule::least_outstanding;
    case settings::Rule::static_threshold:
      return valve::Rule::static_threshold;
    case settings::Rule::queue_kv:
      return valve::Rule::queue_kv;
    case settings::Rule::cache_aware:
      return valve::Rule::cache_aware;
    case settings::Rule::prefix_hash:
      return valve::Rule::prefix_hash;
  }
  return valve::Rule::predict;
}

double rate_of(const settings::NodeSettings& node, const settings::Settings& settings) {
  const Currency currency = node.price.currency.value_or(settings.start.currency);
  if (currency == settings.start.currency) return 1.0;
  return settings.live.exchange_rates.at(currency);  // loading has seen that it is there
}

valve::Goal to_valve(settings::Goal goal) {
  switch (goal) {
    case settings::Goal::cost:
      return valve::Goal::cost;
    case settings::Goal::balanced:
      return valve::Goal::balanced;
    case settings::Goal::fast:
      return valve::Goal::fast;
    case settings::Goal::green:
      return valve::Goal::green;
    case settings::Goal::home_first:
      return valve::Goal::home_first;
  }
  return valve::Goal::balanced;
}

valve::FeatureSet to_valve(const std::vector<settings::Capability>& capabilities) {
  if (capabilities.empty()) return valve::FeatureSet::all();
  valve::FeatureSet offers;
  for (const settings::Capability capability : capabilities) {
    switch (capability) {
      case settings::Capability::tools:
        offers.add(valve::Feature::tools);
        break;
      case settings::Capability::vision:
        offers.add(valve::Feature::vision);
        break;
      case settings::Capability::audio:
        offers.add(valve::Feature::audio);
        break;
      case settings::Capability::structured_output:
        offers.add(valve::Feature::structured_output);
        break;
    }
  }
  return offers;
}

}  // namespace

valve::Policy valve_policy(const settings::Settings& settings) {
  const settings::ValveSettings& from = settings.live.valve;
  valve::Policy policy;
  policy.overflow = from.overflow == settings::Mode::automatic;
  policy.hold = from.hold == settings::Mode::automatic;
  policy.hysteresis = static_cast<double>(from.hysteresis_percent) / 100;
  policy.margin = static_cast<double>(from.margin_percent) / 100;
  policy.growth = static_cast<double>(from.growth_percent) / 100;
  policy.untried_prefill_tps = static_cast<double>(from.untried_prefill_tps);
  policy.expected_output = from.expected_output;
  policy.carbon_price_nano_per_kg = from.carbon_price_per_kg.nano;
  policy.attempts_max = static_cast<int>(from.attempts_max);
  policy.first_byte_max = from.first_byte_max;
  policy.hedge = from.hedge == settings::Mode::automatic;
  policy.waiting_price_nano_per_s = from.waiting_price_per_s.nano;
  policy.rule = to_valve(from.rule);
  policy.rule_concurrency = static_cast<int>(from.rule_concurrency);
  policy.rule_queue = static_cast<int>(from.rule_queue);
  policy.rule_kv = static_cast<double>(from.rule_kv_percent) / 100;
  return policy;
}

proxy::ShadowRule shadow_rule(const settings::Settings& settings) {
  const std::string& word = settings.live.valve.shadow;
  proxy::ShadowRule shadow;
  shadow.name = word;
  if (const auto rule = settings::from_text<settings::Rule>(word)) shadow.rule = to_valve(*rule);
  if (const auto goal = settings::from_text<settings::Goal>(word)) shadow.goal = to_valve(*goal);
  return shadow;
}

proxy::ProxyPolicy proxy_policy(const settings::Settings& settings) {
  const settings::LiveSettings& live = settings.live;
  proxy::ProxyPolicy policy;
  policy.admission.require_key = live.access.require_key;
  for (const settings::ServiceLevel& level : live.service_levels) {
    policy.admission.levels[level.name] = {level.ttft, level.tpot};
  }
  policy.admission.deadline = live.limits.request_max;
  policy.admission.goal = to_valve(live.valve.goal);
  policy.budget_per_month = live.metering.budget_per_month;
  policy.valve = valve_policy(settings);
  policy.request_max = live.limits.request_max;
  policy.stream_idle_max = live.limits.stream_idle_max;
  policy.connect_max = live.limits.connect_max;
  policy.queue_wait_max = live.queue.wait_max;
  policy.keepalive_comment = live.limits.keepalive_comment;
  return policy;
}

proxy::ExtraShares extra_shares(const settings::Settings& settings) {
  const settings::ValveSettings& from = settings.live.valve;
  return {static_cast<double>(from.retry_percent_max) / 100,
          static_cast<double>(from.retry_floor_per_s),
          static_cast<double>(from.hedge_percent_max) / 100};
}

proxy::BodyBounds body_bounds(const settings::Settings& settings) {
  const settings::LimitSettings& limits = settings.live.limits;
  return {limits.body_max, limits.body_memory_max, limits.bodies_memory_max,
          limits.bodies_per_key_max, limits.bodies_max};
}

sense::SenseTimes sense_times(const settings::Settings& settings) {
  sense::SenseTimes times;
  times.lease = settings.live.sense.lease;
  times.window = settings.live.sense.window;
  times.memory = settings.live.sense.memory;
  if (settings.live.valve.hedge == settings::Mode::automatic) {
    times.late_quantile = static_cast<double>(settings.live.valve.hedge_quantile_percent) / 100;
  }
  times.breaker.failures = static_cast<int>(settings.live.breaker.failures);
  times.breaker.open = settings.live.breaker.open;
  times.breaker.slow_start = settings.live.breaker.slow_start;
  return times;
}

sense::ProbeTimes probe_times(const settings::Settings& settings, valve::Place place) {
  const settings::SenseSettings& sense = settings.live.sense;
  sense::ProbeTimes times{sense.scrape, sense.scrape_timeout, sense.probe};
  if (place == valve::Place::cloud) times.probe = std::max(times.probe, kCloudProbeMin);
  return times;
}

ports::TlsLimits tls_limits(const settings::Settings& settings) {
  const settings::LimitSettings& limits = settings.live.limits;
  return {limits.tls_handshake_max, limits.tls_handshakes_per_s_max,
          limits.tls_handshakes_per_s_per_address_max};
}

proxy::ServerLimits server_limits(const settings::Settings& settings, std::string own_name) {
  const settings::LimitSettings& limits = settings.live.limits;
  proxy::ServerLimits server;
  server.connections_max = static_cast<size_t>(limits.connections_max);
  server.connections_per_address_max = static_cast<size_t>(limits.connections_per_address_max);
  server.rules.times = {limits.head_max, limits.idle_max, limits.request_max, limits.body_slow_max,
                        limits.write_stall_max};
  server.rules.body_per_s_min = limits.body_per_s_min;
  server.rules.requests_max = limits.requests_per_connection_max;
  server.rules.host_names = {settings.live.access.hosts, std::move(own_name)};
  return server;
}

sense::NodeProfile node_profile(const settings::NodeSettings& node,
                                const settings::Settings& settings) {
  sense::NodeProfile profile;
  profile.name = node.name;
  const bool local = node.place == settings::Place::local;
  profile.place = local ? valve::Place::local : valve::Place::cloud;
  profile.engine = node.engine;
  profile.enabled = node.enabled;
  for (const settings::ModelSettings& model : node.models) {
    profile.models.push_back({model.name, model.upstream});
    for (const std::string& alias : model.aliases) {
      profile.models.push_back({alias, model.upstream});
    }
  }
  profile.concurrency_limit = static_cast<int>(node.concurrency_limit);
  profile.requests_per_minute = static_cast<int>(node.requests_per_minute_limit);
  profile.untried_concurrency = static_cast<int>(node.untried_concurrency);
  if (node.untried_concurrency == 0 && local) {
    profile.untried_concurrency = static_cast<int>(settings.live.valve.untried_concurrency);
  }
  const double rate = rate_of(node, settings);
  profile.price_in_nano = nano_per_token(node.price.input_per_million, rate);
  profile.price_out_nano = nano_per_token(node.price.output_per_million, rate);
  profile.price_cached_nano = nano_per_token(node.price.cached_per_million, rate);
  // A gram per million tokens is a microgram per token.
  profile.carbon_ug_per_token = std::llround(node.carbon_g_per_million_tokens);
  profile.context_max.count = node.context_tokens_max;
  profile.offers = to_valve(node.capabilities);
  profile.weight = static_cast<int>(node.weight);
  return profile;
}

settings::NodeSettings leased_node_settings(const capacity::LeasedNode& node) {
  settings::NodeSettings made;
  made.name = node.name;
  made.place = settings::Place::cloud;
  made.url = node.url;
  made.models = {{node.model, node.model, {}}};
  made.data_classes = {settings::DataClass::open, settings::DataClass::internal};
  made.concurrency_limit = node.slots;
  return made;
}

Result<upstream::EndpointSet> endpoints_of(const settings::NodeSettings& node,
                                           const sense::DriverFacts& facts) {
  std::vector<std::string> words = facts.endpoints;
  if (!node.endpoints.empty()) words.clear();
  for (const settings::NodeEndpoint endpoint : node.endpoints) {
    words.emplace_back(settings::to_text(endpoint));
  }
  upstream::EndpointSet speaks;
  for (const std::string& word : words) {
    const std::optional<upstream::Endpoint> endpoint = upstream::endpoint_from_word(word);
    if (!endpoint) {
      return Error{ErrorKind::refused, "settings",
                   fmt::format("node \"{}\": there is no endpoint \"{}\"", node.name, word)};
    }
    speaks.add(*endpoint);
  }
  return speaks;
}

govern::NodePolicy node_policy(const settings::NodeSettings& node) {
  const auto accepts = [&node](settings::DataClass data_class) {
    return std::find(node.data_classes.begin(), node.data_classes.end(), data_class) !=
           node.data_classes.end();
  };
  govern::NodePolicy policy;
  policy.is_cloud = node.place == settings::Place::cloud;
  policy.accepts_open = accepts(settings::DataClass::open);
  policy.accepts_internal = accepts(settings::DataClass::internal);
  return policy;
}

Duration stale_after(const sense::ScrapeFacts& facts, Duration scrape) {
  const Duration gap = std::max(scrape, facts.gap_min);
  return std::max(facts.stale_after, gap * 3);
}

}  // namespace sluice::box
