#include "firmware/settings/text_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "firmware/base/text.h"
#include "firmware/ports/http_client.h"
#include "firmware/settings/day_window.h"

namespace sluice::settings {

namespace {

using Complaint = std::optional<std::string>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
bool is_name_char(char c) {
  return is_digit(c) || is_small(c) || is_capital(c) || c == '-' || c == '_' || c == '.';
}
bool is_visible(char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; }

Complaint name_complaint(std::string_view text) {
  if (!text.empty() && text.size() <= kNameLengthMax &&
      std::all_of(text.begin(), text.end(), is_name_char)) {
    return std::nullopt;
  }
  return fmt::format("{} is not a name; write 1 to {} of letters, digits, - _ .", quoted(text),
                     kNameLengthMax);
}

Complaint model_name_complaint(std::string_view text) {
  if (!text.empty() && text.size() <= kModelNameLengthMax &&
      std::all_of(text.begin(), text.end(), is_visible)) {
    return std::nullopt;
  }
  return fmt::format("{} is not a model name; write 1 to {} characters without blanks",
                     quoted(text), kModelNameLengthMax);
}

bool is_path(std::string_view text, size_t max) {
  return !text.empty() && text.size() <= max && text.front() == '/' &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
}

Complaint path_complaint(std::string_view text) {
  if (is_path(text, kPathLengthMax)) return std::nullopt;
  return fmt::format("{} is not an absolute path; write one that begins with /", quoted(text));
}

Complaint library_complaint(std::string_view text) {
  if (is_path(text, kPathLengthMax) || !name_complaint(text)) return std::nullopt;
  return fmt::format(
      "{} is no absolute path and no name of a library; write e.g. "
      "libnvidia-ml.so.1",
      quoted(text));
}

Complaint program_complaint(std::string_view text) {
  if (is_path(text, kPathLengthMax) || !name_complaint(text)) return std::nullopt;
  return fmt::format("{} is no absolute path and no name of a program; write e.g. wireguard-go",
                     quoted(text));
}

// The kernel's rule: at most 15 bytes, no slash, no blank; and none that the box makes itself.
Complaint interface_complaint(std::string_view text) {
  const bool fits = !text.empty() && text.size() <= 15 && !name_complaint(text);
  if (fits && !text.starts_with("slw") && text != "lo") return std::nullopt;
  return fmt::format(
      "{} is no interface to the internet; write one that `ip link` shows, e.g. eth0",
      quoted(text));
}

Complaint socket_path_complaint(std::string_view text) {
  if (is_path(text, kSocketPathLengthMax)) return std::nullopt;
  return fmt::format("{} is not an absolute path of at most {} bytes; write a shorter one",
                     quoted(text), kSocketPathLengthMax);
}

Complaint key_file_complaint(std::string_view text) {
  if (is_path(text, kPathLengthMax)) return std::nullopt;
  return "is not an absolute path; put the key into a file that only the service may read and "
         "write the file's path, e.g. /etc/sluice/keys/cloud.key";
}

Complaint env_complaint(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(),
                                 [](char c) { return is_capital(c) || is_digit(c) || c == '_'; });
  if (!text.empty() && text.size() <= kNameLengthMax && plain && !is_digit(text.front())) {
    return std::nullopt;
  }
  return "is not the name of an environment variable; put the key into a variable and write its "
         "name in capitals, e.g. CLOUD_API_KEY";
}

Complaint header_complaint(std::string_view text) {
  static constexpr std::array<std::string_view, 8> kOurs = {
      "host", "content-length", "transfer-encoding", "connection", "accept", "content-type",
      "te",   "upgrade"};
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return is_small(c) || is_digit(c) || c == '-' || c == '_';
  });
  if (!text.empty() && text.size() <= kNameLengthMax && plain &&
      std::find(kOurs.begin(), kOurs.end(), text) == kOurs.end()) {
    return std::nullopt;
  }
  return "is not a header for a key; write authorization-bearer, or a header's name in small "
         "letters, e.g. x-api-key";
}

