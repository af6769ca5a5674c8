#include "firmware/box/box.h"

#include <fmt/format.h>

#include <cstdio>

#include "drivers/os/descriptors.h"
#include "drivers/os/environment.h"
#include "drivers/os/host_name.h"
#include "firmware/box/box_parts.h"
#include "firmware/box/configure.h"
#include "firmware/box/credentials.h"

namespace sluice::box {

namespace {

drivers::LogStyle log_style() {
  const std::optional<std::string> stream = drivers::environment("JOURNAL_STREAM");
  return drivers::style_of_stderr(stream ? stream->c_str() : nullptr);
}

// Descriptors that are not connections: files, the loop's own, the database.
constexpr int64_t kDescriptorsForOurselves = 64;

}  // namespace

Box::Box(std::string config, LoadedSettings loaded)
    : config_(std::move(config)),
      loaded_(std::move(loaded)),
      log_(settings().live.log_level, log_style()),
      randoms_(drivers::system_seed()),
      scratch_(settings().start.state_dir + "/scratch"),
      clock_(loop_),
      timers_(loop_, clock_),
      work_(loop_),
      dialer_(loop_, clock_, timers_),
      listeners_(loop_, timers_),
      tls_(timers_, clock_, secrets_, log_),
      plain_http_(dialer_, timers_, clock_, parsers_),
      proxy_random_(randoms_.stream("proxy")),
      probe_random_(randoms_.stream("probes")),
      room_(clock_, timers_, static_cast<size_t>(settings().live.queue.length_max)),
      learn_(timers_.make([this] { on_learn(); })),
      give_up_(timers_.make([this] { finish(); })) {
  started_ = clock_.now();
}

Box::~Box() = default;

Result<void> Box::start() {
  if (!loaded_.trouble.empty()) log_.error("settings", "the overlay: {}", loaded_.trouble);
  const Result<int64_t> descriptors = drivers::raise_descriptor_limit();
  // Each of the two listeners of applications is bounded; a client's connection needs one to a
  // node.
  const settings::ListenSettings& at = settings().start.listen;
  const int64_t doors = (at.api ? 1 : 0) + (at.tls ? 1 : 0);
  const int64_t wanted =
      2 * doors * settings().live.limits.connections_max + kDescriptorsForOurselves;
  if (descriptors && *descriptors < wanted) {
    log_.warning("box",
                 "only {} descriptors are allowed, limits.connections_max asks for {}; raise "
                 "LimitNOFILE or lower the setting",
                 *descriptors, wanted);
  }
  if (Result<void> ok = take_state_folder(); !ok) return ok;
  if (Result<void> ok = open_stores(); !ok) return ok;
  Result<std::map<std::string, sense::EngineFacts>> engines = embedded_engine_facts();
  if (!engines) return engines.error();
  nodes_ = std::make_unique<NodeBook>(NodeBookPorts{loop_, plain_http_, files_, timers_, clock_,
                                                    *probe_random_, senses_, room_, log_},
                                      std::move(*engines));
  const Result<std::string> token = read_admin_token();
  if (!token) return token.error();
  serving_ = std::make_unique<Serving>(*this, *token);
  if (Result<void> ok = nodes_->configure(settings(), serving_->world.nodes); !ok) return ok;
  const Result<std::optional<CheckedIdentity>> identity = next_identity(settings());
  if (!identity) return identity.error();
  if (Result<void> ok = show(*identity); !ok) return ok;
  apply_live();
  if (Result<void> ok = listen(); !ok) return ok;
  signals_ = std::make_unique<drivers::UvSignals>(
      loop_, [this] { on_stop(); }, [this] { (void)reload("SIGHUP").has_value(); });
  on_learn();
  announce();
  return {};
}

Result<void> Box::take_state_folder() {
  const std::string& folder = settings().start.state_dir;
  if (Result<void> made = files_.make_folder(folder + "/scratch"); !made) return made;
  Result<std::unique_ptr<ports::FileLock>> lock = files_.lock(folder + "/lock");
  if (!lock) {
    return Error{lock.error().kind, "box",
                 fmt::format("{}; is another sluiced running on {}?", lock.error().text, folder)};
  }
  folder_lock_ = std::move(*lock);
  return {};
}

Result<void> Box::open_stores() {
  const std::string& folder = settings().start.state_dir;
  Result<std::unique_ptr<drivers::SqliteStore>> store =
      drivers::SqliteStore::open(folder + "/ledger.db", work_);
  if (!store) return store.error();
  stored_ = std::make_unique<Stored>(*this, std::move(*store));
  if (Result<void> ok = stored_->meter.open(); !ok) return ok;
  if (Result<void> ok = stored_->keys.load(); !ok) return ok;
  return stored_->journal.open();
}

Result<std::string> Box::read_admin_token() {
  const std::string& path = settings().start.admin_token_file;
  if (path.empty()) return std::string();
  return read_secret_file(path, files_);
}

Result<void> Box::listen() {
  for (Entrance& entrance : serving_->entrances) {
    if (!entrance.at) continue;
    Result<std::unique_ptr<ports::Listener>> opened =
        listeners_.listen(*entrance.at, *entrance.sink);
    if (!opened) return opened.error();
    entrance.listener = std::move(*opened);
  }
  return {};
}

// One line for people and scripts: where the box can be reached (port 0 has become a real one).
void Box::announce() {
  log_.say(LogLevel::info, "box", "version {} serves with settings from {}", SLUICE_VERSION,
           config_);
  const Serving& s = *serving_;
  std::fputs(fmt::format("sluiced ready api={} tls={} page={} admin={}\n", s.entrance("api").text(),
                         s.entrance("tls").text(), s.entrance("page").text(),
                         settings().start.listen.admin_socket)
                 .c_str(),
             stdout);
  std::fflush(stdout);
}

void Box::apply_live() {
  const settings::LiveSettings& live = settings().live;
  log_.set_level(live.log_level);
  room_.set_length_max(static_cast<size_t>(live.queue.length_max));
  stored_->journal.set_bounds(live.decisions.journal_max, live.decisions.files_max);
  serving_->decisions.set_keep(static_cast<size_t>(live.decisions.keep));
  serving_->world.policy = proxy_policy(settings());
  tls_.set_limits(tls_limits(settings()));
  bodies_.set_bounds(body_bounds(settings()));
  proxy::ServerLimits limits = server_limits(settings(), drivers::host_name());
  const bool keeps = settings().start.listen.api_half_close == settings::HalfClose::keep;
  for (const Entrance& entrance : serving_->entrances) {
    limits.rules.keeps_half_closed = keeps && entrance.is_api();
    entrance.server->set_limits(limits);
  }
  room_.poke();
}

void Box::run() { loop_.run(); }

void Box::on_learn() {
  senses_.learn(clock_.now());
  room_.poke();
  learn_->start(settings().live.sense.learn);
}

void Box::on_stop() {
  if (stopping_) return give_up_->start(Duration());  // asked twice: now
  stopping_ = true;
  const size_t open = serving_->api_server.connections() + serving_->tls_server.connections();
  log_.info("box", "stopping; {} client connections are open", open);
  for (Entrance& entrance : serving_->entrances) entrance.listener.reset();
  nodes_->stop();
  draining_ = static_cast<int>(serving_->entrances.size());
  give_up_->start(kDrainMax);
  serving_->page.finish_streams();
  serving_->admin.finish_streams();
  for (const Entrance& entrance : serving_->entrances) {
    entrance.server->drain([this] { on_drained(); });
  }
}

// A turn later: this is called by a server that finish() destroys.
void Box::on_drained() {
  if (--draining_ == 0) give_up_->start(Duration());
}

void Box::finish() {
  if (finished_) return;
  finished_ = true;
  give_up_->stop();
  learn_->stop();
  serving_.reset();  // exchanges that are still open are cancelled and counted
  stored_->journal.flush();
  stored_->meter.flush([this] { loop_.stop(); });
}

}  // namespace sluice::box
