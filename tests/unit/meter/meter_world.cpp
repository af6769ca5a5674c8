#include "tests/unit/meter/meter_world.h"

namespace sluice::meter {

namespace {

Error full_disk() { return {ErrorKind::busy, "os", "no space left"}; }

class WorldAppendFile final : public ports::AppendFile {
 public:
  WorldAppendFile(WorldFiles& files, std::string path) : files_(files), path_(std::move(path)) {}
  Result<void> append(std::string_view bytes) override { return files_.append(path_, bytes); }
  Result<void> sync() override { return {}; }
  Bytes size() const override { return {static_cast<int64_t>(files_.content[path_].size())}; }

 private:
  WorldFiles& files_;
  const std::string path_;
};

class WorldLock final : public ports::FileLock {
 public:
  WorldLock(std::set<std::string>& locked, std::string path)
      : locked_(locked), path_(std::move(path)) {}
  ~WorldLock() override { locked_.erase(path_); }

 private:
  std::set<std::string>& locked_;
  const std::string path_;
};

class WorldTimer final : public ports::Timer {
 public:
  WorldTimer(WorldClock& clock, Callback on_fire) : clock_(clock), on_fire_(std::move(on_fire)) {}
  ~WorldTimer() override { clock_.disarm(*this); }
  void start(Duration after) override { clock_.arm(*this, clock_.now() + after); }
  void stop() override { clock_.disarm(*this); }
  bool is_running() const override { return clock_.is_armed(*this); }
  void fire() { on_fire_(); }

 private:
  WorldClock& clock_;
  const Callback on_fire_;
};

}  // namespace

Result<std::string> WorldFiles::read(const std::string& path, Bytes) {
  const auto found = content.find(path);
  if (found == content.end()) return Error{ErrorKind::gone, path, "no such file"};
  return found->second;
}

Result<void> WorldFiles::replace(const std::string& path, std::string_view text) {
  if (power_.write()) content[path] = std::string(text);
  return {};
}

Result<std::unique_ptr<ports::AppendFile>> WorldFiles::open_append(const std::string& path) {
  if (power_.write()) content.try_emplace(path);
  return std::unique_ptr<ports::AppendFile>(std::make_unique<WorldAppendFile>(*this, path));
}

Result<void> WorldFiles::append(const std::string& path, std::string_view bytes) {
  if (full) {
    if (leaves_part) content[path] += bytes.substr(0, bytes.size() / 2);
    return full_disk();
  }
  const bool was_alive = !power_.dead;
  ++appends;
  if (power_.write()) {
    content[path] += bytes;
  } else if (was_alive && power_.tear) {
    content[path] += bytes.substr(0, bytes.size() / 2);
  }
  return {};
}

Result<void> WorldFiles::rename(const std::string& from, const std::string& to) {
  if (!power_.write()) return {};
  content[to] = content.at(from);
  content.erase(from);
  return {};
}

Result<void> WorldFiles::remove(const std::string& path) {
  if (power_.write()) content.erase(path);
  return {};
}

Result<std::vector<std::string>> WorldFiles::list(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& [path, text] : content) {
    if (path.substr(0, folder.size() + 1) == folder + "/") {
      names.push_back(path.substr(folder.size() + 1));
    }
  }
  return names;
}

Result<std::unique_ptr<ports::FileLock>> WorldFiles::lock(const std::string& path) {
  if (!locked.insert(path).second) return Error{ErrorKind::busy, path, "locked"};
  if (!power_.dead) content.try_emplace(path);
  return std::unique_ptr<ports::FileLock>(std::make_unique<WorldLock>(locked, path));
}

bool WorldWork::step() {
  if (waiting_.empty()) return false;
  const auto [job, done] = std::move(waiting_.front());
  waiting_.pop_front();
  if (power_.dead) return true;
  job();
  done();
  return true;
}

void WorldStore::commit(std::vector<ports::SqlStatement> statements,
                        std::function<void(Result<void>)> done) {
  waiting_.push_back({std::move(statements), std::move(done), {}});
  const auto commits = std::count_if(waiting_.begin(), waiting_.end(),
                                     [](const Commit& one) { return !one.answer; });
  most_waiting = std::max(most_waiting, static_cast<size_t>(commits));
}

void WorldStore::query(ports::SqlStatement question, size_t,
                       std::function<void(Result<ports::SqlRows>)> done) {
  waiting_.push_back({{std::move(question)}, {}, std::move(done)});
}

