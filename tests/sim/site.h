// A whole site in virtual time: the real proxy (ApiFront, Exchange, AttemptRun, WaitingRoom), sense
// (Senses, and probes that read pages), meter (journals and store in memory) and valve, between
// clients and simulated nodes. Time moves only from event to event; the same specification gives
// the same trace, bit for bit.
//
// Bodies are real: an exchange reads a prompt of 1,000 tokens as 4,000 bytes of JSON, and every
// token comes and goes as an event of a stream.
// Order: make it; run() a list of arrivals, or open() requests and pass() time; then results().
// Units: virtual time as Duration since the run began, tokens.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "firmware/box/node_watch.h"
#include "firmware/identity/api_key.h"
#include "firmware/proxy/api_front.h"
#include "tests/script/memory.h"
#include "tests/script/sim_time.h"
#include "tests/sim/client.h"
#include "tests/sim/leased_cloud.h"
#include "tests/sim/ledger_book.h"
#include "tests/sim/node.h"
#include "tests/sim/prompt_text.h"
#include "tests/sim/result.h"
#include "tests/sim/trace.h"

namespace sluice::sim {

inline constexpr std::string_view kModel = "m";  // every node serves it

// What a client asks. The box is not told how long the answer will be (but see tell_output_max).
struct SimAsk {
  int key = 0;  // its place in SiteSpec::keys
  int64_t prompt = 1;
  int64_t output = 1;
  bool stream = true;
  std::vector<uint64_t> blocks = {};  // ids of the prompt's blocks of 512 tokens; shared prefixes
};

struct NodeSpec {
  std::string name;
  std::variant<testbed::StepCost, TokenCloudSpec> service;  // an engine, or paid per token
  LinkSpec link;
  sense::NodeProfile profile;  // place, prices, limits; the name and models are filled in
  bool leased = false;         // paid by time: SiteSpec::leases makes such nodes
};
NodeSpec local_engine(std::string name, const testbed::StepCost& cost);
// Prices in billionths of the currency's unit, per token.
NodeSpec token_cloud(std::string name, int64_t price_in_nano = 1000, int64_t price_out_nano = 4000,
                     const TokenCloudSpec& spec = {});

struct SiteSpec {
  SiteSpec();

  uint64_t seed = 1;
  std::vector<NodeSpec> nodes;
  std::optional<LeaseSpec> leases;     // instances that are leased when it pays
  std::vector<identity::ApiKey> keys;  // empty: one of name "key"; their ids are filled in
  valve::ServiceLevel level{Duration::ms(2000), Duration::ms(100)};
  valve::Policy valve;
  sense::SenseTimes sense;
  sense::ProbeTimes probe;  // as the box's defaults
  Duration learn = Duration::ms(250);
  proxy::ProxyPolicy proxy;  // its valve and the level "default" are filled in
  size_t queue_max = 1000;
  double bytes_per_token = 4;  // of prompts; the box believes in 4
  bool tell_output_max = false;
  int calls_at_a_time = 1;  // of one request; more where it is hedged
  bool checks = false;  // see checks.h; also the bytes of answers are compared, lines are logged
};

class Checks;

class Site : private NodeObserver, private ClientObserver {
 public:
  static constexpr Duration kSettlingIn = Duration::seconds(1);  // the first probes are answered

  explicit Site(SiteSpec spec);
  ~Site() override;

  // Each arrival at its time; then until all are over, at most `longest` after the last came.
  // A client's key is that of its number; clients beyond the last key begin with the first again.
  void run(const Trace& arrivals, Duration longest = Duration::seconds(48 * 3600));

  uint32_t open(const SimAsk& ask);  // now
  void leave(uint32_t request);      // the client does; no effect if it is over
  void pass(Duration time) { timers.pass(time); }
  void run_until_idle(Duration longest);  // until no request is open

  // Hears of each request once it is over, in a turn of its own; may open others.
  std::function<void(const RequestResult&)> on_over;
  // Hears of each decision of the valve, as made.
  std::function<void(const valve::Decision&)> on_decision;

