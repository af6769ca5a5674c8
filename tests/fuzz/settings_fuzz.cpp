// Any text is either Settings that load again from their own print-out, or a complaint.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "firmware/base/check.h"
#include "firmware/settings/exposure.h"
#include "firmware/settings/load.h"
#include "firmware/settings/print.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto settings = sluice::settings::load_text(text, "fuzz.yaml");
  if (!settings) {
    ENSURE(!settings.error().text.empty());
    return 0;
  }
  ENSURE(!sluice::settings::describe_exposure(*settings).empty());
  const auto again =
      sluice::settings::load_text(sluice::settings::print_settings(*settings), "printed.yaml");
  ENSURE(again.has_value());
  ENSURE(*again == *settings);
  return 0;
}
