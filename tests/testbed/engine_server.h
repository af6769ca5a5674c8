// The stand-in inference engine: EngineModel behind an OpenAI-compatible HTTP server, with faults
// on command. One exchange per inference request; each ends in exactly one outcome of the counters.
//
//   POST /v1/chat/completions, /v1/completions, /v1/embeddings    GET /v1/models
//   GET /health, /version, /metrics    GET, POST /testbed/faults    GET /testbed/counters
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/testbed/chat_wire.h"
#include "tests/testbed/engine_metrics.h"
#include "tests/testbed/engine_model.h"
#include "tests/testbed/faults.h"
#include "tests/testbed/listening_socket.h"
#include "tests/testbed/poller.h"
#include "tests/testbed/server_connection.h"

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
  double slow_start_s = 0;  // steps are slow_start_factor longer for so long
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

  // One turn of the loop.
  void run_once();

  void on_accept(int fd) override;
  void on_request(ServerConnection& connection, HttpReader& request) override;
  void on_gone(ServerConnection& connection) override;

 private:
  struct Exchange {
    ServerConnection* connection;
    ChatRequest request;
    AnswerWire wire;
    std::uint64_t seed;
    std::int64_t prompt_tokens;
    std::int64_t output_tokens;
    std::string finish_reason;
    bool chunked;  // else (HTTP/1.0) a stream ends with the connection
    bool keep;
    FaultDraw fault;
    std::int64_t fault_index;  // the token at which a fault in mid-answer happens
    Micros received;
    Micros last_token;
  };

  void route(ServerConnection& connection, HttpReader& request, const std::string& path);
  void infer(ServerConnection& connection, HttpReader& request, bool chat);
  std::optional<std::string> unfit(const ChatRequest& request, std::int64_t output) const;
  bool fail_at_once(ServerConnection& connection, const FaultDraw& fault);
  void start(ServerConnection& connection, HttpReader& request, ChatRequest ask, FaultDraw fault);
  void embed(ServerConnection& connection, HttpReader& request);
  void set_faults(ServerConnection& connection, HttpReader& request);
  void answer(ServerConnection& connection, int status, std::string_view body,
              std::string_view type = "application/json", std::string_view extra = "");
  void answer_error(ServerConnection& connection, int status, std::string_view type,
                    std::string_view message, std::string_view extra = "");

  void on_engine_event(const EngineEvent& event);
  void on_token(RequestId id, Exchange& exchange, const EngineEvent& event);
  void send_stream_head(Exchange& exchange);
  void send_event(Exchange& exchange, std::string_view event);
  void on_finished(RequestId id, Exchange& exchange, Micros at);
  void fail_midway(RequestId id, Exchange& exchange);
  std::string whole_answer(const Exchange& exchange) const;
  void note_outcome(const std::string& outcome) { ++outcomes_[outcome]; }
  std::string head(int status, std::string_view type, std::string_view extra) const;

  void apply_slowdown();
  void drop_connections();
  nlohmann::json counters() const;
  EngineGauges gauges() const;

  Poller& poller_;
  EngineOptions options_;
  std::int64_t started_at_;  // Unix seconds
  EngineModel model_;
  EngineMetrics metrics_;
  Faults faults_;
  std::unique_ptr<ListeningSocket> listener_;
  std::unique_ptr<ListeningSocket> control_;

  bool slow_start_ = false;
  RequestId last_id_ = 0;
  std::unordered_map<RequestId, Exchange> exchanges_;
  std::unordered_map<ServerConnection*, std::unique_ptr<ServerConnection>> connections_;
  std::vector<std::unique_ptr<ServerConnection>> gone_;  // destroyed at the end of the turn

  std::uint64_t received_ = 0;
  std::uint64_t accepted_ = 0;
  std::map<std::string, std::uint64_t> outcomes_;
};

}  // namespace sluice::testbed
