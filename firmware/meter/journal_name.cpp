#include "firmware/meter/journal_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "firmware/base/text.h"

namespace sluice::meter {

namespace {

constexpr std::string_view kPrefix = "attempts-";
constexpr std::array<std::pair<std::string_view, NameKind>, 3> kSuffixes = {{
    {".journal", NameKind::journal},
    {".broken", NameKind::broken},
    {".lock", NameKind::lock},
}};

std::string_view suffix_of(NameKind kind) {
  for (const auto& [suffix, its_kind] : kSuffixes) {
    if (its_kind == kind) return suffix;
  }
  return {};
}

// As written by us: no sign, no zero in front.
std::optional<int64_t> number(std::string_view text, int64_t least, int64_t most) {
  const std::optional<int64_t> value = to_integer(text);
  if (!value || *value < least || *value > most || std::to_string(*value) != text) {
    return std::nullopt;
  }
  return value;
}

std::optional<JournalName> read_numbers(std::string_view text, NameKind kind) {
  if (kind == NameKind::lock) {
    const auto writer = number(text, 0, kWriterMax);
    if (!writer) return std::nullopt;
    return JournalName{kind, *writer, 0};
  }
  const size_t dash = text.find('-');
  const bool has_writer = dash != std::string_view::npos;
  const auto writer = has_writer ? number(text.substr(0, dash), 1, kWriterMax) : 0;
  const auto serial = number(has_writer ? text.substr(dash + 1) : text, 1, kSerialMax);
  if (!writer || !serial) return std::nullopt;
  return JournalName{kind, *writer, file_number(*writer, *serial)};
}

}  // namespace

std::string journal_name(FileNumber file, NameKind kind) {
  const int64_t writer = writer_of(file);
  const std::string number = std::to_string(file & kSerialMax);
  return fmt::format("{}{}{}{}", kPrefix, writer == 0 ? "" : std::to_string(writer) + "-", number,
                     suffix_of(kind));
}

std::string lock_name(int64_t writer) {
  return fmt::format("{}{}{}", kPrefix, writer, suffix_of(NameKind::lock));
}

std::optional<JournalName> read_journal_name(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  for (const auto& [suffix, kind] : kSuffixes) {
    if (!name.ends_with(suffix)) continue;
    return read_numbers(name.substr(0, name.size() - suffix.size()), kind);
  }
  return std::nullopt;
}

int64_t next_writer(const std::vector<std::string>& names) {
  int64_t greatest = 0;
  for (const std::string& name : names) {
    const auto read = read_journal_name(name);
    if (read) greatest = std::max(greatest, read->writer);
  }
  return greatest + 1;
}

}  // namespace sluice::meter
