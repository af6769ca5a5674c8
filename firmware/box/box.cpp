#include "firmware/box/box.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "drivers/os/environment.h"
#include "drivers/os/host_name.h"
#include "drivers/os/report.h"
#include "firmware/box/box_parts.h"
#include "firmware/box/configure.h"
#include "firmware/box/credentials.h"
#include "firmware/box/driver_book.h"

namespace sluice::box {

namespace {

drivers::LogStyle log_style() {
  const std::optional<std::string> stream = drivers::environment("JOURNAL_STREAM");
  return drivers::style_of_stderr(stream ? stream->c_str() : nullptr);
}

}  // namespace

Box::Box(Launch launch, LoadedSettings loaded)
    : launch_(std::move(launch)),
      loaded_(std::move(loaded)),
      log_(settings().live.log_level, log_style()),
      randoms_(drivers::system_seed()),
      scratch_(settings().start.state_dir + "/scratch"),
      clock_(loop_),
      timers_(loop_, clock_),
      work_(loop_),
      nvml_work_(loop_),
      sysfs_work_(loop_),
      dialer_(loop_, clock_, timers_),
      listeners_(loop_, timers_),
      tls_(timers_, clock_, secrets_, log_),
      successors_(loop_),
      plain_http_(dialer_, timers_, clock_, parsers_),
      bulk_dialer_(loop_, clock_, timers_, bulk_way()),
      bulk_http_(bulk_dialer_, timers_, clock_, parsers_),
      proxy_random_(randoms_.stream("proxy")),
      probe_random_(randoms_.stream("probes")),
      room_(clock_, timers_, static_cast<size_t>(settings().live.queue.length_max)),
      learn_(timers_.make([this] { on_learn(); })),
      give_up_(timers_.make([this] { finish(); })),
      upgrade_(
          successors_, timers_, log_, [this] { on_handed_over(); }, [this] { on_abandoned(); }) {
  started_ = clock_.now();
}

Box::~Box() = default;

Result<void> Box::start() {
  if (!loaded_.trouble.empty()) log_.error("settings", "the overlay: {}", loaded_.trouble);
  bound_descriptors();
  if (Result<void> ok = take_state_folder(); !ok) return ok;
  if (Result<void> ok = open_stores(); !ok) return ok;
  // A wrong file of the site is no reason not to serve: what the program carries stands in for it.
  Result<DriverBook> drivers = read_drivers(settings().start.drivers_dir, files_);
  if (!drivers) return drivers.error();
  for (const Error& fault : drivers->faults) log_.error("drivers", "left out: {}", fault.text);
  if (Result<void> ok = check_exporters(settings(), drivers->catalog); !ok) {
    log_.error("settings", "{}; until then it is found by its names", ok.error().text);
  }
  const auto known = std::make_shared<const sense::DriverCatalog>(std::move(drivers->catalog));
  nodes_ =
      std::make_unique<NodeBook>(NodeBookPorts{loop_, plain_http_, files_, timers_, clock_,
                                               *probe_random_, senses_, room_, log_, &bulk_http_},
                                 known);
  accelerators_ = std::make_unique<AcceleratorBook>(AcceleratorBookPorts{
      loop_, nvml_work_, sysfs_work_, plain_http_, timers_, clock_, *probe_random_, log_});
  tunnel_random_ = randoms_.stream("tunnels");
  tunnels_ = std::make_unique<TunnelParts>(
      TunnelPartsPorts{loop_, clock_, timers_, calendar_, files_, secrets_, *tunnel_random_,
                       plain_http_, senses_, log_},
      settings(), [this] { room_.poke(); });
  const Result<std::string> token = read_admin_token();
  if (!token) return token.error();
  serving_ = std::make_unique<Serving>(*this, *token);
  serving_->calibrator.load();
  if (Result<void> ok = nodes_->configure(settings(), serving_->world.nodes); !ok) return ok;
  const Result<std::optional<CheckedIdentity>> identity = next_identity(settings());
  if (!identity) return identity.error();
  if (Result<void> ok = show(*identity); !ok) return ok;
  accelerators_->configure(settings(), known);
  apply_live();
  start_leasing();
  const bool after_another = launch_.handed.report >= 0;
  if (Result<void> ok = listen(); !ok) return ok;
  tunnels_->configure(settings());
  tunnels_->start(after_another);
  signals_ = std::make_unique<drivers::UvSignals>(
      loop_, [this] { on_stop(); }, [this] { on_hangup(); },
      [this] { upgrade("SIGUSR2", [](const Result<int>&) {}); });  // the log tells how it went
  on_learn();
  announce();
  return {};
}

Result<void> Box::take_state_folder() {
  const std::string& folder = settings().start.state_dir;
  if (Result<void> made = files_.make_folder(folder + "/scratch"); !made) return made;
  const int inherited = std::exchange(launch_.handed.lock, -1);
  if (inherited >= 0) folder_lock_ = files_.inherited_lock(folder + "/lock", inherited);
  if (folder_lock_) return {};
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
  const std::string ledger = folder + "/ledger.db";
  // Its log of writes goes when the last process closes it: one that is there was left by a crash.
  const bool left_open = launch_.handed.report < 0 && drivers::exists(ledger + "-wal");
  Result<std::unique_ptr<drivers::SqliteStore>> store =
      drivers::SqliteStore::open(ledger, work_, [this](const std::string& where, const Error& why) {
        log_.error("box",
                   "THE LEDGER WAS DAMAGED ({}) and is now {}: a new one is begun, which has none "
                   "of its rows; journals are whole, what they hold is stored in the new one",
                   why.text, where);
      });
  if (!store) return store.error();
  if (left_open) (*store)->check();
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
    Result<std::unique_ptr<ports::Listener>> opened = open(entrance);
    if (!opened) return opened.error();
    entrance.listener = std::move(*opened);
  }
  for (const HandedSocket& left : launch_.handed.sockets) {
    drivers::close_descriptor(left.descriptor);
  }
  launch_.handed.sockets.clear();
  for (const Entrance& entrance : serving_->entrances) {
    if (entrance.listener) entrance.listener->own_name(true);
  }
  return {};
}

