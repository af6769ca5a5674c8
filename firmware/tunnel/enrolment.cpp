#include "firmware/tunnel/enrolment.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "firmware/base/check.h"
#include "firmware/tunnel/json_place.h"

namespace sluice::tunnel {

namespace {

using ports::JsonValue;

Error say(ErrorKind kind, std::string text) { return {kind, "tunnel", std::move(text)}; }

bool is_loopback(const std::string& host) {
  const auto address = IpAddress::parse(host);
  return host == "localhost" || (address && address->is_loopback());
}

// Words of the operator's code. Its message is not passed on: it may repeat what was sent.
std::optional<Error> refusal(std::string_view code) {
  if (code == "token_unknown") {
    return say(ErrorKind::refused,
               "the operator does not know this token; copy it again, whole, or ask for a new one");
  }
  if (code == "token_used") {
    return say(ErrorKind::refused,
               "this token was used already: each is for one box and one time; ask the operator "
               "for a new one, also when an earlier attempt of this box got no answer");
  }
  if (code == "token_expired") {
    return say(ErrorKind::refused, "this token has expired; ask the operator for a new one");
  }
  return {};
}

std::string shown(std::string_view code) {
  const bool plain =
      !code.empty() && code.size() <= 64 &&
      code.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
  return plain ? fmt::format(" ({})", code) : "";
}

Error status_error(int status, std::string_view code) {
  if (auto known = refusal(code)) return *known;
  if (status == 401 || status == 403) {
    return say(ErrorKind::refused,
               fmt::format("the operator does not accept this box's credential{}; it was removed "
                           "there: join again with a new token",
                           shown(code)));
  }
  if (status == 404) {
    return say(ErrorKind::gone,
               fmt::format("the operator does not know what was asked for{}; check the address, or "
                           "join again if the box was removed there",
                           shown(code)));
  }
  if (status == 429 || status >= 500) {
    return say(ErrorKind::busy,
               fmt::format("the operator cannot answer now (status {}{}); it is asked again later",
                           status, shown(code)));
  }
  if (status >= 300 && status < 400) {
    return say(ErrorKind::refused,
               "the operator's address leads elsewhere; give the address where it ends");
  }
  return say(ErrorKind::refused,
             fmt::format("the operator refused: status {}{}", status, shown(code)));
}

Error failure_error(const ports::HttpFailure& failure) {
  const std::string& text = failure.error.text;
  for (const char* sign : {"not yet valid", "has expired", "in the future"}) {
    if (text.find(sign) == std::string::npos) continue;
    return say(ErrorKind::gone,
               "the operator's certificate is not valid at this machine's date, so most likely the "
               "date is wrong; set it (NTP, or `date`), then try again");
  }
  return {failure.error.kind, "tunnel", "the operator's enrolment: " + text};
}

struct Request {
  std::string method;
  std::string path;
  std::string body;  // empty: none
  std::string credential;
  bool repeatable = true;
  bool absent_is_done = false;  // 404 is as good as done
  std::function<void(Result<JsonValue>)> done;
  std::optional<Error> refused;  // before it was sent
  int tries = 0;
};

// idle -> asking -> (pausing -> asking)* -> telling -> idle
// What is refused before it is sent is told in the next turn, and does not wait with the others.
class HttpEnrolment final : public Enrolment, private ports::HttpCallSink {
 public:
  HttpEnrolment(ports::HttpOrigin origin, ports::HttpClient& client, ports::Timers& timers,
                ports::Random& random)
      : origin_(std::move(origin)),
        client_(client),
        random_(random),
        timer_(timers.make([this] { turn(); })),
        refuse_(timers.make([this] { tell_refused(); })) {}
  ~HttpEnrolment() override { *alive_ = false; }

  void join(std::string token, std::string box_name, std::string instance,
            Done<Membership> done) override;
  void refresh(const Membership& membership, Done<NetworkNews> done) override;
  void put_peers(const Membership& membership, std::string pop, std::vector<PeerToPut> peers,
                 Done<std::vector<Lane>> done) override;
  void readd(const Membership& membership, std::string pop, ports::WgKey public_key,
             Done<void> done) override;
  void leave(const Membership& membership, Done<void> done) override;

 private:
  enum class State { idle, asking, pausing, telling };

  void move_to(State to);
  void push(Request request);
  void turn();
  void ask();
  void tell();
  void tell_refused();
  void settle(Result<JsonValue> answer, bool again);
  Result<JsonValue> read_answer() const;

  void on_head(const ports::HttpResponseHead& head) override { status_ = head.status; }
  void on_body(std::string_view bytes) override;
  void on_end() override;
  void on_fail(const ports::HttpFailure& failure) override;

  const ports::HttpOrigin origin_;
  ports::HttpClient& client_;
  ports::Random& random_;

