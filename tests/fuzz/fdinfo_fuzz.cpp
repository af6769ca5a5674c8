// Files of /proc/<pid>/fdinfo: bounds hold, and use stays a share whatever two looks said.
#include "drivers/accelerators/sysfs/fdinfo.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "firmware/base/check.h"

namespace {

using sluice::drivers::DrmClient;
using sluice::drivers::DrmClients;

constexpr int64_t kElapsedNs = 1'000'000'000;

void add(DrmClients& clients, const std::optional<DrmClient>& client) {
  if (!client) return;
  ENSURE(!client->device.empty() && !client->id.empty());
  ENSURE(client->engines.size() <= sluice::drivers::kDrmEnginesMax);
  ENSURE(!client->local_bytes || *client->local_bytes >= 0);
  for (const auto& [name, engine] : client->engines) ENSURE(engine.capacity >= 1);
  clients.emplace(std::pair(client->device, client->id), *client);
}

}  // namespace

// The first half is the look before, the second the look after.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  DrmClients before;
  DrmClients after;
  add(before, sluice::drivers::parse_fdinfo(text.substr(0, size / 2)));
  add(after, sluice::drivers::parse_fdinfo(text.substr(size / 2)));
  add(after, sluice::drivers::parse_fdinfo(text));
  for (const DrmClients* earlier : {&before, &after}) {
    for (const auto& [device, use] : use_between(*earlier, after, kElapsedNs)) {
      ENSURE(!use.busy || (*use.busy >= 0 && *use.busy <= 1));
      ENSURE(!use.local_bytes || *use.local_bytes >= 0);
    }
  }
  return 0;
}