Result<std::unique_ptr<ports::Listener>> Box::open(const Entrance& entrance) {
  const auto handed = take_socket(launch_.handed, entrance.name, entrance.at->text());
  if (handed) return listeners_.adopt(*handed, *entrance.at, *entrance.sink);
  return listeners_.listen(*entrance.at, *entrance.sink);
}

// One line for people and scripts: where the box can be reached (port 0 has become a real one).
void Box::announce() {
  log_.say(LogLevel::info, "box", "version {} serves with settings from {}", SLUICE_VERSION,
           launch_.config);
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
  serving_->world.extras.set_shares(extra_shares(settings()));
  tls_.set_limits(tls_limits(settings()));
  bodies_.set_bounds(body_bounds(settings()));
  proxy::ServerLimits limits = server_limits(settings(), drivers::host_name());
  const bool keeps = settings().start.listen.api_half_close == settings::HalfClose::keep;
  for (const Entrance& entrance : serving_->entrances) {
    limits.rules.keeps_half_closed = keeps && entrance.is_api();
    entrance.server->set_limits(limits);
  }
  serving_->calibrator.configure(settings());
  serving_->shadow.set_rule(shadow_rule(settings()));
  room_.poke();
}

// A book that cannot be read is no reason not to serve: nothing new is leased.
void Box::start_leasing() {
  if (launch_.leases == nullptr) return;
  lease_random_ = randoms_.stream("leases");
  leased_ = std::make_unique<LeasedCapacity>(
      LeasedCapacityPorts{clock_, calendar_, timers_, files_, *lease_random_, *launch_.leases,
                          stored_->meter, senses_, *this, log_},
      settings().start.state_dir + "/leases.json");
  if (Result<void> ok = leased_->start({}); !ok) log_.error("capacity", "{}", ok.error().text);
}

void Box::lend(const capacity::LeasedNode& node) {
  nodes_->lend(node);
  use_leased_nodes();
}

void Box::take_back(const std::string& node) {
  nodes_->take_back(node);
  use_leased_nodes();
}

void Box::use_leased_nodes() {
  if (Result<void> ok = nodes_->configure(settings(), serving_->world.nodes); !ok) {
    log_.error("capacity", "leased nodes: {}", ok.error().text);
  }
  room_.poke();
}

void Box::run() { loop_.run(); }

void Box::on_learn() {
  senses_.learn(clock_.now());
  room_.poke();
  // A key made with the successor must be good here too, as long as requests may still come.
  if (handed_over_ && clock_.now() < drain_began_ + kIdleGrace + kIdleGrace) {
    if (Result<void> read = stored_->keys.load(); !read) {
      log_.error("box", "{}", read.error().text);
    }
  }
  learn_->start(settings().live.sense.learn);
}

}  // namespace sluice::box
