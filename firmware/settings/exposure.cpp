#include "firmware/settings/exposure.h"

#include <fmt/format.h>

#include "firmware/ports/http_client.h"
#include "firmware/settings/text_rules.h"

namespace sluice::settings {

namespace {

std::string who_reaches(const ports::Address& address) {
  if (is_loopback(address)) return "programs on this machine only";
  if (is_any_address(address)) return "every host that can reach this machine";
  return "every host that can reach " + address.host;
}

// How applications get in at one address, and what they must show.
std::string entrance_line(const Settings& settings, const char* key,
                          const ports::Address& address) {
  if (settings.live.access.require_key) {
    return fmt::format(
        "{} {}: open to {}; an API key is required, but for /metrics, /healthz and "
        "/readyz",
        key, address.text(), who_reaches(address));
  }
  return fmt::format("{}{} {}: open to {}, without an API key (access.require_key: false)",
                     is_loopback(address) ? "" : "warning: ", key, address.text(),
                     who_reaches(address));
}

void add_api(const Settings& settings, std::vector<std::string>& lines) {
  const ListenSettings& listen = settings.start.listen;
  if (!listen.api) {
    lines.push_back("listen.api off: nobody asks in plain HTTP");
    return;
  }
  lines.push_back(entrance_line(settings, "listen.api", *listen.api));
  if (is_loopback(*listen.api)) return;
  lines.push_back(
      fmt::format("warning: listen.api {} is plain HTTP: API keys and prompts are readable on the "
                  "LAN; {}",
                  listen.api->text(),
                  listen.tls ? "set listen.api: off to close it; HTTPS is at listen.tls"
                             : "set listen.tls: 0.0.0.0:8443 for HTTPS, and listen.api: off"));
}

void add_tls(const Settings& settings, std::vector<std::string>& lines) {
  const std::optional<ports::Address>& at = settings.start.listen.tls;
  if (!at) {
    lines.push_back("listen.tls off: there is no HTTPS");
    return;
  }
  lines.push_back(entrance_line(settings, "listen.tls", *at));
  const std::string& own = settings.live.tls.certificate_file;
  if (!own.empty()) {
    lines.push_back("listen.tls: HTTPS with the certificate in " + own);
    return;
  }
  lines.push_back(
      fmt::format("listen.tls: HTTPS with a certificate that the box signs itself; give "
                  "{}/tls/certificate.pem to the clients, or set tls.certificate_file",
                  settings.start.state_dir));
}

std::string hosts_line(const std::vector<std::string>& more) {
  std::string names;
  for (const std::string& name : more) {
    if (name == "*") {
      return "warning: access.hosts *: a web page anywhere can reach the box by a name of its own "
             "(DNS rebinding); name the box's names instead";
    }
    names += ", " + name;
  }
  return "access.hosts: clients may call the box by an address, by its own name, a name without a "
         "dot, or one under .local .lan .internal .home.arpa" +
         names + "; other names are answered 421";
}

std::string page_line(const StartSettings& start) {
  if (!start.listen.page) return "listen.page off: there is no page";
  return fmt::format(
      "listen.page {}: open to programs on this machine only; {}", start.listen.page->text(),
      start.admin_token_file.empty() ? "it only shows (no admin.token_file)"
                                     : "changes need the token in " + start.admin_token_file);
}

std::string classes_text(const NodeSettings& node) {
  std::string text;
  for (DataClass one : node.data_classes) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", to_text(one));
  }
  return text;
}

std::string key_text(const NodeSettings& node) {
  if (!node.credential) return "no key";
  if (!node.credential->file.empty()) return "key from file " + node.credential->file;
  return "key from environment variable " + node.credential->env;
}

void add_node(const NodeSettings& node, std::vector<std::string>& lines) {
  lines.push_back(fmt::format("node {} ({}, {}): receives data of the classes {}; {}", node.name,
                              to_text(node.place), node.url, classes_text(node), key_text(node)));
  const auto origin = ports::parse_origin(node.url);
  if (!origin || origin->tls || is_loopback(origin->address) ||
      origin->address.host == "localhost") {
    return;
  }
  if (node.place == Place::local && !node.credential) return;
  lines.push_back(
      fmt::format("warning: node {}: plain http: {} travel unencrypted unless a tunnel "
                  "carries them; write https:// if the node offers it",
                  node.name, node.credential ? "data and key" : "data"));
}

}  // namespace

std::vector<std::string> describe_exposure(const Settings& settings) {
  std::vector<std::string> lines;
  add_api(settings, lines);
  add_tls(settings, lines);
  lines.push_back(page_line(settings.start));
  lines.push_back(hosts_line(settings.live.access.hosts));
  lines.push_back(fmt::format("listen.admin_socket {}: open to local users of the service's group",
                              settings.start.listen.admin_socket));
  for (const NodeSettings& node : settings.live.nodes) {
    if (node.enabled) add_node(node, lines);
  }
  return lines;
}

}  // namespace sluice::settings
