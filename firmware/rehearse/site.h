// What a rehearsal plays on: the nodes as they are believed to be, how the box would decide, and
// what is promised.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/rehearse/arrivals.h"
#include "firmware/rehearse/engine.h"
#include "firmware/sense/node_state.h"
#include "firmware/valve/ask.h"
#include "firmware/valve/policy.h"

namespace sluice::rehearse {

// A node whose answers do not depend on what else it does.
struct SteadyNode {
  Duration ttft = Duration::ms(330);  // of an empty prompt
  double us_per_prompt_token = 10;
  Duration tpot = Duration::ms(25);
};

struct SiteNode {
  sense::NodeProfile profile;
  std::variant<EngineSpec, SteadyNode> service;
};

struct Site {
  std::vector<SiteNode> nodes;  // all serve the one model
  sense::SenseTimes times;
  Duration learn = Duration::ms(250);
  Duration scrape = Duration::ms(500);
  valve::ServiceLevel level;
  Duration deadline = Duration::seconds(600);  // of a first byte
  Duration queue_wait_max = Duration::seconds(60);
  size_t queue_max = 1000;
};

// The load is told of the first engine, as if it stood alone.
WorkLaw work_law(const valve::StepModel& step);

// Which rule decides, and by which goal nodes are chosen.
struct Contender {
  std::string name;
  valve::Policy policy;
  valve::Goal goal = valve::Goal::balanced;
};

// Each goal under our own rule, then each rule of firmware/valve/rules.
std::vector<Contender> all_contenders(const valve::Policy& box);
// By a goal's or a rule's name; "static-threshold=N" and "queue-kv=Q" set that rule's number.
// Errors: refused, with the names that there are.
Result<Contender> contender_named(std::string_view name, const valve::Policy& box);

}  // namespace sluice::rehearse
