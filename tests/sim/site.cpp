#include "tests/sim/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "firmware/base/check.h"
#include "firmware/base/embedded.h"
#include "firmware/ports/config.h"
#include "tests/sim/checks.h"

namespace sluice::drivers {
std::vector<EmbeddedFile> embedded_engines();  // made by the build from drivers/engines
}

namespace sluice::sim {

namespace {

constexpr Duration kAfterwards = Duration::seconds(2);  // the last cancels arrive, rows are stored

sense::DriverFacts facts_named(std::string_view engine) {
  for (const EmbeddedFile& file : drivers::embedded_engines()) {
    if (file.name != std::string(engine) + ".yaml") continue;
    const Result<ports::ConfigNode> tree = ports::parse_config(file.bytes, file.name);
    ENSURE(tree.has_value());
    Result<sense::DriverFacts> facts = sense::read_driver_facts(*tree, file.name);
    ENSURE(facts.has_value());
    return *std::move(facts);
  }
  ENSURE(false);
  return {};
}

std::string secret_of(size_t key) { return fmt::format("secret-{}", key); }

NodeSpec leased_instance(std::string name, const testbed::StepCost& cost) {
  NodeSpec node = token_cloud(std::move(name), 0, 0);
  node.service = cost;
  node.profile.engine = "vllm";
  node.profile.enabled = false;
  node.leased = true;
  return node;
}

SiteSpec completed(SiteSpec spec) {
  if (spec.keys.empty()) spec.keys.emplace_back().name = "key";
  for (size_t i = 0; i < spec.keys.size(); ++i) spec.keys[i].id = fmt::format("k{}", i);
  spec.proxy.valve = spec.valve;
  spec.proxy.admission.levels["default"] = spec.level;
  for (int i = 0; spec.leases && i < spec.leases->policy.leases_max; ++i) {
    spec.nodes.push_back(leased_instance(LeasedCloud::leased_name(i), spec.leases->engine));
  }
  for (NodeSpec& node : spec.nodes) {
    node.profile.name = node.name;
    node.profile.models = {{std::string(kModel), std::string(kModel)}};
  }
  return spec;
}

std::vector<sense::NodeProfile> profiles_of(const SiteSpec& spec) {
  std::vector<sense::NodeProfile> profiles;
  for (const NodeSpec& node : spec.nodes) profiles.push_back(node.profile);
  return profiles;
}

std::unique_ptr<Service> make_service(const NodeSpec& spec) {
  if (const auto* cost = std::get_if<testbed::StepCost>(&spec.service)) {
    return std::make_unique<EngineService>(*cost, std::string(kModel));
  }
  return std::make_unique<TokenCloud>(std::get<TokenCloudSpec>(spec.service));
}

}  // namespace

NodeSpec local_engine(std::string name, const testbed::StepCost& cost) {
  NodeSpec spec{std::move(name), cost, {}, {}};
  spec.profile.place = valve::Place::local;
  spec.profile.engine = "vllm";
  spec.profile.untried_concurrency = 32;  // as the setting valve.untried_concurrency
  return spec;
}

NodeSpec token_cloud(std::string name, int64_t price_in_nano, int64_t price_out_nano,
                     const TokenCloudSpec& spec) {
  NodeSpec node{std::move(name), spec, {Duration::ms(15), 0, Duration::ms(200)}, {}};
  node.profile.place = valve::Place::cloud;
  node.profile.engine = "openai";
  node.profile.price_in_nano = price_in_nano;
  node.profile.price_out_nano = price_out_nano;
  return node;
}

SiteSpec::SiteSpec() {
  probe.scrape = Duration::ms(500);  // firmware/settings: sense.scrape and its companions
  probe.scrape_timeout = Duration::ms(400);
  // Long answers are cut by no bound of the box, only by clients.
  proxy.request_max = Duration::seconds(6 * 3600);
}

struct Site::NoPage : ports::HttpService {
  std::unique_ptr<ports::HttpActivity> open(const ports::HttpRequestHead&, const ports::HttpPeer&,
                                            ports::HttpAnswer& answer) override {
    proxy::send_text(answer, 404, "text/plain", "");
    return nullptr;
  }
};

struct Site::Decisions : proxy::DecisionSink {
  explicit Decisions(Site& of) : site(of) {}
  void on_decision(const valve::Decision& decision) override {
    for (const valve::Candidate& candidate : decision.plan.candidates) {
      site.must(decision.ask.may_use.has(candidate.node),
                "the valve names a node that is forbidden");
    }
    site.note(static_cast<uint64_t>(decision.plan.verdict) << 8 |
              static_cast<uint64_t>(decision.plan.reason));
    if (site.on_decision) site.on_decision(decision);
  }
  Site& site;
};

Site::Site(SiteSpec spec)
    : spec_(completed(std::move(spec))),
      proxy_chance_(spec_.seed, "proxy"),
      probe_chance_(spec_.seed, "probe"),
      room_(clock, timers, spec_.queue_max),
      decision_sink_(std::make_unique<Decisions>(*this)),
      decisions_(*decision_sink_, 1),
      meter_({clock, calendar, timers, files_, store_, work_, log_},
             {"/meter", Duration::ms(200), {}, {}}),
      world_{clock,      calendar, timers,  proxy_chance_, keys_, senses_,     meter_, room_,
             decisions_, limits_,  bodies_, scratch_,      log_,  spec_.proxy, {}},
      no_page_(std::make_unique<NoPage>()),
      front_(std::make_unique<proxy::ApiFront>(world_, *no_page_)),
      learn_(timers.make([this] { on_learn(); })),
      sweep_(timers.make([this] { on_sweep(); })),
      arrival_(timers.make([this] { on_arrival(); })) {
  constexpr int64_t kRoom = int64_t{8} << 30;
  bodies_.set_bounds({{kRoom}, {kRoom}, {kRoom}, {kRoom}, {kRoom}});
  log_.talks = spec_.checks;
  files_.keeps_appended = spec_.checks;
  for (size_t i = 0; i < spec_.keys.size(); ++i) keys_.keys[secret_of(i)] = spec_.keys[i];
  configure_senses();
  for (const NodeSpec& node : spec_.nodes) add_node(node);
  ENSURE(meter_.open().has_value());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (spec_.nodes[i].profile.enabled) watch_node(i);
  }
  if (spec_.leases) leased_ = std::make_unique<LeasedCloud>(*this, *spec_.leases, files_, log_);
  on_learn();
  if (spec_.checks) {
    checks_ = std::make_unique<Checks>(*this);
    timers.after_each_turn([this] { checks_->after_turn(); });
  }
  timers.pass(kSettlingIn);
}

