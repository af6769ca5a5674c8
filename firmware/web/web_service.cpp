#include "firmware/web/web_service.h"

#include <fmt/format.h>

#include "firmware/web/answers.h"
#include "firmware/web/command_call.h"
#include "firmware/web/query.h"
#include "firmware/web/status_json.h"
#include "firmware/web/tunnel_json.h"

namespace sluice::web {

using ports::HttpActivity;
using ports::HttpAnswer;
using ports::HttpPeer;
using ports::HttpRequestHead;

namespace {

std::unique_ptr<HttpActivity> refuse(HttpAnswer& answer, const Refusal& refusal) {
  send_refusal(answer, refusal);
  return std::make_unique<Answered>();
}

std::unique_ptr<HttpActivity> send_view(HttpAnswer& answer, std::string_view json) {
  send_text(answer, 200, kJsonType, json);
  return std::make_unique<Answered>();
}

}  // namespace

WebService::WebService(Door door, WebWorld world, const std::vector<sluice::EmbeddedFile>& files,
                       std::string admin_token)
    : door_(door),
      world_(world),
      files_(door == Door::page ? files : std::vector<sluice::EmbeddedFile>{}),
      admin_token_(std::move(admin_token)) {}

std::unique_ptr<HttpActivity> WebService::open(const HttpRequestHead& head, const HttpPeer& peer,
                                               HttpAnswer& answer) {
  if (const auto refusal = check_peer(head, peer)) return refuse(answer, *refusal);
  if (const PageFile* file = files_.find(head.path())) {
    if (head.method != "GET" && head.method != "HEAD") {
      return refuse(answer, {405, "this path answers GET, HEAD only", "GET, HEAD"});
    }
    send_file(answer, *file, head.fields);
    return std::make_unique<Answered>();
  }
  auto route = route_of(head);
  if (const auto* refusal = std::get_if<Refusal>(&route)) return refuse(answer, *refusal);
  return open_route(head, std::get<Route>(std::move(route)), answer);
}

std::optional<Refusal> WebService::check_peer(const HttpRequestHead& head,
                                              const HttpPeer& peer) const {
  if (door_ == Door::page) return check_host(head);
  if (peer.local_socket) return std::nullopt;
  return Refusal{403, "commands without a token are taken on the admin socket only", ""};
}

std::optional<Refusal> WebService::check_action(const HttpRequestHead& head, Action action) const {
  if (streams_->finishing && is_command(action)) {
    return Refusal{503, "this process ends; ask again, its successor answers", ""};
  }
  if (door_ == Door::admin_socket) return std::nullopt;
  if (action == Action::upgrade) {
    return Refusal{403, "an upgrade is asked for on the admin socket only: sluiced upgrade", ""};
  }
  if (auto refusal = check_same_site(head)) return refusal;
  return is_command(action) ? check_token(head, admin_token_) : std::nullopt;
}

std::unique_ptr<HttpActivity> WebService::open_route(const HttpRequestHead& head, Route route,
                                                     HttpAnswer& answer) {
  if (const auto refusal = check_action(head, route.action)) return refuse(answer, *refusal);
  Result<Query> query = Query::parse(head.query());
  if (!query) return refuse(answer, {400, query.error().text, ""});
  if (route.action == Action::show_status) return send_view(answer, status_now(world_));
  if (route.action == Action::follow_events) return open_events(answer);
  if (route.action == Action::show_shadow) {
    return send_view(answer, shadow_json(world_.shadow.shadow(), world_.box.status().currency));
  }
  if (route.action == Action::show_tunnel) {
    return send_view(answer,
                     ports::to_json(tunnels_value(world_.tunnels.tunnels(), world_.clock.now())));
  }
  if (route.action == Action::show_decisions) {
    const Result<int64_t> count = query->integer("n", kDecisionsUsual, 1, kDecisionsMax);
    if (!count) return refuse(answer, {400, count.error().text, ""});
    const auto decisions = world_.decisions.decisions(0, static_cast<size_t>(*count));
    return send_view(answer, decisions_json(decisions));
  }
  if (head.content_length.value_or(0) > kCommandBodyMax) return refuse(answer, body_too_large());
  const char* author = door_ == Door::page ? "page" : "command line";
  return std::make_unique<CommandCall>(world_, std::move(route), std::move(*query), author, answer);
}

std::unique_ptr<HttpActivity> WebService::open_events(HttpAnswer& answer) {
  if (streams_->finishing) return refuse(answer, {503, "the box is stopping", ""});
  if (streams_->open >= kEventStreamsMax) {
    return refuse(
        answer,
        {503, fmt::format("{} pages follow this box already; close one of them", kEventStreamsMax),
         ""});
  }
  return std::make_unique<EventStream>(world_, streams_, answer);
}

}  // namespace sluice::web
