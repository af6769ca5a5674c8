#include "firmware/tunnel/switch_log.h"

#include <algorithm>
#include <utility>

#include "firmware/base/text.h"

namespace sluice::tunnel {

SwitchLog::SwitchLog(ports::Files& files, std::string folder, Log& log)
    : files_(files), folder_(std::move(folder)), log_(log) {}

std::string SwitchLog::path() const { return folder_ + "/" + std::string(kFile); }

void SwitchLog::open() {
  read_back(path() + ".1");
  const bool cut = read_back(path());
  Result<void> made = files_.make_folder(folder_);
  if (made) made = open_file();
  if (made && cut) made = file_->append("\n");
  if (!made) tell(made);
}

Result<void> SwitchLog::open_file() {
  Result<std::unique_ptr<ports::AppendFile>> file = files_.open_append(path());
  if (!file) return file.error();
  file_ = std::move(*file);
  return {};
}

// Lines that cannot be read are left out: the last one may have been cut by a loss of power.
bool SwitchLog::read_back(const std::string& path) {
  const Result<std::string> content = files_.read(path, kReadMax);
  if (!content) {
    if (content.error().kind != ErrorKind::gone) {
      log_.warning("tunnel", "earlier switches cannot be read: {}", content.error().text);
    }
    return false;
  }
  for (const std::string_view line : split(*content, '\n')) {
    if (line.empty()) continue;
    if (Result<SwitchRecord> record = parse_switch(line)) keep(std::move(*record));
  }
  return !content->empty() && content->back() != '\n';
}

void SwitchLog::keep(SwitchRecord record) {
  next_ = std::max(next_, record.number + 1);
  kept_.push_back(std::move(record));
  if (kept_.size() > kKept) kept_.pop_front();
}

const SwitchRecord& SwitchLog::add(SwitchRecord record) {
  record.number = next_;
  keep(std::move(record));
  tell(write(kept_.back()));
  return kept_.back();
}

Result<void> SwitchLog::write(const SwitchRecord& record) {
  const std::string line = to_line(record) + "\n";
  if (!file_) {
    if (Result<void> opened = open_file(); !opened) return opened;
  }
  if (Result<void> written = file_->append(line); !written) return written;
  if (file_->size() < kFileMax) return {};
  file_.reset();
  if (Result<void> aside = files_.rename(path(), path() + ".1"); !aside) return aside;
  return open_file();
}

void SwitchLog::tell(const Result<void>& written) {
  if (!written && !failing_) {
    log_.error("tunnel", "switches of paths cannot be recorded, they are kept in memory only: {}",
               written.error().text);
  } else if (written && failing_) {
    log_.info("tunnel", "switches of paths are recorded again");
  }
  failing_ = !written;
}

}  // namespace sluice::tunnel
