#include "firmware/tunnel/clock_floor.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/base/text.h"

namespace sluice::tunnel {

namespace {

constexpr Bytes kFileMax{64};
constexpr int64_t kDateMax = 4'102'444'800'000'000;  // the year 2100: later is damage

std::string day(Date date) { return to_rfc3339(date.as_us()).substr(0, 19) + "Z"; }

std::string span(Duration time) {
  const int64_t seconds = time.as_us() / 1000000;
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  if (seconds < 172800) return fmt::format("{} h", seconds / 3600);
  return fmt::format("{} d", seconds / 86400);
}

Words behind_floor_words(const ClockEvidence& evidence) {
  const std::string now = day(evidence.now);
  const std::string floor = day(*evidence.floor);
  return {
      fmt::format("This machine's date is {}, but it was {} already: the clock lost its time "
                  "(an empty battery?). PoPs ignore handshakes with an old date. Paths that are "
                  "not up wait until a PoP tells the date or somebody sets it. Set up NTP, change "
                  "the battery.",
                  now, floor),
      fmt::format(
          "本机时间为 {}，但此前已到过 {}：时钟丢失了时间（电池没电？）。接入点会忽略旧日期的"
          "握手。未连通的路径等待接入点给出时间或有人校正时间。请启用 NTP 并更换电池。",
          now, floor)};
}

Words behind_pop_words(const ClockEvidence& evidence, Duration by) {
  return {fmt::format("This machine's date is {}, {} behind the PoP's. It is set to the PoP's; if "
                      "that is not permitted, set it by hand or set up NTP.",
                      day(evidence.now), span(by)),
          fmt::format(
              "本机时间为 {}，比接入点慢 {}。将按接入点时间校正；如无权限，请手动设置或启用 NTP。",
              day(evidence.now), span(by))};
}

Words ahead_words(const ClockEvidence& evidence, Duration by) {
  return {
      fmt::format("This machine's date is {}, {} ahead of the PoP's. A new handshake would lock "
                  "this box out until that date comes, so paths that are not up wait until the "
                  "date is right: it is set to the PoP's; if that is not permitted, set it by hand "
                  "or set up NTP.",
                  day(evidence.now), span(by)),
      fmt::format("本机时间为 {}，比接入点快 {}。此时新的握手会使接入点在该日期到来之前拒绝本机，"
                  "因此未连通的路径等到时间正确后再握手：将按接入点时间校正；如无权限，请手动设置或"
                  "启用 NTP。",
                  day(evidence.now), span(by))};
}

ClockVerdict judge_by_pop(const ClockEvidence& evidence) {
  ClockVerdict out;
  const Date pop = *evidence.pop_date;
  const Duration ahead = evidence.now - pop;
  // What the PoP tells is known up to half of the round trip that brought it.
  const Duration ahead_max = kClockAheadMax + evidence.pop_error;
  const Duration behind_max = kClockBehindMax + evidence.pop_error;
  out.drop_floor = evidence.floor && *evidence.floor - pop > ahead_max;
  if (ahead > ahead_max) {
    out.trust = ClockTrust::ahead_of_pop;
    out.handshakes = false;
    out.step_to = pop;
    out.words = ahead_words(evidence, ahead);
    return out;
  }
  if (Duration() - ahead > behind_max) {
    out.trust = ClockTrust::behind_pop;
    out.step_to = pop;
    out.words = behind_pop_words(evidence, Duration() - ahead);
    return out;
  }
  out.trust = ClockTrust::trusted;
  return out;
}

}  // namespace

const char* to_text(ClockTrust trust) {
  switch (trust) {
    case ClockTrust::trusted:
      return "trusted";
    case ClockTrust::unproven:
      return "unproven";
    case ClockTrust::behind_floor:
      return "behind_floor";
    case ClockTrust::behind_pop:
      return "behind_pop";
    case ClockTrust::ahead_of_pop:
      return "ahead_of_pop";
  }
  return "?";
}

ClockVerdict judge_clock(const ClockEvidence& evidence) {
  if (evidence.pop_date) return judge_by_pop(evidence);
  ClockVerdict out;
  out.handshakes = !evidence.may_come || !evidence.awaited;
  // The floor was written some time before the clock was lost, so it is a floor, not the date.
  if (evidence.floor && evidence.now < *evidence.floor && !evidence.was_set) {
    out.trust = ClockTrust::behind_floor;
    out.handshakes = !evidence.may_come;
    out.step_to = evidence.floor;
    out.words = behind_floor_words(evidence);
  }
  return out;
}

bool is_from_future(Date handshake, Date pop_date, Duration pop_error) {
  return handshake - pop_date > kClockAheadMax + pop_error;
}

ClockFloor::ClockFloor(ports::Files& files, const std::string& state_folder)
    : files_(files),
      folder_(state_folder + "/tunnel"),
      path_(fmt::format("{}/{}", state_folder, kClockFloorFile)) {
  const auto text = files_.read(path_, kFileMax);
  if (!text) return;
  const auto read = to_integer(trim(*text));
  if (!read || *read <= 0 || *read > kDateMax) return;
  floor_ = Date::from_us(*read);
  written_ = floor_;
}

Result<void> ClockFloor::note(Date now, bool handshake) {
  if (!floor_ || now > *floor_) floor_ = now;
  const bool due = !written_ || *floor_ - *written_ >= kClockFloorEvery;
  const bool first = handshake && !handshake_written_ && (!written_ || *floor_ > *written_);
  if (!due && !first) return {};
  handshake_written_ = handshake_written_ || handshake;
  return replace(*floor_);
}

Result<void> ClockFloor::replace(Date date) {
  floor_ = date;
  written_ = date;
  const auto folder = files_.make_folder(folder_);
  if (!folder) return folder;
  return files_.replace(path_, std::to_string(date.as_us()) + "\n");
}

}  // namespace sluice::tunnel
