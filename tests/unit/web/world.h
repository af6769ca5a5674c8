// The rest of the box as values that a test sets, and an answer that keeps what it was given.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/web/web_service.h"

namespace sluice::web {

struct SetDate final : ports::Calendar {
  Date date = Date::from_us(1'795'305'600'123'000);
  Date now() const override { return date; }
};

// Timers fire when the test lets time pass, in the order in which they are due.
class SteppedTime final : public ports::Clock, public ports::Timers {
 public:
  Instant now() const override { return now_; }
  std::unique_ptr<ports::Timer> make(Callback on_fire) override {
    return std::make_unique<SteppedTimer>(*this, std::move(on_fire));
  }
  void pass(Duration span) {
    const Instant end = now_ + span;
    while (!due_.empty() && due_.begin()->first.first <= end) {
      now_ = due_.begin()->first.first;
      SteppedTimer* timer = due_.begin()->second;
      timer->stop();
      timer->fire();
    }
    now_ = end;
  }
  size_t running() const { return due_.size(); }

 private:
  class SteppedTimer final : public ports::Timer {
   public:
    SteppedTimer(SteppedTime& time, Callback on_fire) : time_(time), on_fire_(std::move(on_fire)) {}
    ~SteppedTimer() override { SteppedTimer::stop(); }
    void start(Duration after) override {
      stop();
      key_ = {time_.now_ + after, ++time_.sequence_};
      time_.due_[*key_] = this;
    }
    void stop() override {
      if (key_) time_.due_.erase(*key_);
      key_.reset();
    }
    bool is_running() const override { return key_.has_value(); }
    void fire() { on_fire_(); }

   private:
    SteppedTime& time_;
    Callback on_fire_;
    std::optional<std::pair<Instant, int>> key_;
  };

