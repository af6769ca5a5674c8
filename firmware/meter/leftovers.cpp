#include "firmware/meter/leftovers.h"

#include <utility>

#include "firmware/base/check.h"

namespace sluice::meter {

Leftovers::Leftovers(MeterJournal& journal, ports::Files& files, ports::Work& work, Log& log,
                     Callback on_more)
    : journal_(journal),
      files_(files),
      work_(work),
      log_(log),
      on_more_(std::move(on_more)),
      self_(std::make_shared<Leftovers*>(this)) {}

Leftovers::~Leftovers() { *self_ = nullptr; }

void Leftovers::move_to(State state) {
  ENSURE(state != State::fetching || state_ == State::idle);
  ENSURE(state != State::reading || state_ == State::fetching);
  state_ = state;
}

void Leftovers::add(const std::vector<FileNumber>& files) {
  files_to_read_.insert(files_to_read_.end(), files.begin(), files.end());
}

std::vector<LedgerRow> Leftovers::take(size_t rows_max) {
  std::vector<LedgerRow> rows;
  int lines = 0;
  while (rows.size() < rows_max && state_ != State::fetching) {
    if (state_ == State::reading) {
      if (++lines > kLinesPerTake) {
        say_more();
        break;
      }
      if (const auto line = next_line()) {
        if (auto row = take_line(*line)) rows.push_back(*std::move(row));
      } else {
        end_file();
      }
    } else if (!files_to_read_.empty()) {
      fetch_next_file();
    } else if (!started_.empty()) {
      rows.push_back(take_interrupted());
    } else {
      break;
    }
  }
  return rows;
}

void Leftovers::say_more() {
  work_.run([] {},
            [self = self_] {
              if (*self != nullptr) (*self)->on_more_();
            });
}

void Leftovers::fetch_next_file() {
  const FileNumber file = files_to_read_.front();
  files_to_read_.pop_front();
  move_to(State::fetching);
  const auto text = std::make_shared<Result<std::string>>(std::string());
  work_.run([&files = files_, path = journal_.path(file),
             text] { *text = files.read(path, {2 * kJournalFileMax.count}); },
            [self = self_, file, text] {
              if (*self != nullptr) (*self)->on_fetched(file, std::move(*text));
            });
}

// A file that cannot be read keeps its hold, so that nobody removes it.
void Leftovers::on_fetched(FileNumber file, Result<std::string> text) {
  Reading reading;
  reading.file = file;
  const std::string path = journal_.path(file);
  bool readable = false;
  if (!text) {
    ++bad_files_;
    log_.error("meter", "the attempts in {} are not stored, it cannot be read: {}", path,
               text.error().text);
  } else if (text->find('\n') == std::string::npos) {  // not even its head was finished
    journal_.release(file);
  } else {
    reading.text = *std::move(text);
    readable = begin(reading);
    if (!readable) {
      ++bad_files_;
      log_.error("meter",
                 "the attempts in {} are not stored, its first line is not known: it may be of a "
                 "newer version; start that once, or move the file away",
                 path);
    }
  }
  if (readable) {
    move_to(State::reading);
    reading_ = std::move(reading);
  } else {
    move_to(State::idle);
  }
  on_more_();
}

bool Leftovers::begin(Reading& reading) {
  reading.at = reading.text.find('\n') + 1;
  const auto currency = read_journal_head(std::string_view(reading.text).substr(0, reading.at - 1));
  if (currency) reading.currency = *currency;
  return currency.has_value();
}

std::optional<std::string_view> Leftovers::next_line() {
  const size_t end = reading_.text.find('\n', reading_.at);
  if (end == std::string::npos) return std::nullopt;  // what is left is torn
  const std::string_view line =
      std::string_view(reading_.text).substr(reading_.at, end - reading_.at);
  reading_.at = end + 1;
  return line;
}

void Leftovers::end_file() {
  if (reading_.bad_lines > 0) {
    ++bad_files_;
    log_.error("meter", "{} has {} lines that cannot be read; it is kept as .broken",
               journal_.path(reading_.file), reading_.bad_lines);
    journal_.set_aside(reading_.file);
  }
  const FileNumber file = reading_.file;
  reading_ = {};
  move_to(State::idle);
  journal_.release(file);
}

std::optional<LedgerRow> Leftovers::take_line(std::string_view line) {
  std::optional<JournalLine> read = read_journal_line(line);
  if (!read) {
    ++reading_.bad_lines;
    return std::nullopt;
  }
  if (const auto* end = std::get_if<JournalEnd>(&*read)) return note_end(*end);
  note_start(std::get_if<JournalStart>(&*read)->attempt);
  return std::nullopt;
}

void Leftovers::note_start(AttemptStart attempt) {
  const uint64_t id = attempt.id;
  const bool is_new =
      started_.try_emplace(id, Started{std::move(attempt), reading_.currency, reading_.file})
          .second;
  if (is_new) journal_.hold(reading_.file);
}

std::optional<LedgerRow> Leftovers::note_end(const JournalEnd& end) {
  const auto found = started_.find(end.id);
  if (found == started_.end()) return std::nullopt;
  Started& started = found->second;
  LedgerRow row{std::move(started.attempt), end.end, started.currency, started.file, reading_.file};
  if (row.end_file == row.start_file) {
    row.end_file = 0;
  } else {
    journal_.hold(row.end_file);
  }
  started_.erase(found);
  return row;
}

LedgerRow Leftovers::take_interrupted() {
  const auto first = started_.begin();
  LedgerRow row{
      std::move(first->second.attempt), {}, first->second.currency, first->second.file, 0};
  row.end.outcome = Outcome::interrupted;
  started_.erase(first);
  return row;
}

}  // namespace sluice::meter
