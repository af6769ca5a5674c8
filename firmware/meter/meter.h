// Counts every attempt, exactly once, also over a crash.
//
// start() and end() each append one line to a journal file (one write(2)) before they return: the
// first before the upstream call, the second before the last byte goes to the client. Rows go to
// the store in groups, off the loop thread; a journal file is removed when all its attempts are
// stored. What a crash left behind is stored after the next start, beside serving: an attempt
// without an end becomes `interrupted`. Storing is idempotent by attempt id.
// Several processes may count into one folder and one store for a while (an upgrade in place):
// each has journals of its own, and what one leaves the other stores once it has ended, looking
// again every kLookAgain (meter_journal.h).
// Order: open() once; then start and end in pairs; exactly one end per start.
// Errors: a journal that cannot be written (disk full) or a store that is busy is logged and told
// by health(); requests are served on, rows are kept in memory up to kUnstoredRowsMax. Beyond it a
// row stays in its journal only, and is stored at the next start.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "firmware/base/log.h"
#include "firmware/base/result.h"
#include "firmware/meter/attempt.h"
#include "firmware/meter/meter_view.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/files.h"
#include "firmware/ports/store.h"
#include "firmware/ports/timers.h"
#include "firmware/ports/work.h"

namespace sluice::meter {

struct MeterSettings {
  std::string folder;  // journal files are <folder>/attempts-<n>.journal
  Duration commit = Duration::ms(200);
  Bytes journal_max{64 * 1024 * 1024};  // per file, then the next; at most kJournalFileMax counts
  Currency currency;
};

struct MeterPorts {
  ports::Clock& clock;
  ports::Calendar& calendar;
  ports::Timers& timers;
  ports::Files& files;
  ports::Store& store;
  ports::Work& work;
  Log& log;
};

class Meter : public MeterView {
 public:
  static constexpr size_t kUnstoredRowsMax = 100'000;
  static constexpr Duration kLookAgain = Duration::seconds(2);

  Meter(MeterPorts ports, MeterSettings settings);
  ~Meter() override;

  // Makes the table, opens a journal, begins to read those that ended processes left. A journal
  // that cannot be read or has bad lines is kept for people (log and health say so), not an error.
  // Errors: those of the folder and the new file, with the path and what to do.
  Result<void> open();

  void start(AttemptStart attempt);
  void end(uint64_t id, const AttemptEnd& end);

  // What other processes leave: looks now and again while some live, or no more (it will end soon
  // itself, and a successor looks).
  void look_for_leftovers();
  void stop_looking();

  // Stores what is pending now; `done` when all of it is durable or has failed (at stop).
  void flush(std::function<void()> done);

  // Spent this month (UTC) by one key and by all, at the prices of the attempts' starts, those of
  // earlier processes included; box currency. Attempts that run count when they have ended, those
  // of a process that drains beside this one when it has ended.
  Money spent(const std::string& key) const;
  Money spent_in_all() const override;

  std::string health() const;  // empty: all well; else one sentence
  const std::map<NodeModel, NodeModelTotals>& totals() const override;
  Share share(Instant now) const override;
  size_t unstored_rows() const override;
  size_t open_attempts() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice::meter
