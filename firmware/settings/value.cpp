#include "firmware/settings/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "firmware/base/text.h"

namespace sluice::settings {

namespace {

using ports::ConfigNode;
using Kind = Value::Kind;

ConfigNode shown(std::string text) {
  ConfigNode node;
  node.kind = ConfigNode::Kind::scalar;
  node.scalar = std::move(text);
  return node;
}

// The one value that stands at `node`, or a fault with `write`: "write true or false".
const std::string* scalar_of(const ConfigNode& node, const std::string& write, Faults& faults) {
  switch (node.kind) {
    case ConfigNode::Kind::scalar:
      return &node.scalar;
    case ConfigNode::Kind::empty:
      faults.push_back({&node, "", "has no value; " + write + ", or remove the line"});
      break;
    case ConfigNode::Kind::list:
      faults.push_back({&node, "", "is a list where one value belongs; " + write});
      break;
    case ConfigNode::Kind::map:
      faults.push_back({&node, "", "has keys below it where one value belongs; " + write});
      break;
  }
  return nullptr;
}

// The items of a list; an empty node is an empty list.
const std::vector<ConfigNode>* items_of(const ConfigNode& node, Faults& faults) {
  if (node.kind == ConfigNode::Kind::scalar || node.kind == ConfigNode::Kind::map) {
    faults.push_back({&node, "", "is not a list; write [first, second]"});
    return nullptr;
  }
  if (node.items.size() > kListItemsMax) {
    faults.push_back(
        {&node, "",
         fmt::format("has {} items; write at most {}", node.items.size(), kListItemsMax)});
    return nullptr;
  }
  return &node.items;
}

struct WholeRange {
  int64_t least;
  int64_t most;
  std::string_view unit;  // "milliseconds", "bytes", "percent", ""
  std::string_view unit_zh;
  std::optional<int64_t> (*meant)(std::string_view text);  // may be null
};

std::optional<int64_t> meant_percent(std::string_view text) {
  if (text.empty() || text.back() != '%') return std::nullopt;
  return to_integer(trim(text.substr(0, text.size() - 1)));
}

std::string whole_words(const WholeRange& range) {
  return range.unit.empty() ? "a whole number" : fmt::format("a whole number of {}", range.unit);
}

void take_whole(const ConfigNode& node, const WholeRange& range, int64_t now,
                const std::function<void(int64_t)>& set, Faults& faults) {
  const std::string write =
      fmt::format("write {} from {} to {}", whole_words(range), range.least, range.most);
  const std::string* text = scalar_of(node, fmt::format("{}, e.g. {}", write, now), faults);
  if (text == nullptr) return;
  const auto value = to_integer(*text);
  const auto fits = [&range](int64_t n) { return n >= range.least && n <= range.most; };
  if (value && fits(*value)) return set(*value);
  if (value) {
    faults.push_back(
        {&node, "",
         fmt::format("{} is outside {}..{}; {}", *value, range.least, range.most, write)});
    return;
  }
  const auto meant = range.meant == nullptr ? std::nullopt : range.meant(*text);
  const std::string advice = meant && fits(*meant) ? fmt::format("write {}", *meant)
                                                   : fmt::format("{}, e.g. {}", write, now);
  faults.push_back(
      {&node, "", fmt::format("{} is not {}; {}", quoted(*text), whole_words(range), advice)});
}

Value whole_value(const WholeRange& range, std::function<int64_t()> get,
                  std::function<void(int64_t)> set) {
  Value value;
  value.kind = Kind::whole;
  value.unit = range.unit;
  value.least = static_cast<double>(range.least);
  value.most = static_cast<double>(range.most);
  value.allowed_en =
      fmt::format("{}..{}{}{}", range.least, range.most, range.unit.empty() ? "" : " ", range.unit);
  value.allowed_zh = fmt::format("{}..{}{}{}", range.least, range.most,
                                 range.unit_zh.empty() ? "" : " ", range.unit_zh);
  value.take = [range, get, set](const ConfigNode& node, Faults& faults) {
    take_whole(node, range, get(), set, faults);
  };
  value.show = [get] { return shown(std::to_string(get())); };
  return value;
}

std::string plain_number(double value) { return fmt::format("{}", value); }

std::string plain_money(Money amount) {
  std::string text = fmt::format("{}.{:09}", amount.nano / 1000000000, amount.nano % 1000000000);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::optional<double> take_number(const ConfigNode& node, const std::string& below, double least,
                                  double most, Faults& faults) {
  const std::string write = fmt::format("write a number from {} to {}", least, most);
  const std::string* text = scalar_of(node, write, faults);
  if (text == nullptr) {
    faults.back().below = below;
    return std::nullopt;
  }
  const auto value = to_number(*text);
  if (!value || !std::isfinite(*value)) {
    faults.push_back({&node, below, fmt::format("{} is not a number; {}", quoted(*text), write)});
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    faults.push_back(
        {&node, below, fmt::format("{} is outside {}..{}; {}", *text, least, most, write)});
    return std::nullopt;
  }
  return value;
}

Value number_value(double least, double most, std::function<std::string()> get,
                   std::function<void(double)> set) {
  Value value;
  value.kind = Kind::number;
  value.least = least;
  value.most = most;
  value.allowed_en = value.allowed_zh = fmt::format("{}..{}", least, most);
  value.take = [least, most, set](const ConfigNode& node, Faults& faults) {
    if (const auto read = take_number(node, "", least, most, faults)) set(*read);
  };
  value.show = [get] { return shown(get()); };
  return value;
}

constexpr std::string_view kWriteCurrency = "write three capital letters, e.g. CNY";

Value currency_value(std::function<std::string()> get, std::function<void(Currency)> set) {
  Value value;
  value.allowed_en = "three capital letters (ISO 4217)";
  value.allowed_zh = "三个大写字母（ISO 4217）";
  value.take = [set](const ConfigNode& node, Faults& faults) {
    const std::string* code = scalar_of(node, std::string(kWriteCurrency), faults);
    if (code == nullptr) return;
    Currency read;
    if (Currency::parse(*code, &read)) return set(read);
    faults.push_back(
        {&node, "", fmt::format("{} is not a currency; {}", quoted(*code), kWriteCurrency)});
  };
  value.show = [get] { return shown(get()); };
  return value;
}

Value optional_address(const std::string& write, std::optional<ports::Address>& field) {
  Value value;
  value.allowed_en = "address:port, or `off`";
  value.allowed_zh = "地址:端口，或 `off`";
  value.take = [write, &field](const ConfigNode& node, Faults& faults) {
    const std::string* text = scalar_of(node, write, faults);
    if (text == nullptr) return;
    if (*text == "off") return field.reset();
    if (const auto read = parse_listen_address(*text)) {
      field = *read;
      return;
    }
    faults.push_back(
        {&node, "", fmt::format("{} is not an address and port; {}", quoted(*text), write)});
  };
  value.show = [&field] { return shown(field ? field->text() : std::string("off")); };
  return value;
}

std::string listed(const std::vector<std::string_view>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

std::string choice_advice(std::string_view word, const std::vector<std::string_view>& words) {
  const bool has_off = std::find(words.begin(), words.end(), "off") != words.end();
  if (has_off && (word == "on" || word == "true" || word == "yes")) return "write auto";
  if (has_off && (word == "false" || word == "no")) return "write off";
  return "write " + listed(words);
}

std::string ticked(const std::vector<std::string_view>& words) {
  std::string text;
  for (std::string_view word : words) text += fmt::format("{}`{}`", text.empty() ? "" : " ", word);
  return text;
}

}  // namespace

Value boolean(bool& field) {
  Value value;
  value.kind = Kind::boolean;
  value.allowed_en = value.allowed_zh = "`true` `false`";
  value.take = [&field](const ConfigNode& node, Faults& faults) {
    const std::string* text = scalar_of(node, "write true or false", faults);
    if (text == nullptr) return;
    if (*text == "true" || *text == "false") {
      field = *text == "true";
      return;
    }
    const std::string word = lower(*text);
    const bool yes = word == "yes" || word == "on" || word == "true" || word == "1";
    const bool no = word == "no" || word == "off" || word == "false" || word == "0";
    faults.push_back({&node, "",
                      fmt::format("{} is neither true nor false; write {}", quoted(*text),
                                  yes  ? "true"
                                  : no ? "false"
                                       : "true or false")});
  };
  value.show = [&field] { return shown(field ? "true" : "false"); };
  return value;
}

Value whole(int64_t& field, int64_t least, int64_t most) {
  return whole_value(
      {least, most, "", "", nullptr}, [&field] { return field; },
      [&field](int64_t n) { field = n; });
}

Value percent(int64_t& field, int64_t least, int64_t most) {
  return whole_value(
      {least, most, "percent", "%", meant_percent}, [&field] { return field; },
      [&field](int64_t n) { field = n; });
}

Value milliseconds(Duration& field, int64_t least, int64_t most) {
  return whole_value(
      {least, most, "milliseconds", "毫秒", meant_milliseconds}, [&field] { return field.as_ms(); },
      [&field](int64_t n) { field = Duration::ms(n); });
}

Value bytes(Bytes& field, int64_t least, int64_t most) {
  return whole_value(
      {least, most, "bytes", "字节", meant_bytes}, [&field] { return field.count; },
      [&field](int64_t n) { field = Bytes{n}; });
}

Value tokens(Tokens& field, int64_t least, int64_t most) {
  return whole_value(
      {least, most, "tokens", "词元", nullptr}, [&field] { return field.count; },
      [&field](int64_t n) { field = Tokens{n}; });
}

Value number(double& field, double least, double most) {
  return number_value(
      least, most, [&field] { return plain_number(field); },
      [&field](double read) { field = read; });
}

Value money(Money& field, double most) {
  return number_value(
      0, most, [&field] { return plain_money(field); },
      [&field](double read) { field = Money{std::llround(read * 1e9)}; });
}

Value text(std::string& field, const TextRule& rule) {
  Value value;
  value.allowed_en = rule.form_en;
  value.allowed_zh = rule.form_zh;
  value.take = [&field, &rule](const ConfigNode& node, Faults& faults) {
    const std::string* read = scalar_of(node, fmt::format("write {}", rule.form_en), faults);
    if (read == nullptr) return;
    if (const auto complaint = rule.complaint(*read)) {
      faults.push_back({&node, "", *complaint});
      return;
    }
    field = *read;
  };
  value.show = [&field] { return shown(field); };
  return value;
}

Value texts(std::vector<std::string>& field, const TextRule& rule) {
  Value value;
  value.kind = Kind::texts;
  value.allowed_en = fmt::format("list of: {}", rule.form_en);
  value.allowed_zh = fmt::format("列表：{}", rule.form_zh);
  value.take = [&field, &rule](const ConfigNode& node, Faults& faults) {
    const auto* items = items_of(node, faults);
    if (items == nullptr) return;
    std::vector<std::string> read;
    const size_t before = faults.size();
    for (size_t i = 0; i < items->size(); ++i) {
      std::string one;
      const size_t known = faults.size();
      text(one, rule).take((*items)[i], faults);
      for (size_t f = known; f < faults.size(); ++f) faults[f].below = fmt::format("[{}]", i);
      read.push_back(std::move(one));
    }
    if (faults.size() == before) field = std::move(read);
  };
  value.show = [&field] {
    ConfigNode list;
    list.kind = ConfigNode::Kind::list;
    for (const std::string& one : field) list.items.push_back(shown(one));
    return list;
  };
  return value;
}

Value address_or_off(std::optional<ports::Address>& field) {
  return optional_address("write numbers, e.g. 0.0.0.0:8080 or [::]:8080, or off", field);
}

Value loopback_or_off(std::optional<ports::Address>& field) {
  Value value = optional_address("write numbers, e.g. 127.0.0.1:8081 or [::1]:8081, or off", field);
  value.allowed_en = "loopback address:port, or `off`";
  value.allowed_zh = "本机回环地址:端口，或 `off`";
  return value;
}

Value currency(Currency& field) {
  return currency_value([&field] { return field.text(); },
                        [&field](Currency read) { field = read; });
}

Value currency(std::optional<Currency>& field) {
  return currency_value([&field] { return field ? field->text() : std::string(); },
                        [&field](Currency read) { field = read; });
}

Value rates(std::map<Currency, double>& field) {
  Value value;
  value.kind = Kind::rates;
  value.allowed_en = "map of currency: number above 0";
  value.allowed_zh = "映射，货币: 大于 0 的数";
  value.take = [&field](const ConfigNode& node, Faults& faults) {
    if (node.kind == ConfigNode::Kind::scalar || node.kind == ConfigNode::Kind::list) {
      faults.push_back({&node, "", "is not a map; write a line for each currency, e.g. USD: 7.2"});
      return;
    }
    std::map<Currency, double> read;
    const size_t before = faults.size();
    for (const auto& [code, rate] : node.members) {
      Currency unit;
      const std::string below = "." + code;
      if (!Currency::parse(code, &unit)) {
        faults.push_back(
            {&rate, "", fmt::format("{} is not a currency; {}", quoted(code), kWriteCurrency)});
        continue;
      }
      if (const auto number = take_number(rate, below, 1e-6, 1e6, faults)) read[unit] = *number;
    }
    if (faults.size() == before) field = std::move(read);
  };
  value.show = [&field] {
    ConfigNode map;
    map.kind = ConfigNode::Kind::map;
    for (const auto& [unit, rate] : field) {
      map.members.emplace_back(unit.text(), shown(plain_number(rate)));
    }
    return map;
  };
  return value;
}

Value choice_of(std::vector<std::string_view> words, std::function<void(std::string_view)> set,
                std::function<std::string_view()> get) {
  Value value;
  value.kind = Kind::choice;
  value.choices = words;
  value.allowed_en = value.allowed_zh = ticked(words);
  value.take = [words, set](const ConfigNode& node, Faults& faults) {
    const std::string* text = scalar_of(node, "write " + listed(words), faults);
    if (text == nullptr) return;
    if (std::find(words.begin(), words.end(), *text) != words.end()) return set(*text);
    faults.push_back({&node, "",
                      fmt::format("{} is not one of the choices; {}", quoted(*text),
                                  choice_advice(*text, words))});
  };
  value.show = [get] { return shown(std::string(get())); };
  return value;
}

Value choices_of(std::vector<std::string_view> words,
                 std::function<void(const std::vector<std::string>&)> set,
                 std::function<std::vector<std::string>()> get, bool may_be_empty) {
  Value value;
  value.kind = Kind::choices;
  value.choices = words;
  value.allowed_en = "list of: " + ticked(words);
  value.allowed_zh = "列表：" + ticked(words);
  value.take = [words, set, may_be_empty](const ConfigNode& node, Faults& faults) {
    const auto* items = items_of(node, faults);
    if (items == nullptr) return;
    if (items->empty() && !may_be_empty) {
      faults.push_back({&node, "", "is an empty list; write one or more of " + listed(words)});
      return;
    }
    std::vector<std::string> read;
    const size_t before = faults.size();
    for (size_t i = 0; i < items->size(); ++i) {
      const size_t known = faults.size();
      const auto add = [&read](std::string_view word) { read.emplace_back(word); };
      choice_of(words, add, nullptr).take((*items)[i], faults);
      for (size_t f = known; f < faults.size(); ++f) faults[f].below = fmt::format("[{}]", i);
    }
    if (faults.size() == before) set(read);
  };
  value.show = [get] {
    ConfigNode list;
    list.kind = ConfigNode::Kind::list;
    for (const std::string& word : get()) list.items.push_back(shown(word));
    return list;
  };
  return value;
}

}  // namespace sluice::settings
