#include "firmware/rehearse/journal_arrivals.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "firmware/valve/journal.h"

namespace sluice::rehearse {

namespace {

constexpr std::string_view kAnyJournal = "sluice decisions ";

// What a journal tells of a request, as far as an arrival needs it.
struct Heard {
  uint64_t id = 0;
  int64_t output_max = 0;
  Arrival arrival;
};

class Listener {
 public:
  void hear(const valve::Ask& ask) {
    if (!seen_.insert(ask.id).second) return;
    Heard one;
    one.id = ask.id;
    one.output_max = ask.output_tokens_max.count;
    one.arrival.at_us = ask.arrived.as_us();
    one.arrival.prompt_tokens = std::clamp<int64_t>(ask.prompt_tokens.count, 1, kArrivalTokensMax);
    const auto client = clients_.emplace(ask.key, static_cast<uint32_t>(clients_.size()));
    one.arrival.client = client.first->second;
    heard.push_back(std::move(one));
  }
  std::vector<Heard> heard;

 private:
  std::set<uint64_t> seen_;
  std::map<std::string, uint32_t> clients_;  // by key
};

int64_t mean_answer(const std::vector<Heard>& heard, const KnownAnswers& answers, int64_t usual) {
  double sum = 0;
  double count = 0;
  for (const Heard& one : heard) {
    const auto known = answers.find(one.id);
    if (known == answers.end()) continue;
    sum += static_cast<double>(known->second);
    ++count;
  }
  return count == 0 ? usual : static_cast<int64_t>(sum / count);
}

}  // namespace

bool is_journal(std::string_view text) { return text.starts_with(kAnyJournal); }

Result<JournalTrace> trace_of_journal(std::string_view text, const KnownAnswers& answers,
                                      Tokens usual) {
  valve::JournalReader reader;
  Listener listener;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    const Result<std::optional<valve::Decision>> read = reader.read(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (!read) {
      return Error{ErrorKind::broken, "trace",
                   "line " + std::to_string(number) + ": " + read.error().text +
                       "; give a journal that this version wrote"};
    }
    if (read->has_value()) listener.hear((*read)->ask);
    if (listener.heard.size() > kArrivalsMax) {
      return Error{ErrorKind::refused, "trace",
                   "more requests than can be played; cut the journal"};
    }
  }
  JournalTrace made;
  const int64_t mean = mean_answer(listener.heard, answers, usual.count);
  for (Heard& one : listener.heard) {
    const auto known = answers.find(one.id);
    int64_t output = known == answers.end() ? mean : known->second;
    if (known != answers.end()) {
      ++made.answers_known;
    } else if (one.output_max > 0) {
      output = std::min(output, one.output_max);
    }
    one.arrival.output_tokens = std::clamp<int64_t>(output, 1, kArrivalTokensMax);
    made.trace.push_back(std::move(one.arrival));
  }
  in_order_from_zero(made.trace);
  return made;
}

}  // namespace sluice::rehearse
