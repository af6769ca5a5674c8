#include "firmware/sense/driver_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "firmware/sense/field_report.h"

namespace sluice::sense {

namespace {

using ports::ConfigNode;
using Kind = ports::ConfigNode::Kind;
using Form = ValueSource::Form;

enum class Dimension { plain, share, time, bytes, power, temperature };

struct Unit {
  const char* word;
  Dimension dimension;
  double scale;  // to the unit of the field
};
constexpr Unit kUnits[] = {
    {"ratio", Dimension::share, 1},
    {"percent", Dimension::share, 0.01},
    {"s", Dimension::time, 1},
    {"ms", Dimension::time, 1e-3},
    {"us", Dimension::time, 1e-6},
    {"ns", Dimension::time, 1e-9},
    {"B", Dimension::bytes, 1},
    {"KB", Dimension::bytes, 1e3},
    {"KiB", Dimension::bytes, 1024},
    {"MB", Dimension::bytes, 1e6},
    {"MiB", Dimension::bytes, 1024.0 * 1024},
    {"GB", Dimension::bytes, 1e9},
    {"GiB", Dimension::bytes, 1024.0 * 1024 * 1024},
    {"W", Dimension::power, 1},
    {"mW", Dimension::power, 1e-3},
    {"uW", Dimension::power, 1e-6},
    {"C", Dimension::temperature, 1},
    {"mC", Dimension::temperature, 1e-3},
};

Dimension dimension_of(EngineField field) {
  switch (field) {
    case EngineField::kv_usage:
    case EngineField::prefix_hit_rate:
      return Dimension::share;
    case EngineField::ttft_last:
    case EngineField::tpot_last:
    case EngineField::ttft:
    case EngineField::tpot:
    case EngineField::queue_time:
      return Dimension::time;
    default:
      return Dimension::plain;
  }
}

Dimension dimension_of(AcceleratorField field) {
  switch (field) {
    case AcceleratorField::busy:
      return Dimension::share;
    case AcceleratorField::memory_used_bytes:
    case AcceleratorField::memory_total_bytes:
      return Dimension::bytes;
    case AcceleratorField::power_w:
      return Dimension::power;
    case AcceleratorField::temperature_c:
      return Dimension::temperature;
    case AcceleratorField::health:
      return Dimension::plain;
  }
  return Dimension::plain;
}

constexpr std::array<std::string_view, 5> kAggregates = {"sum", "max", "avg", "count", "newest"};

// Reads one way to read a field.
class SourceReader {
 public:
  SourceReader(const ConfigNode& node, DriverSchema& schema, const DriverFacts& facts,
               Dimension dimension, bool histogram)
      : node_(node), schema_(schema), facts_(facts), dimension_(dimension), histogram_(histogram) {}

  ValueSource read() {
    const std::vector<std::string_view> keys = {
        "metric",
        "value_labels",
        "ratio",
        "sum_of",
        "per",
        "document",
        "member",
        "equals",
        "labels",
        "scale",
        "unit",
        "sentinels",
        "percent_above_one",
        "meanings",
        "aggregate",
    };
    if (!schema_.known(node_, keys)) return std::move(source_);
    read_form();
    read_labels();
    read_aggregate();
    read_scale();
    read_meanings();
    source_.sentinels = read_sentinels(node_, schema_);
    source_.percent_above_one = schema_.flag(node_, "percent_above_one");
    if (source_.percent_above_one && dimension_ != Dimension::share) {
      fault("percent_above_one", "'percent_above_one' is for a share of 0 to 1 only; remove it");
    }
    if (!schema_.fault()) source_.shown = name_of(source_, facts_);
    return std::move(source_);
  }

 private:
  bool has(std::string_view key) const { return node_.find(key) != nullptr; }
  void fault(std::string_view key, std::string_view text) {
    schema_.fail(has(key) ? *node_.find(key) : node_, text);
  }

  void read_form() {
    const int ways = static_cast<int>(has("metric")) + static_cast<int>(has("ratio")) +
                     static_cast<int>(has("sum_of")) + static_cast<int>(has("document"));
    if (ways != 1) {
      return schema_.fail(node_, "write exactly one of metric, ratio, sum_of, document");
    }
    if (has("metric")) read_metric();
    if (has("ratio")) read_several("ratio", Form::ratio);
    if (has("sum_of")) read_several("sum_of", Form::sum_of);
    if (has("document")) read_member();
    for (const char* key : {"member", "equals"}) {
      if (has(key) && !has("document")) fault(key, fmt::format("'{}' needs 'document'", key));
    }
    for (const char* key : {"per", "value_labels"}) {
      if (has(key) && !has("metric")) fault(key, fmt::format("'{}' needs 'metric'", key));
    }
    const bool is_whole = source_.form == Form::metric || source_.form == Form::per;
    if (histogram_ && !is_whole) {
      schema_.fail(node_, "a histogram is read from 'metric', or from 'metric' and 'per'");
    }
  }

  void read_metric() {
    source_.metrics = {schema_.name(node_, "metric")};
    if (has("per")) {
      source_.form = Form::per;
      source_.metrics.push_back(schema_.name(node_, "per"));
      if (!histogram_)
        fault("per", "'per' is for ttft, tpot and queue_time; write 'ratio' instead");
    }
    if (!has("value_labels")) return;
    source_.form = Form::labels;
    source_.value_labels = schema_.names(node_, "value_labels");
    if (has("per")) fault("per", "write 'per' or 'value_labels', not both");
  }

  void read_several(std::string_view key, Form form) {
    source_.form = form;
    source_.metrics = schema_.names(node_, key);
    const size_t count = source_.metrics.size();
    if (form == Form::ratio && count != 2) fault(key, "'ratio' is a list of two metrics: [a, b]");
    if (form == Form::sum_of && count < 2) fault(key, "'sum_of' is a list of two metrics or more");
  }

