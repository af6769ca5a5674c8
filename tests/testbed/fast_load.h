// A load driver that costs little: one request, made once, sent over kept connections; of the
// answers only framing, status and number of events are looked at (testbed-load checks every byte
// instead).
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/testbed/answer_scan.h"
#include "tests/testbed/poller.h"

namespace sluice::testbed {

struct FastLoadOptions {
  sockaddr_in target{};
  std::string request;        // head and body
  std::uint64_t events = 0;   // of a right answer; 0: a whole answer
  std::uint64_t bytes = 0;    // least body of a whole answer
  int concurrency = 1;        // closed loop, if rate is 0
  double rate = 0;            // open loop: Poisson arrivals a second
  double ramp_s = 0;          // the closed loop begins within it
  std::int64_t requests = 0;  // 0: no limit
  double duration_s = 0;      // 0: no limit; nothing starts after it
  double warmup_s = 0;        // what starts within it is not counted
  double timeout_s = 30;      // an answer may be silent
  bool give_up = false;       // at the first failure
  std::size_t connections_max = 18000;
  std::uint64_t seed = 1;
};

// Times in microseconds, from when a request was due.
struct FastLoadReport {
  std::int64_t ok = 0;
  std::int64_t failed = 0;
  std::string first_failure;
  std::uint64_t events = 0;
  std::vector<float> first_event_us;
  std::vector<float> whole_us;
  std::vector<float> gap_us;  // between reads of one stream that brought events
};

class FastLoad;

class FastUser : public Pollable {
 public:
  explicit FastUser(FastLoad& load) : load_(load) {}
  ~FastUser() override { disconnect(); }

  void ask(Micros due);  // Order: not while it waits for an answer
  bool waits() const { return waits_; }
  Micros heard() const { return heard_; }
  void fail(const std::string& why);
  void on_ready(std::uint32_t epoll_events) override;

 private:
  bool connect();
  void disconnect();
  void send();
  void receive();
  void take(std::string_view bytes);
  void finish();

  FastLoad& load_;
  int fd_ = -1;
  bool waits_ = false;
  bool counted_ = false;
  std::size_t sent_ = 0;
  Micros due_ = 0;
  Micros heard_ = 0;  // the last bytes, or the beginning
  AnswerScan scan_;
};

class FastLoad {
 public:
  static constexpr std::size_t kGapsMax = 2'000'000;  // further ones are not kept
  static constexpr Micros kRestAfterFailure = 10'000;

  FastLoad(Poller& poller, FastLoadOptions options);

  void begin();
  bool finished() const { return stopped_ && (open_ == 0 || gave_up()); }
  bool gave_up() const { return options_.give_up && report_.failed > 0; }
  void stop() { stopped_ = true; }
  std::size_t open() const { return open_; }
  double elapsed_s() const { return to_seconds(poller_.now() - begun_); }
  double counted_s() const { return to_seconds(last_end_ - count_from_); }
  const FastLoadReport& report() const { return report_; }
  // All users of the closed loop have had their first event.
  void set_on_all_begun(std::function<void()> told) { on_all_begun_ = std::move(told); }

  // For its users.
  Poller& poller() { return poller_; }
  const FastLoadOptions& options() const { return options_; }
  FastLoadReport& books() { return report_; }
  bool counts(Micros due) const { return due >= count_from_; }
  void on_first_event();
  void on_end(FastUser& user, Micros rest);  // asks again after the rest

 private:
  bool may_start();
  void start(FastUser& user, Micros due);
  void arrive(Micros due);
  void look_for_silence();

  Poller& poller_;
  const FastLoadOptions options_;
  FastLoadReport report_;
  std::vector<std::unique_ptr<FastUser>> users_;
  std::vector<FastUser*> idle_;
  std::mt19937_64 chance_;
  std::function<void()> on_all_begun_;
  std::int64_t started_ = 0;
  std::int64_t begun_streams_ = 0;
  std::size_t open_ = 0;
  bool stopped_ = false;
  Micros begun_ = 0;
  Micros count_from_ = 0;
  Micros last_end_ = 0;
};

}  // namespace sluice::testbed
