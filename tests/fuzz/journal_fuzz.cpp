// Any file of decisions: read line by line, what was accepted is written and read back alike.
#include <cstddef>
#include <cstdint>
#include <string>

#include "firmware/base/check.h"
#include "firmware/base/text.h"
#include "firmware/valve/journal.h"
#include "firmware/valve/words.h"

using namespace sluice;

namespace {

void check_decision(const valve::Decision& decision) {
  valve::JournalReader again;
  ENSURE(again.read(valve::policy_line(decision.policy)).has_value());
  const std::string line = valve::decision_line(decision, valve::policy_id(decision.policy));
  ENSURE(line.find('\n') == line.size() - 1);
  if (line.size() > valve::kJournalLineMax) return;
  const auto read = again.read(line);
  ENSURE(read.has_value() && read->has_value());
  ENSURE(valve::decision_line(**read, valve::policy_id(decision.policy)) == line);
  for (const valve::NodeView& node : decision.view.nodes) ENSURE(node.id.index < valve::kNodesMax);
  ENSURE(!valve::explain(decision.view, decision.plan, valve::Language::en).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  valve::JournalReader reader;
  for (const std::string_view line : split(text, '\n')) {
    const auto read = reader.read(line);
    if (!read) {
      ENSURE(!read.error().text.empty());
    } else if (read->has_value()) {
      check_decision(**read);
    }
  }
  return 0;
}
