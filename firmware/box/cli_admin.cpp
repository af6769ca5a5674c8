// Commands that speak of a running daemon, or of what it has stored.
#include <fmt/format.h>

#include "drivers/os/calendar.h"
#include "drivers/os/files.h"
#include "drivers/os/random.h"
#include "drivers/sqlite/sqlite_store.h"
#include "firmware/base/text.h"
#include "firmware/box/admin_client.h"
#include "firmware/box/cli.h"
#include "firmware/box/shadow_text.h"
#include "firmware/box/usage_days.h"
#include "firmware/identity/key_store.h"
#include "firmware/meter/usage_query.h"
#include "firmware/ports/json.h"

namespace sluice::box {

using ports::JsonValue;

namespace {

std::string advice_line(const JsonValue& node) {
  const JsonValue* advice = node.find("advice");
  if (advice == nullptr || advice->text("en").empty()) return "";
  return fmt::format("      {}\n", advice->text("en"));
}

// Figures that its engine tells no more, since when (UTC).
std::string lost_lines(const JsonValue& node, int64_t now_ms) {
  const JsonValue* lost = node.find("lost");
  std::string text;
  if (lost == nullptr || lost->as_array() == nullptr) return text;
  for (const JsonValue& field : *lost->as_array()) {
    text += fmt::format("    {} answers, but {} ({}) is gone since {}\n", node.text("engine"),
                        field.text("name"), field.text("field"),
                        to_rfc3339((now_ms - field.integer("gone_ms")) * 1000));
  }
  return text;
}

std::string node_line(const JsonValue& node, int64_t now_ms) {
  const int64_t line = node.integer("line");
  return fmt::format("  {:<20} {:<6} {:<10} {} in flight{}{}\n", node.text("name"),
                     node.text("place"), node.text("state"), node.integer("in_flight"),
                     line > 0 ? fmt::format(" of {}", line) : "",
                     node.text("why").empty() ? "" : fmt::format(" ({})", node.text("why"))) +
         advice_line(node) + lost_lines(node, now_ms);
}

std::string status_text(const JsonValue& status) {
  const JsonValue none = JsonValue::object({});
  const auto part = [&](const char* name) -> const JsonValue& {
    const JsonValue* found = status.find(name);
    return found == nullptr ? none : *found;
  };
  const JsonValue& water = part("water");
  const JsonValue& share = part("share");
  std::string text = fmt::format(
      "sluiced {}, up {} s; the valve is {} (overflow {}, hold {})\n"
      "water level: {} of {} in flight ({:.0f} %); {} wait\n"
      "last {} s: {} requests local, {} cloud; cloud cost {:.4f} {}\n",
      status.text("version"), status.integer("uptime_s"),
      part("valve").boolean("open") ? "open" : "closed", part("valve").text("overflow"),
      part("valve").text("hold"), water.integer("in_flight"), water.integer("line"),
      water.number("level") * 100, part("queue").integer("length"), share.integer("window_s"),
      share.integer("local_requests"), share.integer("cloud_requests"), share.number("cloud_cost"),
      share.text("currency"));
  const JsonValue::Array* nodes = part("nodes").as_array();
  if (nodes != nullptr) {
    for (const JsonValue& node : *nodes) text += node_line(node, status.integer("time_ms"));
  }
  return text + shadow_line(part("shadow"));
}

Result<identity::KeySpec> spec_of(const KeyOptions& options) {
  JsonValue models = JsonValue::array();
  for (const std::string& model : options.models) models.push(model);
  return identity::parse_key_spec(
      JsonValue::object({{"name", options.name},
                         {"models", models},
                         {"requests_per_minute", options.requests_per_minute},
                         {"tokens_per_minute", options.tokens_per_minute},
                         {"concurrency", options.concurrency},
                         {"priority", options.priority},
                         {"data_class", options.data_class},
                         {"deadline_ms", options.deadline_ms},
                         {"service_level", options.service_level},
                         {"goal", options.goal},
                         {"budget_per_month", options.budget_per_month}}));
}

bool has_service_level(const LoadedSettings& loaded, const std::string& name) {
  for (const settings::ServiceLevel& level : loaded.effective.settings.live.service_levels) {
    if (level.name == name) return true;
  }
  return false;
}

std::string key_line(const identity::ApiKey& key) {
  std::string models;
  for (const std::string& model : key.models) models += (models.empty() ? "" : ",") + model;
  return fmt::format("{:<10} {:<24} {:<8} {:<7} {:<10} {:<24} {}\n", key.id, key.name,
                     key.revoked ? "revoked" : "living", identity::to_text(key.priority),
                     identity::to_text(key.data_class), models.empty() ? "all models" : models,
                     to_rfc3339(key.created.as_us()));
}

int list_keys(const Options& options, const identity::KeyStore& keys) {
  JsonValue all = JsonValue::array();
  for (const identity::ApiKey& key : keys.list()) {
    if (options.json) {
      all.push(identity::key_as_json(key));
    } else {
      say(key_line(key));
    }
  }
  if (options.json) say(ports::to_json(all) + "\n");
  return 0;
}

int add_key(const Options& options, const LoadedSettings& loaded, identity::KeyStore& keys) {
  const Result<identity::KeySpec> spec = spec_of(options.key);
  if (!spec) return complain(spec.error());
  if (!has_service_level(loaded, spec->service_level)) {
    return complain({ErrorKind::refused, "key",
                     fmt::format("there is no service level \"{}\" in {}", spec->service_level,
                                 options.config)});
  }
  const Result<identity::NewKey> made = keys.add(*spec);
  if (!made) return complain(made.error());
  say(fmt::format("{}\n", made->secret));
  std::fputs("sluiced: this key is shown this once; only its hash is kept\n", stderr);
  return 0;
}

// A running daemon looks at the keys again; without one there is nobody to tell.
int tell_daemon(const LoadedSettings& loaded) {
  const std::string& socket = loaded.effective.settings.start.listen.admin_socket;
  const Result<AdminAnswer> answer = ask_admin(socket, "POST", "/api/v1/reload", "");
  if (!answer) return answer.error().kind == ErrorKind::gone ? 0 : complain(answer.error());
  return answer->status / 100 == 2 ? 0 : complain(error_of(*answer));
}

}  // namespace

int status(const Options& options, const LoadedSettings& loaded) {
  const std::string& socket = loaded.effective.settings.start.listen.admin_socket;
  const Result<AdminAnswer> answer = ask_admin(socket, "GET", "/api/v1/status", "");
  if (!answer) return complain(answer.error());
  if (answer->status != 200) return complain(error_of(*answer));
  const Result<JsonValue> status = ports::parse_json(answer->body);
  if (!status) return complain(status.error());
  say(options.json ? answer->body + "\n" : status_text(*status));
  return 0;
}

int shadow(const Options& options, const LoadedSettings& loaded) {
  const std::string& socket = loaded.effective.settings.start.listen.admin_socket;
  const Result<AdminAnswer> answer = ask_admin(socket, "GET", "/api/v1/shadow", "");
  if (!answer) return complain(answer.error());
  if (answer->status != 200) return complain(error_of(*answer));
  const Result<JsonValue> shown = ports::parse_json(answer->body);
  if (!shown) return complain(shown.error());
  say(options.json ? answer->body + "\n" : shadow_text(*shown));
  return 0;
}

int upgrade(const LoadedSettings& loaded) {
  const std::string& socket = loaded.effective.settings.start.listen.admin_socket;
  const Result<AdminAnswer> answer = ask_admin(socket, "POST", "/api/v1/upgrade", "");
  if (!answer) return complain(answer.error());
  if (answer->status != 200) return complain(error_of(*answer));
  const Result<JsonValue> json = ports::parse_json(answer->body);
  say(fmt::format("process {} serves; the old one ends when its answers have ended\n",
                  json ? json->integer("process") : 0));
  return 0;
}

int key_command(const Options& options, const LoadedSettings& loaded) {
  drivers::OsFiles files;
  drivers::OsSecrets secrets;
  drivers::OsCalendar calendar;
  const std::string& folder = loaded.effective.settings.start.state_dir;
  if (Result<void> made = files.make_folder(folder); !made) return complain(made.error());
  identity::KeyStore keys({files, secrets, calendar}, folder + "/keys.json");
  if (Result<void> read = keys.load(); !read) return complain(read.error());
  if (options.command == Command::key_list) return list_keys(options, keys);
  if (options.command == Command::key_add) {
    const int added = add_key(options, loaded, keys);
    return added == 0 ? tell_daemon(loaded) : added;
  }
  const Result<identity::ApiKey> revoked = keys.revoke(options.key.name);
  if (!revoked) return complain(revoked.error());
  say(fmt::format("{} ({}) is revoked\n", revoked->id, revoked->name));
  return tell_daemon(loaded);
}

int usage(const Options& options, const LoadedSettings& loaded) {
  const std::optional<meter::UsageBy> by = meter::usage_by_from_text(options.usage.by);
  const std::optional<meter::UsageFormat> format =
      meter::usage_format_from_text(options.usage.format);
  if (!by || !format) {
    return complain({ErrorKind::refused, "usage",
                     "--by is key, model, node or day; --format is table, csv or json"});
  }
  const Result<meter::UsageQuestion> question =
      usage_question(*by, options.usage.from, options.usage.to);
  if (!question) return complain(question.error());
  const std::string ledger = loaded.effective.settings.start.state_dir + "/ledger.db";
  const Result<ports::SqlRows> rows =
      drivers::SqliteStore::query_now(ledger, meter::usage_query(*question), meter::kUsageRowsMax);
  if (!rows) return complain(rows.error());
  say(meter::format_usage(*rows, *by, *format));
  return 0;
}

}  // namespace sluice::box
