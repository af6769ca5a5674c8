// One request of a client whose connection is the test: what an exchange writes, in order, and
// whether it kept the order that HttpAnswer asks for.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/ports/clock.h"
#include "firmware/ports/http_service.h"
#include "firmware/ports/timers.h"

namespace sluice::script {

class Client : public ports::HttpAnswer {
 public:
  Client(ports::Clock& clock, ports::Timers& timers, std::string& trace, int number)
      : clock_(clock),
        trace_(trace),
        number_(number),
        sweep_(timers.make([this] { activity.reset(); })) {}

  std::unique_ptr<ports::HttpActivity> activity;
  int status = 0;
  ports::HttpFields fields;
  std::optional<uint64_t> length;
  std::string body;
  size_t backlog = 0;
  bool ended = false;
  bool was_cut = false;
  bool gone = false;
  std::optional<Instant> over_at;
  std::string fault;  // the order of calls was broken; empty: it was not

  bool is_over() const { return ended || was_cut || gone; }
  std::string request_id() const { return std::string(fields.get("x-request-id")); }

  void send(std::string_view bytes) {
    if (activity && !is_over()) activity->on_body(bytes);
  }
  void send_end() {
    if (activity && !is_over()) activity->on_body_end();
  }
  void leave() {
    if (is_over()) return;
    gone = true;
    activity->on_client_gone();
    finish("gone");
  }
  void drain() {
    backlog = 0;
    if (activity && !is_over()) activity->on_drained();
  }

  void send_head(int code, const ports::HttpFields& sent, std::optional<uint64_t> size) override {
    if (status != 0 || is_over()) fault = "a second head, or a head after the end";
    status = code;
    fields = sent;
    length = size;
    note(fmt::format("head {}", code));
  }
  void send_body(std::string_view bytes) override {
    if (status == 0 || is_over()) fault = "a body without a head, or after the end";
    body.append(bytes);
    note(fmt::format("body {}", bytes));
  }
  void end() override {
    if (status == 0 || is_over()) fault = "an end without a head, or a second one";
    if (length && *length != body.size()) fault = "an end before or beyond the declared length";
    ended = true;
    finish("end");
  }
  void cut() override {
    if (is_over()) fault = "a cut after the end";
    was_cut = true;
    finish("cut");
  }
  bool head_sent() const override { return status != 0; }
  size_t backlog_bytes() const override { return backlog; }

 private:
  void note(std::string_view what) {
    trace_ += fmt::format("{} {} {}\n", clock_.now().as_us(), number_, what);
  }
  void finish(std::string_view how) {
    note(how);
    over_at = clock_.now();
    sweep_->start(Duration());
  }

  ports::Clock& clock_;
  std::string& trace_;
  int number_;
  std::unique_ptr<ports::Timer> sweep_;  // as a connection does: a turn later
};

}  // namespace sluice::script
