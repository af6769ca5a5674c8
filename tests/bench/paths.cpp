// How fast the detector of a path is, and how often it is wrong: in virtual time, against modelled
// wires. Prints the tables of firmware/tunnel/README.md.
//
//   bench-paths [--hours N] [--trials N] [--seed N]

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/tunnel/probe_cost.h"
#include "tests/unit/tunnel/path_sim.h"

namespace sluice::tunnel {
namespace {

struct Options {
  int hours = 24;
  int trials = 1000;
  uint64_t seed = 1;
};

struct Cut {
  const char* name;
  bool out;
  bool back;
  bool carrier;
};

void print_times(const std::string& name, std::vector<double> ms, size_t trials) {
  if (ms.empty()) {
    fmt::print("  {:<44} never\n", name);
    return;
  }
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double share) {
    return ms[static_cast<size_t>(share * static_cast<double>(ms.size() - 1) + 0.5)];
  };
  fmt::print("  {:<44} {:>6.0f} {:>6.0f} {:>6.0f} {:>6.0f} {:>6.0f}  {:>5}/{}\n", name, ms.front(),
             at(0.5), at(0.95), at(0.99), ms.back(), ms.size(), trials);
}

// From the cut of the active path to the choice of the other one.
void time_cut(const Options& options, const Cut& cut, Duration one_way, double loss) {
  std::vector<double> ms;
  sim::Chance phase(options.seed, cut.name);
  for (int trial = 0; trial < options.trials; ++trial) {
    SiteSim site(2, options.seed * 100'000 + static_cast<uint64_t>(trial));
    for (PathSim& path : site.paths) {
      path.wire.out = path.wire.back = one_way;
      path.wire.loss_out = path.wire.loss_back = loss;
    }
    site.bring_up();
    site.pass(Duration::seconds(20) + Duration::us(phase.between(0, 1'000'000)));
    if (site.choice.path != 0) continue;
    PathSim& active = site.paths[0];
    active.wire.cut_out = cut.out;
    active.wire.cut_back = cut.back;
    if (cut.carrier) active.health.lose(site.now, DeathCause::carrier_lost);
    const Instant begin = site.now;
    site.run_paths();
    site.pass(Duration::seconds(10));
    if (site.choice.path == 1) ms.push_back((site.switches.back().at - begin).as_seconds() * 1000);
  }
  print_times(fmt::format("{}, RTT {} ms, loss {:.0f} % each way", cut.name,
                          2 * one_way.as_us() / 1000, loss * 100),
              std::move(ms), static_cast<size_t>(options.trials));
}

struct Weather {
  const char* name;
  double out;
  double back;
  double outage_share;
  bool both;  // the standby has it too
  int outage_ms = 300;
};

void time_weather(const Options& options, const Weather& weather) {
  SiteSim site(2, options.seed * 977);
  for (PathSim& path : site.paths) {
    if (&path != &site.paths[0] && !weather.both) continue;
    path.wire.loss_out = weather.out;
    path.wire.loss_back = weather.back;
    path.wire.outage_share = weather.outage_share;
    path.wire.outage = Duration::ms(weather.outage_ms);
  }
  site.bring_up();
  site.pass(Duration::seconds(3600) * options.hours);
  const PathSim& path = site.paths[0];
  const double hours = options.hours;
  const auto day = [&](int count) { return count * 24 / hours; };
  fmt::print("  {:<44} {:>9.1f} {:>9.3f} {:>8.1f} {:>9.1f} {:>8.1f} {:>8.1f}\n", weather.name,
             static_cast<double>(path.suspicions) / hours, static_cast<double>(path.deaths) / hours,
             day(site.moves(Reason::path_dead)), day(site.moves(Reason::path_degraded)),
             day(site.moves(Reason::preferred) + site.moves(Reason::better)),
             static_cast<double>(path.questions) / hours / 3600);
}

void print_cost(Transport transport, bool metered, bool carrying) {
  const ProbeCost cost = probe_cost(PathSettings(), transport, metered, carrying);
  fmt::print("  {:<44} {:>6.2f} {:>8.1f}\n",
             fmt::format("{}{}{}", to_text(transport), metered ? ", metered" : "",
                         metered ? (carrying ? ", carrying traffic" : ", standby") : ""),
             cost.packets_per_second, static_cast<double>(cost.day.count) / 1e6);
}

void run(const Options& options) {
  fmt::print("From the event to the choice of the standby, ms ({} trials at random phases)\n",
             options.trials);
  fmt::print("  {:<44} {:>6} {:>6} {:>6} {:>6} {:>6}  moved\n", "", "min", "median", "p95", "p99",
             "max");
  const Cut hole{"black hole", true, true, false};
  for (const int rtt : {10, 40, 100, 200, 300}) time_cut(options, hole, Duration::ms(rtt / 2), 0);
  time_cut(options, {"cut on the way out", true, false, false}, Duration::ms(20), 0);
  time_cut(options, {"cut on the way back", false, true, false}, Duration::ms(20), 0);
  time_cut(options, hole, Duration::ms(20), 0.01);
  time_cut(options, {"carrier lost", true, true, true}, Duration::ms(20), 0);

  fmt::print("\nOf a path that lives, RTT 40 ms, {} h; switches a day, of two paths\n",
             options.hours);
  fmt::print("  {:<44} {:>9} {:>9} {:>8} {:>9} {:>8} {:>8}\n", "", "suspect/h", "dead/h", "as dead",
             "degraded", "back", "asked/s");
  for (const Weather& weather :
       std::vector<Weather>{{"no loss", 0, 0, 0, true},
                            {"2 % of round trips, both paths", 0.01, 0.0101, 0, true},
                            {"6 % of round trips, both paths", 0.03, 0.0309, 0, true},
                            {"10 % of round trips, both paths", 0.05, 0.0526, 0, true},
                            {"10 % of round trips, the standby clean", 0.05, 0.0526, 0, false},
                            {"10 % each way, both paths", 0.1, 0.1, 0, true},
                            {"10 % each way, the standby clean", 0.1, 0.1, 0, false},
                            {"20 % each way, both paths", 0.2, 0.2, 0, true},
                            {"2 % in outages of 100 ms, both paths", 0, 0, 0.02, true, 100},
                            {"2 % in outages of 300 ms, both paths", 0, 0, 0.02, true},
                            {"2 % in outages of 300 ms, the standby clean", 0, 0, 0.02, false}}) {
    time_weather(options, weather);
  }

  fmt::print("\nCost of probing a good path, each way, with IP and WireGuard: packets/s, MB/day\n");
  for (const Transport transport : {Transport::udp4, Transport::udp6, Transport::tcp443}) {
    print_cost(transport, false, false);
  }
  print_cost(Transport::udp4, true, false);
  print_cost(Transport::udp4, true, true);
}

}  // namespace
}  // namespace sluice::tunnel

int main(int argc, char** argv) {
  sluice::tunnel::Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const int64_t value = i + 1 < argc ? std::atoll(argv[i + 1]) : 0;
    if (value <= 0 || (name != "--hours" && name != "--trials" && name != "--seed")) {
      fmt::print(stderr, "bench-paths [--hours N] [--trials N] [--seed N]\n");
      return 2;
    }
    if (name == "--hours") options.hours = static_cast<int>(value);
    if (name == "--trials") options.trials = static_cast<int>(value);
    if (name == "--seed") options.seed = static_cast<uint64_t>(value);
  }
  sluice::tunnel::run(options);
  return 0;
}
