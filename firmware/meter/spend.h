// What each key has spent this month (UTC), in memory: for budgets, which are asked about with
// every request. An attempt counts for the month in which it began, once it has ended.
//
// Order: what is stored is counted by asking the ledger (question(), then answered()); while that
// question is on its way, ended attempts count twice: in the sum in use, and in the one that the
// answer completes. The asker sees to it that what the question finds in the ledger and what is
// added after begin_count() are together every attempt once.
// A value: no clock.
#pragma once

#include <map>
#include <string>

#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/ports/store.h"

namespace sluice::meter {

inline constexpr size_t kSpendersMax = 20'000;  // rows of an answer: keys, living and revoked

// The moment the month of `date` begins; `date` is after 1970.
Date month_of(Date date);

class Spend {
 public:
  void add(const std::string& key, Money cost, Date began, Date now);
  Money of(const std::string& key, Date now);
  Money all(Date now);

  void begin_count(Date now);
  void add_waiting(const std::string& key, Money cost, Date began);  // not in the ledger yet
  ports::SqlStatement question(Currency currency, Date now) const;
  void answered(const ports::SqlRows& rows, Date now);

 private:
  struct Sums {
    std::map<std::string, Money> by_key;
    Money all;
    void add(const std::string& key, Money cost);
  };
  void turn_page(Date now);

  Date begin_;  // of the month that is counted; 1970: none yet
  Date end_;
  Sums sums_;
  Sums after_question_;
};

}  // namespace sluice::meter
