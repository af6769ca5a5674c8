// What a rehearsal plays on: an engine that was given by flags, or the site of the settings with
// what the daemon has learnt of its engines.
#pragma once

#include <string>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/box/options.h"
#include "firmware/box/settings_source.h"
#include "firmware/ports/json.h"
#include "firmware/rehearse/site.h"
#include "firmware/sense/card_facts.h"

namespace sluice::box {

struct RehearsedSite {
  rehearse::Site site;
  valve::Policy policy;
  Currency currency;
  std::vector<std::string> sources;  // of each engine: where its steps are known from; for people
};

// Errors: refused, with the flag that is missing.
Result<RehearsedSite> site_by_flags(const RehearseOptions& options);

// `status`: what the running daemon shows (/api/v1/status); null: none runs. `cards`: those that
// are stored, for engines of which the daemon knows nothing yet.
// Errors: refused, with the node of which nothing is known and what to do.
Result<RehearsedSite> site_by_settings(const RehearseOptions& options,
                                       const settings::Settings& settings,
                                       const ports::JsonValue& status,
                                       const std::vector<sense::CardFacts>& cards);

}  // namespace sluice::box