  Instant now_ = Instant::from_us(1'000'000);
  int sequence_ = 0;
  std::map<std::pair<Instant, int>, SteppedTimer*> due_;
};

struct SetNodes final : sense::SenseView {
  std::vector<sense::NodeReport> nodes;
  std::vector<sense::NodeReport> reports(Instant) const override { return nodes; }
};

struct SetAccelerators final : sense::AcceleratorView {
  std::vector<sense::AcceleratorSourceReport> sources;
  std::vector<sense::AcceleratorSourceReport> accelerators(Instant) const override {
    return sources;
  }
};

struct SetDecisions final : proxy::DecisionsView {
  std::vector<proxy::DecisionReport> made;  // oldest first
  void add() {
    proxy::DecisionReport decision;
    decision.sequence = made.size() + 1;
    decision.request = "r" + std::to_string(decision.sequence);
    decision.verdict = "send";
    made.push_back(decision);
  }
  std::vector<proxy::DecisionReport> decisions(uint64_t after, size_t count_max) const override {
    std::vector<proxy::DecisionReport> out;
    for (auto one = made.rbegin(); one != made.rend() && out.size() < count_max; ++one) {
      if (one->sequence > after) out.push_back(*one);
    }
    return out;
  }
};

struct SetExtras final : proxy::ExtraView {
  proxy::ExtraReport extras() const override { return {5, 2, 4, 3, 1}; }
};

struct SetQueue final : proxy::QueueView {
  proxy::QueueReport report{3, 1000};
  proxy::QueueReport queue() const override { return report; }
};

struct SetMeter final : meter::MeterView {
  std::map<meter::NodeModel, meter::NodeModelTotals> all;
  meter::Share last_minute;
  const std::map<meter::NodeModel, meter::NodeModelTotals>& totals() const override { return all; }
  meter::Share share(Instant) const override { return last_minute; }
  size_t unstored_rows() const override { return 7; }
  Money spent_in_all() const override { return {12'500'000'000}; }
};

struct SetKeys final : identity::KeyCommands {
  std::vector<identity::ApiKey> keys;
  Result<identity::NewKey> add(const identity::KeySpec& spec) override {
    identity::ApiKey key;
    key.id = "k0000000" + std::to_string(keys.size() + 1);
    key.name = spec.name;
    key.hash = "the-hash";
    keys.push_back(key);
    return identity::NewKey{key, "sk-only-once"};
  }
  Result<identity::ApiKey> revoke(std::string_view id_or_name) override {
    for (identity::ApiKey& key : keys) {
      if (key.name != id_or_name && key.id != id_or_name) continue;
      key.revoked = true;
      return key;
    }
    return Error{ErrorKind::gone, "test", "no such key"};
  }
  std::vector<identity::ApiKey> list() const override { return keys; }
};

struct SetBox final : BoxCommands {
  std::vector<std::string> asked;  // in order, as text
  Result<void> answer;
  UsageQuery usage_query;
  UsageCallback usage_done;
  UpgradeCallback upgrade_done;
  ProcessFigures figures{12, 4096, 3, 2};
  BoxStatus state{"0.1.0", Duration::seconds(61), "auto", "off", true, "CNY", ""};

  Result<void> set_setting(std::string_view key, std::string_view value,
                           std::string_view author) override {
    return note("set", key, value, author);
  }
  Result<void> unset_setting(std::string_view key, std::string_view author) override {
    return note("unset", key, "", author);
  }
  Result<void> reload(std::string_view author) override { return note("reload", "", "", author); }
  std::string print_settings(bool origin) const override {
    return origin ? "a: 1  # default\n" : "a: 1\n";
  }
  void usage(const UsageQuery& query, UsageCallback done) override {
    usage_query = query;
    usage_done = std::move(done);
  }
  void upgrade(std::string_view author, UpgradeCallback done) override {
    asked.push_back("upgrade|" + std::string(author));
    upgrade_done = std::move(done);
  }
  BoxStatus status() const override { return state; }
  ProcessFigures process() const override { return figures; }

 private:
  Result<void> note(std::string_view what, std::string_view key, std::string_view value,
                    std::string_view author) {
    std::string line;
    for (const std::string_view part : {what, key, value, author}) line.append(part).append("|");
    asked.push_back(line);
    return answer;
  }
};

struct SetCalibration final : CalibrationCommands {
  std::vector<std::string> asked;
  CalibrationWish wish;
  Result<void> answer;
  Result<void> calibrate(const CalibrationWish& wanted, std::string_view author) override {
    wish = wanted;
    asked.push_back("calibrate|" + std::string(author));
    return answer;
  }
  Result<void> stop_calibration(std::string_view author) override {
    asked.push_back("stop|" + std::string(author));
    return answer;
  }
  std::string calibration() override { return "{\"state\":\"none\"}"; }
};

struct SetShadow final : proxy::ShadowView {
  std::optional<proxy::ShadowReport> report;
  std::optional<proxy::ShadowReport> shadow() const override { return report; }
};

struct KeptAnswer final : ports::HttpAnswer {
  int status = 0;
  ports::HttpFields fields;
  std::optional<uint64_t> length;
  std::string body;
  bool ended = false;
  bool was_cut = false;
  size_t backlog = 0;

  void send_head(int code, const ports::HttpFields& head,
                 std::optional<uint64_t> body_length) override {
    ENSURE(status == 0);
    status = code;
    fields = head;
    length = body_length;
  }
  void send_body(std::string_view bytes) override {
    ENSURE(status != 0 && !ended);
    body.append(bytes);
  }
  void end() override {
    ENSURE(status != 0 && !ended);
    ended = true;
  }
  void cut() override {
    ENSURE(!ended);
    ended = was_cut = true;
  }
  bool head_sent() const override { return status != 0; }
  size_t backlog_bytes() const override { return backlog; }
};

inline sense::NodeReport node_report(std::string name, valve::Place place, int in_flight,
                                     int line) {
  sense::NodeReport node;
  node.name = std::move(name);
  node.place = place;
  node.engine = "vllm";
  node.health = valve::Health::up;
  node.in_flight = in_flight;
  node.line = line;
  node.models = {"qwen"};
  return node;
}

// Remembers what it was asked for, and answers at once.
struct SetTunnels : tunnel::TunnelSight, tunnel::TunnelCommands {
  tunnel::TunnelReport report;
  Result<void> answer;
  tunnel::DrillReport drilled;
  std::vector<std::string> asked;

  tunnel::TunnelReport tunnels() const override { return report; }
  void join(const tunnel::JoinWish& wish, std::string_view author, Done done) override {
    asked.push_back("join " + wish.url + " by " + std::string(author));
    done(answer);
  }
  void import(std::string_view text, std::string_view, Done done) override {
    asked.push_back("import " + std::string(text));
    done(answer);
  }
  void rotate(std::string_view, Done done) override {
    asked.emplace_back("rotate");
    done(answer);
  }
  void leave(std::string_view, Done done) override {
    asked.emplace_back("leave");
    done(answer);
  }
  void drill(std::string_view, OnDrill done) override {
    asked.emplace_back("rehearse");
    done(drilled);
  }
};

struct Box {
  SteppedTime time;
  SetDate date;
  SetNodes nodes;
  SetDecisions decisions;
  SetQueue queue;
  SetExtras extras;
  SetMeter meter;
  SetKeys keys;
  SetBox box;
  SetCalibration calibration;
  SetShadow shadow;
  SetAccelerators accelerators;
  SetTunnels tunnels;
  WebWorld world{time, date, time,        nodes,  decisions,    queue,   extras, meter,
                 keys, box,  calibration, shadow, accelerators, tunnels, tunnels};
};

inline constexpr const char* kToken = "the-right-token";

// One door, asked as a browser or program on this machine would; `fields` replace or add to those.
struct DoorUnderTest : Box {
  Door door = Door::page;
  WebService service;

  explicit DoorUnderTest(Door which = Door::page, std::string token = kToken)
      : door(which),
        service(which, world,
                {{"index.html", "<!doctype html>"}, {"app.js", "let a"}, {"app.css", "a{}"}},
                std::move(token)) {}

  std::unique_ptr<ports::HttpActivity> open(KeptAnswer& answer, std::string method,
                                            std::string target,
                                            const std::vector<ports::HttpField>& fields = {},
                                            std::optional<uint64_t> length = {}) {
    ports::HttpRequestHead head;
    head.method = std::move(method);
    head.target = std::move(target);
    head.fields.add("Host", "127.0.0.1:8081");
    for (const ports::HttpField& field : fields) head.fields.set(field.name, field.value);
    head.content_length = length;
    head.has_body = length.has_value();
    return service.open(head, {{}, door == Door::admin_socket}, answer);
  }

  KeptAnswer ask(std::string method, std::string target,
                 const std::vector<ports::HttpField>& fields = {}, std::string_view body = "") {
    KeptAnswer answer;
    const auto activity = open(answer, std::move(method), std::move(target), fields,
                               body.empty() ? std::nullopt : std::optional(body.size()));
    if (!answer.ended && !body.empty()) activity->on_body(body);
    if (!answer.ended) activity->on_body_end();
    return answer;
  }
};

inline const ports::HttpField kBearer{"Authorization", std::string("Bearer ") + kToken};

}  // namespace sluice::web
