// A handshake dated in the future locks the box out until that date: WireGuard's peers remember the
// latest date they saw (whitepaper, 5.1 and 5.4.2). So the date is looked at before a tunnel comes
// up: it may not be far from what a PoP tells with its probe key on it (pop_date.h), nor before a
// floor that is kept on disk.
//
// Only a PoP's date raises the floor. That a PoP took a handshake shows that the date was not
// behind the ones before, and nothing of whether it is ahead; and a path that is up brings the
// PoP's date within a second.
#pragma once

#include <optional>
#include <string>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/files.h"
#include "firmware/tunnel/words.h"

namespace sluice::tunnel {

inline constexpr std::string_view kClockFloorFile = "tunnel/clock_floor";
inline constexpr Duration kClockFloorEvery = Duration::seconds(600);
// Differences from the PoP's date that are let be. Ahead is the dangerous side.
inline constexpr Duration kClockAheadMax = Duration::seconds(10);
inline constexpr Duration kClockBehindMax = Duration::seconds(60);

enum class ClockTrust {
  trusted,
  unproven,      // nothing contradicts it, no PoP has told the date
  behind_floor,  // before a date that has certainly been
  behind_pop,
  ahead_of_pop,
};
const char* to_text(ClockTrust trust);

struct ClockEvidence {
  Date now;
  std::optional<Date> floor;
  std::optional<Date> pop_date;  // authentic, brought to this moment
  Duration pop_error;            // half the round trip that brought it
  bool awaited = false;          // PoPs were asked a moment ago; handshakes wait so long
  bool may_come = true;          // a PoP's date: none does to who has no probe key
  bool was_set = false;          // something else set our date since the daemon runs
};

struct ClockVerdict {
  ClockTrust trust = ClockTrust::unproven;
  bool handshakes = true;       // may begin now; of paths that are up they go on in any case
  std::optional<Date> step_to;  // set the system's date to this, if we may
  bool drop_floor = false;      // the floor itself was wrong: PoP's date is the new one
  Words words;                  // empty: nothing to say
};

// Pure. Floor without PoP's date: step to the floor (the caller: once), wait for a PoP's date; not
// when something else has set the date, which knows better than a floor. PoP's date before our own:
// step back to it, since it is authentic and a handshake now would lock the box out. Behind it:
// step; handshakes go on, as they do no harm.
ClockVerdict judge_clock(const ClockEvidence& evidence);

// That a PoP has seen this date of us, and would ignore handshakes that are dated right.
bool is_from_future(Date handshake, Date pop_date, Duration pop_error);

// Thread: loop. The floor on disk: the latest date that has certainly been.
class ClockFloor {
 public:
  ClockFloor(ports::Files& files, const std::string& state_folder);
  // Nothing: none is known. A file that is not readable counts as none.
  std::optional<Date> floor() const { return floor_; }
  // Only dates that a PoP's proves to have been. Written when kClockFloorEvery has passed since
  // the last one or `handshake` is the first after a start. Errors: of the file; the floor in
  // memory rises all the same.
  Result<void> note(Date now, bool handshake);
  Result<void> replace(Date date);  // also a lower one: drop_floor

 private:
  ports::Files& files_;
  const std::string folder_;
  const std::string path_;
  std::optional<Date> floor_;
  std::optional<Date> written_;
  bool handshake_written_ = false;
};

}  // namespace sluice::tunnel