  const std::vector<RequestResult>& results() const { return results_; }
  Tally tally() const { return sim::tally(results_, spec_.level); }
  const LedgerBook& ledger() const { return store_; }
  uint64_t trace_hash() const { return hash_; }
  const SiteSpec& spec() const { return spec_; }
  const sense::Senses& senses() const { return senses_; }
  sense::Senses& senses() { return senses_; }
  size_t open_requests() const { return open_; }
  SimNode& node(size_t index) { return *nodes_.at(index); }
  size_t node_count() const { return nodes_.size(); }
  const SimClient* client(uint32_t request) const { return clients_.at(request).get(); }
  SimClient* client(uint32_t request) { return clients_.at(request).get(); }
  // What must always hold did not; empty: it did. See checks.h for what is looked at. Only the
  // first kViolationsMax are kept.
  static constexpr size_t kViolationsMax = 20;
  const std::vector<std::string>& violations() const { return violations_; }
  void must(bool holds, std::string_view what);

  LeasedCloud* leased() { return leased_.get(); }  // null: the site has none
  // A node is there for the valve from now on, with so many slots, or no more: a change of
  // settings.
  void lend(const std::string& node, bool answers, int slots);
  void take_back(const std::string& node);

  script::SimClock clock;
  script::SimCalendar calendar{clock};
  script::SimTimers timers{clock};

 private:
  friend class Checks;
  struct NoPage;
  struct Decisions;
  struct Passed {  // of the call whose answer the client sees
    int node = -1;
    uint64_t sum = 0;
    bool whole = false;
  };

  void add_node(const NodeSpec& spec);
  void watch_node(size_t index);
  void configure_senses();
  size_t index_of(const std::string& node) const;
  void note_demand(const RequestResult& result, const CallBook& book);
  void on_learn();
  void on_arrival();
  void on_sweep();
  void close(uint32_t request);
  void note(uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3ull; }

  RequestFacts facts_of(uint32_t request) const override;
  void on_call(int node, uint32_t request) override;
  void on_answer_begins(int node, uint32_t request) override;
  void on_call_over(int node, const CallBook& book) override;
  void on_client_over(SimClient& client) override;

  // Fixed after construction.
  SiteSpec spec_;
  // The box.
  Chance proxy_chance_;
  Chance probe_chance_;
  script::SilentLog log_;
  script::MemoryFiles files_;
  LedgerBook store_{timers};
  script::MemoryWork work_{timers};
  script::MemoryKeys keys_;
  script::MemoryScratch scratch_;
  proxy::BodyRoom bodies_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  sense::Senses senses_;
  proxy::RateLimit limits_;
  proxy::WaitingRoom room_;
  std::unique_ptr<Decisions> decision_sink_;
  proxy::DecisionLog decisions_;
  meter::Meter meter_;
  proxy::ProxyWorld world_;
  std::unique_ptr<NoPage> no_page_;
  std::unique_ptr<proxy::ApiFront> front_;
  std::vector<std::unique_ptr<box::NodeWatch>> watches_;
  std::unique_ptr<ports::Timer> learn_;
  std::unique_ptr<LeasedCloud> leased_;
  // The run.
  std::vector<RequestResult> results_;
  std::vector<std::unique_ptr<SimClient>> clients_;  // null: over
  std::vector<Passed> passed_;
  std::vector<uint32_t> over_;  // not yet swept
  std::unique_ptr<ports::Timer> sweep_;
  const Trace* arrivals_ = nullptr;
  size_t next_arrival_ = 0;
  Instant run_began_;
  std::unique_ptr<ports::Timer> arrival_;
  size_t open_ = 0;
  std::string body_;
  uint64_t hash_ = kFnvStart;
  int64_t calls_made_ = 0;    // for answers
  int64_t tokens_heard_ = 0;  // by the box, of streams
  std::unique_ptr<Checks> checks_;
  std::vector<std::string> violations_;
};

}  // namespace sluice::sim
