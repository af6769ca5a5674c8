#include "firmware/box/shadow_text.h"

#include <fmt/format.h>

namespace sluice::box {

using ports::JsonValue;

namespace {

double percent_of(int64_t part, int64_t all) {
  return all == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(all);
}

std::string side_text(const char* name, const JsonValue* side, std::string_view currency) {
  if (side == nullptr) return "";
  const int64_t sent = side->integer("sent");
  return fmt::format(
      "  {:<9} sends {}, {:.1f} % of them to the cloud for {:.4f} {};\n"
      "            {:.2f} % keep their service level, first token after {} ms\n",
      name, sent, percent_of(side->integer("cloud"), sent), side->number("cost"), currency,
      percent_of(side->integer("kept"), sent), side->integer("ttft_ms_mean"));
}

}  // namespace

std::string shadow_line(const JsonValue& shadow) {
  if (!shadow.boolean("on")) return "";
  const int64_t decisions = shadow.integer("decisions");
  const int64_t differ = shadow.integer("differ");
  return fmt::format("shadow {}: {} of {} decisions ({:.1f} %) would be others\n",
                     shadow.text("name"), differ, decisions, percent_of(differ, decisions));
}

std::string shadow_text(const JsonValue& shadow) {
  if (!shadow.boolean("on")) {
    return "no second rule decides along; name one in the setting valve.shadow\n";
  }
  std::string text = shadow_line(shadow);
  text += fmt::format(
      "  {} to the cloud instead of home, {} home instead of to the cloud,\n"
      "  {} to another node of the same place, {} wait or are refused by one of the two\n",
      shadow.integer("to_cloud"), shadow.integer("to_home"), shadow.integer("other_node"),
      shadow.integer("other_verdict"));
  text += side_text("in force", shadow.find("first"), shadow.text("currency"));
  text += side_text("shadow", shadow.find("second"), shadow.text("currency"));
  if (shadow.integer("passed_over") > 0) {
    text += fmt::format("  {} decisions were not compared: too many at a time\n",
                        shadow.integer("passed_over"));
  }
  return text +
         "  Predicted, each request in the world that the rule in force has made: a shadow\n"
         "  does not fill the queues that it would have filled.\n";
}

}  // namespace sluice::box
