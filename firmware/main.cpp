// sluiced: options -> settings -> Box -> run.
#include "firmware/box/cli.h"
#include "firmware/box/options.h"

int main(int argc, char** argv) {
  int exit_code = 0;
  const std::optional<sluice::box::Options> options =
      sluice::box::read_options(argc, argv, &exit_code);
  if (!options) return exit_code;
  return sluice::box::run_command(*options);
}
