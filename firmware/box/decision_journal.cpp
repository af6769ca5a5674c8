#include "firmware/box/decision_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "firmware/base/text.h"
#include "firmware/valve/journal.h"

namespace sluice::box {

namespace {

constexpr std::string_view kSuffix = ".journal";

std::vector<int64_t> numbers_of(const std::vector<std::string>& names) {
  std::vector<int64_t> numbers;
  for (const std::string_view name : names) {
    if (name.size() <= kSuffix.size()) continue;
    if (name.substr(name.size() - kSuffix.size()) != kSuffix) continue;
    const auto number = to_integer(name.substr(0, name.size() - kSuffix.size()));
    if (number) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

std::string journal_name(int64_t number) { return fmt::format("{:08}{}", number, kSuffix); }

DecisionJournal::DecisionJournal(std::string folder, ports::Files& files, ports::Timers& timers,
                                 Log& log)
    : folder_(std::move(folder)),
      files_(files),
      log_(log),
      gather_(timers.make([this] { flush(); })) {}

DecisionJournal::~DecisionJournal() { flush(); }

void DecisionJournal::set_bounds(Bytes file_max, int64_t files_max) {
  file_max_ = file_max;
  files_max_ = files_max;
}

Result<void> DecisionJournal::open() {
  if (Result<void> made = files_.make_folder(folder_); !made) return made;
  return open_next();
}

// Under a lock, so that two processes do not take the same number; who finds it held goes on with
// the file it has, for now.
Result<void> DecisionJournal::open_next() {
  const Result<std::unique_ptr<ports::FileLock>> lock = files_.lock(folder_ + "/lock");
  if (!lock) return file_ ? Result<void>() : Result<void>(lock.error());
  const Result<std::vector<std::string>> names = files_.list(folder_);
  if (!names) return names.error();
  std::vector<int64_t> numbers = numbers_of(*names);
  const int64_t next = numbers.empty() ? 1 : numbers.back() + 1;
  const auto surplus = static_cast<int64_t>(numbers.size()) - (files_max_ - 1);
  for (int64_t i = 0; i < surplus; ++i) {
    const std::string name = journal_name(numbers[static_cast<size_t>(i)]);
    if (Result<void> gone = files_.remove(folder_ + "/" + name); !gone) return gone;
  }
  Result<std::unique_ptr<ports::AppendFile>> file =
      files_.open_append(folder_ + "/" + journal_name(next));
  if (!file) return file.error();
  file_ = std::move(*file);
  policies_.clear();
  return file_->append(valve::kJournalHead);
}

void DecisionJournal::on_decision(const valve::Decision& decision) {
  if (!file_) return;
  if (!policy_id_ || policy_ != decision.policy) {
    policy_ = decision.policy;
    policy_id_ = valve::policy_id(policy_);
  }
  const uint64_t policy = *policy_id_;
  if (policies_.insert(policy).second) lines_ += valve::policy_line(decision.policy);
  valve::append_decision_line(decision, policy, lines_);
  if (lines_.size() >= kGatherMax) return flush();
  if (!gather_->is_running()) gather_->start(kGatherTime);
}

void DecisionJournal::flush() {
  gather_->stop();
  if (lines_.empty() || !file_) return;
  Result<void> written = file_->append(lines_);
  lines_.clear();
  if (written && file_->size() >= file_max_) written = open_next();
  if (!written && !failing_) {
    log_.error("box", "the decision journal cannot be written, decisions go unrecorded: {}",
               written.error().text);
  } else if (written && failing_) {
    log_.info("box", "the decision journal is written again");
  }
  failing_ = !written;
  if (failing_) policies_.clear();  // a policy line may be among what was lost
}

}  // namespace sluice::box
