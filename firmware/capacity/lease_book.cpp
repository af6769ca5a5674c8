#include "firmware/capacity/lease_book.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "firmware/ports/json.h"

namespace sluice::capacity {

using ports::JsonValue;

namespace {

constexpr int64_t kVersion = 1;
constexpr size_t kTextMax = 512;

Error broken(std::string text) { return {ErrorKind::broken, "capacity", std::move(text)}; }

std::optional<LeaseState> state_from_text(std::string_view text) {
  constexpr std::array kStates = {LeaseState::proposed, LeaseState::wanted,   LeaseState::opening,
                                  LeaseState::serving,  LeaseState::draining, LeaseState::closing};
  for (const LeaseState state : kStates) {
    if (text == to_text(state)) return state;
  }
  return std::nullopt;
}

JsonValue offer_json(const ports::LeaseOffer& offer) {
  return JsonValue::object({{"id", offer.id},
                            {"model", offer.model},
                            {"price_per_hour_nano", offer.price_per_hour.nano},
                            {"opening_fee_nano", offer.opening_fee.nano},
                            {"cold_start_us", offer.cold_start.as_us()},
                            {"billed_min_us", offer.billed_min.as_us()},
                            {"slots", offer.slots},
                            {"prompt_tps", offer.prompt_tps},
                            {"output_tps", offer.output_tps}});
}

ports::LeaseOffer offer_of(const JsonValue& json) {
  ports::LeaseOffer offer;
  offer.id = json.text("id");
  offer.model = json.text("model");
  offer.price_per_hour = {json.integer("price_per_hour_nano")};
  offer.opening_fee = {json.integer("opening_fee_nano")};
  offer.cold_start = Duration::us(json.integer("cold_start_us"));
  offer.billed_min = Duration::us(json.integer("billed_min_us"));
  offer.slots = static_cast<int>(json.integer("slots"));
  offer.prompt_tps = json.number("prompt_tps");
  offer.output_tps = json.number("output_tps");
  return offer;
}

JsonValue step_json(const Step& step) {
  return JsonValue::object({{"state", to_text(step.state)},
                            {"lease", step.lease},
                            {"decided_us", step.decided.as_us()},
                            {"opened_us", step.opened.as_us()},
                            {"changed_us", step.changed.as_us()},
                            {"asked_us", step.asked.as_us()},
                            {"why", step.why.substr(0, kTextMax)},
                            {"offer", offer_json(step.offer)}});
}

Result<Step> step_of(const JsonValue& json) {
  const auto state = state_from_text(json.text("state"));
  if (!state) return broken(fmt::format("\"{}\" is no state of a lease", json.text("state")));
  const JsonValue* offer = json.find("offer");
  if (offer == nullptr || offer->as_object() == nullptr) return broken("a lease has no offer");
  Step step;
  step.state = *state;
  step.lease = json.text("lease");
  if (step.lease.empty()) return broken("a lease has no id");
  step.offer = offer_of(*offer);
  step.decided = Date::from_us(json.integer("decided_us"));
  step.opened = Date::from_us(json.integer("opened_us"));
  step.changed = Date::from_us(json.integer("changed_us"));
  step.asked = Date::from_us(json.integer("asked_us"));
  step.why = json.text("why");
  return step;
}

}  // namespace

std::string write_book(const LeaseBook& book) {
  JsonValue leases = JsonValue::array();
  for (const Step& step : book.leases) leases.push(step_json(step));
  JsonValue starts = JsonValue::array();
  for (const Date start : book.starts) starts.push(start.as_us());
  return ports::to_json(JsonValue::object({{"version", kVersion},
                                           {"rest_until_us", book.rest_until.as_us()},
                                           {"rest_us", book.rest.as_us()},
                                           {"starts_us", std::move(starts)},
                                           {"leases", std::move(leases)}})) +
         "\n";
}

Result<LeaseBook> read_book(std::string_view text) {
  const Result<JsonValue> json = ports::parse_json(text);
  if (!json) return broken(json.error().text);
  if (json->integer("version") != kVersion) {
    return broken(fmt::format("its \"version\" is not {}; it may be of another release", kVersion));
  }
  const JsonValue* leases = json->find("leases");
  const JsonValue* starts = json->find("starts_us");
  if (leases == nullptr || leases->as_array() == nullptr)
    return broken("it has no list \"leases\"");
  if (starts == nullptr || starts->as_array() == nullptr) {
    return broken("it has no list \"starts_us\"");
  }
  if (leases->as_array()->size() > kBookLeasesMax || starts->as_array()->size() > kBookStartsMax) {
    return broken(
        fmt::format("it has more than {} leases or {} starts", kBookLeasesMax, kBookStartsMax));
  }
  LeaseBook book;
  for (const JsonValue& member : *leases->as_array()) {
    Result<Step> step = step_of(member);
    if (!step) return step.error();
    book.leases.push_back(*std::move(step));
  }
  for (const JsonValue& start : *starts->as_array()) {
    if (start.as_integer() == nullptr) return broken("a start is no date");
    book.starts.push_back(Date::from_us(*start.as_integer()));
  }
  book.rest_until = Date::from_us(json->integer("rest_until_us"));
  book.rest = Duration::us(json->integer("rest_us"));
  return book;
}

namespace {

// One that lies ahead, because the date was set back, counts as of today.
bool is_within_day(Date start, Date now) { return now - start < kDay && start - now < kDay; }

}  // namespace

int starts_within_day(const LeaseBook& book, Date now) {
  return static_cast<int>(std::count_if(book.starts.begin(), book.starts.end(),
                                        [now](Date start) { return is_within_day(start, now); }));
}

void forget_old_starts(LeaseBook& book, Date now) {
  std::erase_if(book.starts, [now](Date start) { return !is_within_day(start, now); });
  const size_t size = book.starts.size();
  if (size <= kBookStartsMax) return;
  book.starts.erase(book.starts.begin(), book.starts.end() - static_cast<long>(kBookStartsMax));
}

}  // namespace sluice::capacity
