#include "firmware/box/handover.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "firmware/base/text.h"

namespace sluice::box {

namespace {

constexpr std::string_view kHead = "sluice-handover 1";
constexpr int kFirstDescriptor = 3;  // below are the standard ones

Error broken(std::string_view what) {
  return {ErrorKind::broken, "box",
          fmt::format("{} is not what a running sluiced hands over: {}", kHandoverVariable, what)};
}

std::string_view cut_to(std::string_view& text, char end) {
  const size_t at = text.find(end);
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return part;
}

std::optional<int> descriptor_in(std::string_view text) {
  const std::optional<int64_t> number = to_integer(text);
  if (!number || *number < kFirstDescriptor || *number > kHandedDescriptorMax) return std::nullopt;
  return static_cast<int>(*number);
}

bool read_line(std::string_view line, Handover& into) {
  const std::string_view word = cut_to(line, ' ');
  const std::optional<int> descriptor = descriptor_in(cut_to(line, ' '));
  if (!descriptor) return false;
  if (word == "socket") {
    HandedSocket socket;
    socket.entrance = std::string(cut_to(line, ' '));
    socket.asked = std::string(line);
    socket.descriptor = *descriptor;
    if (socket.entrance.empty() || socket.asked.empty()) return false;
    into.sockets.push_back(std::move(socket));
    return into.sockets.size() <= kHandedSocketsMax;
  }
  int& place = word == "report" ? into.report : into.lock;
  if ((word != "report" && word != "lock") || place >= 0 || !line.empty()) return false;
  place = *descriptor;
  return true;
}

bool all_differ(const Handover& handover) {
  std::set<int> seen = {handover.report, handover.lock};
  for (const HandedSocket& socket : handover.sockets) seen.insert(socket.descriptor);
  return seen.size() == handover.sockets.size() + 2;
}

}  // namespace

std::string write_handover(const Handover& handover) {
  std::string text = fmt::format("{}\nreport {}\nlock {}\n", kHead, handover.report, handover.lock);
  for (const HandedSocket& socket : handover.sockets) {
    text += fmt::format("socket {} {} {}\n", socket.descriptor, socket.entrance, socket.asked);
  }
  return text;
}

Result<Handover> read_handover(std::string_view text) {
  if (text.size() > kHandoverMax) return broken("it is too long");
  if (cut_to(text, '\n') != kHead) return broken("its first line is another");
  Handover handover;
  while (!text.empty()) {
    if (!read_line(cut_to(text, '\n'), handover)) return broken("it has a line that is not known");
  }
  if (handover.report < 0 || handover.lock < 0) return broken("a descriptor is missing");
  if (!all_differ(handover)) return broken("a descriptor is named twice");
  return handover;
}

std::optional<int> take_socket(Handover& handover, std::string_view entrance,
                               std::string_view asked) {
  const auto take = [&](const auto& fits) -> std::optional<int> {
    const auto found = std::find_if(handover.sockets.begin(), handover.sockets.end(), fits);
    if (found == handover.sockets.end()) return std::nullopt;
    const int descriptor = found->descriptor;
    handover.sockets.erase(found);
    return descriptor;
  };
  const auto same = [&](const HandedSocket& socket) {
    return socket.entrance == entrance && (socket.asked == asked || socket.asked.empty());
  };
  if (const auto own = take(same)) return own;
  if (asked.ends_with(":0")) return std::nullopt;
  return take([&](const HandedSocket& socket) { return socket.asked == asked; });
}

Result<void> read_report(std::string_view line) {
  if (line == kReportReady) return {};
  if (line.starts_with(kReportFailed)) line.remove_prefix(kReportFailed.size());
  return Error{ErrorKind::gone, "box", std::string(line)};
}

}  // namespace sluice::box
