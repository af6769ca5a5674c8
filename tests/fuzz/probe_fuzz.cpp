// A probe datagram from anybody: what is not authentic is nothing, and what is authentic is written
// again as it was read. The detector takes any answer, in any order, without losing its bounds.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "firmware/base/check.h"
#include "firmware/ports/crypto.h"
#include "firmware/tunnel/path_health.h"
#include "firmware/tunnel/probe_packet.h"

using namespace sluice;
using namespace sluice::tunnel;

namespace {

constexpr size_t kHashBytes = 16;
const std::string kKey(kProbeKeyBytes, '\x42');

// The same bytes as whoever has the key would send them.
std::string sealed(std::string_view bytes) {
  const std::string content(bytes.substr(0, bytes.size() - kHashBytes));
  return content + ports::keyed_hash(kKey, content);
}

void read_and_write(std::string_view bytes) {
  const Result<ProbePacket> packet = decode_probe(bytes, kKey);
  if (!packet) {
    ENSURE(packet.error().kind == ErrorKind::broken);
    return;
  }
  ENSURE(probe_box(bytes) == packet->box);
  const std::string again = encode_probe(*packet, bytes.size(), kKey);
  ENSURE(again.size() == bytes.size());
  const Result<ProbePacket> second = decode_probe(again, kKey);
  ENSURE(second && *second == *packet);
}

// Each byte is an event: time passes, an answer comes with a count of its own, the underlay moves.
void detect(std::string_view bytes) {
  PathHealth health{PathSettings()};
  Instant now = Instant::from_us(1'000'000'000);
  health.bring_up(now);
  uint64_t asked = 0;
  int answered = 0;
  for (size_t at = 0; at + 1 < bytes.size(); at += 2) {
    const auto what = static_cast<uint8_t>(bytes[at]);
    const auto value = static_cast<uint8_t>(bytes[at + 1]);
    const uint64_t sequence = asked > value ? asked - value : value;
    if (what < 160) now = now + Duration::ms(what);
    if (what >= 160 && what < 240) {
      const bool taken =
          health.answer(now, TrafficClass::interactive, sequence, what * value).has_value();
      ENSURE(!taken || sequence <= asked);
      answered += taken ? 1 : 0;
      ENSURE(!health.answer(now, TrafficClass::interactive, sequence, what));
    }
    if (what == 240) health.lose(now, DeathCause::carrier_lost);
    if (what == 241) health.regain(now);
    if (what == 242) health.move_endpoint(now);
    if (what == 243) health.take_down(now, "asked");
    if (what == 244) {
      health.bring_up(now);
      asked = 0;
      answered = 0;
    }
    if (what == 245) asked = health.ask_size(now, health.size_wait(now));
    PathHealth::Next next = health.next(now);
    for (int turns = 0; next.ask || next.ask_bulk; next = health.next(now)) {
      ENSURE(++turns < 64);
      if (next.ask) asked = health.ask(now);
      if (next.ask_bulk) health.ask_bulk(now);
    }
    ENSURE(!next.wake || *next.wake > now);
    ENSURE(answered <= static_cast<int>(asked));
    PathView view;
    health.fill(view, now);
    for (const double loss :
         {view.quality.loss_out, view.quality.loss_back, view.quality.loss_long}) {
      ENSURE(loss >= 0 && loss <= 1);
    }
    ENSURE(view.quality.probes <= static_cast<int>(ProbeTrack::kKeptMax));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  read_and_write(text);
  if (size >= kHashBytes) read_and_write(sealed(text));
  detect(text);
  return 0;
}
