// The lines of a journal file. Fields are separated by tabs; texts are escaped, so that a line
// has no other tab or line break:
//
//   sluice-attempts 1 CNY                                        the head: version and currency
//   S id request key model endpoint node place number at_us prompt_estimate price_in price_out
//     price_cached
//   E id outcome status in out cached out_counted first_byte_us total_us     in, out, cached: - if
//                                                                            not reported
// Ids are hexadecimal, the other numbers decimal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "firmware/meter/attempt.h"

namespace sluice::meter {

inline constexpr size_t kLineTextMax = 256;  // bytes of one text field, before escaping

struct JournalStart {
  AttemptStart attempt;
};
struct JournalEnd {
  uint64_t id = 0;
  AttemptEnd end;
};
using JournalLine = std::variant<JournalStart, JournalEnd>;

// Each with its line break.
std::string journal_head(Currency currency);
std::string journal_line(const AttemptStart& attempt);  // texts of at most kLineTextMax bytes
std::string journal_line(uint64_t id, const AttemptEnd& end);

// Nothing: not a line of this version. `line` has no line break.
std::optional<Currency> read_journal_head(std::string_view line);
std::optional<JournalLine> read_journal_line(std::string_view line);

}  // namespace sluice::meter
