// What people ask of the running box: look at it, change its settings, read its usage.
#include <fmt/format.h>

#include "drivers/os/descriptors.h"
#include "drivers/os/service_manager.h"
#include "firmware/box/box_parts.h"
#include "firmware/box/driver_book.h"
#include "firmware/box/usage_days.h"
#include "firmware/meter/usage_query.h"
#include "firmware/settings/describe.h"
#include "firmware/settings/print.h"

namespace sluice::box {

namespace {

Error is_stopping() {
  return {ErrorKind::busy, "box", "the box is stopping; ask again when it has started"};
}

std::string list_of(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : ", ") + key;
  return text;
}

meter::UsageBy usage_by(web::UsageBy by) {
  switch (by) {
    case web::UsageBy::key:
      return meter::UsageBy::key;
    case web::UsageBy::model:
      return meter::UsageBy::model;
    case web::UsageBy::node:
      return meter::UsageBy::node;
    case web::UsageBy::day:
      return meter::UsageBy::day;
  }
  return meter::UsageBy::key;
}

meter::UsageFormat usage_format(web::UsageFormat format) {
  switch (format) {
    case web::UsageFormat::table:
      return meter::UsageFormat::table;
    case web::UsageFormat::csv:
      return meter::UsageFormat::csv;
    case web::UsageFormat::json:
      return meter::UsageFormat::json;
  }
  return meter::UsageFormat::table;
}

const char* content_type(meter::UsageFormat format) {
  switch (format) {
    case meter::UsageFormat::table:
      return "text/plain; charset=utf-8";
    case meter::UsageFormat::csv:
      return "text/csv; charset=utf-8";
    case meter::UsageFormat::json:
      return "application/json";
  }
  return "text/plain";
}

}  // namespace

Result<void> Box::use(LoadedSettings loaded) {
  const settings::Settings& next = loaded.effective.settings;
  const Result<std::optional<CheckedIdentity>> identity = next_identity(next);
  if (!identity) return identity.error();
  Result<DriverBook> drivers = read_drivers(settings().start.drivers_dir, files_);
  if (!drivers) return drivers.error();
  if (!drivers->faults.empty()) return drivers->faults.front();
  if (Result<void> ok = check_exporters(next, drivers->catalog); !ok) return ok;
  const auto known = std::make_shared<const sense::DriverCatalog>(std::move(drivers->catalog));
  if (Result<void> ok = nodes_->use(known, next, serving_->world.nodes); !ok) {
    return ok;
  }
  if (Result<void> ok = show(*identity); !ok) return ok;
  accelerators_->configure(next, known);
  const std::vector<std::string> fixed =
      settings::differing_keys(settings(), next, settings::When::fixed);
  if (!fixed.empty()) {
    log_.warning("settings", "changed, but in force only after a restart: {}", list_of(fixed));
  }
  if (!loaded.trouble.empty()) log_.error("settings", "the overlay: {}", loaded.trouble);
  const settings::StartSettings kept = settings().start;
  loaded_ = std::move(loaded);
  loaded_.effective.settings.start = kept;
  apply_live();
  tunnels_->configure(settings());
  return {};
}

Result<void> Box::reload(std::string_view author) {
  if (stopping_) return is_stopping();
  Result<LoadedSettings> loaded = load_settings(launch_.config, files_);
  Result<void> used = loaded ? stored_->keys.load() : Result<void>(loaded.error());
  if (used) used = use(std::move(*loaded));
  if (used) {
    log_.info("settings", "loaded again, asked by {}", author);
  } else {
    log_.error("settings", "not loaded, the old ones stay in force: {}", used.error().text);
  }
  return used;
}

// Ready again even where nothing was loaded: the old settings serve. One that a successor follows
// is no longer whom the service manager looks at.
void Box::on_hangup() {
  if (!stopping_) drivers::notify_service_manager(drivers::reloading_state());
  (void)reload("SIGHUP").has_value();  // the log tells how it went
  if (!stopping_) drivers::notify_service_manager(drivers::ready_state());
}

Result<void> Box::change_overlay(Result<settings::Overlay> changed, std::string_view what,
                                 std::string_view author) {
  if (!changed) return changed.error();
  if (stopping_) return is_stopping();
  LoadedSettings next = loaded_;
  next.overlay = std::move(*changed);
  next.trouble.clear();
  Result<settings::Effective> effective = settings::apply(next.base, next.overlay);
  if (!effective) return effective.error();
  next.effective = std::move(*effective);
  // On disk first: what is in force must be there after a restart.
  const std::string& folder = settings().start.state_dir;
  if (Result<void> saved = settings::save_overlay(files_, folder, next.overlay); !saved) {
    return saved;
  }
  const settings::Overlay before = loaded_.overlay;
  if (Result<void> used = use(std::move(next)); !used) {
    Result<void> restored = settings::save_overlay(files_, folder, before);
    if (!restored) log_.error("settings", "the overlay on disk: {}", restored.error().text);
    return used;
  }
  log_.info("settings", "{} by {}", what, author);
  return {};
}

Result<void> Box::set_setting(std::string_view key, std::string_view value_text,
                              std::string_view author) {
  Result<ports::JsonValue> value = ports::parse_json(value_text);
  if (!value) return Error{ErrorKind::refused, "settings", value.error().text};
  settings::OverlayEntry entry{std::string(key), std::move(*value), std::string(author),
                               calendar_.now()};
  return change_overlay(settings::with_entry(loaded_.base, loaded_.overlay, std::move(entry)),
                        fmt::format("{} set", key), author);
}

Result<void> Box::unset_setting(std::string_view key, std::string_view author) {
  return change_overlay(settings::without_entry(loaded_.base, loaded_.overlay, key),
                        fmt::format("{} unset", key), author);
}

void Box::usage(const web::UsageQuery& query, web::UsageCallback done) {
  const meter::UsageBy by = usage_by(query.by);
  const meter::UsageFormat format = usage_format(query.format);
  const Result<meter::UsageQuestion> question = usage_question(by, query.from_day, query.to_day);
  if (!question) return done(question.error());
  stored_->store->query(
      meter::usage_query(*question), meter::kUsageRowsMax,
      [by, format, done = std::move(done)](Result<ports::SqlRows> rows) {
        if (!rows) return done(rows.error());
        done(web::UsageText{meter::format_usage(*rows, by, format), content_type(format)});
      });
}

std::string Box::print_settings(bool origin) const {
  if (!origin) return settings::print_settings(settings());
  return settings::print_settings(settings(), loaded_.effective.tree, loaded_.effective.sources);
}

web::BoxStatus Box::status() const {
  web::BoxStatus status;
  status.version = SLUICE_VERSION;
  status.uptime = clock_.now() - started_;
  status.overflow = settings::to_text(settings().live.valve.overflow);
  status.hold = settings::to_text(settings().live.valve.hold);
  status.open = senses_.is_overflowing(clock_.now());
  status.currency = settings().start.currency.text();
  status.health = stored_->meter.health();
  return status;
}

web::ProcessFigures Box::process() const {
  web::ProcessFigures figures;
  figures.open_descriptors = drivers::open_descriptors().value_or(-1);
  const std::optional<Bytes> resident = drivers::resident_memory();
  figures.resident_bytes = resident ? resident->count : -1;
  for (const Entrance& entrance : serving_->entrances) {
    figures.connections += static_cast<int64_t>(entrance.server->connections());
    figures.connections_refused += static_cast<int64_t>(entrance.server->refused());
  }
  return figures;
}

}  // namespace sluice::box
