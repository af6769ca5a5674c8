// The JSON documents that an engine answered last, beside its metrics page.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/ports/json.h"
#include "firmware/sense/driver_facts.h"
#include "firmware/sense/field_report.h"

namespace sluice::sense {

// Lifetime: the facts outlive this.
class DocumentShelf {
 public:
  explicit DocumentShelf(const DriverFacts& facts);

  // Peer input: what is not JSON is forgotten, and so is what stood there before.
  void put(size_t document, std::string_view body, Instant now);
  void forget(size_t document) { papers_[document].json.reset(); }
  void forget_all();
  // Those at the pace of scrapes that are older than `age_max` are left out.
  Answers answers(Duration age_max, Instant now) const;

 private:
  struct Paper {
    std::optional<ports::JsonValue> json;
    Instant at;
  };
  const DriverFacts& facts_;
  std::vector<Paper> papers_;
};

}  // namespace sluice::sense
