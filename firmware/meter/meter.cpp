#include "firmware/meter/meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "firmware/base/check.h"
#include "firmware/meter/attempt_line.h"
#include "firmware/meter/ledger.h"
#include "firmware/meter/leftovers.h"
#include "firmware/meter/meter_journal.h"
#include "firmware/meter/spend.h"
#include "firmware/meter/totals.h"

namespace sluice::meter {

namespace {

void clip(std::string& text) { text.resize(std::min(text.size(), kLineTextMax)); }

AttemptStart clipped(AttemptStart attempt) {
  clip(attempt.request);
  clip(attempt.key);
  clip(attempt.model);
  clip(attempt.endpoint);
  clip(attempt.node);
  return attempt;
}

MeterJournal::Place place_of(const MeterSettings& settings) {
  return {settings.folder, std::min(settings.journal_max, kJournalFileMax), settings.currency};
}

}  // namespace

class Meter::State {
 public:
  State(const MeterPorts& ports, const MeterSettings& settings);
  ~State();

  Result<void> open();
  void start(AttemptStart attempt);
  void end(uint64_t id, const AttemptEnd& end);
  std::string health() const;
  void look_for_leftovers();
  void stop_looking() { look_again_->stop(); }

  Ledger& ledger() { return ledger_; }
  const Ledger& ledger() const { return ledger_; }
  const Totals& totals() const { return totals_; }
  Money spent(const std::string& key) { return spend_.of(key, ports_.calendar.now()); }
  Money spent_in_all() { return spend_.all(ports_.calendar.now()); }
  size_t open_attempts() const { return open_.size(); }

 private:
  struct Open {
    AttemptStart attempt;
    FileNumber file = 0;  // that has its line; 0 = none has
  };

  void write_end(LedgerRow& row);
  void keep(LedgerRow row);
  void on_stored(const std::vector<LedgerRow>& rows);
  void take_leftovers();
  void count_spend();
  void on_spend(const Result<ports::SqlRows>& rows);

