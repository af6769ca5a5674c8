#include "firmware/meter/meter_journal.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/check.h"
#include "firmware/meter/attempt_line.h"

namespace sluice::meter {

MeterJournal::MeterJournal(Place place, ports::Files& files, const ports::Clock& clock, Log& log)
    : place_(std::move(place)), files_(files), clock_(clock), log_(log) {}

MeterJournal::~MeterJournal() {
  is_over_ = true;
  current_.reset();
  dispose_of_unneeded();
}

std::string MeterJournal::path(FileNumber file) const {
  return place_.folder + "/" + journal_name(file, NameKind::journal);
}

std::string MeterJournal::lock_path(int64_t writer) const {
  return place_.folder + "/" + lock_name(writer);
}

Result<void> MeterJournal::open() {
  ENSURE(writer_ == 0);
  if (Result<void> made = files_.make_folder(place_.folder); !made) return made;
  Result<std::vector<std::string>> names = files_.list(place_.folder);
  if (!names) return names.error();
  if (Result<void> done = become_writer(*names); !done) return done;
  return open_next();
}

// Another process may become a writer at the same time: whoever has the lock has the number.
Result<void> MeterJournal::become_writer(const std::vector<std::string>& names) {
  const int64_t first = next_writer(names);
  for (int64_t writer = first; writer < first + kWriterTriesMax; ++writer) {
    Result<std::unique_ptr<ports::FileLock>> lock = files_.lock(lock_path(writer));
    if (!lock && lock.error().kind == ErrorKind::busy) continue;
    if (!lock) return lock.error();
    writer_ = writer;
    last_ = file_number(writer, 0);
    writers_.emplace(writer, *std::move(lock));
    return {};
  }
  return Error{
      ErrorKind::busy, "meter",
      fmt::format("no free number for journals in {}: too many processes use it", place_.folder)};
}

std::vector<FileNumber> MeterJournal::take_over() {
  others_live_ = false;
  std::vector<FileNumber> taken;
  Result<std::vector<std::string>> names = files_.list(place_.folder);
  if (!names) return taken;
  const std::set<int64_t> ended = lock_ended(*names);
  if (ended.empty()) return taken;
  names = files_.list(place_.folder);  // as it stands now that nobody else changes it
  if (!names) return taken;
  for (const std::string& name : *names) {
    const auto read = read_journal_name(name);
    if (read && read->kind == NameKind::journal && ended.count(read->writer) > 0) {
      taken.push_back(read->file);
    }
  }
  std::sort(taken.begin(), taken.end());
  for (FileNumber file : taken) hold(file);
  let_go_of_writers();
  return taken;
}

// The writers whose lock was free, and is now held here.
std::set<int64_t> MeterJournal::lock_ended(const std::vector<std::string>& names) {
  std::set<int64_t> seen;
  std::set<int64_t> ended;
  for (const std::string& name : names) {
    const auto read = read_journal_name(name);
    if (!read || read->kind == NameKind::broken || writers_.count(read->writer) > 0) continue;
    if (!seen.insert(read->writer).second) continue;
    Result<std::unique_ptr<ports::FileLock>> lock = files_.lock(lock_path(read->writer));
    if (!lock) {
      others_live_ = true;
      continue;
    }
    writers_.emplace(read->writer, *std::move(lock));
    ended.insert(read->writer);
  }
  return ended;
}

Result<void> MeterJournal::open_next() {
  auto opened = files_.open_append(path(last_ + 1));
  if (!opened) return opened.error();
  const Result<void> head = (*opened)->append(journal_head(place_.currency));
  if (!head) {
    opened->reset();
    // A second failure leaves a file without a head, which reads as empty.
    if (!files_.remove(path(last_ + 1))) ++last_;
    return head;
  }
  ++last_;
  current_ = *std::move(opened);
  holds_.try_emplace(last_, 0);
  return {};
}

Result<void> MeterJournal::append(std::string_view lines) {
  if (current_ && current_->size() >= place_.file_max) {
    current_.reset();
    dispose_of_unneeded();
  }
  if (!current_) {
    if (Result<void> opened = open_next(); !opened) return opened;
  }
  Result<void> written = current_->append(lines);
  if (!written) current_.reset();
  return written;
}

std::optional<FileNumber> MeterJournal::write(std::string_view lines) {
  if (!fault_.empty() && clock_.now() < retry_at_) return std::nullopt;
  const Result<void> written = append(lines);
  note(written);
  if (written) return last_;
  retry_at_ = clock_.now() + kRetryAfter;
  dispose_of_unneeded();
  return std::nullopt;
}

void MeterJournal::try_again() {
  if (fault_.empty()) return;
  note(open_next());
}

void MeterJournal::note(const Result<void>& result) {
  if (result) {
    if (!fault_.empty()) log_.info("meter", "journal is written again");
    fault_.clear();
    return;
  }
  if (fault_.empty()) {
    log_.error("meter", "journal cannot be written, attempts are kept in memory only: {}",
               result.error().text);
  }
  fault_ = result.error().text;
}

void MeterJournal::release(FileNumber file) {
  const auto found = holds_.find(file);
  ENSURE(found != holds_.end() && found->second > 0);
  if (--found->second > 0) return;
  if (current_ && file == last_ && current_->size() >= kTidySize) current_.reset();
  if (!current_ || file != last_) dispose_of_unneeded();
}

Result<void> MeterJournal::dispose_of(FileNumber file) {
  if (bad_.count(file) == 0) return files_.remove(path(file));
  return files_.rename(path(file), place_.folder + "/" + journal_name(file, NameKind::broken));
}

void MeterJournal::dispose_of_unneeded() {
  for (auto at = holds_.begin(); at != holds_.end();) {
    const bool needed = at->second > 0 || (current_ && at->first == last_);
    if (needed) {
      ++at;
      continue;
    }
    const Result<void> done = dispose_of(at->first);
    if (!done && !dispose_fails_) {
      log_.warning("meter", "a journal whose attempts are stored stays: {}", done.error().text);
    }
    dispose_fails_ = !done;
    if (!done) return;  // tried again with the next release
    at = holds_.erase(at);
  }
  let_go_of_writers();
}

// A lock is of no use once its writer has ended and no file of it is left.
void MeterJournal::let_go_of_writers() {
  for (auto at = writers_.begin(); at != writers_.end();) {
    const auto file = holds_.lower_bound(file_number(at->first, 0));
    const bool has_files = file != holds_.end() && writer_of(file->first) == at->first;
    const bool lives = at->first == writer_ && !is_over_;
    if (has_files || lives || !files_.remove(lock_path(at->first))) {
      ++at;
    } else {
      at = writers_.erase(at);
    }
  }
}

}  // namespace sluice::meter
