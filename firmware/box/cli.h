// The commands of sluiced. Each returns the program's exit code: 0 done, 1 it did not work (said on
// standard error), 2 the command line was wrong.
#pragma once

#include "firmware/box/options.h"
#include "firmware/box/settings_source.h"

namespace sluice::box {

int run_command(const Options& options);

int serve(const Options& options);
int upgrade(const LoadedSettings& loaded);
int check_config(const Options& options, const LoadedSettings& loaded);
int print_settings(const Options& options, const LoadedSettings& loaded);
int status(const Options& options, const LoadedSettings& loaded);
int key_command(const Options& options, const LoadedSettings& loaded);
int usage(const Options& options, const LoadedSettings& loaded);
int shadow(const Options& options, const LoadedSettings& loaded);
int calibrate(const Options& options, const LoadedSettings& loaded);
int replay(const Options& options);
int rehearse(const Options& options);
int probe(const Options& options);
int netcheck(const Options& options);
int tunnel_command(const Options& options, const LoadedSettings& loaded);

// "sluiced: ..." on standard error; 1.
int complain(const Error& error);
void say(std::string_view text);  // on standard output

}  // namespace sluice::box