  State state_ = State::idle;
  std::deque<Request> queue_;  // the first is the one that runs
  std::unique_ptr<ports::HttpCall> call_;
  int status_ = 0;
  std::string body_;
  std::optional<Result<JsonValue>> answer_;
  std::unique_ptr<ports::Timer> timer_;
  std::vector<Request> refused_;  // of this turn
  std::unique_ptr<ports::Timer> refuse_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

void HttpEnrolment::move_to(State to) {
  const bool allowed =
      (state_ == State::idle && to == State::asking) ||
      (state_ == State::asking && (to == State::pausing || to == State::telling)) ||
      (state_ == State::pausing && to == State::asking) ||
      (state_ == State::telling && to == State::idle);
  ENSURE(allowed);
  state_ = to;
}

void HttpEnrolment::push(Request request) {
  if (queue_.size() >= kEnrolmentQueueMax && !request.refused) {
    request.refused = say(ErrorKind::busy, "too many requests wait for the operator already");
  }
  if (request.refused) {
    refused_.push_back(std::move(request));
    return refuse_->start(Duration());
  }
  queue_.push_back(std::move(request));
  if (state_ == State::idle) timer_->start(Duration());
}

// Any of them may destroy this object.
void HttpEnrolment::tell_refused() {
  const std::shared_ptr<bool> alive = alive_;
  const std::vector<Request> all = std::exchange(refused_, {});
  for (const Request& one : all) {
    if (*alive) one.done(*one.refused);
  }
}

void HttpEnrolment::turn() {
  if (state_ == State::telling) return tell();
  if (state_ == State::asking || queue_.empty()) return;
  move_to(State::asking);
  ask();
}

void HttpEnrolment::ask() {
  Request& request = queue_.front();
  ++request.tries;
  status_ = 0;
  body_.clear();
  ports::HttpCallSpec spec;
  spec.origin = origin_;
  spec.method = request.method;
  spec.target = origin_.base_path + request.path;
  spec.fields.add("accept", "application/json");
  if (!request.credential.empty()) {
    spec.fields.add("authorization", "Bearer " + request.credential);
  }
  if (!request.body.empty()) {
    spec.fields.add("content-type", "application/json");
    spec.body = std::make_shared<ports::TextBody>(request.body);
  }
  spec.timeouts.total = kEnrolmentTotal;
  spec.body_max = kEnrolmentAnswerMax;
  call_ = client_.call(std::move(spec), *this);
}

void HttpEnrolment::on_body(std::string_view bytes) {
  // One byte beyond the bound is kept, as the sign that there were more.
  const size_t most = static_cast<size_t>(kEnrolmentAnswerMax.count) + 1;
  body_.append(bytes.substr(0, most - std::min(most, body_.size())));
}

Result<JsonValue> HttpEnrolment::read_answer() const {
  auto json = ports::parse_json(body_);
  if (status_ == 404 && queue_.front().absent_is_done) return JsonValue();
  if (status_ < 200 || status_ > 299) {
    const JsonValue* error = json ? json->find("error") : nullptr;
    return status_error(status_, error == nullptr ? "" : error->text("code"));
  }
  if (static_cast<int64_t>(body_.size()) > kEnrolmentAnswerMax.count) {
    return say(ErrorKind::broken, "the operator's answer is larger than any that is expected");
  }
  if (json) return json;
  return say(ErrorKind::broken,
             "the operator's answer is not JSON; check the address, and whether a captive portal "
             "answers in its place");
}

void HttpEnrolment::on_end() {
  auto answer = read_answer();
  const bool busy = !answer && answer.error().kind == ErrorKind::busy;
  settle(std::move(answer), busy && queue_.front().repeatable);
}

void HttpEnrolment::on_fail(const ports::HttpFailure& failure) {
  const Error error = failure_error(failure);
  const bool passing = failure.error.kind == ErrorKind::gone ||
                       failure.error.kind == ErrorKind::busy || failure.timed_out;
  const bool not_sent = failure.stage == ports::HttpFailure::Stage::connect;
  settle(error, passing && (queue_.front().repeatable || not_sent));
}

void HttpEnrolment::settle(Result<JsonValue> answer, bool again) {
  const int tries = queue_.front().tries;
  call_.reset();
  if (again && tries < kEnrolmentTries) {
    const Duration pause =
        std::min(kEnrolmentPause * (int64_t{1} << (tries - 1)), kEnrolmentPauseMax);
    const auto jitter = static_cast<int64_t>(random_.next() % 500);
    move_to(State::pausing);
    timer_->start(pause + pause * jitter / 1000);
    return;
  }
  answer_ = std::move(answer);
  move_to(State::telling);
  timer_->start(Duration());
}

// The last step may destroy this object.
void HttpEnrolment::tell() {
  const auto done = std::move(queue_.front().done);
  queue_.pop_front();
  Result<JsonValue> answer = std::move(*answer_);
  answer_.reset();
  body_.clear();
  move_to(State::idle);
  if (!queue_.empty()) timer_->start(Duration());
  done(std::move(answer));
}

Request with_credential(const Membership& membership, std::string method, std::string rest) {
  Request request;
  request.method = std::move(method);
  request.path = "/v1/boxes/" + membership.box_id + rest;
  request.credential = membership.credential;
  if (membership.imported()) {
    request.refused = say(ErrorKind::refused, "this network was imported; it has no operator");
  }
  return request;
}

std::function<void(Result<JsonValue>)> plain(std::function<void(Result<void>)> done) {
  return [done = std::move(done)](Result<JsonValue> answer) {
    done(answer ? Result<void>() : Result<void>(answer.error()));
  };
}

Result<Membership> joined(const JsonValue& json, const std::string& url,
                          const std::string& instance) {
  JsonFault fault;
  JsonPlace place(json, "", fault);
  Membership out;
  out.operator_url = url;
  out.instance = instance;
  out.box_id = place.hex16("box_id");
  out.credential = place.text("credential", kCredentialMax);
  if (fault.any()) {
    return say(ErrorKind::broken,
               "the operator's answer is not as it should be: " + fault.text +
                   "; the token is used now: tell the operator, and ask for another one");
  }
  auto news = read_network_news(json);
  if (!news) return news.error();
  take_news(out, std::move(*news));
  return out;
}

void HttpEnrolment::join(std::string token, std::string box_name, std::string instance,
                         Done<Membership> done) {
  Request request;
  request.method = "POST";
  request.path = "/v1/join";
  request.repeatable = false;
  const bool fits = !token.empty() && token.size() <= kTokenMax &&
                    std::all_of(token.begin(), token.end(), [](char c) { return c > ' '; });
  if (!fits) {
    request.refused = say(ErrorKind::refused,
                          "this is no join token: it has blanks, or too many characters, or none");
  }
  request.body = ports::to_json(JsonValue::object(
      {{"token", token},
       {"box", JsonValue::object({{"name", box_name.substr(0, kNameTextMax)}})}}));
  request.done = [url = origin_.text(), instance,
                  done = std::move(done)](Result<JsonValue> answer) {
    done(answer ? joined(*answer, url, instance) : Result<Membership>(answer.error()));
  };
  push(std::move(request));
}

void HttpEnrolment::refresh(const Membership& membership, Done<NetworkNews> done) {
  Request request = with_credential(membership, "GET", "");
  request.done = [done = std::move(done)](Result<JsonValue> answer) {
    done(answer ? read_network_news(*answer) : Result<NetworkNews>(answer.error()));
  };
  push(std::move(request));
}

void HttpEnrolment::put_peers(const Membership& membership, std::string pop,
                              std::vector<PeerToPut> peers, Done<std::vector<Lane>> done) {
  Request request = with_credential(membership, "PUT", "/peers");
  JsonValue list = JsonValue::array();
  for (const PeerToPut& peer : peers) {
    list.push(JsonValue::object({{"path", peer.path.text()},
                                 {"transport", to_text(peer.path.transport)},
                                 {"public_key", ports::wg_key_text(peer.public_key)}}));
  }
  request.body = ports::to_json(JsonValue::object({{"pop", pop}, {"peers", list}}));
  request.done = [peers = std::move(peers), done = std::move(done)](Result<JsonValue> answer) {
    done(answer ? read_lanes(*answer, peers) : Result<std::vector<Lane>>(answer.error()));
  };
  push(std::move(request));
}

void HttpEnrolment::readd(const Membership& membership, std::string pop, ports::WgKey public_key,
                          Done<void> done) {
  Request request = with_credential(membership, "POST", "/readd");
  request.body = ports::to_json(
      JsonValue::object({{"pop", pop}, {"public_key", ports::wg_key_text(public_key)}}));
  request.done = plain(std::move(done));
  push(std::move(request));
}

// A box that the operator does not know has left already.
void HttpEnrolment::leave(const Membership& membership, Done<void> done) {
  Request request = with_credential(membership, "DELETE", "");
  request.absent_is_done = true;
  request.done = plain(std::move(done));
  push(std::move(request));
}

}  // namespace

Result<std::unique_ptr<Enrolment>> Enrolment::make(std::string_view url, ports::HttpClient& client,
                                                   ports::Timers& timers, ports::Random& random) {
  auto origin = ports::parse_origin(url);
  if (!origin) return origin.error();
  if (!origin->tls && !is_loopback(origin->address.host)) {
    return say(ErrorKind::refused,
               "the operator's address must begin with https://, or anybody on the way could read "
               "the token");
  }
  return std::unique_ptr<Enrolment>(
      std::make_unique<HttpEnrolment>(std::move(*origin), client, timers, random));
}

}  // namespace sluice::tunnel
