#include "firmware/capacity/leases.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "firmware/base/check.h"

namespace sluice::capacity {

namespace {

std::optional<LeaseHappening> happening_of(ports::LeaseEvent::Kind kind) {
  using Kind = ports::LeaseEvent::Kind;
  switch (kind) {
    case Kind::serving:
      return LeaseHappening::serving;
    case Kind::refused:
      return LeaseHappening::refused;
    case Kind::failed:
      return LeaseHappening::failed;
    case Kind::closed:
      return LeaseHappening::closed;
    case Kind::unknown:
      return LeaseHappening::unknown;
  }
  return std::nullopt;
}

// What a token costs on it when it is fully used, for comparing offers.
double price_of_work(const ports::LeaseOffer& offer) {
  const double speed = offer.prompt_tps + 4 * offer.output_tps;
  return speed > 0 ? rent_nano_per_s(offer) / speed : rent_nano_per_s(offer);
}

}  // namespace

Leases::Leases(LeasesPorts ports, std::string book_path)
    : ports_(ports), path_(std::move(book_path)), tick_(ports.timers.make([this] { on_tick(); })) {}

Leases::~Leases() { ports_.platform.set_sink(nullptr); }

Result<void> Leases::start(const LeasePolicy& policy) {
  policy_ = policy;
  ports_.platform.set_sink(this);
  const Result<std::string> text = ports_.files.read(path_, kBookFileMax);
  if (text) {
    Result<LeaseBook> read = read_book(*text);
    if (!read) {
      trouble_ = fmt::format("{}: {}; nothing is leased until it is mended or removed", path_,
                             read.error().text);
      return Error{ErrorKind::broken, "capacity", trouble_};
    }
    book_ = *std::move(read);
  } else if (text.error().kind != ErrorKind::gone) {
    trouble_ = text.error().text;
    return text.error();
  }
  readable_ = true;
  const Date now = ports_.calendar.now();
  std::vector<std::string> ids;
  for (const Step& step : book_.leases) ids.push_back(step.lease);
  for (const std::string& id : ids) tell(id, {LeaseHappening::restarted, now});
  for (const Step& step : book_.leases) models_[step.offer.model];  // idle until tokens flow
  saved_ = save();
  ticked_ = ports_.clock.now();
  listed_ = ticked_;
  ports_.platform.list();
  act(now);
  tick_->start(kTick);
  return {};
}

void Leases::note(const std::string& model, Tokens prompt, Tokens output, int64_t price_in_nano,
                  int64_t price_out_nano) {
  if (models_.size() >= kModelsMax && !models_.contains(model)) return;
  Model& state = models_[model];
  state.flow.note(prompt, output, ports_.clock.now());
  state.price_in_nano = price_in_nano;
  state.price_out_nano = price_out_nano;
}

void Leases::on_tick() {
  const Instant instant = ports_.clock.now();
  const Date now = ports_.calendar.now();
  const Duration dt = std::min(instant - ticked_, kTickMax);
  ticked_ = instant;
  watch_nodes(now);
  for (auto& [model, state] : models_) decide(model, state, now, dt);
  if (instant - listed_ >= (told_ ? kListPeriod : bounds_.repeat)) {
    listed_ = instant;
    ports_.platform.list();
  }
  if (!saved_) saved_ = save();
  act(now);
  tick_->start(kTick);
}

// What time alone, or the instance's own endpoint, brings about.
void Leases::watch_nodes(Date now) {
  std::vector<std::string> ids;
  for (const Step& step : book_.leases) ids.push_back(step.lease);
  for (const std::string& id : ids) {
    tell(id, {LeaseHappening::time, now});
    const Step* step = find(id);
    const auto name = names_.find(id);
    if (step == nullptr || name == names_.end()) continue;
    if (step->state == LeaseState::serving && ports_.nodes.silent(name->second) > kSilentMax) {
      rest_after_failure(now);
      tell(id, {LeaseHappening::unanswered, now});
    } else if (step->state == LeaseState::draining && ports_.nodes.in_flight(name->second) == 0) {
      tell(id, {LeaseHappening::drained, now});
    }
  }
}

void Leases::decide(const std::string& model, Model& state, Date now, Duration dt) {
  const std::optional<ports::LeaseOffer> offer = best_offer(model);
  const int held_now = held(model);
  // Without an offer what is held is judged by its own.
  const auto own = std::find_if(book_.leases.begin(), book_.leases.end(), [&](const Step& step) {
    return step.offer.model == model && is_held(step);
  });
  if (!offer && own == book_.leases.end()) return;
  const ports::LeaseOffer terms = own != book_.leases.end() ? own->offer : *offer;
  const CloudDemand demand =
      state.flow.demand(state.price_in_nano, state.price_out_nano, ports_.clock.now());
  state.rule.advance(demand, terms, held_now, dt, policy_);
  withdraw_proposals(model, state, held_now, now);
  const bool too_many = held_now > 0 && under_way() > policy_.leases_max;
  if (too_many || state.rule.wants_less(terms, held_now, policy_)) return let_go(model, now);
  const int today = starts_within_day(book_, now);
  if (offer && may_start(now) && state.rule.wants_more(*offer, held_now, today, policy_)) {
    want(*offer, state, held_now, now);
  }
}

void Leases::withdraw_proposals(const std::string& model, const Model& state, int held, Date now) {
  if (state.rule.still_wants(held)) return;
  for (const Step& step : book_.leases) {
    if (step.offer.model != model || step.state != LeaseState::proposed) continue;
    return tell(step.lease, {LeaseHappening::not_needed, now});
  }
}

bool Leases::may_start(Date now) const {
  const bool proposed = std::any_of(book_.leases.begin(), book_.leases.end(), [](const Step& step) {
    return step.state == LeaseState::proposed || step.state == LeaseState::wanted;
  });
  const bool rests = now < book_.rest_until && book_.rest_until - now <= policy_.retry_max;
  return readable_ && saved_ && told_ && reachable_ && !proposed && !rests &&
         under_way() < std::min(policy_.leases_max, kLeasesMax) &&
         book_.leases.size() < kBookLeasesMax;
}

void Leases::want(const ports::LeaseOffer& offer, Model& state, int held, Date now) {
  Step step;
  step.lease = fmt::format("lease-{:016x}", ports_.random.next());
  step.offer = offer;
  step.decided = now;
  step.changed = now;
  step.state = policy_.confirm ? LeaseState::proposed : LeaseState::wanted;
  step.why = fmt::format("the per-token cloud has cost {:.4f} more than a lease would have",
                         state.rule.regret_nano(held) / 1e9);
  ports_.log.info("capacity", "{} {} ({}): {}", step.lease, to_text(step.state), offer.id,
                  step.why);
  const bool at_once = is_held(step);
  book_.leases.push_back(std::move(step));
  if (at_once) state.rule.opened(held);
  saved_ = save();
}

void Leases::let_go(const std::string& model, Date now) {
  for (auto step = book_.leases.rbegin(); step != book_.leases.rend(); ++step) {
    if (step->offer.model != model || !is_held(*step)) continue;
    const std::string lease = step->lease;
    return tell(lease, {LeaseHappening::not_needed, now});
  }
}

std::optional<ports::LeaseOffer> Leases::best_offer(const std::string& model) const {
  std::optional<ports::LeaseOffer> best;
  for (const ports::LeaseOffer& offer : ports_.platform.offers()) {
    if (offer.model != model || offer.slots < 1) continue;
    if (!best || price_of_work(offer) < price_of_work(*best)) best = offer;
  }
  return best;
}

void Leases::rest_after_failure(Date now) {
  book_.rest =
      book_.rest.is_zero() ? policy_.retry_first : std::min(book_.rest * 2, policy_.retry_max);
  book_.rest_until = now + book_.rest;
}

// One step of one lease: decided, stored, then shown to the valve.
void Leases::tell(const std::string& lease, const LeaseNews& news) {
  Step* step = find(lease);
  if (step == nullptr) return;
  const Step before = *step;
  const int held_before = held(before.offer.model);
  *step = next(before, news, bounds_);
  if (*step == before) return;
  const int held_after = held(before.offer.model);
  const auto model = models_.find(before.offer.model);
  if (model != models_.end() && held_after > held_before) model->second.rule.opened(held_before);
  if (model != models_.end() && held_after < held_before) model->second.rule.released(held_before);
  if (step->state != before.state) {
    ports_.log.info("capacity", "{} {} -> {}: {}", lease, to_text(before.state),
                    to_text(step->state), step->why);
  }
  show_nodes(*step);
  if (step->state == LeaseState::released) {
    std::erase_if(book_.leases, [&lease](const Step& one) { return one.lease == lease; });
  }
  saved_ = save();
}

void Leases::show_nodes(const Step& step) {
  const auto name = names_.find(step.lease);
  if (name == names_.end() || step.state == LeaseState::serving) return;
  ports_.nodes.on_lease_leaves(name->second);
  if (step.state != LeaseState::draining) names_.erase(name);
}

// What the book says is to be asked, and only what it says on disk.
void Leases::act(Date now) {
  if (!readable_) return;
  std::vector<std::string> ids;
  for (const Step& step : book_.leases) ids.push_back(step.lease);
  for (const std::string& id : ids) {
    Step* step = find(id);
    if (step == nullptr) continue;
    if (step->state == LeaseState::wanted && saved_) {
      book_.starts.push_back(now);
      forget_old_starts(book_, now);
      tell(id, {LeaseHappening::begun, now});
      step = find(id);
    }
    const LeaseAct what = act_of(*step, now, bounds_);
    if (what == LeaseAct::none || (what == LeaseAct::open && !saved_)) continue;
    const ports::LeaseOffer offer = step->offer;
    *step = next(*step, {LeaseHappening::asked, now}, bounds_);
    if (what == LeaseAct::open) {
      ports_.platform.open(id, offer);
    } else {
      ports_.platform.close(id);
    }
  }
}

bool Leases::save() {
  const Result<void> written = ports_.files.replace(path_, write_book(book_));
  if (!written) {
    if (saved_) ports_.log.error("capacity", "nothing new is leased: {}", written.error().text);
    trouble_ = "the book of leases cannot be written: " + written.error().text;
    return false;
  }
  trouble_.clear();
  return true;
}

void Leases::on_lease_event(const ports::LeaseEvent& event) {
  const Date now = ports_.calendar.now();
  const std::optional<LeaseHappening> what = happening_of(event.kind);
  const Step* step = find(event.lease);
  if (!what || step == nullptr) return;
  const LeaseState before = step->state;
  const bool starts = *what == LeaseHappening::serving;
  if ((*what == LeaseHappening::refused || *what == LeaseHappening::failed) &&
      (before == LeaseState::opening || before == LeaseState::serving)) {
    rest_after_failure(now);
  }
  tell(event.lease, {*what, now, starts ? "" : event.text});
  step = find(event.lease);
  if (starts && step != nullptr && step->state == LeaseState::serving &&
      !names_.contains(event.lease)) {
    book_.rest = Duration();
    const std::string name = free_name();
    names_[event.lease] = name;
    ports_.nodes.on_lease_serves({name, step->offer.model, event.url, event.credential,
                                  step->offer.slots, step->offer.price_per_hour});
  }
  act(now);
}

void Leases::on_leases_held(const std::vector<std::string>& leases) {
  told_ = true;
  const Date now = ports_.calendar.now();
  for (const std::string& lease : leases) {
    if (find(lease) != nullptr || book_.leases.size() >= kBookLeasesMax) continue;
    ports_.log.error("capacity", "{} is billed and not in the book: it is closed", lease);
    Step step;
    step.lease = lease;
    step.state = LeaseState::closing;
    step.decided = now;
    step.changed = now;
    step.why = "billed and not in the book";
    book_.leases.push_back(std::move(step));
    saved_ = save();
  }
  // A list may be older than what was asked since: what it leaves out is asked to end, not
  // forgotten.
  const std::set<std::string> billed(leases.begin(), leases.end());
  std::vector<std::string> gone;
  for (const Step& step : book_.leases) {
    const bool missed = step.state == LeaseState::serving && !billed.contains(step.lease);
    if (missed) gone.push_back(step.lease);
  }
  for (const std::string& lease : gone) {
    tell(lease, {LeaseHappening::failed, now, "the platform no longer lists it"});
  }
  act(now);
}

void Leases::on_platform(bool reachable, std::string_view why) {
  if (reachable_ == reachable) return;
  reachable_ = reachable;
  if (!reachable) return ports_.log.warning("capacity", "the platform does not answer: {}", why);
  ports_.log.info("capacity", "the platform answers");
  for (Step& step : book_.leases) step.asked = Date();  // what was asked is lost
  ports_.platform.list();
  act(ports_.calendar.now());
}

Result<void> Leases::agree(std::string_view lease) {
  const Step* step = find(lease);
  if (step == nullptr) {
    return Error{ErrorKind::gone, "capacity", fmt::format("there is no lease \"{}\"", lease)};
  }
  if (step->state != LeaseState::proposed) {
    return Error{
        ErrorKind::refused, "capacity",
        fmt::format("{} does not wait for consent: it is {}", lease, to_text(step->state))};
  }
  const Date now = ports_.calendar.now();
  tell(std::string(lease), {LeaseHappening::agreed, now});
  act(now);
  return {};
}

Result<void> Leases::decline(std::string_view lease) {
  const Step* step = find(lease);
  if (step == nullptr) {
    return Error{ErrorKind::gone, "capacity", fmt::format("there is no lease \"{}\"", lease)};
  }
  const Date now = ports_.calendar.now();
  const auto model = models_.find(step->offer.model);
  if (step->state == LeaseState::proposed) {
    book_.rest_until = now + policy_.decline_rest;
    if (model != models_.end()) model->second.rule.forget_wish(held(step->offer.model));
  }
  tell(std::string(lease), {LeaseHappening::declined, now});
  act(now);
  return {};
}

CapacityReport Leases::report() const {
  CapacityReport report;
  for (const Step& step : book_.leases) {
    const auto name = names_.find(step.lease);
    report.leases.push_back({step.lease, name == names_.end() ? "" : name->second, step.offer.model,
                             to_text(step.state), step.why, step.offer.price_per_hour, step.opened,
                             step.state == LeaseState::proposed});
  }
  report.starts_today = starts_within_day(book_, ports_.calendar.now());
  report.starts_per_day_max = policy_.starts_per_day_max;
  report.platform_reachable = reachable_;
  report.trouble = trouble_;
  return report;
}

Step* Leases::find(std::string_view lease) {
  const auto found = std::find_if(book_.leases.begin(), book_.leases.end(),
                                  [lease](const Step& step) { return step.lease == lease; });
  return found == book_.leases.end() ? nullptr : &*found;
}

int Leases::held(const std::string& model) const {
  return static_cast<int>(std::count_if(
      book_.leases.begin(), book_.leases.end(),
      [&model](const Step& step) { return step.offer.model == model && is_held(step); }));
}

int Leases::under_way() const {
  return static_cast<int>(
      std::count_if(book_.leases.begin(), book_.leases.end(),
                    [](const Step& step) { return is_held(step) || may_cost(step); }));
}

std::string Leases::free_name() const {
  for (int n = 1; n <= kLeasesMax + static_cast<int>(kBookLeasesMax); ++n) {
    const std::string name = fmt::format("leased-{}", n);
    const bool taken = std::any_of(names_.begin(), names_.end(),
                                   [&name](const auto& entry) { return entry.second == name; });
    if (!taken) return name;
  }
  ENSURE(names_.size() <= kBookLeasesMax);
  return "leased-0";
}

}  // namespace sluice::capacity
