#include "drivers/accelerators/sysfs/fdinfo.h"

#include <algorithm>
#include <charconv>

namespace sluice::drivers {

namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool take_prefix(std::string_view& key, std::string_view prefix) {
  if (key.substr(0, prefix.size()) != prefix || key.size() == prefix.size()) return false;
  key.remove_prefix(prefix.size());
  return true;
}

// "120033411 ns", "24 KiB", "7": the number, and what follows it.
std::optional<uint64_t> number(std::string_view text, std::string_view& unit) {
  uint64_t value = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc()) return std::nullopt;
  unit = trimmed(text.substr(static_cast<size_t>(end - text.data())));
  return value;
}

std::optional<uint64_t> plain(std::string_view text, std::string_view wanted_unit) {
  std::string_view unit;
  const std::optional<uint64_t> value = number(text, unit);
  return unit == wanted_unit ? value : std::nullopt;
}

std::optional<double> bytes(std::string_view text) {
  std::string_view unit;
  const std::optional<uint64_t> value = number(text, unit);
  if (!value) return std::nullopt;
  const auto count = static_cast<double>(*value);
  if (unit.empty()) return count;
  if (unit == "KiB") return count * 1024;
  if (unit == "MiB") return count * 1024 * 1024;
  if (unit == "GiB") return count * 1024 * 1024 * 1024;
  return std::nullopt;
}

bool is_local(std::string_view region) {
  return region.substr(0, 4) == "vram" || region.substr(0, 5) == "local";
}

// One region is told in several ways; what is in the memory now is preferred to what was asked for.
struct Region {
  std::optional<double> resident;
  std::optional<double> memory;
  std::optional<double> total;
  std::optional<double> best() const {
    if (resident) return resident;
    return memory ? memory : total;
  }
};

class FdinfoReader {
 public:
  void line(std::string_view key, std::string_view value);
  std::optional<DrmClient> take();

 private:
  DrmEngine* engine(std::string_view name);
  Region* region(std::string_view name);

  DrmClient client_;
  std::map<std::string, Region, std::less<>> regions_;
};

DrmEngine* FdinfoReader::engine(std::string_view name) {
  std::string key(name);
  const bool is_new = client_.engines.count(key) == 0;
  if (is_new && client_.engines.size() >= kDrmEnginesMax) return nullptr;
  return &client_.engines[std::move(key)];
}

Region* FdinfoReader::region(std::string_view name) {
  if (!is_local(name)) return nullptr;
  const bool is_new = regions_.find(name) == regions_.end();
  if (is_new && regions_.size() >= kDrmRegionsMax) return nullptr;
  return &regions_[std::string(name)];
}

void FdinfoReader::line(std::string_view key, std::string_view value) {
  if (key == "drm-driver") {
    client_.driver = value;
  } else if (key == "drm-pdev") {
    client_.device = value;
  } else if (key == "drm-client-id") {
    client_.id = value;
  } else if (take_prefix(key, "drm-engine-capacity-")) {
    const std::optional<uint64_t> count = plain(value, "");
    if (DrmEngine* e = engine(key); e != nullptr && count.value_or(0) > 0) e->capacity = *count;
  } else if (take_prefix(key, "drm-engine-")) {
    if (DrmEngine* e = engine(key); e != nullptr) e->busy_ns = plain(value, "ns");
  } else if (take_prefix(key, "drm-total-cycles-")) {
    if (DrmEngine* e = engine(key); e != nullptr) e->total_cycles = plain(value, "");
  } else if (take_prefix(key, "drm-cycles-")) {
    if (DrmEngine* e = engine(key); e != nullptr) e->cycles = plain(value, "");
  } else if (take_prefix(key, "drm-resident-")) {
    if (Region* r = region(key); r != nullptr) r->resident = bytes(value);
  } else if (take_prefix(key, "drm-memory-")) {
    if (Region* r = region(key); r != nullptr) r->memory = bytes(value);
  } else if (take_prefix(key, "drm-total-")) {
    if (Region* r = region(key); r != nullptr) r->total = bytes(value);
  }
}

std::optional<DrmClient> FdinfoReader::take() {
  if (client_.device.empty() || client_.id.empty()) return std::nullopt;
  for (const auto& [name, region] : regions_) {
    const std::optional<double> held = region.best();
    if (held) client_.local_bytes = client_.local_bytes.value_or(0) + *held;
  }
  return std::move(client_);
}

// Of one client, between two looks at it: by kind of engine, 1 = all engines of that kind.
double share_of(const DrmEngine& before, const DrmEngine& after, int64_t elapsed_ns) {
  const auto step = [](const std::optional<uint64_t>& from, const std::optional<uint64_t>& to) {
    return from && to && *to > *from ? static_cast<double>(*to - *from) : 0.0;
  };
  const auto capacity = static_cast<double>(after.capacity);
  const double passed = step(before.total_cycles, after.total_cycles);
  if (passed > 0) return std::min(1.0, step(before.cycles, after.cycles) / passed / capacity);
  const double ns = step(before.busy_ns, after.busy_ns);
  return std::min(1.0, ns / static_cast<double>(elapsed_ns) / capacity);
}

}  // namespace

std::optional<DrmClient> parse_fdinfo(std::string_view text) {
  FdinfoReader reader;
  text = text.substr(0, kFdinfoBytesMax);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    reader.line(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
  }
  return reader.take();
}

std::map<std::string, DrmUse> use_between(const DrmClients& before, const DrmClients& after,
                                          int64_t elapsed_ns) {
  std::map<std::string, std::map<std::string, double>> shares;  // by device and kind of engine
  std::map<std::string, DrmUse> uses;
  for (const auto& [key, client] : after) {
    DrmUse& use = uses[client.device];
    if (client.local_bytes) use.local_bytes = use.local_bytes.value_or(0) + *client.local_bytes;
    const auto earlier = before.find(key);
    if (earlier == before.end()) continue;
    for (const auto& [kind, engine] : client.engines) {
      const auto same = earlier->second.engines.find(kind);
      if (same == earlier->second.engines.end()) continue;
      shares[client.device][kind] += share_of(same->second, engine, elapsed_ns);
    }
  }
  if (elapsed_ns <= 0) return uses;
  for (const auto& [device, kinds] : shares) {
    double most = 0;
    for (const auto& [kind, share] : kinds) most = std::max(most, share);
    uses[device].busy = std::min(1.0, most);
  }
  return uses;
}

}  // namespace sluice::drivers
