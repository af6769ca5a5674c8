// sluiced netcheck: what each uplink gives, and what keeps tunnels from coming up. Works without
// the daemon and beside it, before the box has joined a network and after.
#include <fmt/format.h>

#include <memory>

#include "drivers/http1/http1_client.h"
#include "drivers/http1/http1_parsers.h"
#include "drivers/netlink/kernel_links.h"
#include "drivers/os/calendar.h"
#include "drivers/os/files.h"
#include "drivers/os/random.h"
#include "drivers/uv/clock.h"
#include "drivers/uv/datagrams.h"
#include "drivers/uv/dialers.h"
#include "drivers/uv/loop.h"
#include "drivers/uv/names.h"
#include "drivers/uv/timers.h"
#include "firmware/box/cli.h"
#include "firmware/box/tunnel_parts.h"
#include "firmware/tunnel/clock_floor.h"
#include "firmware/tunnel/netcheck_run.h"
#include "firmware/tunnel/netcheck_text.h"

namespace sluice::box {

namespace {

// Without settings, or with faulty ones, what can be checked without them is.
settings::Settings settings_of(const std::string& config, ports::Files& files) {
  Result<LoadedSettings> loaded = load_settings(config, files);
  if (loaded) return std::move(loaded->effective.settings);
  std::fputs(
      fmt::format("sluiced: {}. Checking with the usual settings.\n", loaded.error().text).c_str(),
      stderr);
  return {};
}

tunnel::NetcheckWish wish_of(const settings::Settings& settings, ports::Files& files) {
  tunnel::NetcheckWish wish;
  wish.uplinks = site_settings(settings.live.tunnel).uplinks;
  wish.check_url = settings.live.tunnel.check_url;
  const std::string& folder = settings.start.state_dir;
  Result<tunnel::Membership> membership = tunnel::load_membership(files, folder);
  if (membership) {
    wish.membership = std::move(*membership);
  } else if (membership.error().kind != ErrorKind::gone) {
    wish.membership_trouble = membership.error().text;
  }
  wish.floor = tunnel::ClockFloor(files, folder).floor();
  return wish;
}

class Checked final : public tunnel::NetcheckSink {
 public:
  explicit Checked(drivers::UvLoop& loop) : loop_(loop) {}
  void on_network_checked(const tunnel::NetcheckEvidence& evidence) override {
    found = tunnel::judge_network(evidence);
    loop_.stop();
  }
  tunnel::Netcheck found;

 private:
  drivers::UvLoop& loop_;
};

tunnel::Netcheck check(tunnel::NetcheckWish wish) {
  drivers::UvLoop loop;
  drivers::UvClock clock(loop);
  drivers::UvTimers timers(loop, clock);
  drivers::OsCalendar calendar;
  drivers::KernelLinks links(loop);
  drivers::UvDatagrams datagrams(loop, clock);
  drivers::UvDialers dialers(loop, clock, timers);
  drivers::UvNames names(loop, timers);
  drivers::Http1Parsers parsers;
  const auto random = drivers::OsRandomStreams(drivers::system_seed()).stream("netcheck");
  tunnel::NetcheckPorts ports{clock,     calendar, timers, *random, links,
                              datagrams, dialers,  names,  {}};
  ports.http = [&timers, &clock, &parsers](ports::Dialer& dialer) {
    return std::make_unique<drivers::Http1Client>(dialer, timers, clock, parsers);
  };
  Checked checked(loop);
  tunnel::NetcheckRun run(ports, std::move(wish), checked);
  run.start();
  loop.run();
  return std::move(checked.found);
}

}  // namespace

int netcheck(const Options& options) {
  drivers::OsFiles files;
  const settings::Settings settings = settings_of(options.config, files);
  const tunnel::Netcheck found = check(wish_of(settings, files));
  say(options.json ? ports::to_json(netcheck_json(found)) + "\n"
                   : netcheck_text(found, options.tunnel.chinese ? tunnel::Language::zh
                                                                 : tunnel::Language::en));
  return found.count(tunnel::Verdict::fail) == 0 ? 0 : 1;
}

}  // namespace sluice::box
