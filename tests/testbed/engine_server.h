// The stand-in inference engine: EngineModel behind an OpenAI-compatible HTTP server, with faults
// on command. One exchange per inference request; each ends in exactly one outcome of the counters.
//
//   POST to the paths of endpoints.h    GET /v1/models
//   GET /health, /version, and what metric_pages.h knows of this kind of engine
//   GET, POST /testbed/faults    GET /testbed/counters, /testbed/truth
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/testbed/answer_wire.h"
#include "tests/testbed/endpoints.h"
#include "tests/testbed/engine_metrics.h"
#include "tests/testbed/engine_model.h"
#include "tests/testbed/engine_records.h"
#include "tests/testbed/engine_window.h"
#include "tests/testbed/faults.h"
#include "tests/testbed/listening_socket.h"
#include "tests/testbed/metric_pages.h"
#include "tests/testbed/poller.h"
#include "tests/testbed/server_connection.h"
#include "tests/testbed/truth_log.h"

namespace sluice::testbed {

struct EngineOptions {
  std::vector<std::string> models = {"stand-in"};
  std::string api_key;  // empty: none required
  std::string name;     // in the header x-testbed-engine, if not empty
  StepCost cost;
  MetricsDialect metrics = MetricsDialect::vllm_v1;
  std::int64_t output_tokens = 50;  // of an answer whose request names no limit
  std::int64_t eos_tokens = 0;      // the answer ends by itself after so many; 0: never
  std::int64_t max_model_len = 32768;
  std::uint64_t seed = 1;
  std::string faults;
  std::vector<std::string> endpoints;  // names of endpoints.h; empty: all
  double slow_start_s = 0;             // steps are slow_start_factor longer for so long
  double slow_start_factor = 5;
};

class EngineServer final : public ConnectionOwner, public SocketOwner {
 public:
  EngineServer(Poller& poller, EngineOptions options);
  ~EngineServer();

  // An error text when the address cannot be had. The bound address is listen_address().
  std::optional<std::string> listen(const std::string& address);
  std::string listen_address() const { return listener_->address(); }
  // A second listener that no fault switches off.
  std::optional<std::string> listen_for_control(const std::string& address);
  std::string control_address() const { return control_->address(); }
  std::optional<std::string> apply_faults(const nlohmann::json& wish);
  std::optional<std::string> record_to(const std::string& path) { return records_.open(path); }
  std::optional<std::string> tell_truth_to(const std::string& path) { return truth_.open(path); }

  // One turn of the loop.
  void run_once();

  void on_accept(int fd) override;
  void on_request(ServerConnection& connection, HttpReader& request) override;
  void on_gone(ServerConnection& connection) override;

 private:
  // Conversations of the Responses API that are remembered; the oldest is forgotten.
  static constexpr std::size_t kMaxStored = 10'000;

  struct Exchange {
    ServerConnection* connection;
    std::unique_ptr<AnswerWire> wire;
    AnswerScript script;
    Dialect dialect;
    bool stream;
    int choices;
    std::int64_t prompt_tokens;
    std::string context;  // to be stored under the answer's id; empty: not wanted
    bool chunked;         // else (HTTP/1.0) a stream ends with the connection
    bool keep;
    FaultDraw fault;
    std::int64_t fault_index;  // the token at which a fault in mid-answer happens
    Micros received;
    Micros last_token;
    double queue_s = 0;
    double ttft_s = 0;
    std::string request;      // its x-request-id
    std::int64_t tokens = 0;  // generated so far
  };

  struct LatePage {
    ServerConnection* connection;
    std::string target;
  };

  void route(ServerConnection& connection, HttpReader& request, const std::string& path);
  void serve(ServerConnection& connection, HttpReader& request, const EndpointEntry& endpoint);
  void infer(ServerConnection& connection, HttpReader& request, const EndpointEntry& endpoint,
             const FaultDraw& fault);
  void answer_plain(ServerConnection& connection, HttpReader& request,
                    const EndpointEntry& endpoint, const FaultDraw& fault);
  bool offers(const EndpointEntry& endpoint) const;
  bool knows_model(const std::string& model) const;
  std::optional<std::string> recall(InferRequest* ask) const;
  std::optional<std::string> unfit(const InferRequest& request, std::int64_t output) const;
  bool fail_at_once(ServerConnection& connection, const EndpointEntry& endpoint,
                    const FaultDraw& fault);
  void start(ServerConnection& connection, HttpReader& request, InferRequest ask, FaultDraw fault,
             const EndpointEntry& endpoint);
  void set_faults(ServerConnection& connection, HttpReader& request);
  void answer(ServerConnection& connection, int status, std::string_view body,
              std::string_view type = "application/json", std::string_view extra = "");
  void answer_error(ServerConnection& connection, int status, std::string_view type,
                    std::string_view message, std::string_view extra = "");
  // Counted, and in the words of the endpoint's dialect.
  void refuse(ServerConnection& connection, const EndpointEntry& endpoint, int status,
              std::string_view type, std::string_view message);
  void send_error(ServerConnection& connection, const EndpointEntry& endpoint, int status,
                  std::string_view type, std::string_view message, std::string_view extra = "");

  void on_engine_event(const EngineEvent& event);
  void on_token(RequestId id, Exchange& exchange, const EngineEvent& event);
  void send_stream_head(Exchange& exchange);
  void send_events(Exchange& exchange, const Events& events);
  void remember(const Exchange& exchange);
  void on_finished(RequestId id, Exchange& exchange, Micros at);
  void fail_midway(RequestId id, Exchange& exchange);
  std::string whole_answer(const Exchange& exchange) const;
  void cut_short(ServerConnection& connection, Fault fault, std::string_view whole);
  void end_with_fault(ServerConnection& connection, Fault fault);
  void note_outcome(const std::string& outcome) { ++outcomes_[outcome]; }
  void record(const Exchange& exchange, std::string_view outcome) {
    records_.note(exchange.request, exchange.stream, exchange.prompt_tokens,
                  exchange.tokens * exchange.choices, outcome);
  }
  std::string head(int status, std::string_view type, std::string_view extra) const;

  void apply_slowdown();
  void drop_connections();
  nlohmann::json counters() const;
  EngineGauges gauges() const;
  void note_scene();
  std::optional<Page> page(const std::string& target);
  bool answer_page(ServerConnection& connection, const std::string& target);
  void answer_late_page(RequestId id);
  nlohmann::json truth() const;

  Poller& poller_;
  EngineOptions options_;
  std::int64_t started_at_;  // Unix seconds
  EngineModel model_;
  EngineMetrics metrics_;
  Faults faults_;
  EngineWindow window_;
  std::unordered_map<RequestId, LatePage> late_pages_;
  std::unique_ptr<ListeningSocket> listener_;
  std::unique_ptr<ListeningSocket> control_;

  bool slow_start_ = false;
  RequestId last_id_ = 0;
  std::unordered_map<RequestId, Exchange> exchanges_;
  std::unordered_map<ServerConnection*, std::unique_ptr<ServerConnection>> connections_;
  std::vector<std::unique_ptr<ServerConnection>> gone_;  // destroyed at the end of the turn

  std::map<std::string, std::string> stored_;  // response id -> the conversation up to it
  std::deque<std::string> stored_order_;

  EngineRecords records_;
  TruthLog truth_;
  std::uint64_t received_ = 0;
  std::uint64_t accepted_ = 0;
  std::map<std::string, std::uint64_t> outcomes_;
};

}  // namespace sluice::testbed
