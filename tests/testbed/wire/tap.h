// One end of the wire: a TAP device in a network namespace.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::testbed {

class Tap {
 public:
  static constexpr int kFrameMax = 65536;

  Tap() = default;
  ~Tap();
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  // "wan1@box": an interface and a namespace of ip-netns(8), or of the path that begins with '/';
  // without '@' the caller's own. An error text when it cannot be made.
  std::optional<std::string> open(const std::string& place);
  int fd() const { return fd_; }
  const std::string& name() const { return name_; }
  std::optional<std::string> read();   // a frame, if one is there
  void write(std::string_view frame);  // lost when the interface is down or its queue is full
  std::optional<std::string> set_carrier(bool on);

 private:
  std::optional<std::string> make();

  int fd_ = -1;
  std::string name_;
};

}  // namespace sluice::testbed