Site::~Site() = default;

void Site::add_node(const NodeSpec& spec) {
  const auto index = static_cast<int>(nodes_.size());
  NodeObserver& observer = *this;
  nodes_.push_back(std::make_unique<SimNode>(index, std::string(kModel), make_service(spec),
                                             spec.link, clock, timers, observer,
                                             Chance(spec_.seed, "node " + spec.name)));
  nodes_.back()->keep_sums(spec_.checks);
  watches_.push_back(std::make_unique<box::NodeWatch>(spec.name, senses_, room_, clock, log_));
  proxy::NodeAccess access;
  access.target.origin = ports::parse_origin("http://" + spec.name + ":8000").value();
  access.speaks = upstream::EndpointSet::all();
  access.data.is_cloud = spec.profile.place == valve::Place::cloud;
  access.client = nodes_.back().get();
  access.on_use = [watch = watches_.back().get()] { watch->note_use(); };
  world_.nodes[senses_.find(spec.name)->id()] = std::move(access);
}

void Site::configure_senses() {
  const auto configured =
      senses_.configure(profiles_of(spec_), spec_.sense, spec_.valve, spec_.level.tpot_max);
  ENSURE(configured.has_value());
}

size_t Site::index_of(const std::string& node) const {
  for (size_t i = 0; i < spec_.nodes.size(); ++i) {
    if (spec_.nodes[i].name == node) return i;
  }
  ENSURE(false);
  return 0;
}

