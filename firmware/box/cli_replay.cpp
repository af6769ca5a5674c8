#include <fmt/format.h>

#include "drivers/os/files.h"
#include "firmware/box/cli.h"
#include "firmware/valve/journal.h"
#include "firmware/valve/rules/rules.h"
#include "firmware/valve/words.h"

namespace sluice::box {

namespace {

constexpr Bytes kJournalFileMax{2ll * 1024 * 1024 * 1024};

struct Tally {
  int64_t decisions = 0;
  int64_t same = 0;
  int64_t unreadable = 0;
};

void compare(const valve::Decision& recorded, const std::string& where, bool quiet, Tally& tally) {
  ++tally.decisions;
  const valve::Plan again =
      valve::decide_by_rule(recorded.ask, recorded.view, recorded.policy, recorded.draw);
  if (again == recorded.plan) {
    ++tally.same;
    return;
  }
  if (quiet) return;
  say(fmt::format("{}: differs\n  then: {}\n  now:  {}\n", where,
                  valve::explain(recorded.view, recorded.plan, valve::Language::en),
                  valve::explain(recorded.view, again, valve::Language::en)));
}

Result<void> replay_file(const std::string& path, bool quiet, Tally& tally) {
  drivers::OsFiles files;
  const Result<std::string> text = files.read(path, kJournalFileMax);
  if (!text) return text.error();
  valve::JournalReader reader;
  std::string_view rest = *text;
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = rest.find('\n');
    // A line without its end was being written when the daemon ended.
    if (end == std::string_view::npos) break;
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const std::string where = fmt::format("{}:{}", path, number);
    const Result<std::optional<valve::Decision>> read = reader.read(line);
    if (!read) {
      ++tally.unreadable;
      say(fmt::format("{}: {}\n", where, read.error().text));
      continue;
    }
    if (read->has_value()) compare(**read, where, quiet, tally);
  }
  return {};
}

}  // namespace

int replay(const Options& options) {
  Tally tally;
  for (const std::string& path : options.journals) {
    if (Result<void> read = replay_file(path, options.quiet, tally); !read) {
      return complain(read.error());
    }
  }
  say(fmt::format("{} of {} decisions replay to the same plan; {} lines unreadable\n", tally.same,
                  tally.decisions, tally.unreadable));
  return tally.same == tally.decisions && tally.unreadable == 0 ? 0 : 1;
}

}  // namespace sluice::box
