#include "firmware/settings/cross_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "firmware/settings/schema.h"
#include "firmware/settings/text_rules.h"

namespace sluice::settings {

namespace {

bool share_port(const std::optional<ports::Address>& a, const std::optional<ports::Address>& b) {
  if (!a || !b || a->port != b->port || a->port == 0) return false;
  return a->host == b->host || is_any_address(*a) || is_any_address(*b);
}

void check_listeners(const ListenSettings& listen, Report& report) {
  if (!listen.api && !listen.tls) {
    report.add_between("listen.tls", {"listen.api"},
                       "is off, and listen.api too: no application could ask; write an address for "
                       "one of them, e.g. tls: 0.0.0.0:8443");
  }
  if (share_port(listen.tls, listen.api)) {
    report.add_between(
        "listen.tls", {"listen.api"},
        fmt::format("has the port of listen.api, {}; write another one", listen.api->port));
  }
  if (!listen.page) return;
  if (!is_loopback(*listen.page)) {
    report.add_between(
        "listen.page", {},
        fmt::format("{} can be reached from other machines, and the page has no login; "
                    "write 127.0.0.1:{}, or off",
                    listen.page->text(), listen.page->port));
    return;
  }
  for (const auto& [key, other] :
       {std::pair{"listen.api", &listen.api}, {"listen.tls", &listen.tls}}) {
    if (!share_port(listen.page, *other)) continue;
    report.add_between(
        "listen.page", {key},
        fmt::format("has the port of {}, {}; write another one", key, (*other)->port));
  }
}

void check_tls(const TlsSettings& tls, Report& report) {
  if (tls.certificate_file.empty() == tls.key_file.empty()) return;
  const bool key = tls.key_file.empty();
  report.add_between(key ? "tls.certificate_file" : "tls.key_file", {},
                     fmt::format("stands alone; write tls.{} too, or neither: then the box makes "
                                 "a certificate of its own",
                                 key ? "key_file" : "certificate_file"));
}

void check_sense(const SenseSettings& sense, Report& report) {
  if (sense.scrape_timeout >= sense.scrape) {
    report.add_between(
        "sense.scrape_timeout_ms", {"sense.scrape_ms"},
        fmt::format("{} is not less than sense.scrape_ms, {}; write at most {}",
                    sense.scrape_timeout.as_ms(), sense.scrape.as_ms(), sense.scrape.as_ms() - 1));
  }
  if (sense.lease <= sense.scrape) {
    report.add_between(
        "sense.lease_ms", {"sense.scrape_ms"},
        fmt::format("{} is not more than sense.scrape_ms, {}: every reading would be out of date "
                    "before the next; write at least {}",
                    sense.lease.as_ms(), sense.scrape.as_ms(), 2 * sense.scrape.as_ms()));
  }
}

void check_bodies(const LimitSettings& limits, Report& report) {
  if (limits.body_max > limits.bodies_per_key_max) {
    report.add_between(
        "limits.bodies_per_key_bytes_max", {"limits.body_bytes_max"},
        fmt::format("{} is less than limits.body_bytes_max, {}: the largest body could never be "
                    "sent; write at least that",
                    limits.bodies_per_key_max.count, limits.body_max.count));
  }
  if (limits.bodies_per_key_max > limits.bodies_max) {
    report.add_between(
        "limits.bodies_bytes_max", {"limits.bodies_per_key_bytes_max"},
        fmt::format("{} is less than limits.bodies_per_key_bytes_max, {}: one key could fill the "
                    "box; write at least that",
                    limits.bodies_max.count, limits.bodies_per_key_max.count));
  }
}

void check_levels(const std::vector<ServiceLevel>& levels, Report& report) {
  std::map<std::string_view, size_t> seen;
  for (size_t i = 0; i < levels.size(); ++i) {
    const auto [first, is_new] = seen.emplace(levels[i].name, i);
    if (is_new || levels[i].name.empty()) continue;
    report.add_between(
        fmt::format("service_levels[{}].name", i), {},
        fmt::format("\"{}\" is already the name of service_levels[{}]; write another",
                    levels[i].name, first->second));
  }
}

void check_models(const NodeSettings& node, const std::string& path, Report& report) {
  std::map<std::string_view, std::string> seen;
  const auto claim = [&](const std::string& name, const std::string& key) {
    const auto [first, is_new] = seen.emplace(name, key);
    if (is_new || name.empty()) return;
    report.add_between(key, {},
                       fmt::format("\"{}\" is already used by {}; write another name, or remove it",
                                   name, first->second));
  };
  for (size_t i = 0; i < node.models.size(); ++i) {
    claim(node.models[i].name, fmt::format("{}.models[{}].name", path, i));
    for (size_t a = 0; a < node.models[i].aliases.size(); ++a) {
      claim(node.models[i].aliases[a], fmt::format("{}.models[{}].aliases[{}]", path, i, a));
    }
  }
}

void check_credential(const CredentialSource& credential, const std::string& path, Report& report) {
  if (!credential.file.empty() && !credential.env.empty()) {
    report.add_between(path, {}, "names both file and env; write one of them");
  }
  if (credential.file.empty() && credential.env.empty()) {
    report.add_between(path, {}, "names no place of the key; write file: PATH or env: NAME");
  }
}

void check_data_classes(const NodeSettings& node, const std::string& path, Report& report) {
  const auto& classes = node.data_classes;
  if (node.place == Place::local) return;
  if (std::find(classes.begin(), classes.end(), DataClass::home_only) == classes.end()) return;
  report.add_between(path + ".data_classes", {path + ".place"},
                     "lets home-only data go to a cloud node; remove home-only, or write place: "
                     "local if the node stands on the site");
}

void check_price(const Settings& settings, const NodeSettings& node, const std::string& path,
                 Report& report) {
  const Currency currency = *node.price.currency;
  if (currency == settings.start.currency) return;
  if (settings.live.exchange_rates.count(currency) != 0) return;
  report.add_between(path + ".price.currency", {"currency", "exchange_rates"},
                     fmt::format("{} has no exchange rate; write exchange_rates: {{{}: <{} for one "
                                 "{}>}}, or prices in {}",
                                 currency.text(), currency.text(), settings.start.currency.text(),
                                 currency.text(), settings.start.currency.text()));
}

void check_nodes(const Settings& settings, Report& report) {
  const auto& nodes = settings.live.nodes;
  std::map<std::string_view, size_t> seen;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const std::string path = fmt::format("nodes[{}]", i);
    const auto [first, is_new] = seen.emplace(nodes[i].name, i);
    if (!is_new && !nodes[i].name.empty()) {
      report.add_between(path + ".name", {},
                         fmt::format("\"{}\" is already the name of nodes[{}]; write another",
                                     nodes[i].name, first->second));
    }
    check_models(nodes[i], path, report);
    if (nodes[i].credential) check_credential(*nodes[i].credential, path + ".credential", report);
    check_data_classes(nodes[i], path, report);
    check_price(settings, nodes[i], path, report);
  }
}

void check_exporters(const std::vector<ExporterSettings>& exporters, Report& report) {
  std::map<std::string_view, size_t> seen;
  for (size_t i = 0; i < exporters.size(); ++i) {
    const auto [first, is_new] = seen.emplace(exporters[i].name, i);
    if (is_new || exporters[i].name.empty()) continue;
    report.add_between(fmt::format("accelerators.exporters[{}].name", i), {},
                       fmt::format("\"{}\" is already the name of accelerators.exporters[{}]; "
                                   "write another",
                                   exporters[i].name, first->second));
  }
}

void check_uplinks(const std::vector<UplinkSettings>& uplinks, Report& report) {
  if (uplinks.size() > kUplinksMax) {
    report.add_between(
        "tunnel.uplinks", {},
        fmt::format("has {} entries; write at most {}", uplinks.size(), kUplinksMax));
  }
  const auto unique = [&](const char* field, std::string UplinkSettings::*value) {
    std::map<std::string_view, size_t> seen;
    for (size_t i = 0; i < uplinks.size(); ++i) {
      const std::string& text = uplinks[i].*value;
      const auto [first, is_new] = seen.emplace(text, i);
      if (is_new || text.empty()) continue;
      report.add_between(fmt::format("tunnel.uplinks[{}].{}", i, field), {},
                         fmt::format("\"{}\" is already that of tunnel.uplinks[{}]; write another",
                                     text, first->second));
    }
  };
  unique("name", &UplinkSettings::name);
  unique("interface", &UplinkSettings::interface);
}

// A new port interrupts a path for a round trip, and the next waits for it to be well again.
constexpr Duration kPortRotationMin = Duration::seconds(30);

void check_tunnel(const TunnelSettings& tunnel, Report& report) {
  check_uplinks(tunnel.uplinks, report);
  if (!tunnel.port_rotation.is_zero() && tunnel.port_rotation < kPortRotationMin) {
    report.add_between("tunnel.port_rotation_ms", {},
                       "would change ports all the time; write 30000 or more, or 0 to change one "
                       "only when it is needed");
  }
  if (!tunnel.check_url.empty() && !tunnel.check_url.starts_with("http://")) {
    report.add_between("tunnel.check_url", {},
                       "is not plain http: a captive portal cannot answer in place of an https "
                       "page; write http://");
  }
}

void check_locked(const std::vector<std::string>& locked, Report& report) {
  const SchemaNode root = schema();
  for (size_t i = 0; i < locked.size(); ++i) {
    if (could_be_key(root, locked[i])) continue;
    const std::string_view first = std::string_view(locked[i]).substr(0, locked[i].find('.'));
    report.add_between(fmt::format("locked[{}]", i), {},
                       quoted(locked[i]) + " " + unknown_key_text(first, root.keys()));
  }
}

void check_rates(const Settings& settings, Report& report) {
  const auto own = settings.live.exchange_rates.find(settings.start.currency);
  if (own == settings.live.exchange_rates.end() || (own->second >= 1 && own->second <= 1)) return;
  report.add_between(
      "exchange_rates." + own->first.text(), {"currency"},
      fmt::format("{} is the box's own currency; remove the line", own->first.text()));
}

void check_socket_path(const ListenSettings& listen, Report& report) {
  if (listen.admin_socket.size() <= kSocketPathLengthMax) return;
  report.add_between("listen.admin_socket", {"state_dir"},
                     fmt::format("would be {}, longer than {} bytes; write a shorter path here",
                                 quoted(listen.admin_socket), kSocketPathLengthMax));
}

}  // namespace

void check_between(const Settings& settings, Report& report) {
  check_listeners(settings.start.listen, report);
  check_socket_path(settings.start.listen, report);
  check_tls(settings.live.tls, report);
  check_bodies(settings.live.limits, report);
  check_sense(settings.live.sense, report);
  check_levels(settings.live.service_levels, report);
  check_rates(settings, report);
  check_nodes(settings, report);
  check_exporters(settings.live.accelerators.exporters, report);
  check_tunnel(settings.live.tunnel, report);
  check_locked(settings.locked, report);
}

}  // namespace sluice::settings
