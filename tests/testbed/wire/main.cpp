// testbed-wire: a cable between two network namespaces that can be made bad. See README.md.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/testbed/wire/control_socket.h"

namespace {

constexpr const char* kCommands =
    "Commands, as --set and as datagrams to the control socket (answered with JSON):\n"
    "  WHERE KEY=VALUE...   WHERE is a2b, b2a or both\n"
    "    delay_ms jitter_ms            of travel; the delay varies evenly by up to the jitter\n"
    "    loss                          share of frames, each by itself\n"
    "    burst_ms burst_every_ms       all is lost for so long, so often (means)\n"
    "    rate_kbit queue_bytes         limit, and what may wait for it\n"
    "    mtu                           larger IP packets vanish\n"
    "    cut                           1: nothing passes, nor what is on its way\n"
    "    udp_block udp_loss udp_deny   1; share; ports (from or to), such as 51820,51821\n"
    "    nat_age_s                     UDP flows older than this pass nothing any more\n"
    "  WHERE carrier=0      WHERE is a, b or both: the cable is pulled there\n"
    "  rot                  all UDP flows seen so far pass nothing any more\n"
    "  stats                counters of both directions\n"
    "  clear                everything as it was at first, without --set\n"
    "Each answer has at_us: CLOCK_MONOTONIC in microseconds when the command had taken effect.\n";

struct CommandLine {
  sluice::testbed::WireOptions wire;
  std::string control;
};

int run(const CommandLine& line) {
  using namespace sluice::testbed;
  Poller poller;
  StopSignals stop(poller);
  Wire wire(poller, line.wire);
  ControlSocket control(poller, wire);
  auto error = wire.open();
  if (!error && !line.control.empty()) error = control.open(line.control);
  if (error) {
    std::fprintf(stderr, "testbed-wire: %s\n", error->c_str());
    return 1;
  }
  std::printf("ready\n");
  std::fflush(stdout);
  while (!stop.seen()) poller.run_once(std::nullopt);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A cable between two network namespaces that can be made bad.");
  app.footer(kCommands);
  CommandLine line;
  app.add_option("--a", line.wire.a, "one end: INTERFACE@NAMESPACE, such as wan1@box")->required();
  app.add_option("--b", line.wire.b, "the other end")->required();
  app.add_option("--control", line.control, "path of the socket for commands");
  app.add_option("--seed", line.wire.seed, "of everything that is left to chance")
      ->capture_default_str();
  app.add_option("--watch", line.wire.watch,
                 "count packets from or to this prefix as `watched`, repeatable");
  app.add_option("--set", line.wire.settings, "a command to begin with, repeatable");
  CLI11_PARSE(app, argc, argv);
  return run(line);
}
