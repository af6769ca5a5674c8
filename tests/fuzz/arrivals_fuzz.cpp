// Any trace file: what was read is in order, within its bounds, and reads again as columns.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "firmware/base/check.h"
#include "firmware/rehearse/arrivals.h"
#include "firmware/rehearse/journal_arrivals.h"

using namespace sluice;

namespace {

void check_trace(const rehearse::Trace& trace) {
  std::string columns = "t_s,client,input_tokens,output_tokens\n";
  int64_t last = 0;
  for (const rehearse::Arrival& arrival : trace) {
    ENSURE(arrival.at_us >= last);
    last = arrival.at_us;
    ENSURE(arrival.prompt_tokens >= 1 && arrival.prompt_tokens <= rehearse::kArrivalTokensMax);
    ENSURE(arrival.output_tokens >= 1 && arrival.output_tokens <= rehearse::kArrivalTokensMax);
    columns += "0," + std::to_string(arrival.client) + "," + std::to_string(arrival.prompt_tokens) +
               "," + std::to_string(arrival.output_tokens) + "\n";
  }
  ENSURE(trace.empty() || trace.front().at_us == 0);
  const auto again = rehearse::parse_trace(columns);
  ENSURE(again.has_value() && again->size() == trace.size());
  const rehearse::WorkLaw law{0.01, 0.0002, 4e-8, 0.0004};
  ENSURE(rehearse::offered_load(trace, law) >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (rehearse::is_journal(text)) {
    const auto read = rehearse::trace_of_journal(text, {}, Tokens{256});
    if (read) check_trace(read->trace);
    return 0;
  }
  const auto read = rehearse::parse_trace(text);
  if (read) {
    check_trace(*read);
  } else {
    ENSURE(read.error().text.starts_with("line "));
    ENSURE(read.error().text.size() < 600);
  }
  return 0;
}
