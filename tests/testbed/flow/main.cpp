// testbed-flow: a steady flow and its echo, to see what a network does to it. See README.md.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/testbed/flow/echo.h"
#include "tests/testbed/flow/flow.h"

namespace {

struct CommandLine {
  std::string echo;
  sluice::testbed::FlowOptions flow;
};

int run(const CommandLine& line) {
  using namespace sluice::testbed;
  Poller poller;
  StopSignals stop(poller);
  FlowEcho echo(poller);
  Flow flow(poller, line.flow);
  const auto error = line.echo.empty() ? flow.start() : echo.open(line.echo);
  if (error) {
    std::fprintf(stderr, "testbed-flow: %s\n", error->c_str());
    return 1;
  }
  std::printf("ready\n");
  std::fflush(stdout);
  while (!stop.seen()) poller.run_once(std::nullopt);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A steady flow and its echo, to see what a network does to it.");
  CommandLine line;
  app.add_option("--echo", line.echo, "be the far end, on this IPv4 address and port");
  app.add_option("--to", line.flow.to, "be the near end: the echo's address and port");
  app.add_option("--source", line.flow.source, "own address and port (0: any)");
  app.add_option("--out", line.flow.out, "append a line for each packet that comes back");
  app.add_option("--interval-us", line.flow.interval_us)->capture_default_str();
  app.add_option("--stream-interval-us", line.flow.stream_interval_us,
                 "also records in a TCP stream, so often");
  app.add_option("--bytes", line.flow.bytes, "content of a datagram")->capture_default_str();
  app.add_option("--mark", line.flow.mark, "SO_MARK");
  app.add_option("--dscp", line.flow.dscp);
  app.add_option("--blast-mbit", line.flow.blast_mbit,
                 "only send, so much, to the echo's next port");
  CLI11_PARSE(app, argc, argv);
  return run(line);
}
