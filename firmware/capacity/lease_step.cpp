#include "firmware/capacity/lease_step.h"

#include <algorithm>
#include <utility>

namespace sluice::capacity {

namespace {

Duration since(Date then, Date now) { return std::max(Duration(), now - then); }

Step moved(Step step, LeaseState to, const LeaseNews& news, std::string why) {
  step.state = to;
  step.changed = news.at;
  step.asked = Date();
  step.why = news.text.empty() ? std::move(why) : why + ": " + news.text;
  return step;
}

Step on_before_opening(Step step, const LeaseNews& news) {
  switch (news.what) {
    case LeaseHappening::agreed:
      if (step.state == LeaseState::wanted) return step;
      return moved(std::move(step), LeaseState::wanted, news, "agreed to");
    case LeaseHappening::declined:
      return moved(std::move(step), LeaseState::released, news, "declined");
    case LeaseHappening::not_needed:
      return moved(std::move(step), LeaseState::released, news, "no longer wanted");
    case LeaseHappening::begun:
      if (step.state == LeaseState::proposed) return step;
      step.opened = news.at;
      return moved(std::move(step), LeaseState::opening, news, "asked of the platform");
    default:
      return step;
  }
}

Step on_opening(Step step, const LeaseNews& news, const LeaseBounds& bounds) {
  const Duration late = std::max(bounds.late_min, step.offer.cold_start * bounds.late_cold_starts);
  switch (news.what) {
    case LeaseHappening::serving:
      return moved(std::move(step), LeaseState::serving, news, "serves");
    case LeaseHappening::refused:
      return moved(std::move(step), LeaseState::released, news, "refused by the platform");
    case LeaseHappening::failed:
      return moved(std::move(step), LeaseState::closing, news, "failed to start");
    case LeaseHappening::not_needed:
    case LeaseHappening::declined:
      return moved(std::move(step), LeaseState::closing, news, "no longer wanted");
    case LeaseHappening::time:
      if (since(step.changed, news.at) < late) return step;
      return moved(std::move(step), LeaseState::closing, news, "did not serve in time");
    default:
      return step;
  }
}

bool is_paid_for(const Step& step, Date now) {
  return since(step.opened, now) < step.offer.billed_min;
}

Step on_serving(Step step, const LeaseNews& news) {
  switch (news.what) {
    case LeaseHappening::not_needed:
      if (is_paid_for(step, news.at)) return step;  // it costs the same if it stays
      return moved(std::move(step), LeaseState::draining, news, "no longer wanted");
    case LeaseHappening::declined:
      return moved(std::move(step), LeaseState::draining, news, "ended by a person");
    case LeaseHappening::failed:
      return moved(std::move(step), LeaseState::closing, news, "its instance ended");
    case LeaseHappening::unanswered:
      return moved(std::move(step), LeaseState::closing, news, "its instance does not answer");
    case LeaseHappening::closed:
    case LeaseHappening::unknown:
      return moved(std::move(step), LeaseState::released, news, "ended by the platform");
    case LeaseHappening::restarted:
      return moved(std::move(step), LeaseState::opening, news, "asked again after a restart");
    default:
      return step;
  }
}

Step on_draining(Step step, const LeaseNews& news, const LeaseBounds& bounds) {
  switch (news.what) {
    case LeaseHappening::drained:
    case LeaseHappening::restarted:  // what ran there ended with the box
      return moved(std::move(step), LeaseState::closing, news, "nothing runs there any more");
    case LeaseHappening::failed:
    case LeaseHappening::unanswered:
      return moved(std::move(step), LeaseState::closing, news, "its instance ended");
    case LeaseHappening::closed:
    case LeaseHappening::unknown:
      return moved(std::move(step), LeaseState::released, news, "ended by the platform");
    case LeaseHappening::time:
      if (since(step.changed, news.at) < bounds.drain_max) return step;
      return moved(std::move(step), LeaseState::closing, news, "its answers took too long to end");
    default:
      return step;
  }
}

Step on_closing(Step step, const LeaseNews& news) {
  switch (news.what) {
    case LeaseHappening::closed:
    case LeaseHappening::unknown:
    case LeaseHappening::refused:
      return moved(step, LeaseState::released, news, step.why);
    default:
      return step;
  }
}

}  // namespace

const char* to_text(LeaseState state) {
  switch (state) {
    case LeaseState::proposed:
      return "proposed";
    case LeaseState::wanted:
      return "wanted";
    case LeaseState::opening:
      return "opening";
    case LeaseState::serving:
      return "serving";
    case LeaseState::draining:
      return "draining";
    case LeaseState::closing:
      return "closing";
    case LeaseState::released:
      return "released";
  }
  return "released";
}

Step next(Step step, const LeaseNews& news, const LeaseBounds& bounds) {
  if (news.what == LeaseHappening::asked) {
    step.asked = news.at;
    return step;
  }
  if (news.what == LeaseHappening::restarted) step.asked = Date();  // what was asked may be lost
  switch (step.state) {
    case LeaseState::proposed:
    case LeaseState::wanted:
      return on_before_opening(std::move(step), news);
    case LeaseState::opening:
      return on_opening(std::move(step), news, bounds);
    case LeaseState::serving:
      return on_serving(std::move(step), news);
    case LeaseState::draining:
      return on_draining(std::move(step), news, bounds);
    case LeaseState::closing:
      return on_closing(std::move(step), news);
    case LeaseState::released:
      break;
  }
  return step;
}

LeaseAct act_of(const Step& step, Date now, const LeaseBounds& bounds) {
  const bool opens = step.state == LeaseState::opening;
  if (!opens && step.state != LeaseState::closing) return LeaseAct::none;
  const bool asked = step.asked != Date();
  if (asked && now >= step.asked && now - step.asked < bounds.repeat) return LeaseAct::none;
  return opens ? LeaseAct::open : LeaseAct::close;
}

bool may_cost(const Step& step) {
  return step.state == LeaseState::opening || step.state == LeaseState::serving ||
         step.state == LeaseState::draining || step.state == LeaseState::closing;
}

bool is_held(const Step& step) {
  return step.state == LeaseState::wanted || step.state == LeaseState::opening ||
         step.state == LeaseState::serving;
}

}  // namespace sluice::capacity