  void read_member() {
    source_.form = Form::member;
    source_.document = schema_.name(node_, "document");
    source_.member = schema_.name(node_, "member");
    source_.equals = schema_.text(node_, "equals");
    if (facts_.document(source_.document) == nullptr) {
      fault("document", fmt::format("there is no document '{}'; write it under 'documents' with "
                                    "its path",
                                    source_.document));
    }
    if (facts_.kind == DriverKind::accelerator) {
      fault("document", "an accelerator is read from a metrics page; write 'metric'");
    }
  }

  void read_labels() {
    const ConfigNode* labels = node_.find("labels");
    if (labels == nullptr) return;
    if (labels->kind != Kind::map)
      return schema_.fail(*labels, "'labels' is a map of label: value");
    if (has("document")) return fault("labels", "'labels' needs 'metric'");
    for (const auto& [name, value] : labels->members) {
      if (value.kind != Kind::scalar) return schema_.fail(value, "a label's value is one text");
      source_.labels.push_back({name, value.scalar});
    }
  }

  void read_aggregate() {
    const bool accelerator = facts_.kind == DriverKind::accelerator;
    source_.aggregate = accelerator ? Aggregate::newest : Aggregate::sum;
    const std::optional<std::string> word = schema_.text(node_, "aggregate");
    if (!word) return;
    const std::optional<size_t> which =
        schema_.one_of(*node_.find("aggregate"), *word, kAggregates);
    source_.aggregate = static_cast<Aggregate>(which.value_or(0));
    if (source_.aggregate == Aggregate::count && has("document") &&
        !source_.member.ends_with("[]")) {
      fault("aggregate", "'count' counts the items of a list; let 'member' end in []");
    }
    if (histogram_ && source_.aggregate != Aggregate::sum) {
      fault("aggregate", "histograms can only be summed; remove 'aggregate'");
    }
  }

  void read_scale() {
    if (has("scale") && has("unit")) return fault("unit", "write 'unit' or 'scale', not both");
    if (const std::optional<std::string> word = schema_.text(node_, "scale")) {
      const std::optional<double> scale = schema_.number(*node_.find("scale"), *word);
      if (scale && *scale <= 0) fault("scale", "'scale' is a number above zero");
      source_.scale = scale.value_or(1);
    }
    const std::optional<std::string> word = schema_.text(node_, "unit");
    if (!word) return;
    std::vector<std::string_view> fitting;
    for (const Unit& unit : kUnits) {
      if (unit.dimension != dimension_) continue;
      fitting.emplace_back(unit.word);
      if (unit.word == *word) source_.scale = unit.scale;
    }
    if (fitting.empty()) return fault("unit", "this field has no unit; remove 'unit'");
    schema_.one_of(*node_.find("unit"), *word, fitting);
  }

  void read_meanings() {
    const ConfigNode* meanings = node_.find("meanings");
    if (meanings == nullptr) return;
    if (meanings->kind != Kind::map || histogram_) {
      return schema_.fail(*meanings, "'meanings' is a map of told number: meant number");
    }
    for (const auto& [told, meant] : meanings->members) {
      const std::optional<double> from = schema_.number(meant, told);
      const std::optional<double> to = schema_.number(meant, meant.scalar);
      if (!from || !to) return;
      source_.meanings.emplace_back(*from, *to);
    }
  }

  const ConfigNode& node_;
  DriverSchema& schema_;
  const DriverFacts& facts_;
  const Dimension dimension_;
  const bool histogram_;
  ValueSource source_;
};

template <class Field>
void read_fields_as(const ConfigNode& fields, size_t count, DriverSchema& schema,
                    const DriverFacts& facts, std::span<std::vector<ValueSource>> into) {
  std::vector<std::string_view> names;
  for (size_t i = 0; i < count; ++i) names.emplace_back(to_text(static_cast<Field>(i)));
  if (!schema.known(fields, names)) return;
  for (size_t i = 0; i < count; ++i) {
    const Field field = static_cast<Field>(i);
    bool histogram = false;
    if constexpr (std::is_same_v<Field, EngineField>) histogram = is_histogram(field);
    for (const ConfigNode& item : schema.items(fields, names[i], kDriverAlternativesMax)) {
      into[i].push_back(SourceReader(item, schema, facts, dimension_of(field), histogram).read());
    }
  }
}

}  // namespace

void read_driver_fields(const ConfigNode& fields, DriverSchema& schema, DriverFacts& facts) {
  if (facts.kind == DriverKind::accelerator) {
    read_fields_as<AcceleratorField>(fields, kAcceleratorFieldCount, schema, facts,
                                     facts.accelerator_fields);
  } else {
    read_fields_as<EngineField>(fields, kEngineFieldCount, schema, facts, facts.engine_fields);
  }
}

std::vector<Sentinel> read_sentinels(const ConfigNode& map, DriverSchema& schema) {
  std::vector<Sentinel> found;
  for (const std::string& text : schema.texts(map, "sentinels")) {
    const bool and_above = text.starts_with(">=");
    const std::optional<double> value =
        schema.number(*map.find("sentinels"), std::string_view(text).substr(and_above ? 2 : 0));
    found.push_back({value.value_or(0), and_above});
  }
  return found;
}

void add_series_names(const ValueSource& source, bool histogram, std::vector<std::string>& names) {
  if (!histogram || source.form == Form::per) {
    names.insert(names.end(), source.metrics.begin(), source.metrics.end());
    return;
  }
  for (const char* part : {"_bucket", "_sum", "_count"}) {
    names.push_back(source.metrics.front() + part);
  }
}

}  // namespace sluice::sense
