// One request of a client in the simulated world: what it was answered, counted and not kept.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firmware/ports/clock.h"
#include "firmware/ports/http_service.h"
#include "tests/sim/chance.h"

namespace sluice::sim {

class SimClient;

class ClientObserver {
 public:
  virtual ~ClientObserver() = default;
  // The answer is over; inside a callback of the box: do nothing but note it.
  virtual void on_client_over(SimClient& client) = 0;
};

class SimClient final : public ports::HttpAnswer {
 public:
  enum class Ending { open, complete, cut, left };

  SimClient(const ports::Clock& clock, ClientObserver& observer, uint32_t request, bool keeps_sum)
      : clock_(clock), observer_(observer), request_(request), keeps_sum_(keeps_sum) {}

  std::unique_ptr<ports::HttpActivity> activity;  // first, so that it ends before the rest

  uint32_t request() const { return request_; }
  Ending ending() const { return ending_; }
  bool is_over() const { return ending_ != Ending::open; }
  int status() const { return status_; }
  const std::string& node() const { return node_; }  // as the box told; empty: it did not
  bool has_content() const { return content_bytes_ > 0; }
  Instant first() const { return first_; }  // byte of content: comments do not count
  Instant last() const { return last_; }
  uint64_t content_bytes() const { return content_bytes_; }
  uint64_t sum() const { return sum_; }                // FNV-1a of the content, if it is kept
  const std::string& fault() const { return fault_; }  // the box broke the order of calls
  std::string_view error_code() const { return error_code_; }

  void leave() {
    if (is_over()) return;
    ending_ = Ending::left;
    activity->on_client_gone();
    observer_.on_client_over(*this);
  }
  // Reads slowly: nothing is taken until drain().
  void stop_reading() { reads_ = false; }
  void drain() {
    reads_ = true;
    backlog_ = 0;
    if (activity && !is_over()) activity->on_drained();
  }

  void send_head(int code, const ports::HttpFields& fields, std::optional<uint64_t>) override {
    if (status_ != 0 || is_over()) fault_ = "a second head, or a head after the end";
    status_ = code;
    node_ = fields.get("x-sluice-node");
  }
  void send_body(std::string_view bytes) override {
    if (status_ == 0 || is_over()) fault_ = "a body without a head, or after the end";
    if (!reads_) backlog_ += bytes.size();
    if (status_ != 200) return note_error(bytes);
    if (bytes.front() == ':') return;  // a comment
    if (bytes.starts_with("\n\n") || bytes.starts_with("data: {\"error\""))
      return note_error(bytes);
    last_ = clock_.now();
    if (content_bytes_ == 0) first_ = last_;
    content_bytes_ += bytes.size();
    if (keeps_sum_) sum_ = fnv(bytes, sum_);
  }
  void end() override { finish(Ending::complete); }
  void cut() override { finish(Ending::cut); }
  bool head_sent() const override { return status_ != 0; }
  size_t backlog_bytes() const override { return backlog_; }

 private:
  void note_error(std::string_view bytes) {
    const size_t at = bytes.find("\"code\":\"");
    if (at == bytes.npos) return;
    const std::string_view rest = bytes.substr(at + 8);
    error_code_ = rest.substr(0, rest.find('"'));
  }
  void finish(Ending ending) {
    if (status_ == 0 || is_over()) fault_ = "an end without a head, or a second one";
    if (is_over()) return;
    ending_ = ending;
    observer_.on_client_over(*this);
  }

  const ports::Clock& clock_;
  ClientObserver& observer_;
  const uint32_t request_;
  const bool keeps_sum_;
  Ending ending_ = Ending::open;
  int status_ = 0;
  bool reads_ = true;
  size_t backlog_ = 0;
  Instant first_;
  Instant last_;
  uint64_t content_bytes_ = 0;
  uint64_t sum_ = kFnvStart;
  std::string node_;
  std::string error_code_;
  std::string fault_;
};

}  // namespace sluice::sim
