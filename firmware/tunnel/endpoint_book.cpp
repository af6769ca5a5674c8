#include "firmware/tunnel/endpoint_book.h"

#include <algorithm>
#include <set>

#include "firmware/base/check.h"

namespace sluice::tunnel {

namespace {

using Family = IpAddress::Family;

size_t at(Family family) { return family == Family::v4 ? 0 : 1; }

}  // namespace

struct EndpointBook::Entry {
  struct Side {
    std::vector<IpAddress> known;  // in the order of the hosts and of the resolver
    std::optional<IpAddress> address;
    bool good = false;
    Instant since;         // of the address's trial
    bool changed = false;  // the sink is to be told
  };

  std::string pop;
  std::vector<std::string> hosts;
  std::vector<std::vector<IpAddress>> answers;  // of each host, the last that there was
  std::vector<std::unique_ptr<ports::NameQuery>> queries;
  std::array<Side, 2> sides;
  std::string trouble;
  std::optional<Instant> asked;
  Instant ask_at;
  bool has_names = false;

  void ask_soon(Instant now) {
    const Instant soon = asked ? std::max(now, *asked + kResolveGap) : now;
    ask_at = std::min(ask_at, soon);
  }
};

EndpointBook::EndpointBook(ports::Names& names, ports::Timers& timers, const ports::Clock& clock,
                           EndpointSink& sink)
    : names_(names), clock_(clock), sink_(sink), timer_(timers.make([this] { wake(); })) {}

EndpointBook::~EndpointBook() = default;

void EndpointBook::follow(const std::vector<Pop>& pops) {
  std::set<std::string, std::less<>> named;
  for (const Pop& pop : pops) {
    named.insert(pop.name);
    auto& entry = entries_[pop.name];
    if (entry && entry->hosts == pop.hosts) continue;
    if (!entry) entry = std::make_unique<Entry>();
    entry->pop = pop.name;
    entry->hosts = pop.hosts;
    entry->queries.clear();
    entry->queries.resize(pop.hosts.size());
    entry->answers.assign(pop.hosts.size(), {});
    entry->has_names = false;
    entry->ask_at = clock_.now();
    for (size_t i = 0; i < pop.hosts.size(); ++i) {
      const auto numeric = IpAddress::parse(pop.hosts[i]);
      if (numeric) entry->answers[i] = {*numeric};
      entry->has_names = entry->has_names || !numeric;
    }
    settle(*entry);
  }
  std::erase_if(entries_, [&](const auto& one) { return named.count(one.first) == 0; });
  plan();
}

void EndpointBook::set_good(std::string_view pop, Family family, bool good) {
  const auto found = entries_.find(pop);
  if (found == entries_.end()) return;
  auto& side = found->second->sides[at(family)];
  if (side.good == good) return;
  side.good = good;
  side.since = clock_.now();
  if (!good) found->second->ask_soon(clock_.now());
  plan();
}

void EndpointBook::network_changed() {
  for (auto& [name, entry] : entries_) {
    entry->ask_soon(clock_.now());
    for (auto& side : entry->sides) side.since = clock_.now();
  }
  plan();
}

std::optional<IpAddress> EndpointBook::address(std::string_view pop, Family family) const {
  const auto found = entries_.find(pop);
  if (found == entries_.end()) return {};
  return found->second->sides[at(family)].address;
}

std::optional<IpAddress> EndpointBook::address_for(std::string_view pop, Transport transport,
                                                   bool v4_usable, bool v6_usable) const {
  const auto v4 = address(pop, Family::v4);
  const auto v6 = address(pop, Family::v6);
  if (transport == Transport::udp4) return v4;
  if (transport == Transport::udp6) return v6;
  if (v4 && v4_usable) return v4;
  if (v6 && v6_usable) return v6;
  return v4 ? v4 : v6;
}

std::string EndpointBook::trouble(std::string_view pop) const {
  const auto found = entries_.find(pop);
  return found == entries_.end() ? "" : found->second->trouble;
}

// All that is known, the hosts in their order; which one is used, and whether it is another one.
void EndpointBook::settle(Entry& entry) {
  for (const Family family : {Family::v4, Family::v6}) {
    auto& side = entry.sides[at(family)];
    side.known.clear();
    for (const auto& answer : entry.answers) {
      for (const IpAddress& one : answer) {
        const bool there = std::find(side.known.begin(), side.known.end(), one) != side.known.end();
        if (one.family != family || there || side.known.size() == kAddressesMax) continue;
        side.known.push_back(one);
      }
    }
    const bool told = side.address && std::find(side.known.begin(), side.known.end(),
                                                *side.address) != side.known.end();
    // One that works, or that nothing better is known of, stays.
    if (side.known.empty() || told || (side.address && side.good)) continue;
    side.address = side.known.front();
    side.since = clock_.now();
    side.changed = true;
  }
}

void EndpointBook::ask(Entry& entry) {
  const bool good = entry.sides[0].good || entry.sides[1].good;
  entry.asked = clock_.now();
  entry.ask_at = clock_.now() + (good ? kResolveEveryGood : kResolveEvery);
  for (size_t i = 0; i < entry.hosts.size(); ++i) {
    if (IpAddress::parse(entry.hosts[i])) continue;
    const std::string pop = entry.pop;
    entry.queries[i] =
        names_.resolve(entry.hosts[i], [this, pop, i](Result<std::vector<IpAddress>> answer) {
          on_resolved(pop, i, std::move(answer));
        });
  }
}

// The query is not destroyed here: this is its callback. The next question replaces it.
void EndpointBook::on_resolved(const std::string& pop, size_t host,
                               Result<std::vector<IpAddress>> answer) {
  const auto found = entries_.find(pop);
  if (found == entries_.end() || host >= found->second->hosts.size()) return;
  Entry& entry = *found->second;
  const bool useful = answer && !answer->empty();
  entry.trouble = answer ? "" : answer.error().text;
  if (answer && answer->empty()) entry.trouble = entry.hosts[host] + " has no address";
  if (useful) entry.answers[host] = std::move(*answer);
  if (useful) settle(entry);
  plan();
}

// The trial of an address that no path is good by ends: the next one that is known.
void EndpointBook::look(Entry& entry) {
  for (auto& side : entry.sides) {
    if (side.good || !side.address || clock_.now() - side.since < kAddressTrial) continue;
    side.since = clock_.now();
    if (side.known.empty()) continue;
    const auto found = std::find(side.known.begin(), side.known.end(), *side.address);
    const size_t next =
        found == side.known.end()
            ? 0
            : static_cast<size_t>(found - side.known.begin() + 1) % side.known.size();
    if (side.known[next] == *side.address) continue;
    side.address = side.known[next];
    side.changed = true;
  }
}

void EndpointBook::wake() {
  std::vector<std::pair<std::string, Family>> changed;
  for (auto& [name, entry] : entries_) {
    look(*entry);
    if (entry->has_names && entry->ask_at <= clock_.now()) ask(*entry);
    for (const Family family : {Family::v4, Family::v6}) {
      auto& side = entry->sides[at(family)];
      if (side.changed) changed.emplace_back(name, family);
      side.changed = false;
    }
  }
  plan();
  for (const auto& [pop, family] : changed) sink_.on_address_changed(pop, family);
}

void EndpointBook::plan() {
  std::optional<Instant> next;
  const auto no_later = [&](Instant when) { next = next ? std::min(*next, when) : when; };
  for (const auto& [name, entry] : entries_) {
    if (entry->has_names) no_later(entry->ask_at);
    for (const auto& side : entry->sides) {
      if (side.changed) no_later(clock_.now());
      const bool other =
          side.known.size() > 1 || (side.known.size() == 1 && side.known.front() != side.address);
      if (side.address && !side.good && other) no_later(side.since + kAddressTrial);
    }
  }
  timer_->stop();
  if (next) timer_->start(std::max(*next - clock_.now(), Duration()));
}

}  // namespace sluice::tunnel