  // Fixed after construction.
  const MeterPorts ports_;
  const Currency currency_;
  // Changes.
  MeterJournal journal_;
  Leftovers leftovers_;
  std::map<uint64_t, Open> open_;
  Totals totals_;
  Spend spend_;
  bool spend_is_old_ = false;  // the ledger got rows that no end() told of
  bool others_lived_ = false;
  size_t journal_only_ = 0;  // attempts that wait in a journal for the next start
  size_t lost_ = 0;          // neither journal nor memory took them
  Ledger ledger_;
  std::unique_ptr<ports::Timer> look_again_;
  bool is_open_ = false;
  std::shared_ptr<State*> self_;  // null inside after destruction: the store may answer later
};

Meter::State::State(const MeterPorts& ports, const MeterSettings& settings)
    : ports_(ports),
      currency_(settings.currency),
      journal_(place_of(settings), ports.files, ports.clock, ports.log),
      leftovers_(journal_, ports.files, ports.work, ports.log, [this] { take_leftovers(); }),
      ledger_(ports.store, ports.timers, ports.log, settings.commit,
              [this](const std::vector<LedgerRow>& rows) { on_stored(rows); }),
      look_again_(ports.timers.make([this] { look_for_leftovers(); })),
      self_(std::make_shared<State*>(this)) {}

Meter::State::~State() { *self_ = nullptr; }

Result<void> Meter::State::open() {
  ENSURE(!is_open_);
  if (Result<void> opened = journal_.open(); !opened) return opened;
  is_open_ = true;
  ledger_.open();
  count_spend();
  look_again_->start(Duration());  // not before others have started: serving comes first
  return {};
}

void Meter::State::look_for_leftovers() {
  leftovers_.add(journal_.take_over());
  take_leftovers();
  const bool others_live = journal_.others_live();
  if (others_lived_ && !others_live) count_spend();  // what it stored itself
  others_lived_ = others_live;
  if (others_live) look_again_->start(kLookAgain);
}

void Meter::State::take_leftovers() {
  if (ledger_.pending() >= Ledger::kRowsPerCommit) return;
  for (LedgerRow& row : leftovers_.take(Ledger::kRowsPerCommit)) {
    spend_is_old_ = true;
    ledger_.add(std::move(row));
  }
}

// The ledger carries out the question after every commit that it was given before.
void Meter::State::count_spend() {
  const Date now = ports_.calendar.now();
  spend_is_old_ = false;
  spend_.begin_count(now);
  ledger_.visit_waiting([this](const LedgerRow& row) {
    spend_.add_waiting(row.start.key, cost_of(row.start, row.end), row.start.at);
  });
  ports_.store.query(spend_.question(currency_, now), kSpendersMax,
                     [self = self_](const Result<ports::SqlRows>& rows) {
                       if (*self != nullptr) (*self)->on_spend(rows);
                     });
}

void Meter::State::on_spend(const Result<ports::SqlRows>& rows) {
  if (rows) return spend_.answered(*rows, ports_.calendar.now());
  spend_is_old_ = true;  // asked again when the store takes rows
  ports_.log.warning("meter", "what was spent this month cannot be read: {}", rows.error().text);
}

void Meter::State::start(AttemptStart attempt) {
  ENSURE(is_open_);
  const uint64_t id = attempt.id;
  const auto [at, is_new] = open_.try_emplace(id, Open{clipped(std::move(attempt)), 0});
  ENSURE(is_new);
  const auto file = journal_.write(journal_line(at->second.attempt));
  if (!file) return;
  at->second.file = *file;
  journal_.hold(*file);
}

void Meter::State::end(uint64_t id, const AttemptEnd& end) {
  const auto found = open_.find(id);
  ENSURE(found != open_.end());
  LedgerRow row{std::move(found->second.attempt), end, currency_, found->second.file, 0};
  open_.erase(found);
  totals_.add(row.start, row.end, ports_.clock.now());
  spend_.add(row.start.key, cost_of(row.start, row.end), row.start.at, ports_.calendar.now());
  write_end(row);
  keep(std::move(row));
}

// A start that could not be written goes together with the end: an end alone means nothing.
void Meter::State::write_end(LedgerRow& row) {
  std::string lines = row.start_file == 0 ? journal_line(row.start) : "";
  lines += journal_line(row.start.id, row.end);
  const auto file = journal_.write(lines);
  if (!file || *file == row.start_file) return;
  row.end_file = *file;
  journal_.hold(*file);
}

void Meter::State::keep(LedgerRow row) {
  if (ledger_.pending() < kUnstoredRowsMax) return ledger_.add(std::move(row));
  const bool in_journal = row.start_file != 0 || row.end_file != 0;
  if (journal_only_ == 0 && lost_ == 0) {
    ports_.log.error("meter", "{} attempts wait for the store, more are not kept in memory",
                     kUnstoredRowsMax);
  }
  ++(in_journal ? journal_only_ : lost_);  // its files stay held: the next start reads them
}

void Meter::State::on_stored(const std::vector<LedgerRow>& rows) {
  for (const LedgerRow& row : rows) {
    if (row.start_file != 0) journal_.release(row.start_file);
    if (row.end_file != 0) journal_.release(row.end_file);
  }
  journal_.try_again();  // the store takes rows: the disk may have room again
  take_leftovers();
  if (!spend_is_old_ || !leftovers_.is_idle()) return;
  spend_is_old_ = false;
  ledger_.flush([self = self_] {
    if (*self != nullptr) (*self)->count_spend();
  });
}

std::string Meter::State::health() const {
  if (lost_ > 0) {
    return fmt::format(
        "{} attempts were lost: neither their journal nor the store could be written", lost_);
  }
  if (!journal_.fault().empty()) {
    return fmt::format("the journal of attempts cannot be written, a crash now would lose some: {}",
                       journal_.fault());
  }
  if (!ledger_.fault().empty()) {
    return fmt::format("{} attempts wait for the store: {}", ledger_.pending(), ledger_.fault());
  }
  if (journal_only_ > 0) {
    return fmt::format("{} attempts wait in the journal and are stored at the next start",
                       journal_only_);
  }
  if (leftovers_.bad_files() > 0) {
    return fmt::format("{} journal files could not be read whole and are kept; see the log",
                       leftovers_.bad_files());
  }
  return "";
}

Meter::Meter(MeterPorts ports, MeterSettings settings)
    : state_(std::make_unique<State>(ports, settings)) {}
Meter::~Meter() = default;

Result<void> Meter::open() { return state_->open(); }
void Meter::start(AttemptStart attempt) { state_->start(std::move(attempt)); }
void Meter::end(uint64_t id, const AttemptEnd& end) { state_->end(id, end); }
void Meter::look_for_leftovers() { state_->look_for_leftovers(); }
void Meter::stop_looking() { state_->stop_looking(); }
void Meter::flush(std::function<void()> done) { state_->ledger().flush(std::move(done)); }
std::string Meter::health() const { return state_->health(); }
const std::map<NodeModel, NodeModelTotals>& Meter::totals() const { return state_->totals().all(); }
Share Meter::share(Instant now) const { return state_->totals().share(now); }
Money Meter::spent(const std::string& key) const { return state_->spent(key); }
Money Meter::spent_in_all() const { return state_->spent_in_all(); }
size_t Meter::unstored_rows() const { return state_->ledger().pending(); }
size_t Meter::open_attempts() const { return state_->open_attempts(); }

}  // namespace sluice::meter
