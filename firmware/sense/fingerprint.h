// Is it this one? Names of metrics and members of documents prove it; ports prove nothing. Pure.
#pragma once

#include <string>
#include <vector>

#include "firmware/sense/driver_facts.h"
#include "firmware/sense/field_report.h"

namespace sluice::sense {

struct FingerprintMatch {
  bool fits = false;
  std::vector<std::string> matched;  // names on the page, "/path member" of documents
  std::string why_not;               // for people; empty if it fits
  std::string prefix;                // that the names carry on this page

  // How much was proved: of several drivers that fit, the one with the most is meant.
  size_t strength() const { return matched.size(); }
};

// `answers.page` must have been read without a filter of names, or with the facts' own.
FingerprintMatch fingerprint(const Answers& answers, const DriverFacts& facts);

// What an operator put before every name: a usual prefix, or another where the facts allow it. The
// first usual one if the page does not fit.
std::string prefix_on(const Exposition& page, const DriverFacts& facts);

}  // namespace sluice::sense
