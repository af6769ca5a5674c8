// sluiced tunnel ...: asks the running daemon about its tunnels, or to change them.
#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "drivers/os/files.h"
#include "firmware/box/admin_client.h"
#include "firmware/box/cli.h"
#include "firmware/box/credentials.h"
#include "firmware/box/tunnel_text.h"
#include "firmware/ports/json.h"

namespace sluice::box {

using ports::JsonValue;

namespace {

constexpr Bytes kConfigurationMax{48 * 1024};  // fits into a command's body

Result<JsonValue> ask(const LoadedSettings& loaded, const char* method, const std::string& target,
                      const JsonValue& body) {
  const std::string& socket = loaded.effective.settings.start.listen.admin_socket;
  const std::string text = body.is_null() ? "" : ports::to_json(body);
  const Result<AdminAnswer> answer = ask_admin(socket, method, target, text);
  if (!answer) return answer.error();
  if (answer->status / 100 != 2) return error_of(*answer);
  return ports::parse_json(answer->body);
}

Result<std::string> read_configuration(const std::string& file) {
  if (file != "-") {
    drivers::OsFiles files;
    return files.read(file, kConfigurationMax);
  }
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  if (text.size() <= static_cast<size_t>(kConfigurationMax.count)) return text;
  return Error{ErrorKind::refused, "tunnel",
               fmt::format("the configuration is larger than {} bytes", kConfigurationMax.count)};
}

int show_status(const Options& options, const LoadedSettings& loaded) {
  const Result<JsonValue> tunnels = ask(loaded, "GET", "/api/v1/tunnel", {});
  if (!tunnels) return complain(tunnels.error());
  say(options.json ? ports::to_json(*tunnels) + "\n"
                   : tunnel_text(*tunnels, options.tunnel.chinese));
  return 0;
}

int rehearse_failover(const Options& options, const LoadedSettings& loaded) {
  const Result<JsonValue> report = ask(loaded, "POST", "/api/v1/tunnel/rehearse",
                                       JsonValue::object({{"author", "command line"}}));
  if (!report) return complain(report.error());
  say(options.json ? ports::to_json(*report) + "\n" : drill_text(*report, options.tunnel.chinese));
  return report->boolean("passed") ? 0 : 1;
}

int command(const LoadedSettings& loaded, const char* name, JsonValue body, const char* done) {
  body.add("author", "command line");
  const Result<JsonValue> answer = ask(loaded, "POST", std::string("/api/v1/tunnel/") + name, body);
  if (!answer) return complain(answer.error());
  say(std::string(done) + "\n");
  return 0;
}

int join(const Options& options, const LoadedSettings& loaded) {
  drivers::OsFiles files;
  const Result<std::string> token = read_secret_file(options.tunnel.token_file, files);
  if (!token) return complain(token.error());
  return command(
      loaded, "join",
      JsonValue::object(
          {{"url", options.tunnel.url}, {"token", *token}, {"ca_file", options.tunnel.ca_file}}),
      "joined; sluiced tunnel status shows the paths");
}

int import(const Options& options, const LoadedSettings& loaded) {
  const Result<std::string> text = read_configuration(options.tunnel.configuration);
  if (!text) return complain(text.error());
  return command(loaded, "import", JsonValue::object({{"configuration", *text}}),
                 "imported; sluiced tunnel status shows the path");
}

}  // namespace

int tunnel_command(const Options& options, const LoadedSettings& loaded) {
  switch (options.command) {
    case Command::tunnel_join:
      return join(options, loaded);
    case Command::tunnel_import:
      return import(options, loaded);
    case Command::tunnel_rotate:
      return command(loaded, "rotate", JsonValue::object({}),
                     "asked; sluiced tunnel status and the log show how it goes");
    case Command::tunnel_leave:
      return command(loaded, "leave", JsonValue::object({}), "left");
    case Command::tunnel_rehearse:
      return rehearse_failover(options, loaded);
    default:
      return show_status(options, loaded);
  }
}

}  // namespace sluice::box
