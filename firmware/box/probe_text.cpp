#include "firmware/box/probe_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "firmware/sense/accelerator_reading.h"
#include "firmware/sense/engine_reading.h"
#include "firmware/sense/prober_answers.h"

namespace sluice::box {

using ports::JsonValue;
using sense::DriverFacts;
using sense::DriverKind;
using sense::FieldReport;

namespace {

constexpr size_t kNamesShown = 4;    // of what proves a driver
constexpr size_t kModelsShown = 16;  // of those that it lists
constexpr size_t kDevicesShown = 64;

std::string some(const std::vector<std::string>& names) {
  const size_t shown = std::min(names.size(), kNamesShown);
  std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

std::string bytes_text(double bytes) {
  return bytes >= 1e9 ? fmt::format("{:.1f} GiB", bytes / 1073741824.0)
                      : fmt::format("{:.0f} MiB", bytes / 1048576.0);
}

// What a stranger calls his devices and models must not move the reader's terminal.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, '?');
  return text;
}

bool is_share(std::string_view field) {
  return field == "kv_usage" || field == "prefix_hit_rate" || field == "busy";
}

// A value in words that a person reads, e.g. "95.4 %", "64", "31.2 GiB".
std::string value_text(std::string_view field, double value) {
  if (is_share(field)) return fmt::format("{:.1f} %", value * 100);
  if (field.ends_with("_bytes")) return bytes_text(value);
  if (field.ends_with("_w")) return fmt::format("{:.1f} W", value);
  if (field.ends_with("_c")) return fmt::format("{:.0f} °C", value);
  if (field == "asleep" || field == "loading") return value != 0 ? "yes" : "no";
  if (field == "health") return value != 0 ? "well" : "not well";
  if (field.ends_with("_last")) return fmt::format("{:.3f} s", value);
  return value == std::floor(value) ? fmt::format("{:.0f}", value) : fmt::format("{:.3f}", value);
}

std::string told_text(const FieldReport& report) {
  if (report.histogram) {
    const std::optional<double> mean = sense::mean(*report.histogram);
    return mean ? fmt::format("{:.0f} so far, mean {:.3f} s", report.histogram->count, *mean)
                : "none so far";
  }
  return report.value ? value_text(report.field, *report.value) : "present";
}

std::string field_line(const FieldReport& report) {
  if (report.is_present) {
    return fmt::format("  {:<18} {:<28} {}{}\n", report.field, told_text(report), report.source,
                       report.confidence == sense::Confidence::derived ? " (reckoned)" : "");
  }
  if (report.is_unknown) {
    return fmt::format("  {:<18} {:<28} it is there, and tells no value: {}\n", report.field,
                       "unknown", some(report.missing));
  }
  return fmt::format("  {:<18} {:<28} not there: {}\n", report.field, "absent",
                     some(report.missing));
}

// Those that its driver knows no name for.
std::string untold_lines(const DriverFacts& driver, const std::vector<FieldReport>& reports) {
  const auto line = [&](std::string_view field) {
    const bool mapped = std::any_of(reports.begin(), reports.end(), [&](const FieldReport& report) {
      return report.field == field;
    });
    return mapped ? std::string()
                  : fmt::format("  {:<18} {:<28} it tells this nowhere\n", field, "absent");
  };
  std::string text;
  if (driver.kind == DriverKind::engine) {
    for (size_t i = 0; i < sense::kEngineFieldCount; ++i) {
      text += line(to_text(static_cast<sense::EngineField>(i)));
    }
  } else if (driver.kind == DriverKind::accelerator) {
    for (size_t i = 0; i < sense::kAcceleratorFieldCount; ++i) {
      text += line(to_text(static_cast<sense::AcceleratorField>(i)));
    }
  }
  return text;
}

std::vector<sense::AcceleratorLoad> devices_of(const ProbedPlace& place) {
  const sense::Fitting* best = place.identity.best();
  if (best == nullptr || best->driver->kind != DriverKind::accelerator) return {};
  const sense::Answers answers = place.answers.for_driver(*best->driver);
  if (answers.page == nullptr) return {};
  return sense::read_accelerators(*answers.page, *best->driver, Instant());
}

std::string figure_text(std::string_view field, const sense::Figure& figure) {
  return figure.value ? value_text(field, *figure.value) : "absent";
}

std::string device_lines(const ProbedPlace& place) {
  const std::vector<sense::AcceleratorLoad> devices = devices_of(place);
  if (devices.empty()) return {};
  std::string text = "\naccelerators:\n";
  for (size_t i = 0; i < devices.size() && i < kDevicesShown; ++i) {
    const sense::AcceleratorLoad& device = devices[i];
    text += fmt::format(
        "  {}{}{}: busy {}, memory {} of {}, {}, {}, health {}\n", printable(device.id),
        device.name.empty() ? "" : " ", printable(device.name), figure_text("busy", device.busy),
        figure_text("memory_used_bytes", device.memory_used_bytes),
        figure_text("memory_total_bytes", device.memory_total_bytes),
        figure_text("power_w", device.power_w), figure_text("temperature_c", device.temperature_c),
        figure_text("health", device.health));
  }
  if (devices.size() > kDevicesShown) {
    text += fmt::format("  and {} more\n", devices.size() - kDevicesShown);
  }
  return text;
}

std::vector<std::string> models_of(const ProbedPlace& place) {
  for (const sense::SurveyAnswer& answer : place.answers.all()) {
    if (answer.path != "/v1/models" || !answer.is_ok()) continue;
    Result<sense::ModelList> list = sense::read_model_list(answer.body);
    if (list) return std::move(list->names);
  }
  return {};
}

// What answered, and of the rest how it did not.
std::string asked_line(const ProbedPlace& place) {
  std::vector<std::string> answered;
  std::map<std::string, int> others;  // "404", "timed out" -> how many
  for (const sense::SurveyAnswer& answer : place.answers.all()) {
    if (answer.is_ok()) {
      answered.push_back(answer.path);
    } else if (answer.failure.empty()) {
      ++others[fmt::format("status {}", answer.status)];
    } else {
      ++others[answer.failure];
    }
  }
  std::string text =
      fmt::format("Answered: {}", answered.empty() ? "nothing useful"
                                                   : fmt::format("{}", fmt::join(answered, ", ")));
  for (const auto& [how, count] : others) text += fmt::format("; {} x {}", count, how);
  return text + "\n";
}

// Why nothing can be said, and what to do.
std::string unknown_text(const ProbedPlace& place) {
  const auto& answers = place.answers.all();
  const bool silent = std::all_of(answers.begin(), answers.end(),
                                  [](const auto& answer) { return answer.status == 0; });
  if (silent) return "Nothing there speaks HTTP. Check address, port and firewall.\n";
  const bool guarded = std::any_of(answers.begin(), answers.end(), [](const auto& answer) {
    return answer.status == 401 || answer.status == 403;
  });
  if (guarded) {
    return "It wants a key before it tells what it is: write it into a file of mode 0600 and give "
           "--key-file.\n";
  }
  return "No driver fits what it answers. If it has metrics, one YAML file teaches the box to read "
         "them (drivers/engines/README.md, drivers/accelerators/README.md); to see why each known "
         "driver does not fit, add --all.\n";
}

std::string name_of(const ProbedPlace& place, const DriverFacts& driver) {
  return fmt::format("{}-{}", driver.name, place.origin.address.port);
}

const FieldReport* find_field(const std::vector<FieldReport>& reports, std::string_view field) {
  for (const FieldReport& report : reports) {
    if (report.field == field) return &report;
  }
  return nullptr;
}

// Of an engine whose metrics may stand anywhere: only they were answered, and no list of models.
bool is_page_only(const ProbedPlace& place, const DriverFacts& driver) {
  if (driver.port != 0 || place.answers.page_path(driver).empty()) return false;
  return std::any_of(place.answers.all().begin(), place.answers.all().end(),
                     [&](const auto& answer) {
                       return answer.path == driver.models_path && answer.status == 404;
                     });
}

std::string engine_settings(const ProbedPlace& place, const DriverFacts& driver) {
  std::string url = place.origin.text();
  std::string beside;
  if (driver.scrape.metrics_port != 0 && driver.scrape.metrics_port == place.origin.address.port &&
      driver.port != 0) {
    ports::HttpOrigin api = place.origin;
    api.address.port = static_cast<uint16_t>(driver.port);
    api.authority = api.address.text();
    url = api.text();
    beside = "  # where its API listens; these metrics are on a port of their own";
  }
  const bool is_apart = is_page_only(place, driver);
  if (is_apart) beside = "  # no API answers here: write where it does";
  std::string text =
      fmt::format("nodes:\n  - name: {}\n    place: local\n    engine: {}\n    url: {}{}\n",
                  name_of(place, driver), driver.name, url, beside);
  if (is_apart) {
    text += fmt::format("    metrics_url: {}{}\n", place.origin.text(),
                        place.answers.page_path(driver));
  }
  const std::vector<FieldReport> reports = sense::report_fields(place.answers, driver);
  const FieldReport* limit = find_field(reports, "limit");
  if (limit == nullptr || !limit->is_present) {
    text +=
        "    # It does not tell how many requests it runs at once; if you know, say so:\n"
        "    # limits:\n    #   concurrency: 64\n";
  }
  return text;
}

}  // namespace

std::string settings_to_paste(const ProbedPlace& place) {
  const sense::Fitting* best = place.identity.best();
  if (best == nullptr) return {};
  const DriverFacts& driver = *best->driver;
  switch (driver.kind) {
    case DriverKind::engine:
      return engine_settings(place, driver);
    case DriverKind::accelerator:
      return fmt::format(
          "accelerators:\n  exporters:\n    - name: {}\n      url: {}\n      driver: {}\n",
          name_of(place, driver), place.origin.text(), driver.name);
    case DriverKind::router:
      return {};
  }
  return {};
}

std::string probe_line(const ProbedPlace& place) {
  const sense::Fitting* best = place.identity.best();
  if (best == nullptr) return "nothing that a driver knows";
  const DriverFacts& driver = *best->driver;
  std::string text = fmt::format("{} ({})", driver.title, driver.name);
  if (driver.kind == DriverKind::accelerator) {
    return text + fmt::format(", {} accelerators", devices_of(place).size());
  }
  const std::vector<FieldReport> reports = sense::report_fields(place.answers, driver);
  for (const char* field : {"running", "waiting"}) {
    const FieldReport* report = find_field(reports, field);
    if (report != nullptr && report->value)
      text += fmt::format(", {:.0f} {}", *report->value, field);
  }
  return text;
}

std::string probe_text(const ProbedPlace& place, bool all) {
  std::string text = place.origin.text() + "\n" + asked_line(place);
  const sense::Fitting* best = place.identity.best();
  if (best == nullptr) {
    text += unknown_text(place);
  } else {
    const DriverFacts& driver = *best->driver;
    text += fmt::format("It is {}: driver {}, because it has {}.\n", driver.title, driver.name,
                        some(best->match.matched));
    if (driver.kind == DriverKind::router) {
      text += "A router's figures are not an engine's: probe the engines behind it.\n";
    }
    for (size_t i = 1; i < place.identity.fitting.size(); ++i) {
      const sense::Fitting& other = place.identity.fitting[i];
      text += fmt::format("It also looks like {} ({}), with less to show for it.\n",
                          other.driver->title, some(other.match.matched));
    }
    const std::vector<FieldReport> reports = sense::report_fields(place.answers, driver);
    if (!reports.empty()) text += "\nfields:\n";
    for (const FieldReport& report : reports) text += field_line(report);
    text += untold_lines(driver, reports);
    text += device_lines(place);
    std::vector<std::string> models = models_of(place);
    for (std::string& model : models) model = printable(std::move(model));
    if (!models.empty()) {
      const size_t shown = std::min(models.size(), kModelsShown);
      text += fmt::format(
          "\nmodels: {}\n",
          fmt::join(models.begin(), models.begin() + static_cast<ptrdiff_t>(shown), ", "));
    }
    if (!driver.quirks.empty()) text += "\ngood to know:\n";
    for (const std::string& quirk : driver.quirks) text += "  - " + quirk + "\n";
    const std::string paste = settings_to_paste(place);
    if (!paste.empty()) text += "\nsettings to paste:\n\n" + paste;
  }
  if (all) {
    text += "\nwhy not another:\n";
    for (const sense::Fitting& other : place.identity.others) {
      text += fmt::format("  {:<24} {}\n", other.driver->name, other.match.why_not);
    }
  }
  return text;
}

namespace {

JsonValue names_json(const std::vector<std::string>& names) {
  JsonValue list = JsonValue::array();
  for (const std::string& name : names) list.push(name);
  return list;
}

JsonValue field_json(const FieldReport& report) {
  JsonValue value;
  if (report.value) value = *report.value;
  JsonValue json = JsonValue::object({{"field", report.field},
                                      {"present", report.is_present},
                                      {"value", std::move(value)},
                                      {"confidence", sense::to_text(report.confidence)},
                                      {"source", report.source},
                                      {"missing", names_json(report.missing)}});
  if (report.histogram) {
    json.add("count", report.histogram->count);
    json.add("sum", report.histogram->sum);
  }
  return json;
}

JsonValue figure_json(const sense::Figure& figure) {
  return figure.value ? JsonValue(*figure.value) : JsonValue();
}

JsonValue devices_json(const ProbedPlace& place) {
  JsonValue list = JsonValue::array();
  for (const sense::AcceleratorLoad& device : devices_of(place)) {
    list.push(JsonValue::object({{"id", device.id},
                                 {"name", device.name},
                                 {"vendor", device.vendor},
                                 {"busy", figure_json(device.busy)},
                                 {"memory_used_bytes", figure_json(device.memory_used_bytes)},
                                 {"memory_total_bytes", figure_json(device.memory_total_bytes)},
                                 {"power_w", figure_json(device.power_w)},
                                 {"temperature_c", figure_json(device.temperature_c)},
                                 {"health", figure_json(device.health)}}));
  }
  return list;
}

}  // namespace

JsonValue probe_json(const ProbedPlace& place) {
  JsonValue asked = JsonValue::array();
  for (const sense::SurveyAnswer& answer : place.answers.all()) {
    asked.push(JsonValue::object(
        {{"path", answer.path}, {"status", answer.status}, {"failure", answer.failure}}));
  }
  JsonValue json = JsonValue::object({{"url", place.origin.text()}, {"asked", std::move(asked)}});
  const sense::Fitting* best = place.identity.best();
  if (best == nullptr) {
    json.add("driver", JsonValue());
    return json;
  }
  json.add("driver", best->driver->name);
  json.add("kind", sense::to_text(best->driver->kind));
  json.add("because", names_json(best->match.matched));
  JsonValue fields = JsonValue::array();
  for (const FieldReport& report : sense::report_fields(place.answers, *best->driver)) {
    fields.push(field_json(report));
  }
  json.add("fields", std::move(fields));
  json.add("accelerators", devices_json(place));
  json.add("models", names_json(models_of(place)));
  json.add("settings", settings_to_paste(place));
  return json;
}

}  // namespace sluice::box