Complaint url_complaint(std::string_view text) {
  static constexpr std::string_view kWrite =
      "write http://host:port or https://host[:port][/prefix]";
  if (text.find('@') != std::string_view::npos) {
    return "contains '@': a key or password does not belong here; write the URL without it and "
           "name the key's place under credential:";
  }
  if (text.find_first_of("?#") != std::string_view::npos) {
    return fmt::format("has a query or fragment; {}", kWrite);
  }
  if (text.size() > kUrlLengthMax || !ports::parse_origin(text)) {
    return fmt::format("is not a URL of a node; {}", kWrite);
  }
  return std::nullopt;
}

Complaint host_name_complaint(std::string_view text) {
  const std::string_view name = text.starts_with("*.") ? text.substr(2) : text;
  const bool plain = std::all_of(name.begin(), name.end(), is_name_char);
  if (text == "*" || (!name.empty() && name.size() <= kHostNameLengthMax && plain &&
                      name.front() != '.' && name.back() != '.')) {
    return std::nullopt;
  }
  return fmt::format(
      "{} is not a host name; write a name without scheme and port, e.g. "
      "box.example.com or *.example.com",
      quoted(text));
}

Complaint key_path_complaint(std::string_view text) {
  if (!text.empty() && text.size() <= kPathLengthMax && text.front() != '.' && text.back() != '.' &&
      std::all_of(text.begin(), text.end(), is_visible)) {
    return std::nullopt;
  }
  return fmt::format(
      "{} is not a key; write a key of these settings or its beginning, e.g. "
      "valve.overflow or nodes",
      quoted(text));
}

Complaint day_window_complaint(std::string_view text) {
  if (parse_day_window(text)) return std::nullopt;
  return fmt::format("{} is not a time of day; write HH:MM-HH:MM in UTC, e.g. 17:00-21:00",
                     quoted(text));
}

// Optimal string alignment distance, small words only.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

struct UnitFactor {
  std::string_view unit;
  double factor;
};

std::optional<int64_t> scaled(std::string_view text, std::span<const UnitFactor> units) {
  size_t digits = 0;
  while (digits < text.size() && (is_digit(text[digits]) || text[digits] == '.')) ++digits;
  const auto amount = to_number(text.substr(0, digits));
  if (!amount || digits > 12) return std::nullopt;
  const std::string_view unit = trim(text.substr(digits));
  for (const UnitFactor& known : units) {
    const double value = *amount * known.factor;
    if (equal_ignoring_case(unit, known.unit) && value < 9e15) return std::llround(value);
  }
  return std::nullopt;
}

bool is_ipv4(std::string_view host) {
  const auto parts = split(host, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           const auto value = to_integer(part);
           return value && part.size() <= 3 && is_digit(part.front()) && *value <= 255;
         });
}

// RFC 4291 2.2, forms 1 and 2 (no embedded IPv4, no zone).
bool is_ipv6(std::string_view host) {
  const size_t gap = host.find("::");
  if (gap != std::string_view::npos && host.find("::", gap + 1) != std::string_view::npos) {
    return false;
  }
  size_t groups = 0;
  const auto count = [&groups](std::string_view side) {
    if (side.empty()) return true;
    for (std::string_view group : split(side, ':')) {
      const bool hex = std::all_of(group.begin(), group.end(), [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      });
      if (group.empty() || group.size() > 4 || !hex) return false;
      ++groups;
    }
    return true;
  };
  if (gap == std::string_view::npos) return count(host) && groups == 8;
  return count(host.substr(0, gap)) && count(host.substr(gap + 2)) && groups <= 7;
}

}  // namespace

const TextRule kNameRule = {"a name: letters, digits, `-` `_` `.`, at most 64",
                            "名称：字母、数字、`-` `_` `.`，最多 64 个", name_complaint};
const TextRule kModelNameRule = {"a model name, no blanks, at most 256",
                                 "模型名，不含空格，最多 256 个字符", model_name_complaint};
const TextRule kPathRule = {"an absolute path", "绝对路径", path_complaint};
const TextRule kLibraryRule = {"an absolute path, or the name of a library", "绝对路径，或库文件名",
                               library_complaint};
