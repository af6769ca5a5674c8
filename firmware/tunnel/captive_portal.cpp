#include "firmware/tunnel/captive_portal.h"

#include <algorithm>

#include "firmware/base/check.h"
#include "firmware/base/text.h"

namespace sluice::tunnel {

namespace {

constexpr std::string_view kClearPath = "/v1/clear";
constexpr uint16_t kHttpPort = 80;
constexpr int kNoContent = 204;
constexpr int kAuthenticationRequired = 511;

// A stranger's text must not move the reader's terminal.
std::string printable(std::string_view text) {
  std::string shown(text.substr(0, kPortalUrlMax));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

// Of <meta http-equiv="refresh" content="0; url=...">, as portals write it; else empty.
std::string refresh_url(std::string_view page) {
  const std::string small = lower(page);
  const size_t tag = small.find("http-equiv");
  if (tag == std::string::npos || small.find("refresh", tag) == std::string::npos) return "";
  size_t at = small.find("url=", tag);
  if (at == std::string::npos) return "";
  at += 4;
  while (at < small.size() && (small[at] == '\'' || small[at] == '"' || small[at] == ' ')) ++at;
  const size_t end = page.find_first_of("'\"> \r\n", at);
  return printable(page.substr(at, end == std::string::npos ? end : end - at));
}

bool is_page(const ports::HttpResponseHead& head, std::string_view body) {
  return starts_with_ignoring_case(head.fields.get("content-type"), "text/html") ||
         lower(body).find("<html") != std::string::npos;
}

// Web servers often send all plain requests on to https at their own name.
bool leads_home(const ports::HttpOrigin& asked, std::string_view location) {
  const Result<ports::HttpOrigin> to =
      ports::parse_origin(location.substr(0, location.find_first_of("?#")));
  return to && equal_ignoring_case(to->address.host, asked.address.host);
}

PortalFinding found(PortalFinding::What what, int status, std::string url, std::string text) {
  return {what, std::move(url), status, std::move(text)};
}

}  // namespace

const char* to_text(PortalFinding::What what) {
  switch (what) {
    case PortalFinding::What::clear:
      return "clear";
    case PortalFinding::What::portal:
      return "portal";
    case PortalFinding::What::odd:
      return "odd";
    case PortalFinding::What::no_answer:
      return "no_answer";
  }
  ENSURE(false);
}

PortalFinding portal_finding(const ports::HttpOrigin& asked, const ports::HttpResponseHead& head,
                             std::string_view body) {
  using What = PortalFinding::What;
  const int status = head.status;
  if (status == kNoContent && body.empty()) return found(What::clear, status, "", "");
  if (status == kAuthenticationRequired) {
    return found(What::portal, status, refresh_url(body), "");
  }
  if (status >= 300 && status < 400) {
    const std::string_view location = head.fields.get("location");
    if (location.empty()) return found(What::odd, status, "", "a redirect to nowhere");
    if (leads_home(asked, location)) {
      return found(What::odd, status, "",
                   "its own server redirects to " + printable(location) + " instead of answering");
    }
    return found(What::portal, status, printable(location), "");
  }
  if (status == 200 && is_page(head, body)) {
    return found(What::portal, status, refresh_url(body), "");
  }
  return found(What::odd, status, "", "the answer was " + std::to_string(status) + ", not 204");
}

std::optional<ports::HttpOrigin> portal_origin(const std::string& check_url,
                                               const std::string& endpoint) {
  if (!check_url.empty()) {
    Result<ports::HttpOrigin> origin = ports::parse_origin(check_url);
    if (!origin || origin->tls) return std::nullopt;
    return std::move(*origin);
  }
  if (endpoint.empty()) return std::nullopt;
  Result<ports::HttpOrigin> origin = ports::parse_origin(endpoint);
  if (!origin) return std::nullopt;
  if (origin->tls) {
    origin->tls = false;
    origin->address.port = kHttpPort;
    const bool v6 = origin->address.host.find(':') != std::string::npos;
    origin->authority = v6 ? "[" + origin->address.host + "]" : origin->address.host;
  }
  origin->base_path += kClearPath;
  return std::move(*origin);
}

PortalCheck::PortalCheck(ports::HttpClient& http, ports::Timers& timers, PortalSink& sink)
    : http_(http), sink_(sink), telling_(timers.make([this] { tell(); })) {}

PortalCheck::~PortalCheck() = default;

void PortalCheck::start(const ports::HttpOrigin& origin) {
  move_to(State::asking);
  origin_ = origin;
  head_.reset();
  body_.clear();
  ports::HttpCallSpec spec;
  spec.origin = origin;
  spec.method = "GET";
  spec.target = origin.base_path.empty() ? "/" : origin.base_path;
  spec.fields.add("Accept", "*/*");
  spec.fields.add("Cache-Control", "no-store");
  spec.timeouts.connect = kPortalTimeMax;
  spec.timeouts.total = kPortalTimeMax;
  spec.body_max = kPortalBodyMax;
  spec.fresh_connection = true;
  call_ = http_.call(std::move(spec), *this);
}

void PortalCheck::on_head(const ports::HttpResponseHead& head) { head_ = head; }

void PortalCheck::on_body(std::string_view bytes) {
  const size_t room = static_cast<size_t>(kPortalBodyMax.count) - body_.size();
  body_.append(bytes.substr(0, room));
}

void PortalCheck::on_end() {
  ENSURE(head_.has_value());
  settle(portal_finding(origin_, *head_, body_));
}

// A portal's page may be long, or its server careless: the head tells enough.
void PortalCheck::on_fail(const ports::HttpFailure& failure) {
  if (head_) return settle(portal_finding(origin_, *head_, body_));
  PortalFinding finding;
  finding.text = printable(failure.error.text);
  settle(std::move(finding));
}

void PortalCheck::settle(PortalFinding finding) {
  move_to(State::telling);
  finding_ = std::move(finding);
  telling_->start(Duration());
}

void PortalCheck::tell() {
  call_.reset();
  move_to(State::resting);
  const PortalFinding finding = finding_;  // the sink may destroy this
  sink_.on_portal_checked(finding);
}

void PortalCheck::move_to(State next) {
  ENSURE((next == State::asking && state_ == State::resting) ||
         (next == State::telling && state_ == State::asking) ||
         (next == State::resting && state_ == State::telling));
  state_ = next;
}

}  // namespace sluice::tunnel
