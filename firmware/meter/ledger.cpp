#include "firmware/meter/ledger.h"

#include <algorithm>
#include <variant>

#include "firmware/base/check.h"
#include "firmware/valve/words.h"

namespace sluice::meter {

namespace {

constexpr const char* kMakeTable =
    "CREATE TABLE IF NOT EXISTS attempts("
    "id INTEGER PRIMARY KEY, request TEXT NOT NULL, \"key\" TEXT NOT NULL, model TEXT NOT NULL, "
    "endpoint TEXT NOT NULL, node TEXT NOT NULL, place TEXT NOT NULL, number INTEGER NOT NULL, "
    "at_us INTEGER NOT NULL, prompt_estimate INTEGER NOT NULL, in_reported INTEGER, "
    "out_reported INTEGER, cached_reported INTEGER, out_counted INTEGER NOT NULL, "
    "cost_nano INTEGER NOT NULL, currency TEXT NOT NULL, outcome TEXT NOT NULL, "
    "status INTEGER NOT NULL, first_byte_us INTEGER, total_us INTEGER NOT NULL)";
constexpr const char* kMakeIndex = "CREATE INDEX IF NOT EXISTS attempts_at ON attempts(at_us)";
constexpr const char* kInsert =
    "INSERT OR IGNORE INTO attempts(id, request, \"key\", model, endpoint, node, place, number, "
    "at_us, prompt_estimate, in_reported, out_reported, cached_reported, out_counted, cost_nano, "
    "currency, outcome, status, first_byte_us, total_us) "
    "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

constexpr size_t kColumns = 20;

ports::SqlValue bounded_if(bool known, Tokens tokens) {
  if (!known) return std::monostate();
  return std::clamp<int64_t>(tokens.count, 0, kAttemptTokensMax);
}

}  // namespace

std::vector<ports::SqlStatement> make_attempts_table() {
  return {{kMakeTable, {}}, {kMakeIndex, {}}};
}

ports::SqlStatement insert_attempt(const LedgerRow& row) {
  const AttemptStart& s = row.start;
  const AttemptEnd& e = row.end;
  ports::SqlValue first_byte;
  if (!e.first_byte.is_zero()) first_byte = e.first_byte.as_us();
  ports::SqlStatement statement;
  statement.sql = kInsert;
  std::vector<ports::SqlValue>& values = statement.values;
  values.reserve(kColumns);  // a list in braces would copy each text
  values.emplace_back(static_cast<int64_t>(s.id));
  for (const std::string* text : {&s.request, &s.key, &s.model, &s.endpoint, &s.node}) {
    values.emplace_back(*text);
  }
  values.emplace_back(std::string(valve::to_text(s.place)));
  values.emplace_back(int64_t{s.number});
  values.emplace_back(s.at.as_us());
  values.push_back(bounded_if(true, s.prompt_estimate));
  values.push_back(bounded_if(e.reported, e.in_reported));
  values.push_back(bounded_if(e.reported, e.out_reported));
  values.push_back(bounded_if(e.reported, e.cached_reported));
  values.push_back(bounded_if(true, e.out_counted));
  values.emplace_back(cost_of(s, e).nano);
  values.emplace_back(row.currency.text());
  values.emplace_back(std::string(to_text(e.outcome)));
  values.emplace_back(int64_t{e.status});
  values.push_back(std::move(first_byte));
  values.emplace_back(e.total.as_us());
  return statement;
}

Ledger::Ledger(ports::Store& store, ports::Timers& timers, Log& log, Duration commit,
               OnStored on_stored)
    : store_(store),
      log_(log),
      commit_(commit),
      on_stored_(std::move(on_stored)),
      timer_(timers.make([this] { commit_now(); })),
      flush_timer_(timers.make([this] { end_flushes(false); })),
      self_(std::make_shared<Ledger*>(this)) {}

Ledger::~Ledger() { *self_ = nullptr; }

void Ledger::move_to(State state) {
  ENSURE(state_ != state || state == State::waiting);
  ENSURE(state_ != State::idle || in_flight_ == 0);
  state_ = state;
}

void Ledger::open() {
  ENSURE(state_ == State::idle && !table_made_);
  commit_now();
}

void Ledger::add(LedgerRow row) {
  pending_.push_back(std::move(row));
  if (state_ != State::idle) return;
  move_to(State::waiting);
  timer_->start(commit_);
}

void Ledger::commit_now() {
  move_to(State::committing);
  timer_->stop();
  std::vector<ports::SqlStatement> statements;
  if (!table_made_) statements = make_attempts_table();
  in_flight_ = std::min(pending_.size(), kRowsPerCommit);
  for (size_t i = 0; i < in_flight_; ++i) statements.push_back(insert_attempt(pending_[i]));
  store_.commit(std::move(statements), [self = self_](Result<void> result) {
    if (*self != nullptr) (*self)->on_committed(result);
  });
}

void Ledger::on_committed(const Result<void>& result) {
  ENSURE(state_ == State::committing);
  if (result) {
    on_rows_stored();
  } else {
    on_refused(result.error());
  }
}

void Ledger::on_rows_stored() {
  if (!fault_.empty()) log_.info("meter", "the store takes rows again");
  fault_.clear();
  table_made_ = true;
  const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(in_flight_);
  const std::vector<LedgerRow> stored(std::make_move_iterator(pending_.begin()),
                                      std::make_move_iterator(end));
  pending_.erase(pending_.begin(), end);
  stored_ += in_flight_;
  in_flight_ = 0;
  move_to(State::idle);
  on_stored_(stored);  // may add rows
  end_flushes(false);
  go_on();
}

void Ledger::on_refused(const Error& error) {
  if (fault_.empty()) {
    log_.error("meter", "{} attempts wait for the store: {}", pending_.size(), error.text);
  }
  fault_ = error.text;
  table_made_ = false;  // the store may be another one next time
  in_flight_ = 0;
  move_to(State::waiting);
  timer_->start(kRetryAfter);
  end_flushes(true);
}

// After a commit that went well: a full group goes at once, the rest fills up.
void Ledger::go_on() {
  if (state_ == State::committing || pending_.empty()) return;
  if (pending_.size() >= kRowsPerCommit || !flushes_.empty()) return commit_now();
  if (state_ == State::waiting) return;
  move_to(State::waiting);
  timer_->start(commit_);
}

void Ledger::flush(Callback done) {
  flushes_.push_back({stored_ + pending_.size(), std::move(done)});
  if (state_ == State::committing) return;
  if (pending_.empty()) return flush_timer_->start(Duration());
  commit_now();
}

void Ledger::end_flushes(bool refused) {
  std::vector<Flush> waiting;
  waiting.swap(flushes_);
  for (Flush& flush : waiting) {
    if (refused || flush.up_to <= stored_) {
      flush.done();
    } else {
      flushes_.push_back(std::move(flush));
    }
  }
}

}  // namespace sluice::meter
