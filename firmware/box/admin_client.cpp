#include "firmware/box/admin_client.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "drivers/http1/http1_client.h"
#include "drivers/http1/http1_parsers.h"
#include "drivers/uv/clock.h"
#include "drivers/uv/dialer.h"
#include "drivers/uv/loop.h"
#include "drivers/uv/timers.h"
#include "firmware/ports/json.h"

namespace sluice::box {

namespace {

constexpr Bytes kAnswerMax{64 * 1024 * 1024};
constexpr Duration kConnectMax = Duration::seconds(5);
constexpr Duration kTotalMax = Duration::seconds(60);

class Listening : public ports::HttpCallSink {
 public:
  explicit Listening(drivers::UvLoop& loop) : loop_(loop) {}
  void on_head(const ports::HttpResponseHead& head) override { answer.status = head.status; }
  void on_body(std::string_view bytes) override { answer.body.append(bytes); }
  void on_end() override { loop_.stop(); }
  void on_fail(const ports::HttpFailure& failure) override {
    failed = failure;
    loop_.stop();
  }

  AdminAnswer answer;
  std::optional<ports::HttpFailure> failed;

 private:
  drivers::UvLoop& loop_;
};

}  // namespace

Result<AdminAnswer> ask_admin(const std::string& socket, std::string_view method,
                              std::string_view target, std::string body) {
  drivers::UvLoop loop;
  const drivers::UvClock clock(loop);
  drivers::UvClock clock_for_client(loop);
  drivers::UvTimers timers(loop, clock);
  drivers::UvDialer dialer(loop, clock, timers);
  drivers::Http1Parsers parsers;
  drivers::Http1Client client(dialer, timers, clock_for_client, parsers);
  Listening sink(loop);
  ports::HttpCallSpec spec;
  spec.origin.address.unix_path = socket;
  spec.origin.authority = "localhost";
  spec.method = std::string(method);
  spec.target = std::string(target);
  if (!body.empty()) spec.fields.add("content-type", "application/json");
  spec.body = std::make_shared<ports::TextBody>(std::move(body));
  spec.timeouts.connect = kConnectMax;
  spec.timeouts.total = kTotalMax;
  spec.body_max = kAnswerMax;
  spec.fresh_connection = true;
  const std::unique_ptr<ports::HttpCall> call = client.call(std::move(spec), sink);
  loop.run();
  if (!sink.failed) return std::move(sink.answer);
  if (sink.failed->stage == ports::HttpFailure::Stage::connect) {
    return Error{ErrorKind::gone, "admin",
                 fmt::format("no sluiced answers at {} ({})", socket, sink.failed->error.text)};
  }
  return sink.failed->error;
}

Error error_of(const AdminAnswer& answer) {
  const Result<ports::JsonValue> json = ports::parse_json(answer.body);
  const ports::JsonValue* error = json ? json->find("error") : nullptr;
  if (error != nullptr) return {ErrorKind::refused, "admin", std::string(error->text("message"))};
  return {ErrorKind::broken, "admin",
          fmt::format("the daemon answered with status {}", answer.status)};
}

}  // namespace sluice::box
