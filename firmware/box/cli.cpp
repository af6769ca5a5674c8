#include "firmware/box/cli.h"

#include <fmt/format.h>

#include <cstdio>

#include "drivers/os/calendar.h"
#include "drivers/os/environment.h"
#include "drivers/os/files.h"
#include "drivers/os/report.h"
#include "drivers/os/service_manager.h"
#include "firmware/box/accelerator_book.h"
#include "firmware/box/box.h"
#include "firmware/box/credentials.h"
#include "firmware/box/driver_book.h"
#include "firmware/box/handover.h"
#include "firmware/box/tls_identity.h"
#include "firmware/settings/exposure.h"
#include "firmware/settings/print.h"

namespace sluice::box {

int complain(const Error& error) {
  std::fputs(fmt::format("sluiced: {}\n", error.text).c_str(), stderr);
  return 1;
}

void say(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

namespace {

// From the process that this one succeeds, or from a service manager; nothing from neither.
Result<Handover> take_handover() {
  const std::optional<std::string> text = drivers::take_from_environment(kHandoverVariable);
  std::vector<drivers::ActivatedSocket> activated = drivers::take_activated_sockets();
  if (text) return read_handover(*text);
  Handover handover;
  for (drivers::ActivatedSocket& socket : activated) {
    handover.sockets.push_back({std::move(socket.name), "", socket.descriptor});
  }
  return handover;
}

int fail(drivers::Report& report, const Error& error) {
  report.say(std::string(kReportFailed) + error.text);
  return complain(error);
}

}  // namespace

int serve(const Options& options) {
  Result<Handover> handed = take_handover();
  if (!handed) return complain(handed.error());
  drivers::Report report(handed->report);
  drivers::OsFiles files;
  Result<LoadedSettings> loaded = load_settings(options.config, files);
  if (!loaded) return fail(report, loaded.error());
  Box box({options.config, options.program, options.arguments, std::move(*handed)},
          std::move(*loaded));
  if (Result<void> started = box.start(); !started) return fail(report, started.error());
  // In this order: once it has the report, the old process may end at any time, and the service
  // manager must not take its end for that of the service.
  drivers::notify_service_manager(drivers::ready_state());
  report.say(kReportReady);
  box.run();
  return 0;
}

Result<void> check_tls(const settings::Settings& settings, ports::Files& files) {
  if (!settings.start.listen.tls || settings.live.tls.certificate_file.empty()) return {};
  const Result<CheckedIdentity> identity = read_identity(settings.live.tls, files);
  if (!identity) return identity.error();
  const Date today = drivers::OsCalendar().now();
  const std::string trouble = date_trouble(*identity, today);
  if (!trouble.empty()) return Error{ErrorKind::refused, "tls", trouble};
  const std::string warning = date_warning(*identity, today);
  if (!warning.empty()) say("warning: " + warning + "\n");
  return {};
}

int check_config(const Options& options, const LoadedSettings& loaded) {
  const settings::Settings& settings = loaded.effective.settings;
  drivers::OsFiles files;
  const Result<DriverBook> drivers = read_drivers(settings.start.drivers_dir, files);
  if (!drivers) return complain(drivers.error());
  if (!drivers->faults.empty()) return complain(drivers->faults.front());
  for (const settings::NodeSettings& node : settings.live.nodes) {
    upstream::NodeTarget target;
    if (Result<void> read = read_credential(node, files, target); !read) {
      return complain(
          {ErrorKind::refused, "settings",
           fmt::format("{}: node \"{}\": {}", options.config, node.name, read.error().text)});
    }
    if (drivers->catalog.engine(node.engine) != nullptr) continue;
    return complain({ErrorKind::refused, "settings",
                     fmt::format("{}: node \"{}\": there is no engine description \"{}\"",
                                 options.config, node.name, node.engine)});
  }
  if (Result<void> ok = check_exporters(settings, drivers->catalog); !ok) {
    return complain(
        {ErrorKind::refused, "settings", fmt::format("{}: {}", options.config, ok.error().text)});
  }
  if (Result<void> ok = check_tls(settings, files); !ok) {
    return complain({ErrorKind::refused, "settings",
                     fmt::format("{}: tls: {}", options.config, ok.error().text)});
  }
  if (!loaded.trouble.empty()) {
    return complain({ErrorKind::refused, "settings", "the overlay: " + loaded.trouble});
  }
  say(fmt::format("{}: the settings are in order\n", options.config));
  for (const std::string& line : settings::describe_exposure(settings)) say("  " + line + "\n");
  return 0;
}

int print_settings(const Options& options, const LoadedSettings& loaded) {
  const settings::Effective& effective = loaded.effective;
  say(options.origin
          ? settings::print_settings(effective.settings, effective.tree, effective.sources)
          : settings::print_settings(effective.settings));
  if (!loaded.trouble.empty()) {
    return complain({ErrorKind::refused, "settings", "the overlay: " + loaded.trouble});
  }
  return 0;
}

// The daemon is not asked at all: a new one would not start with this file.
int not_upgraded(const Error& error) {
  return complain({error.kind, error.where,
                   fmt::format("no upgrade: a new daemon could not start with these settings. {}. "
                               "A running one serves on unchanged; mend the file (sluiced "
                               "check-config), then upgrade again",
                               error.text)});
}

int run_command(const Options& options) {
  if (options.command == Command::replay) return replay(options);
  if (options.command == Command::rehearse) return rehearse(options);
  if (options.command == Command::probe) return probe(options);
  if (options.command == Command::netcheck) return netcheck(options);
  if (options.command == Command::serve) return serve(options);
  drivers::OsFiles files;
  Result<LoadedSettings> loaded = load_settings(options.config, files);
  if (!loaded && options.command == Command::upgrade) return not_upgraded(loaded.error());
  if (!loaded) return complain(loaded.error());
  switch (options.command) {
    case Command::check_config:
      return check_config(options, *loaded);
    case Command::print_settings:
      return print_settings(options, *loaded);
    case Command::status:
      return status(options, *loaded);
    case Command::key_add:
    case Command::key_list:
    case Command::key_revoke:
      return key_command(options, *loaded);
    case Command::usage:
      return usage(options, *loaded);
    case Command::upgrade:
      return upgrade(*loaded);
    case Command::shadow:
      return shadow(options, *loaded);
    case Command::calibrate:
      return calibrate(options, *loaded);
    case Command::tunnel_status:
    case Command::tunnel_join:
    case Command::tunnel_import:
    case Command::tunnel_rotate:
    case Command::tunnel_leave:
    case Command::tunnel_rehearse:
      return tunnel_command(options, *loaded);
    case Command::serve:
    case Command::replay:
    case Command::rehearse:
    case Command::probe:
    case Command::netcheck:
      break;
  }
  return replay(options);
}

}  // namespace sluice::box
