// A netlink message being built: header, fixed part, attributes. Framing by libmnl; the layout is
// netlink(7). What does not fit is not put, and the message stays as it was.
// The bytes are wiped when it ends: they may hold keys.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

struct nlmsghdr;
struct nlattr;

namespace sluice::drivers {

inline constexpr size_t kMessageMax = 4096;  // of a message about one thing

// volatile: a store that nobody reads would be left out.
void wipe(std::span<uint8_t> bytes);

class NetlinkMessage {
 public:
  // flags: beyond NLM_F_REQUEST, which every message has.
  NetlinkMessage(uint16_t type, uint16_t flags, size_t capacity = kMessageMax);
  ~NetlinkMessage();
  NetlinkMessage(NetlinkMessage&&) noexcept = default;
  NetlinkMessage& operator=(NetlinkMessage&&) = delete;
  NetlinkMessage(const NetlinkMessage&) = delete;

  // The fixed part behind the header; once, before any attribute.
  template <class Fixed>
  void put_fixed(const Fixed& fixed) {
    put_fixed_bytes(&fixed, sizeof fixed);
  }
  // False: no room.
  bool put(uint16_t type, std::span<const uint8_t> value);
  bool put_u8(uint16_t type, uint8_t value);
  bool put_u16(uint16_t type, uint16_t value);
  bool put_u32(uint16_t type, uint32_t value);
  bool put_text(uint16_t type, std::string_view text);  // with the zero behind it
  nlattr* begin(uint16_t type);                         // a nest; null: no room
  void end(nlattr* nest);
  void cancel(nlattr* nest);  // takes back what was put since begin

  void set_sequence(uint32_t sequence);
  uint16_t flags() const;
  std::span<const uint8_t> bytes() const;

 private:
  nlmsghdr* header();
  const nlmsghdr* header() const;
  void put_fixed_bytes(const void* bytes, size_t size);

  std::vector<uint8_t> buffer_;
};

}  // namespace sluice::drivers