// Of spend.h: the sums of cost by key, of rows that began at or after the first parameter.
ports::SqlRows WorldStore::spent_since(const ports::SqlStatement& question) const {
  std::map<std::string, int64_t> sums;
  for (const auto& [id, row] : rows) {
    if (std::get<int64_t>(row.at(8)) < std::get<int64_t>(question.values.at(0))) continue;
    if (row.at(15) != question.values.at(1)) continue;
    sums[std::get<std::string>(row.at(2))] += std::get<int64_t>(row.at(14));
  }
  ports::SqlRows answer;
  for (const auto& [key, sum] : sums) answer.rows.push_back({key, sum});
  return answer;
}

bool WorldStore::step() {
  if (waiting_.empty()) return false;
  Commit commit = std::move(waiting_.front());
  waiting_.pop_front();
  if (commit.answer) {
    if (busy) {
      commit.answer(Error{ErrorKind::busy, "sqlite", "disk full"});
    } else {
      commit.answer(spent_since(commit.statements.front()));
    }
    return true;
  }
  if (busy) {
    commit.done(Error{ErrorKind::busy, "sqlite", "disk full"});
    return true;
  }
  if (power_.write()) {
    size_t count = 0;
    for (ports::SqlStatement& statement : commit.statements) {
      if (statement.sql.substr(0, 6) != "INSERT") continue;
      ++count;
      rows.try_emplace(std::get<int64_t>(statement.values.at(0)), std::move(statement.values));
    }
    inserts += count;
    most_inserts = std::max(most_inserts, count);
  }
  if (power_.write()) commit.done({});  // a crash after the commit and before its answer
  return true;
}

std::unique_ptr<ports::Timer> WorldClock::make(Callback on_fire) {
  return std::make_unique<WorldTimer>(*this, std::move(on_fire));
}

bool WorldClock::fire_next(Instant until) {
  auto next = due_.end();
  for (auto at = due_.begin(); at != due_.end(); ++at) {
    if (at->second <= until && (next == due_.end() || at->second < next->second)) next = at;
  }
  if (next == due_.end()) {
    now_ = until;
    return false;
  }
  auto* timer = static_cast<WorldTimer*>(next->first);
  now_ = std::max(now_, next->second);
  due_.erase(next);
  timer->fire();
  return true;
}

void World::boot() {
  meter = std::make_unique<Meter>(MeterPorts{clock, calendar, clock, files, store, work, log},
                                  settings);
  const Result<void> opened = meter->open();
  REQUIRE(opened.has_value());
}

void World::succeed() {
  before = std::move(meter);
  before->stop_looking();
  boot();
}

void World::crash() {
  power.dead = true;
  meter.reset();
  store.forget();
  work.forget();
  power = Power();
}

void World::pass(Duration time) {
  const Instant until = clock.now() + time;
  while (store.step() || work.step() || clock.fire_next(until)) {
  }
}

void World::start(uint64_t id, std::string node) { meter->start(attempt(id, std::move(node))); }
void World::end(uint64_t id, Outcome outcome) { meter->end(id, ended(outcome)); }

std::string World::outcome(int64_t id) const {
  const auto found = store.rows.find(id);
  return found == store.rows.end() ? "" : std::get<std::string>(found->second.at(16));
}

size_t World::journals() const {
  return static_cast<size_t>(
      std::count_if(files.content.begin(), files.content.end(), [](const auto& file) {
        return file.first.size() > 8 && file.first.substr(file.first.size() - 8) == ".journal";
      }));
}

AttemptStart attempt(uint64_t id, std::string node) {
  AttemptStart start;
  start.id = id;
  start.request = "r" + std::to_string(id);
  start.key = "k00000001";
  start.model = "m";
  start.endpoint = "chat.completions";
  start.node = std::move(node);
  start.at = Date::from_us(1'800'000'000'000'000);
  start.prompt_estimate = {100};
  start.price_in_nano = 10;
  start.price_out_nano = 100;
  start.price_cached_nano = 1;
  return start;
}

AttemptEnd ended(Outcome outcome) {
  AttemptEnd end;
  end.outcome = outcome;
  end.status = 200;
  end.out_counted = {11};
  end.first_byte = Duration::ms(50);
  end.total = Duration::ms(1050);
  return end;
}

}  // namespace sluice::meter
