// testbed-fast-engine: prebuilt answers at the speed of the network. See README.md.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/testbed/fast_engine.h"

int main(int argc, char** argv) {
  using namespace sluice::testbed;
  CLI::App app("An engine stand-in whose answers are made beforehand.");
  std::string address = "127.0.0.1:0";
  std::string model = "stand-in";
  app.add_option("--listen", address, "IPv4 address and port")->capture_default_str();
  app.add_option("--model", model)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  raise_descriptor_limit();
  Poller poller;
  StopSignals stop(poller);
  FastEngine engine(poller, model);
  ListeningSocket listening(poller, engine);
  if (const auto error = listening.open(address)) {
    std::fprintf(stderr, "testbed-fast-engine: %s\n", error->c_str());
    return 2;
  }
  std::printf("listening on %s\n", listening.address().c_str());
  std::fflush(stdout);
  while (!stop.seen()) poller.run_once(std::nullopt);
  return 0;
}
