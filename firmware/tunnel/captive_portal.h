// Whether something between an uplink and the internet wants a person first (hotel, campus, guest
// network): a plain GET that only the operator answers with 204 and nothing. See README.md.
// Thread: loop. One check at a time and object; the sink hears of it once, never inside start().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/base/units.h"
#include "firmware/ports/http_client.h"
#include "firmware/ports/timers.h"

namespace sluice::tunnel {

struct PortalFinding {
  enum class What {
    clear,      // 204 and no body: nothing is in between
    portal,     // a redirect, status 511, or a page
    odd,        // something answered that is neither the operator nor a portal that we know
    no_answer,  // not reached
  };
  What what = What::no_answer;
  std::string url;   // of the portal, when it told one; printable ASCII of bounded length
  int status = 0;    // of the answer; 0 = none came
  std::string text;  // why there was no answer, or what was odd; printable
};
const char* to_text(PortalFinding::What what);

inline constexpr size_t kPortalUrlMax = 300;
inline constexpr Bytes kPortalBodyMax{16 * 1024};
inline constexpr Duration kPortalTimeMax = Duration::seconds(4);

// What an answer of `asked` means. `body`: its beginning. Source of 511: RFC 6585.
PortalFinding portal_finding(const ports::HttpOrigin& asked, const ports::HttpResponseHead& head,
                             std::string_view body);

// Where to ask: `check_url` if there is one, else below the operator's endpoint. Nothing: neither
// is known, or it is no URL that can be asked in plain HTTP.
std::optional<ports::HttpOrigin> portal_origin(const std::string& check_url,
                                               const std::string& endpoint);

class PortalSink {
 public:
  virtual ~PortalSink() = default;
  virtual void on_portal_checked(const PortalFinding& finding) = 0;
};

class PortalCheck final : private ports::HttpCallSink {
 public:
  // `http` goes out by the uplink that is asked about. All outlive this.
  PortalCheck(ports::HttpClient& http, ports::Timers& timers, PortalSink& sink);
  ~PortalCheck() override;
  PortalCheck(const PortalCheck&) = delete;
  PortalCheck& operator=(const PortalCheck&) = delete;

  // Order: not while one runs. `origin` of portal_origin().
  void start(const ports::HttpOrigin& origin);

 private:
  enum class State {
    resting,  // -> asking
    asking,   // -> telling
    telling,  // the answer is known, the sink hears of it in the next turn -> resting
  };

  void move_to(State next);
  void settle(PortalFinding finding);
  void tell();
  void on_head(const ports::HttpResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_end() override;
  void on_fail(const ports::HttpFailure& failure) override;

  // Fixed after construction.
  ports::HttpClient& http_;
  PortalSink& sink_;

  // Changes.
  State state_ = State::resting;
  std::unique_ptr<ports::Timer> telling_;
  std::unique_ptr<ports::HttpCall> call_;
  ports::HttpOrigin origin_;
  std::optional<ports::HttpResponseHead> head_;
  std::string body_;
  PortalFinding finding_;
};

}  // namespace sluice::tunnel