const TextRule kProgramRule = {"an absolute path, or the name of a program", "绝对路径，或程序名",
                               program_complaint};
const TextRule kInterfaceRule = {"the name of an interface, e.g. eth0", "接口名，如 eth0",
                                 interface_complaint};
const TextRule kSocketPathRule = {"an absolute path, at most 107 bytes", "绝对路径，最多 107 字节",
                                  socket_path_complaint};
const TextRule kKeyFileRule = {"an absolute path", "绝对路径", key_file_complaint};
const TextRule kEnvRule = {"the name of an environment variable, in capitals", "环境变量名，大写",
                           env_complaint};
const TextRule kHeaderRule = {"`authorization-bearer`, or a header's name in small letters",
                              "`authorization-bearer`，或小写的请求头名", header_complaint};
const TextRule kUrlRule = {"`http://host:port` or `https://host[:port][/prefix]`",
                           "`http://host:port` 或 `https://host[:port][/prefix]`", url_complaint};
const TextRule kHostNameRule = {"a host name, `*.` and a domain, or `*`",
                                "主机名、`*.` 加域名，或 `*`", host_name_complaint};
const TextRule kDayWindowRule = {"`HH:MM-HH:MM`, in UTC", "`HH:MM-HH:MM`，UTC",
                                 day_window_complaint};
const TextRule kKeyPathRule = {"a key, or the beginning of one", "键，或键的开头",
                               key_path_complaint};

std::string quoted(std::string_view text) {
  constexpr size_t kShownMax = 60;
  std::string out = "\"";
  for (char c : text.substr(0, kShownMax)) {
    out += static_cast<unsigned char>(c) < ' ' || c == 0x7f ? '?' : c;
  }
  return out + (text.size() > kShownMax ? "...\"" : "\"");
}

std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& known) {
  if (word.size() > kNameLengthMax) return std::nullopt;
  const std::string small = lower(word);
  std::optional<std::string_view> best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (std::string_view candidate : known) {
    const size_t changes = distance(small, candidate);
    const bool unit_forgotten =
        candidate.size() > small.size() + 1 && candidate.substr(0, small.size() + 1) == small + "_";
    const size_t cost = unit_forgotten ? 0 : changes;
    if (cost < best_distance && (unit_forgotten || changes < candidate.size())) {
      best = candidate;
      best_distance = cost;
    }
  }
  return best;
}

std::optional<int64_t> meant_milliseconds(std::string_view text) {
  static constexpr std::array<UnitFactor, 9> kUnits = {{{"ms", 1},
                                                        {"s", 1000},
                                                        {"sec", 1000},
                                                        {"seconds", 1000},
                                                        {"m", 60000},
                                                        {"min", 60000},
                                                        {"minutes", 60000},
                                                        {"h", 3600000},
                                                        {"hours", 3600000}}};
  return scaled(text, kUnits);
}

std::optional<int64_t> meant_bytes(std::string_view text) {
  static constexpr std::array<UnitFactor, 10> kUnits = {{{"b", 1},
                                                         {"k", 1024},
                                                         {"kb", 1024},
                                                         {"kib", 1024},
                                                         {"m", 1048576},
                                                         {"mb", 1048576},
                                                         {"mib", 1048576},
                                                         {"g", 1073741824},
                                                         {"gb", 1073741824},
                                                         {"gib", 1073741824}}};
  return scaled(text, kUnits);
}

std::optional<ports::Address> parse_listen_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const auto port = to_integer(digits);
  if (!port || !is_digit(digits.front()) || *port > 65535) return std::nullopt;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (!is_ipv6(host)) return std::nullopt;
  } else if (!is_ipv4(host)) {
    return std::nullopt;
  }
  return ports::Address{std::string(host), static_cast<uint16_t>(*port), ""};
}

bool is_loopback(const ports::Address& address) {
  return address.host == "::1" || (is_ipv4(address.host) && address.host.substr(0, 4) == "127.");
}

bool is_any_address(const ports::Address& address) {
  return address.host == "0.0.0.0" || address.host == "::";
}

}  // namespace sluice::settings