void Site::lend(const std::string& node, bool answers, int slots) {
  const size_t index = index_of(node);
  spec_.nodes[index].profile.enabled = true;
  spec_.nodes[index].profile.concurrency_limit = slots;
  nodes_[index]->restart_engine();
  NodeFaults faults;
  faults.off = !answers;
  nodes_[index]->set_faults(faults);
  configure_senses();
  watch_node(index);
}

void Site::take_back(const std::string& node) {
  const size_t index = index_of(node);
  spec_.nodes[index].profile.enabled = false;
  configure_senses();
  watches_[index]->stop();
}

void Site::watch_node(size_t index) {
  const NodeSpec& spec = spec_.nodes[index];
  const proxy::NodeAccess& access = world_.nodes.at(senses_.find(spec.name)->id());
  watches_[index]->watch({timers, clock, probe_chance_}, {*nodes_[index], access.target.origin, {}},
                         facts_named(spec.profile.engine), spec_.probe);
}

void Site::on_learn() {
  senses_.learn(clock.now());
  if (leased_) leased_->look();
  room_.poke();
  learn_->start(spec_.learn);
}

void Site::must(bool holds, std::string_view what) {
  if (holds || violations_.size() >= kViolationsMax) return;
  violations_.push_back(fmt::format("{}: {}", clock.now().as_us(), what));
}

uint32_t Site::open(const SimAsk& ask) {
  const auto request = static_cast<uint32_t>(results_.size());
  RequestResult& result = results_.emplace_back();
  result.request = request;
  result.key = ask.key;
  result.came = clock.now();
  result.prompt = ask.prompt;
  result.output = ask.output;
  result.stream = ask.stream;
  passed_.emplace_back();
  ClientObserver& observer = *this;
  clients_.push_back(std::make_unique<SimClient>(clock, observer, request, spec_.checks));
  ++open_;
  SimClient& client = *clients_.back();
  write_body(
      {ask.prompt, spec_.bytes_per_token, request, ask.blocks.empty() ? nullptr : &ask.blocks,
       kModel, ask.stream, spec_.tell_output_max ? ask.output : 0},
      body_);
  ports::HttpRequestHead head;
  head.method = "POST";
  head.target = "/v1/chat/completions";
  head.has_body = true;
  head.content_length = body_.size();
  head.fields.add("authorization", "Bearer " + secret_of(static_cast<size_t>(ask.key)));
  head.fields.add(kRequestField, std::to_string(request));
  client.activity = front_->open(head, {}, client);
  if (client.is_over()) return request;
  client.activity->on_body(body_);
  if (!client.is_over()) client.activity->on_body_end();
  return request;
}

void Site::leave(uint32_t request) {
  if (SimClient* client = clients_.at(request).get()) client->leave();
}

void Site::on_client_over(SimClient& client) {
  over_.push_back(client.request());
  sweep_->start(Duration());
}

void Site::on_sweep() {
  for (const uint32_t request : std::exchange(over_, {})) close(request);
}

void Site::close(uint32_t request) {
  RequestResult& result = results_[request];
  const SimClient& client = *clients_[request];
  result.ending = client.ending();
  result.status = client.status();
  result.node = client.has_content() ? passed_[request].node : -1;
  if (result.node >= 0) {
    const NodeSpec& node = spec_.nodes[static_cast<size_t>(result.node)];
    result.in_cloud = node.profile.place == valve::Place::cloud;
    result.ttft = client.first() - result.came;
    const int64_t gaps = result.stream ? result.output - 1 : 0;
    if (gaps > 0) result.tpot = (client.last() - client.first()) / gaps;
  }
  result.total = clock.now() - result.came;
  must(client.fault().empty(), client.fault());
  const bool whole = result.stream && result.ending == SimClient::Ending::complete;
  if (spec_.checks && whole && result.status == 200) {
    must(passed_[request].whole && passed_[request].sum == client.sum(),
         "a client has other bytes than its node sent");
  }
  note(request);
  note(static_cast<uint64_t>(result.status) << 8 | static_cast<uint64_t>(result.node + 1));
  note(static_cast<uint64_t>(result.ttft.as_us()));
  note(static_cast<uint64_t>(result.total.as_us()));
  note(client.content_bytes());
  clients_[request].reset();
  --open_;
  if (on_over) {
    const RequestResult copy = result;  // opening another may move them all
    on_over(copy);
  }
}

