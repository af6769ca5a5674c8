// The composition root: everything the daemon is made of, in the order in which it starts. Members
// end in the reverse order, so that whoever refers to another ends before it.
// Order: construct, start, run; then destroy.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/http1/http1_client.h"
#include "drivers/http1/http1_parsers.h"
#include "drivers/log/spd_log.h"
#include "drivers/mbedtls/tls_server.h"
#include "drivers/os/calendar.h"
#include "drivers/os/files.h"
#include "drivers/os/random.h"
#include "drivers/os/scratch_files.h"
#include "drivers/sqlite/sqlite_store.h"
#include "drivers/uv/clock.h"
#include "drivers/uv/dialer.h"
#include "drivers/uv/listeners.h"
#include "drivers/uv/loop.h"
#include "drivers/uv/own_thread.h"
#include "drivers/uv/signals.h"
#include "drivers/uv/successors.h"
#include "drivers/uv/timers.h"
#include "drivers/uv/work.h"
#include "firmware/box/accelerator_book.h"
#include "firmware/box/decision_journal.h"
#include "firmware/box/handover.h"
#include "firmware/box/leased_capacity.h"
#include "firmware/box/node_book.h"
#include "firmware/box/settings_source.h"
#include "firmware/box/tls_identity.h"
#include "firmware/box/tunnel_parts.h"
#include "firmware/box/upgrade.h"
#include "firmware/identity/key_store.h"
#include "firmware/meter/meter.h"
#include "firmware/proxy/api_front.h"
#include "firmware/proxy/body_room.h"
#include "firmware/proxy/http_server.h"
#include "firmware/proxy/waiting_room.h"
#include "firmware/sense/senses.h"
#include "firmware/web/box_commands.h"
#include "firmware/web/metrics_page.h"
#include "firmware/web/web_service.h"

namespace sluice::box {

struct Entrance;

// How the process was started, and what it was handed.
struct Launch {
  std::string config;
  std::string program;  // path; an upgrade starts what is there then
  std::vector<std::string> arguments;
  Handover handed;
  ports::LeasePlatform* leases = nullptr;  // who leases instances; null: nobody
};

class Box : public web::BoxCommands, private NodeLender {
 public:
  // What an idle client sends so long after the drain began is still answered.
  static constexpr Duration kIdleGrace = Duration::ms(1500);

  Box(Launch launch, LoadedSettings loaded);
  ~Box() override;

  // Errors: whatever keeps the box from serving, with what to do about it.
  Result<void> start();
  // Until SIGTERM or SIGINT, or until a successor serves, and what was open then has ended.
  void run();

  Result<void> set_setting(std::string_view key, std::string_view value_text,
                           std::string_view author) override;
  Result<void> unset_setting(std::string_view key, std::string_view author) override;
  Result<void> reload(std::string_view author) override;
  std::string print_settings(bool origin) const override;
  void usage(const web::UsageQuery& query, web::UsageCallback done) override;
  void upgrade(std::string_view author, web::UpgradeCallback done) override;
  web::BoxStatus status() const override;
  web::ProcessFigures process() const override;

 private:
  struct Stored;   // what needs the state folder: store, meter, keys
  struct Serving;  // what needs those: the proxy's world and the listeners

  const settings::Settings& settings() const { return loaded_.effective.settings; }
  Result<void> take_state_folder();
  Result<void> open_stores();
  Result<std::string> read_admin_token();
  Result<void> listen();
  // Nothing: the one in use stays. Errors: refused.
  Result<std::optional<CheckedIdentity>> next_identity(const settings::Settings& next);
  Result<void> show(const std::optional<CheckedIdentity>& next);
  Result<std::unique_ptr<ports::Listener>> open(const Entrance& entrance);
  ports::SuccessorSpec successor_spec() const;
  Result<void> use(LoadedSettings loaded);  // on an error the old ones stay in force
  Result<void> change_overlay(Result<settings::Overlay> changed, std::string_view what,
                              std::string_view author);
  void start_leasing();
  void lend(const capacity::LeasedNode& node) override;
  void take_back(const std::string& node) override;
  void use_leased_nodes();
  void apply_live();
  void announce();
  void on_learn();
  void bound_descriptors();
  void on_hangup();
  void on_stop();
  void on_handed_over();
  void on_abandoned();
  void drain(Duration time_max);
  void on_drained();
  void finish();

  Launch launch_;
  LoadedSettings loaded_;
  Instant started_;

  drivers::SpdLog log_;
  drivers::OsFiles files_;
  drivers::OsCalendar calendar_;
  drivers::OsSecrets secrets_;
  drivers::OsRandomStreams randoms_;
  drivers::OsScratchFiles scratch_;
  proxy::BodyRoom bodies_;
  drivers::UvLoop loop_;
  drivers::UvClock clock_;
  drivers::UvTimers timers_;
  drivers::UvWork work_;
  drivers::UvOwnThread nvml_work_;  // looks at accelerators; one that hangs holds no other up
  drivers::UvOwnThread sysfs_work_;
  drivers::UvDialer dialer_;
  drivers::UvListeners listeners_;
  drivers::MbedTlsServer tls_;
  drivers::UvSuccessors successors_;
  drivers::Http1Parsers parsers_;
  drivers::Http1Client plain_http_;
  drivers::UvDialer bulk_dialer_;
  drivers::Http1Client bulk_http_;
  std::unique_ptr<ports::Random> proxy_random_;
  std::unique_ptr<ports::Random> probe_random_;
  std::unique_ptr<ports::FileLock> folder_lock_;
  std::unique_ptr<Stored> stored_;
  sense::Senses senses_;
  proxy::WaitingRoom room_;
  proxy::RateLimit limits_;
  std::unique_ptr<NodeBook> nodes_;
  std::unique_ptr<AcceleratorBook> accelerators_;
  std::unique_ptr<ports::Random> tunnel_random_;
  std::unique_ptr<TunnelParts> tunnels_;
  std::unique_ptr<Serving> serving_;
  std::unique_ptr<ports::Random> lease_random_;
  std::unique_ptr<LeasedCapacity> leased_;  // null without a platform
  std::unique_ptr<ports::Timer> learn_;
  std::unique_ptr<ports::Timer> give_up_;
  std::unique_ptr<drivers::UvSignals> signals_;
  std::string shown_identity_;  // a hash of it; empty: none yet
  Upgrade upgrade_;
  Instant drain_began_;
  int draining_ = 0;          // servers that still have connections
  bool stopping_ = false;     // no new connections: asked to end, or a successor serves
  bool handed_over_ = false;  // a successor serves
  bool finished_ = false;
};

}  // namespace sluice::box
