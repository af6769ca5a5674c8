#include "tests/script/world.h"

#include <algorithm>

namespace sluice::script {

namespace {

sense::NodeProfile profile(std::string name, valve::Place place, int64_t price, int slots) {
  sense::NodeProfile made;
  made.name = std::move(name);
  made.place = place;
  made.models = {{"m", "m"}, {"alias", "m"}};
  made.concurrency_limit = slots;
  made.price_in_nano = price;
  made.price_out_nano = 2 * price;
  return made;
}

proxy::ProxyPolicy policy() {
  proxy::ProxyPolicy made;
  made.admission.levels["default"] = {};
  return made;
}

}  // namespace

World::World(uint64_t seed, int local_slots)
    : random(seed),
      meter({clock, calendar, timers, files, store, work, log},
            {"/meter", Duration::ms(200), {}, {}}),
      proxy{clock,     calendar, timers, random,  keys, senses,   meter, room,
            decisions, limits,   bodies, scratch, log,  policy(), {}},
      front_(proxy, metrics_) {
  proxy::BodyBounds bounds;
  bounds.body_max = {4096};
  bounds.memory_per_body_max = {1024};
  bodies.set_bounds(bounds);
  add_key("key-internal", identity::DataClass::internal);
  add_key("key-home", identity::DataClass::home_only);
  const auto configured = senses.configure({profile("here", valve::Place::local, 0, local_slots),
                                            profile("cheap", valve::Place::cloud, 1000, 0),
                                            profile("dear", valve::Place::cloud, 3000, 0)},
                                           {}, proxy.policy.valve, Duration::ms(100));
  ENSURE(configured.has_value());
  add_node(0, "http://10.0.0.2:8000", false);
  add_node(1, "https://cheap.example/v1", true);
  add_node(2, "https://dear.example", true);
  ENSURE(meter.open().has_value());
  timers.after_each_turn([this] { check(); });
}

void World::add_key(std::string secret, identity::DataClass data_class) {
  identity::ApiKey key;
  key.id = secret;
  key.name = "name of " + secret;
  key.data_class = data_class;
  keys.keys[std::move(secret)] = key;
}

void World::add_node(uint8_t index, std::string_view url, bool is_cloud) {
  proxy::NodeAccess access;
  access.target.origin = ports::parse_origin(url).value();
  if (is_cloud) {
    access.target.credential_field = "authorization";
    access.target.credential_value = "Bearer ours";
  }
  access.speaks = upstream::EndpointSet::all();
  access.data.is_cloud = is_cloud;
  access.client = &nodes[index];
  access.on_use = [] {};
  proxy.nodes[valve::NodeId{index}] = std::move(access);
}

Client& World::open(std::string_view secret, std::vector<ports::HttpField> fields,
                    std::optional<uint64_t> length, std::string_view path) {
  ports::HttpRequestHead head;
  head.method = "POST";
  head.target = path;
  head.has_body = true;
  head.content_length = length;
  if (!secret.empty()) head.fields.add("authorization", fmt::format("Bearer {}", secret));
  for (const ports::HttpField& field : fields) head.fields.add(field.name, field.value);
  return open_head(head);
}

Client& World::open_head(const ports::HttpRequestHead& head) {
  Client& client = clients.emplace_back(clock, timers, trace, static_cast<int>(clients.size()));
  client.activity = front_.open(head, {}, client);
  return client;
}

Client& World::ask(std::string_view secret, std::string_view body,
                   std::vector<ports::HttpField> fields) {
  return ask_at("/v1/chat/completions", body, secret, std::move(fields));
}

Client& World::ask_at(std::string_view path, std::string_view body, std::string_view secret,
                      std::vector<ports::HttpField> fields) {
  Client& client = open(secret, std::move(fields), body.size(), path);
  client.send(body);
  client.send_end();
  settle();
  return client;
}

int World::in_flight() const {
  int sum = 0;
  for (uint8_t i = 0; i < 3; ++i) sum += senses.node(valve::NodeId{i}).in_flight();
  return sum;
}

std::vector<meter::Outcome> World::outcomes() const {
  std::vector<meter::Outcome> list;
  for (const auto& [id, end] : attempts_ended_) list.push_back(end.outcome);
  return list;
}

std::vector<meter::BilledTokens> World::billed() const {
  std::vector<meter::BilledTokens> list;
  for (const auto& [id, end] : attempts_ended_) {
    list.push_back(meter::billed_tokens(started_.at(id), end));
  }
  return list;
}

void World::read_journal() {
  const std::string_view all = files.appended;
  for (size_t end; (end = all.find('\n', journal_read_)) != std::string_view::npos;) {
    const auto line = meter::read_journal_line(all.substr(journal_read_, end - journal_read_));
    journal_read_ = end + 1;
    if (!line) continue;  // a head
    if (const auto* start = std::get_if<meter::JournalStart>(&*line)) {
      must(started_.emplace(start->attempt.id, start->attempt).second, "an attempt starts twice");
      must(start->attempt.key != "key-home" || start->attempt.place == valve::Place::local,
           "home-only data left");
      continue;
    }
    const auto& ended = std::get<meter::JournalEnd>(*line);
    must(started_.contains(ended.id), "an attempt ends that never started");
    must(ended_ids_.insert(ended.id).second, "an attempt ends twice");
    attempts_ended_.emplace_back(ended.id, ended.end);
  }
}

void World::check() {
  read_journal();
  const size_t unended = started_.size() - ended_ids_.size();
  must(meter.open_attempts() == unended, "the meter's open attempts are not those of its journal");
  must(static_cast<size_t>(in_flight()) == unended, "sense and meter count differently");
  size_t live = 0;
  for (ScriptedClient& node : nodes) {
    live += static_cast<size_t>(std::count_if(node.calls().begin(), node.calls().end(),
                                              [](const NodeCall& call) { return call.is_live(); }));
  }
  must(live >= unended, "an attempt is counted as running without a call");
  const auto open_clients =
      std::count_if(clients.begin(), clients.end(), [](const Client& c) { return !c.is_over(); });
  const size_t copies = proxy.policy.valve.hedge ? 2 : 1;
  must(live <= copies * static_cast<size_t>(open_clients), "a call outlives its exchange");
  must(room.length() <= kQueueMax, "the queue is beyond its bound");
  for (const Client& client : clients) must(client.fault.empty(), client.fault);
}

// Whoever was served completely was served by exactly one attempt; a node's own error, told in its
// stream, passes on whole and is no service.
void World::check_served(const Client& client) {
  if (!client.ended || client.status != 200) return;
  const std::string request = client.request_id();
  int served = 0;
  for (const auto& [id, end] : attempts_ended_) {
    const bool ours = started_.at(id).request == request;
    served += ours && end.outcome == meter::Outcome::served ? 1 : 0;
  }
  const bool error_told = client.body.find("\"error\":") != std::string::npos;
  must(served == 1 || error_told, "a served request does not have exactly one served attempt");
}

// Of a stream, however it ended: the ledger has each token that was received, and no other. An
// event that never became whole is read when its stream ended, and not when it broke.
void World::check_tokens(const NodeCall& call) {
  constexpr std::string_view kText = "\"content\":\"";
  if (!call.passed().starts_with("data: ")) return;
  const std::string id(call.spec.fields.get("x-request-id"));
  const std::string whole = call.passed().substr(0, call.passed().rfind("\n\n") + 2);
  int64_t received = 0;
  for (size_t at = whole.find(kText); at != whole.npos; at = whole.find(kText, at + 1)) ++received;
  for (const auto& [attempt, end] : attempts_ended_) {
    if (!id.ends_with(fmt::format("-{:x}", attempt))) continue;
    must(end.out_counted.count == received, "tokens that came and tokens counted differ: " + id);
    tokens_compared += 1;
  }
}

void World::finish() {
  pass(Duration::seconds(1));  // the meter's rows reach the store
  for (const Client& client : clients) {
    must(client.is_over(), "an exchange has not ended");
    must(client.ended + client.was_cut + client.gone == 1, "an exchange ended more than once");
    must(client.activity == nullptr, "an exchange is kept after its end");
    check_served(client);
  }
  must(meter.open_attempts() == 0 && in_flight() == 0, "an attempt is still counted as running");
  must(room.length() == 0, "somebody still waits");
  must(store.inserted.size() == started_.size(), "the ledger has not each attempt once");
  for (ScriptedClient& node : nodes) {
    for (const NodeCall& call : node.calls()) {
      must(!call.is_live(), "a call is still open");
      check_tokens(call);
    }
  }
  for (const auto& [secret, key] : keys.keys) {
    const bool free = !limits.enter(key.id, {0, 0, 1}, clock.now());
    must(free, "a key still has a request running");
    if (free) limits.leave(key.id);
  }
}

}  // namespace sluice::script
