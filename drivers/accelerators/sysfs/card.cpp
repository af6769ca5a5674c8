#include "drivers/accelerators/sysfs/card.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace sluice::drivers {

using ports::AcceleratorReading;
using ports::AcceleratorValue;

namespace {

constexpr double kTemperatureMin = -50;  // degrees Celsius; beyond them the sensor is broken
constexpr double kTemperatureMax = 200;
constexpr double kPowerMax = 100000;  // W

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

AcceleratorValue absent(std::string why) { return {std::nullopt, std::move(why)}; }

std::string error_text(int error) {
  if (error == EPERM) return "the card is asleep or being reset";
  if (error == EACCES) return "the service may not read it";
  if (error == ENOENT) return "the driver does not tell it";
  return std::strerror(error);
}

const CardFile* find(const CardFiles& files, std::string_view name) {
  const auto file = files.find(name);
  return file == files.end() ? nullptr : &file->second;
}

// A whole number times `scale`, within the bounds.
AcceleratorValue value_of(const CardFiles& files, std::string_view name, double scale, double least,
                          double most) {
  const CardFile* file = find(files, name);
  if (file == nullptr) return absent(fmt::format("{}: {}", name, error_text(ENOENT)));
  if (file->error != 0) return absent(fmt::format("{}: {}", name, error_text(file->error)));
  const std::string_view text = first_line(file->text);
  int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) {
    return absent(fmt::format("{} is not a number", name));
  }
  const double value = static_cast<double>(number) * scale;
  if (value < least || value > most) return absent(fmt::format("{} told {}", name, number));
  return {value, std::string(name)};
}

// The second one where the driver knows no such file; a file that cannot be read now says why.
AcceleratorValue file_or(const CardFiles& files, std::string_view name, double scale, double most,
                         AcceleratorValue second) {
  const CardFile* file = find(files, name);
  if (file == nullptr || file->error == ENOENT) return second;
  AcceleratorValue first = value_of(files, name, scale, 0, most);
  return first.value || !second.value ? std::move(first) : std::move(second);
}

AcceleratorValue of_users(const std::optional<double>& value, const CardUse& use,
                          std::string_view without) {
  if (!use.why_not.empty()) return absent(use.why_not);
  if (!value) return absent(std::string(without));
  return {value, "fdinfo of its users", true};
}

// A card that is there but does not answer: not what is merely unknown to its driver.
std::string trouble_of(const CardFiles& files) {
  for (const auto& [name, file] : files) {
    if (file.error == EIO || file.error == ENODEV || file.error == ENXIO) {
      return fmt::format("{}: {}", name, std::strerror(file.error));
    }
  }
  return "";
}

std::string model_of(const Card& card, const CardFiles& files) {
  const CardFile* product = find(files, "product_name");
  if (product != nullptr && product->error == 0 && !first_line(product->text).empty()) {
    return std::string(first_line(product->text));
  }
  return fmt::format("{} {}", card.driver, card.model);
}

}  // namespace

std::optional<Card> parse_uevent(std::string_view text) {
  Card card;
  while (!text.empty()) {
    const std::string_view line = first_line(text);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals);
    const std::string_view value = line.substr(equals + 1);
    if (key == "DRIVER") card.driver = value;
    if (key == "PCI_SLOT_NAME") card.address = value;
    if (key == "PCI_ID") card.model = value;
  }
  const bool known = card.driver == "amdgpu" || card.driver == "i915" || card.driver == "xe";
  if (!known || card.address.empty()) return std::nullopt;
  return card;
}

bool needs_users(const CardFiles& files) {
  for (const char* name : {"gpu_busy_percent", "mem_info_vram_used"}) {
    const CardFile* file = find(files, name);
    if (file == nullptr || file->error == ENOENT) return true;
  }
  return false;
}

AcceleratorReading read_card(const Card& card, const CardFiles& files, const CardUse& use) {
  constexpr double kNoBound = 1e18;
  AcceleratorReading reading;
  reading.id = card.address;
  reading.name = model_of(card, files);
  reading.vendor = card.driver == "amdgpu" ? "amd" : "intel";
  reading.busy = file_or(files, "gpu_busy_percent", 0.01, 1,
                         of_users(use.use.busy, use, "none of its users tells it yet"));
  reading.memory_used_bytes =
      file_or(files, "mem_info_vram_used", 1, kNoBound,
              of_users(use.use.local_bytes, use, "none of its users tells it"));
  reading.memory_total_bytes = value_of(files, "mem_info_vram_total", 1, 1, kNoBound);
  reading.power_w = file_or(files, "hwmon/power1_average", 1e-6, kPowerMax,
                            value_of(files, "hwmon/power1_input", 1e-6, 0, kPowerMax));
  reading.temperature_c =
      value_of(files, "hwmon/temp1_input", 1e-3, kTemperatureMin, kTemperatureMax);
  reading.trouble = trouble_of(files);
  reading.health = absent("the kernel does not tell it");
  if (!reading.trouble.empty()) reading.health = {0.0, "it does not answer", true};
  return reading;
}

}  // namespace sluice::drivers
