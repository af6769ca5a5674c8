// The page and the command interface over HTTP, at one of two doors (door.h).
// GET /, /app.js, ...                                   the page door only: the browser's files
// GET /api/v1/status, decisions, events                 views
// /api/v1/keys, settings, reload, upgrade, usage                 commands
#pragma once

#include <memory>
#include <string>

#include "firmware/ports/http_service.h"
#include "firmware/web/door.h"
#include "firmware/web/event_stream.h"
#include "firmware/web/page_files.h"
#include "firmware/web/routes.h"
#include "firmware/web/web_world.h"

namespace sluice::web {

inline constexpr int64_t kDecisionsMax = 500;  // in one answer
inline constexpr int64_t kDecisionsUsual = 50;

class WebService : public ports::HttpService {
 public:
  // `files` and `admin_token` are for the page door; an empty token accepts no command there.
  WebService(Door door, WebWorld world, const std::vector<sluice::EmbeddedFile>& files,
             std::string admin_token);

  std::unique_ptr<ports::HttpActivity> open(const ports::HttpRequestHead& head,
                                            const ports::HttpPeer& peer,
                                            ports::HttpAnswer& answer) override;

  // At stop: every event stream ends within kEventPeriod, so that its connection can close, and
  // commands are refused.
  void finish_streams() { streams_->finishing = true; }

 private:
  std::optional<Refusal> check_peer(const ports::HttpRequestHead& head,
                                    const ports::HttpPeer& peer) const;
  std::optional<Refusal> check_action(const ports::HttpRequestHead& head, Action action) const;
  std::unique_ptr<ports::HttpActivity> open_route(const ports::HttpRequestHead& head, Route route,
                                                  ports::HttpAnswer& answer);
  std::unique_ptr<ports::HttpActivity> open_events(ports::HttpAnswer& answer);

  Door door_;
  WebWorld world_;
  PageFiles files_;
  std::string admin_token_;
  std::shared_ptr<EventStreams> streams_ = std::make_shared<EventStreams>();
};

}  // namespace sluice::web
