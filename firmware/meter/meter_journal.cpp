#include "firmware/meter/meter_journal.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/check.h"
#include "firmware/base/text.h"
#include "firmware/meter/attempt_line.h"

namespace sluice::meter {

namespace {

constexpr std::string_view kPrefix = "attempts-";
constexpr std::string_view kSuffix = ".journal";
constexpr std::string_view kBrokenSuffix = ".broken";

std::optional<int64_t> number_of(std::string_view name, std::string_view suffix) {
  if (name.size() <= kPrefix.size() + suffix.size()) return std::nullopt;
  if (name.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
  if (name.substr(name.size() - suffix.size()) != suffix) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(suffix.size());
  const std::optional<int64_t> number = to_integer(name);
  if (!number || *number < 1 || std::to_string(*number) != name) return std::nullopt;
  return number;
}

}  // namespace

MeterJournal::MeterJournal(Place place, ports::Files& files, const ports::Clock& clock, Log& log)
    : place_(std::move(place)), files_(files), clock_(clock), log_(log) {}

MeterJournal::~MeterJournal() {
  current_.reset();
  dispose_of_unneeded();
}

std::string MeterJournal::path(FileNumber file) const {
  return fmt::format("{}/{}{}{}", place_.folder, kPrefix, file, kSuffix);
}

Result<void> MeterJournal::open() {
  ENSURE(last_ == 0);
  if (Result<void> made = files_.make_folder(place_.folder); !made) return made;
  Result<std::vector<std::string>> names = files_.list(place_.folder);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const auto number = number_of(name, kSuffix);
    if (number) found_.push_back(*number);
    last_ = std::max({last_, number.value_or(0), number_of(name, kBrokenSuffix).value_or(0)});
  }
  std::sort(found_.begin(), found_.end());
  for (FileNumber file : found_) hold(file);
  return open_next();
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

std::optional<MeterJournal::FileNumber> MeterJournal::write(std::string_view lines) {
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
  const std::string aside = fmt::format("{}/{}{}{}", place_.folder, kPrefix, file, kBrokenSuffix);
  return files_.rename(path(file), aside);
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
}

}  // namespace sluice::meter
