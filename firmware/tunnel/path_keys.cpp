#include "firmware/tunnel/path_keys.h"

#include <algorithm>

#include "firmware/base/check.h"
#include "firmware/ports/crypto.h"

namespace sluice::tunnel {

namespace {

constexpr size_t kKeyBytes = 32;

enum class Due { no, yes, long_since };

Due due(const MemberPath& path, const RotationWish& wish, Date now) {
  // Made by a date that was ahead then, or the date is behind now: its age is not known.
  const bool ageless = path.key_made > now;
  const Duration age = now - path.key_made;
  const Duration life = wish.life.is_zero() ? wish.life : std::max(wish.life, kKeyLifeLeast);
  const bool asked = wish.asked && (ageless || path.key_made < *wish.asked);
  const bool ahead = wish.date_is_certain && Duration() - age >= kKeyLifeLeast;
  const bool old = !life.is_zero() && (age >= life || ahead);
  if (!asked && !old) return Due::no;
  const bool waited = asked && now - *wish.asked >= kAskedWait;
  const bool very_old = waited || (!life.is_zero() && age >= life * 2);
  return very_old ? Due::long_since : Due::yes;
}

bool is_good(const std::vector<PathView>& views, int number) {
  return std::any_of(views.begin(), views.end(), [&](const PathView& view) {
    return view.number == number && view.state == PathState::good;
  });
}

bool another_good(const std::vector<PathView>& views, int number) {
  return std::any_of(views.begin(), views.end(), [number](const PathView& view) {
    return view.state == PathState::good && view.number != number;
  });
}

}  // namespace

ports::WgSecret make_private_key(ports::Secrets& secrets) {
  std::string random = secrets.bytes(kKeyBytes);
  ENSURE(random.size() == kKeyBytes);
  ports::WgKey key{};
  std::copy(random.begin(), random.end(), key.begin());
  key[0] &= 248;
  key[31] = static_cast<uint8_t>((key[31] & 127) | 64);
  const ports::WgSecret out(key);
  // volatile: stores that nobody reads would be left out.
  for (volatile char& byte : random) byte = 0;
  for (volatile uint8_t& byte : key) byte = 0;
  return out;
}

ports::WgKey public_key_of(const ports::WgSecret& private_key) {
  const auto& bytes = private_key.reveal();
  const std::string made = ports::x25519_public(
      std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  ENSURE(made.size() == kKeyBytes);
  ports::WgKey out{};
  std::copy(made.begin(), made.end(), out.begin());
  return out;
}

std::string make_id(ports::Secrets& secrets) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char byte : secrets.bytes(8)) {
    out += kDigits[static_cast<uint8_t>(byte) >> 4];
    out += kDigits[static_cast<uint8_t>(byte) & 15];
  }
  return out;
}

std::optional<Rotation> rotation_due(const Membership& membership,
                                     const std::vector<PathView>& views,
                                     const std::vector<int>& active, const RotationWish& wish,
                                     Date now) {
  if (membership.imported()) return {};  // whose PoP nobody can tell of another key
  for (const MemberPath& path : membership.paths) {
    if (path.next) return Rotation{path.name, false};
  }
  const auto is_active = [&](const MemberPath& path) {
    return std::find(active.begin(), active.end(), path.number) != active.end();
  };
  const MemberPath* best = nullptr;
  for (const MemberPath& path : membership.paths) {
    const Due state = path.lane ? due(path, wish, now) : Due::no;
    if (state == Due::no) continue;
    const bool only_one =
        is_active(path) && is_good(views, path.number) && !another_good(views, path.number);
    if (only_one && state != Due::long_since) continue;
    const auto order = [&](const MemberPath& one) {
      return std::make_pair(is_active(one), one.key_made);
    };
    if (best == nullptr || order(path) < order(*best)) best = &path;
  }
  if (best == nullptr) return {};
  return Rotation{best->name, is_active(*best) && another_good(views, best->number)};
}

void begin_rotation(MemberPath& path, ports::Secrets& secrets) {
  if (!path.next) path.next = make_private_key(secrets);
}

void finish_rotation(MemberPath& path, const Lane& lane, Date now) {
  if (path.next) {
    path.private_key = *path.next;
    path.next.reset();
    path.key_made = now;
  }
  path.lane = lane;
}

}  // namespace sluice::tunnel
