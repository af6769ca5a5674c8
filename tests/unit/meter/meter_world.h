// A disk, a store, a clock and a log for the meter, with an end of the process between any two
// writes: once `writes_left` is used up nothing reaches disk or store and nobody answers.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "firmware/meter/meter.h"

namespace sluice::meter {

struct Power {
  int writes_left = std::numeric_limits<int>::max();
  bool dead = false;
  bool tear = false;  // the write that is cut off leaves its first half

  bool write() {  // may this write happen?
    if (!dead && writes_left-- > 0) return true;
    dead = true;
    return false;
  }
};

class WorldFiles final : public ports::Files {
 public:
  explicit WorldFiles(Power& power) : power_(power) {}

  std::map<std::string, std::string> content;
  bool full = false;         // appends fail
  bool leaves_part = false;  // and leave the first half of the line
  int appends = 0;

  Result<std::string> read(const std::string& path, Bytes max) override;
  Result<void> replace(const std::string& path, std::string_view text) override;
  Result<std::unique_ptr<ports::AppendFile>> open_append(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> make_folder(const std::string&) override { return {}; }
  Result<std::vector<std::string>> list(const std::string& folder) override;
  // Made when needed; busy while somebody holds it.
  Result<std::unique_ptr<ports::FileLock>> lock(const std::string& path) override;
  std::set<std::string> locked;
  Result<void> append(const std::string& path, std::string_view bytes);

 private:
  Power& power_;
};

class WorldStore final : public ports::Store {
 public:
  explicit WorldStore(Power& power) : power_(power) {}

  std::map<int64_t, std::vector<ports::SqlValue>> rows;  // of attempts, by id
  bool busy = false;
  size_t inserts = 0;       // those ignored included
  size_t most_inserts = 0;  // in one commit
  size_t most_waiting = 0;

  void commit(std::vector<ports::SqlStatement> statements,
              std::function<void(Result<void>)> done) override;
  void query(ports::SqlStatement, size_t,
             std::function<void(Result<ports::SqlRows>)> done) override;
  bool step();  // carries out one commit and answers
  void forget() { waiting_.clear(); }

 private:
  struct Commit {
    std::vector<ports::SqlStatement> statements;
    std::function<void(Result<void>)> done;
    std::function<void(Result<ports::SqlRows>)> answer;  // of a question, which is the statement
  };
  ports::SqlRows spent_since(const ports::SqlStatement& question) const;
  Power& power_;
  std::deque<Commit> waiting_;
};

// Jobs and their answers, one after another, when step() is called.
class WorldWork final : public ports::Work {
 public:
  explicit WorldWork(Power& power) : power_(power) {}
  void run(Callback job, Callback done) override {
    waiting_.emplace_back(std::move(job), std::move(done));
  }
  bool step();
  void forget() { waiting_.clear(); }

 private:
  Power& power_;
  std::deque<std::pair<Callback, Callback>> waiting_;
};

class WorldClock final : public ports::Clock, public ports::Timers {
 public:
  Instant now() const override { return now_; }
  std::unique_ptr<ports::Timer> make(Callback on_fire) override;
  bool fire_next(Instant until);  // false: none is due by then, and it is then
  void arm(ports::Timer& timer, Instant at) { due_[&timer] = at; }
  void disarm(ports::Timer& timer) { due_.erase(&timer); }
  bool is_armed(const ports::Timer& timer) const {
    return due_.count(const_cast<ports::Timer*>(&timer)) > 0;
  }

 private:
  Instant now_ = Instant::from_us(5'000'000);
  std::map<ports::Timer*, Instant> due_;
};

class WorldCalendar final : public ports::Calendar {
 public:
  Date date = Date::from_us(1'800'000'000'000'000);  // 2027-01-15
  Date now() const override { return date; }
};

class WorldLog final : public Log {
 public:
  std::vector<std::string> lines;
  bool enabled(LogLevel) const override { return true; }
  void write(LogLevel, std::string_view, std::string_view line) override {
    lines.emplace_back(line);
  }
  int count(std::string_view part) const {
    return static_cast<int>(std::count_if(lines.begin(), lines.end(), [part](const std::string& l) {
      return l.find(part) != std::string::npos;
    }));
  }
};

struct World {
  Power power;
  WorldFiles files{power};
  WorldStore store{power};
  WorldWork work{power};
  WorldClock clock;
  WorldCalendar calendar;
  WorldLog log;
  MeterSettings settings{"/j", Duration::ms(200), {64 * 1024 * 1024}, {}};
  std::unique_ptr<Meter> meter;
  std::unique_ptr<Meter> before;  // of an older process that still lives, after succeed()

  void boot();               // a new process on the same disk
  void succeed();            // a new process beside the one there is
  void crash();              // the process ends where it stands
  void pass(Duration time);  // timers and store do their work
  void start(uint64_t id, std::string node = "alpha");
  void end(uint64_t id, Outcome outcome = Outcome::served);
  std::string outcome(int64_t id) const;  // of the row; empty: there is none
  size_t journals() const;                // files *.journal
};

AttemptStart attempt(uint64_t id, std::string node = "alpha");
AttemptEnd ended(Outcome outcome = Outcome::served);

}  // namespace sluice::meter
