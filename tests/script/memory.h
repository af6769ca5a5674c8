// Files and a store in memory, and the small ports that a script needs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "firmware/base/log.h"
#include "firmware/identity/key_view.h"
#include "firmware/ports/files.h"
#include "firmware/ports/random.h"
#include "firmware/ports/scratch.h"
#include "firmware/ports/store.h"
#include "firmware/ports/timers.h"
#include "firmware/ports/work.h"
#include "firmware/proxy/decision_log.h"

namespace sluice::script {

class MemoryFiles : public ports::Files {
 public:
  std::map<std::string, std::string> files;
  std::string appended;  // all that was ever appended, in order, whatever became of the file
  bool keeps_appended = true;

  Result<std::string> read(const std::string& path, Bytes max) override {
    const auto found = files.find(path);
    if (found == files.end()) return Error{ErrorKind::gone, "memory", path + " is not there"};
    if (static_cast<int64_t>(found->second.size()) > max.count) {
      return Error{ErrorKind::refused, "memory", path + " is too large"};
    }
    return found->second;
  }
  Result<void> replace(const std::string& path, std::string_view content) override {
    files[path] = std::string(content);
    return {};
  }
  Result<std::unique_ptr<ports::AppendFile>> open_append(const std::string& path) override {
    return std::unique_ptr<ports::AppendFile>(std::make_unique<Appending>(*this, path));
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    files[to] = std::move(files[from]);
    files.erase(from);
    return {};
  }
  Result<void> remove(const std::string& path) override {
    files.erase(path);
    return {};
  }
  Result<void> make_folder(const std::string&) override { return {}; }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    std::vector<std::string> names;
    for (const auto& [path, content] : files) {
      if (path.starts_with(folder + "/")) names.push_back(path.substr(folder.size() + 1));
    }
    return names;
  }
  Result<std::unique_ptr<ports::FileLock>> lock(const std::string&) override {
    return std::make_unique<ports::FileLock>();
  }

 private:
  struct Appending : ports::AppendFile {
    Appending(MemoryFiles& on, std::string name) : disk(on), path(std::move(name)) {
      disk.files[path];
    }
    Result<void> append(std::string_view bytes) override {
      disk.files[path] += bytes;
      if (disk.keeps_appended) disk.appended += bytes;
      return {};
    }
    Result<void> sync() override { return {}; }
    Bytes size() const override { return {static_cast<int64_t>(disk.files.at(path).size())}; }
    MemoryFiles& disk;
    std::string path;
  };
};

// Scratch files in memory; `room` bytes fit, all of them together.
class MemoryScratch : public ports::ScratchFiles {
 public:
  size_t room = 1 << 20;
  int open = 0;  // now
  int made = 0;
  size_t writes = 0;
  bool reads_fail = false;

  Result<std::unique_ptr<ports::ScratchFile>> make() override {
    ++made;
    return std::unique_ptr<ports::ScratchFile>(std::make_unique<File>(*this));
  }

 private:
  struct File : ports::ScratchFile {
    explicit File(MemoryScratch& on) : disk(on) { ++disk.open; }
    ~File() override {
      disk.room += text.size();
      --disk.open;
    }
    Result<void> append(std::string_view bytes) override {
      ++disk.writes;
      if (bytes.size() > disk.room) return Error{ErrorKind::busy, "memory", "the disk is full"};
      disk.room -= bytes.size();
      text += bytes;
      return {};
    }
    Result<size_t> read(uint64_t offset, std::span<char> into) const override {
      if (disk.reads_fail) return Error{ErrorKind::broken, "memory", "the disk fails"};
      return text.copy(into.data(), into.size(), static_cast<size_t>(offset));
    }
    MemoryScratch& disk;
    std::string text;
  };
};

// Takes every commit, a turn later; keeps the ids of inserted attempts.
class MemoryStore : public ports::Store {
 public:
  explicit MemoryStore(ports::Timers& timers) : timer_(timers.make([this] { answer(); })) {}

  std::vector<int64_t> inserted;

  void commit(std::vector<ports::SqlStatement> statements,
              std::function<void(Result<void>)> done) override {
    for (const ports::SqlStatement& statement : statements) {
      if (!statement.values.empty()) inserted.push_back(std::get<int64_t>(statement.values[0]));
    }
    waiting_.push_back([done = std::move(done)] { done({}); });
    timer_->start(Duration());
  }
  void query(ports::SqlStatement, size_t,
             std::function<void(Result<ports::SqlRows>)> done) override {
    waiting_.push_back([done = std::move(done)] { done(ports::SqlRows()); });
    timer_->start(Duration());
  }

 private:
  void answer() {
    std::vector<Callback> now;
    now.swap(waiting_);
    for (const Callback& done : now) done();
  }
  std::vector<Callback> waiting_;
  std::unique_ptr<ports::Timer> timer_;
};

// Does each job and answers it, a turn later.
class MemoryWork : public ports::Work {
 public:
  explicit MemoryWork(ports::Timers& timers) : timer_(timers.make([this] { answer(); })) {}

  void run(Callback job, Callback done) override {
    waiting_.emplace_back(std::move(job), std::move(done));
    timer_->start(Duration());
  }

 private:
  void answer() {
    std::vector<std::pair<Callback, Callback>> now;
    now.swap(waiting_);
    for (const auto& [job, done] : now) {
      job();
      done();
    }
  }
  std::vector<std::pair<Callback, Callback>> waiting_;
  std::unique_ptr<ports::Timer> timer_;
};

// SplitMix64 (Steele, Lea and Flood, 2014).
class SimRandom : public ports::Random {
 public:
  explicit SimRandom(uint64_t seed) : state_(seed) {}
  uint64_t next() override {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  int below(int bound) { return static_cast<int>(next() % static_cast<uint64_t>(bound)); }

 private:
  uint64_t state_;
};

class SilentLog : public Log {
 public:
  bool talks = true;  // every line is really made
  bool enabled(LogLevel) const override { return talks; }
  void write(LogLevel, std::string_view, std::string_view line) override { last = line; }
  std::string last;
};

class MemoryKeys : public identity::KeyView {
 public:
  std::map<std::string, identity::ApiKey, std::less<>> keys;  // by secret
  const identity::ApiKey* find(std::string_view secret) const override {
    const auto found = keys.find(secret);
    return found == keys.end() ? nullptr : &found->second;
  }
};

class CountedDecisions : public proxy::DecisionSink {
 public:
  std::vector<valve::Decision> made;
  void on_decision(const valve::Decision& decision) override { made.push_back(decision); }
};

}  // namespace sluice::script
