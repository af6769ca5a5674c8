// A small world around the proxy: one local node and two clouds whose calls the test answers, a
// meter on a disk in memory, keys, and virtual time. After every turn of the loop it checks what
// must always hold; finish() checks what must hold when all is over.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/meter/attempt_line.h"
#include "firmware/proxy/api_front.h"
#include "tests/script/client.h"
#include "tests/script/memory.h"
#include "tests/script/scripted_client.h"
#include "tests/script/sim_time.h"

namespace sluice::script {

inline constexpr std::string_view kDone = "data: [DONE]\n\n";
inline constexpr std::string_view kUsageEvent =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n";

inline std::string token_event(std::string_view text) {
  return fmt::format(
      "data: {{\"model\":\"m\",\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", text);
}

// {"model":"m","messages":[...]}; `more` is put before the last brace.
inline std::string chat(std::string_view more = "", std::string_view model = "m") {
  return fmt::format(
      "{{\"model\":\"{}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]{}}}", model,
      more);
}
inline const std::string kStream = chat(",\"stream\":true");

class World {
 public:
  static constexpr size_t kQueueMax = 2;

  explicit World(uint64_t seed = 1, int local_slots = 0);

  Client& open_head(const ports::HttpRequestHead& head);
  // A request whose head has been read; the test sends its body.
  Client& open(std::string_view secret, std::vector<ports::HttpField> fields = {},
               std::optional<uint64_t> length = std::nullopt,
               std::string_view path = "/v1/chat/completions");
  // A whole request, and all that follows from it at once.
  Client& ask(std::string_view secret, std::string_view body,
              std::vector<ports::HttpField> fields = {});
  Client& ask_at(std::string_view path, std::string_view body,
                 std::string_view secret = "key-internal",
                 std::vector<ports::HttpField> fields = {});
  void settle() {
    timers.settle();
    check();
  }
  void pass(Duration time) {
    timers.pass(time);
    check();
  }
  void check();   // always
  void finish();  // all exchanges are over

  ScriptedClient& local() { return nodes[0]; }
  ScriptedClient& cheap() { return nodes[1]; }  // cloud
  ScriptedClient& dear() { return nodes[2]; }   // cloud
  void add_key(std::string secret, identity::DataClass data_class);
  int in_flight() const;
  std::vector<meter::Outcome> outcomes() const;     // of ended attempts, in order
  std::vector<meter::BilledTokens> billed() const;  // of the same

  SimClock clock;
  SimCalendar calendar{clock};
  SimTimers timers{clock};
  SimRandom random;
  SilentLog log;
  MemoryFiles files;
  MemoryStore store{timers};
  MemoryWork work{timers};
  MemoryKeys keys;
  CountedDecisions decided;
  proxy::BodyRoom bodies;
  MemoryScratch scratch;
  ScriptedClient nodes[3];
  std::deque<Client> clients;
  sense::Senses senses;
  proxy::DecisionLog decisions{decided, 50};
  proxy::RateLimit limits;
  proxy::WaitingRoom room{clock, timers, kQueueMax};
  meter::Meter meter;
  proxy::ProxyWorld proxy;
  std::string trace;
  std::vector<std::string> violations;
  int tokens_compared = 0;  // attempts whose tokens were held against what the node said

 private:
  struct NoMetrics : ports::HttpService {
    std::unique_ptr<ports::HttpActivity> open(const ports::HttpRequestHead&, const ports::HttpPeer&,
                                              ports::HttpAnswer& answer) override {
      proxy::send_text(answer, 200, "text/plain", "");
      return nullptr;
    }
  };
  void must(bool holds, std::string_view what) {
    if (!holds) violations.push_back(fmt::format("{}: {}", clock.now().as_us(), what));
  }
  void add_node(uint8_t index, std::string_view url, bool is_cloud);
  void read_journal();
  void check_served(const Client& client);
  void check_tokens(const NodeCall& call);

  NoMetrics metrics_;
  proxy::ApiFront front_;
  size_t journal_read_ = 0;
  std::map<uint64_t, meter::AttemptStart> started_;
  std::vector<std::pair<uint64_t, meter::AttemptEnd>> attempts_ended_;
  std::set<uint64_t> ended_ids_;
};

}  // namespace sluice::script
