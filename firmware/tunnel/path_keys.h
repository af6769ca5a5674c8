// Key pairs of the paths: made on the box, never leave it; and when they are made anew.
#pragma once

#include <optional>
#include <vector>

#include "firmware/base/time.h"
#include "firmware/ports/random.h"
#include "firmware/ports/wireguard.h"
#include "firmware/tunnel/membership.h"
#include "firmware/tunnel/path_view.h"

namespace sluice::tunnel {

inline constexpr Duration kKeyLife = Duration::seconds(30 * 86400);
inline constexpr Duration kKeyLifeLeast = Duration::seconds(3600);
inline constexpr Duration kAskedWait = Duration::seconds(60);

// X25519, RFC 7748: 32 random bytes, clamped.
ports::WgSecret make_private_key(ports::Secrets& secrets);
ports::WgKey public_key_of(const ports::WgSecret& private_key);
// 16 hexadecimal digits: an instance.
std::string make_id(ports::Secrets& secrets);

struct RotationWish {
  Duration life = kKeyLife;      // zero: never by schedule
  std::optional<Date> asked;     // on demand: every key that is older than this
  bool date_is_certain = false;  // a PoP has told it
};

struct Rotation {
  PathName path;
  bool traffic_first = false;  // it carries traffic and another is good: move that, then ask again
  bool operator==(const Rotation&) const = default;
};

// Which path gets a new key pair now; one at a time. Nothing: none is due, or it has to wait: one
// that carries traffic and has no good one beside it waits until twice its life, or kAskedWait when
// a person asked. A path whose
// `next` is set comes first (a rotation that was interrupted), then the oldest key; among those
// that are due, paths that carry no traffic first. Of a key made after `now` the age is not known:
// it is due when a person asked, and by schedule when the date is certain and it is ahead by
// kKeyLifeLeast; else not, since a box may start with a date long past. `active`:
// numbers of the paths that are chosen now.
std::optional<Rotation> rotation_due(const Membership& membership,
                                     const std::vector<PathView>& views,
                                     const std::vector<int>& active, const RotationWish& wish,
                                     Date now);

// The steps of one rotation: begin (persist), tell the PoP the list with `next` in its place, then
// finish with the answer's lane (persist) and apply. A crash between leaves `next`: tell again.
void begin_rotation(MemberPath& path, ports::Secrets& secrets);
void finish_rotation(MemberPath& path, const Lane& lane, Date now);

}  // namespace sluice::tunnel
