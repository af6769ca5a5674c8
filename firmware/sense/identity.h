// Which driver a place speaks, found from what it answered: names of metrics and members of
// documents prove it, ports prove nothing. Pure.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/ports/json.h"
#include "firmware/sense/driver_facts.h"
#include "firmware/sense/field_report.h"
#include "firmware/sense/fingerprint.h"
#include "firmware/sense/load.h"
#include "firmware/sense/survey.h"

namespace sluice::sense {

// What to ask a place of which nothing is known: the pages and proving documents of all drivers and
// the list of models, each path once; nothing that any driver says must not be asked.
std::vector<std::string> first_questions(const std::vector<const DriverFacts*>& drivers);

struct Fitting {
  const DriverFacts* driver = nullptr;
  FingerprintMatch match;
};

struct Identity {
  std::vector<Fitting> fitting;  // all drivers that fit, what proved most first
  std::vector<Fitting> others;   // why not these

  const Fitting* best() const { return fitting.empty() ? nullptr : &fitting.front(); }
};

// What a place answered, read once for all drivers.
class AnswersRead {
 public:
  AnswersRead() = default;
  explicit AnswersRead(std::vector<SurveyAnswer> answers) { add(std::move(answers)); }

  void add(std::vector<SurveyAnswer> answers);

  // Lifetime: points into this.
  Answers for_driver(const DriverFacts& driver) const;
  std::string page_path(const DriverFacts& driver) const;  // empty: none of its pages came
  const std::deque<SurveyAnswer>& all() const { return answers_; }

 private:
  struct Read {
    Exposition page;
    std::optional<ports::JsonValue> json;
  };
  const Read* page_of(const DriverFacts& driver, std::string* path) const;

  std::deque<SurveyAnswer> answers_;  // what is read points into them: they stay where they are
  std::vector<Read> read_;            // of each answer
};

// What the driver reads besides, without what was asked already.
std::vector<std::string> further_questions(const DriverFacts& driver, const AnswersRead& asked);

// Where no driver fits, one that nothing could prove does if the place lists models as its API
// does.
Identity identify(const AnswersRead& answers, const std::vector<const DriverFacts*>& drivers);

// A line for each field that the driver maps, and those that nobody tells.
std::vector<FieldReport> report_fields(const AnswersRead& answers, const DriverFacts& driver);

}  // namespace sluice::sense