RequestFacts Site::facts_of(uint32_t request) const {
  const RequestResult& result = results_.at(request);
  return {result.prompt, result.output, result.stream};
}

void Site::on_call(int node, uint32_t request) {
  ++results_[request].calls;
  ++calls_made_;
  const SimClient* client = clients_[request].get();
  must(client != nullptr && !client->is_over(), "a call for a request that is over");
  must(client == nullptr || !client->has_content(), "a call after the first byte");
  const auto key = static_cast<size_t>(results_[request].key);
  const bool home = spec_.keys[key].data_class == identity::DataClass::home_only;
  const bool cloud = spec_.nodes[static_cast<size_t>(node)].profile.place == valve::Place::cloud;
  must(!home || !cloud, "home-only data left");
}

void Site::on_answer_begins(int node, uint32_t request) { passed_[request].node = node; }

void Site::on_call_over(int node, const CallBook& book) {
  tokens_heard_ += book.heard;
  RequestResult& result = results_[book.request];
  const NodeSpec& spec = spec_.nodes[static_cast<size_t>(node)];
  const bool cloud = spec.profile.place == valve::Place::cloud;
  if (cloud && book.taken) {
    if (leased_) note_demand(result, book);
    (spec.leased ? result.leased_in : result.cloud_in) += result.prompt;
    (spec.leased ? result.leased_out : result.cloud_out) += book.generated;
  }
  Passed& passed = passed_[book.request];
  if (passed.node == node && book.whole) {
    passed.whole = true;
    passed.sum = book.sum;
  }
}

void Site::note_demand(const RequestResult& result, const CallBook& book) {
  const sense::NodeProfile* cheapest = nullptr;
  for (const NodeSpec& node : spec_.nodes) {
    if (node.profile.place != valve::Place::cloud || node.leased) continue;
    const bool first = cheapest == nullptr;
    if (first || node.profile.price_out_nano < cheapest->price_out_nano) cheapest = &node.profile;
  }
  if (cheapest == nullptr) return;
  leased_->note(result.prompt, book.generated, cheapest->price_in_nano, cheapest->price_out_nano);
}

void Site::on_arrival() {
  const int64_t now = (clock.now() - run_began_).as_us();
  while (next_arrival_ < arrivals_->size() && (*arrivals_)[next_arrival_].at_us <= now) {
    const Arrival& next = (*arrivals_)[next_arrival_++];
    open({static_cast<int>(next.client % spec_.keys.size()), next.prompt_tokens, next.output_tokens,
          true, next.blocks});
  }
  if (next_arrival_ == arrivals_->size()) return;
  arrival_->start(Duration::us((*arrivals_)[next_arrival_].at_us - now));
}

void Site::run(const Trace& arrivals, Duration longest) {
  arrivals_ = &arrivals;
  next_arrival_ = 0;
  run_began_ = clock.now();
  arrival_->start(Duration());
  while (next_arrival_ < arrivals.size()) timers.leap();
  run_until_idle(longest);
  arrivals_ = nullptr;
}

void Site::run_until_idle(Duration longest) {
  const Instant end = clock.now() + longest;
  while (open_ > 0 && clock.now() < end) timers.leap();
  must(open_ == 0, "requests are still open at the end of the run");
  timers.pass(kAfterwards);
  if (checks_) checks_->at_end();
}

}  // namespace sluice::sim
