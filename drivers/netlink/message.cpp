#include "drivers/netlink/message.h"

#include <libmnl/libmnl.h>

#include <cstring>

#include "firmware/base/check.h"

namespace sluice::drivers {

void wipe(std::span<uint8_t> bytes) {
  for (volatile uint8_t& byte : bytes) byte = 0;
}

NetlinkMessage::NetlinkMessage(uint16_t type, uint16_t flags, size_t capacity) : buffer_(capacity) {
  ENSURE(capacity >= MNL_NLMSG_HDRLEN);
  nlmsghdr* head = mnl_nlmsg_put_header(buffer_.data());
  head->nlmsg_type = type;
  head->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
}

NetlinkMessage::~NetlinkMessage() { wipe(buffer_); }

nlmsghdr* NetlinkMessage::header() { return reinterpret_cast<nlmsghdr*>(buffer_.data()); }

const nlmsghdr* NetlinkMessage::header() const {
  return reinterpret_cast<const nlmsghdr*>(buffer_.data());
}

void NetlinkMessage::put_fixed_bytes(const void* bytes, size_t size) {
  ENSURE(header()->nlmsg_len + MNL_ALIGN(size) <= buffer_.size());
  std::memcpy(mnl_nlmsg_put_extra_header(header(), size), bytes, size);
}

bool NetlinkMessage::put(uint16_t type, std::span<const uint8_t> value) {
  return mnl_attr_put_check(header(), buffer_.size(), type, value.size(), value.data());
}

bool NetlinkMessage::put_u8(uint16_t type, uint8_t value) {
  return mnl_attr_put_u8_check(header(), buffer_.size(), type, value);
}

bool NetlinkMessage::put_u16(uint16_t type, uint16_t value) {
  return mnl_attr_put_u16_check(header(), buffer_.size(), type, value);
}

bool NetlinkMessage::put_u32(uint16_t type, uint32_t value) {
  return mnl_attr_put_u32_check(header(), buffer_.size(), type, value);
}

bool NetlinkMessage::put_text(uint16_t type, std::string_view text) {
  std::vector<uint8_t> bytes(text.begin(), text.end());
  bytes.push_back(0);
  return put(type, bytes);
}

nlattr* NetlinkMessage::begin(uint16_t type) {
  return mnl_attr_nest_start_check(header(), buffer_.size(), type);
}

void NetlinkMessage::end(nlattr* nest) { mnl_attr_nest_end(header(), nest); }

void NetlinkMessage::cancel(nlattr* nest) {
  const auto length = static_cast<size_t>(reinterpret_cast<uint8_t*>(nest) - buffer_.data());
  wipe(std::span(buffer_).subspan(length, header()->nlmsg_len - length));
  mnl_attr_nest_cancel(header(), nest);
}

void NetlinkMessage::set_sequence(uint32_t sequence) { header()->nlmsg_seq = sequence; }

uint16_t NetlinkMessage::flags() const { return header()->nlmsg_flags; }

std::span<const uint8_t> NetlinkMessage::bytes() const {
  return {buffer_.data(), header()->nlmsg_len};
}

}  // namespace sluice::drivers
