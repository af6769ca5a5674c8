// One direction of the wire emulator, in virtual time.
#include <doctest/doctest.h>

#include <string>

#include "tests/testbed/wire/flow_book.h"
#include "tests/testbed/wire/line.h"

namespace {

using namespace sluice::testbed;

// An Ethernet frame with a v4 packet of this protocol from 10.0.0.1 to 10.0.0.2.
std::string v4_frame(int protocol, int source_port, int target_port, std::size_t packet_bytes) {
  std::string frame(14, '\0');
  frame[12] = 8;
  std::string packet(packet_bytes, '\0');
  packet[0] = 0x45;
  packet[2] = static_cast<char>(packet_bytes >> 8);
  packet[3] = static_cast<char>(packet_bytes);
  packet[9] = static_cast<char>(protocol);
  packet.replace(12, 8, std::string("\x0a\0\0\x01\x0a\0\0\x02", 8));
  packet[20] = static_cast<char>(source_port >> 8);
  packet[21] = static_cast<char>(source_port);
  packet[22] = static_cast<char>(target_port >> 8);
  packet[23] = static_cast<char>(target_port);
  return frame + packet;
}

struct Sent {
  Line line{7};
  std::string bytes = v4_frame(17, 1000, 2000, 100);
  Fate at(Micros now) { return line.enter(bytes, Frame::read(bytes), now); }
  int lost_of(int frames, Micros apart) {
    int lost = 0;
    for (int i = 0; i < frames; ++i) lost += at(i * apart) != Fate::passed;
    return lost;
  }
};

}  // namespace

TEST_CASE("wire: a frame is read as far as a box at the roadside could") {
  const Frame frame = Frame::read(v4_frame(17, 51820, 443, 1300));
  REQUIRE(frame.ports);
  CHECK(frame.is_udp);
  CHECK(frame.packet_bytes == 1300);
  CHECK(frame.ports->source == 51820);
  CHECK(frame.ports->target == 443);
  CHECK_FALSE(Frame::read(v4_frame(6, 1, 2, 40)).is_udp);
  CHECK_FALSE(Frame::read("short").is_ip);
  std::string later = v4_frame(17, 1, 2, 60);
  later[14 + 7] = 5;  // a later fragment has no ports
  CHECK(Frame::read(later).is_udp);
  CHECK_FALSE(Frame::read(later).ports);
}

TEST_CASE("wire: a v6 packet is read, and a prefix contains what it says") {
  std::string frame(14 + 48, '\0');
  frame[12] = static_cast<char>(0x86);
  frame[13] = static_cast<char>(0xdd);
  frame[14 + 5] = 8;
  frame[14 + 6] = 17;
  frame[14 + 8] = 0x20;
  frame[14 + 9] = 0x01;
  frame[14 + 41] = 9;
  const Frame read = Frame::read(frame);
  REQUIRE(read.ports);
  CHECK(read.packet_bytes == 48);
  CHECK(read.ports->source == 9);
  CHECK(WirePrefix::parse("2001::/16")->contains(read.source));
  CHECK_FALSE(WirePrefix::parse("2002::/16")->contains(read.source));
  const Frame v4 = Frame::read(v4_frame(17, 1, 2, 60));
  CHECK(WirePrefix::parse("10.0.0.0/30")->contains(v4.source));
  CHECK_FALSE(WirePrefix::parse("10.0.0.4/30")->contains(v4.source));
  CHECK_FALSE(WirePrefix::parse("10.0.0.0/33"));
  CHECK_FALSE(WirePrefix::parse("box"));
}

TEST_CASE("wire: delay and rate add up, and nothing overtakes") {
  Sent sent;
  CHECK_FALSE(sent.line.settings.set("delay_ms", "20"));
  CHECK_FALSE(sent.line.settings.set("rate_kbit", "912"));  // a frame of 114 bytes in 1 ms
  CHECK(sent.at(0) == Fate::passed);
  CHECK(sent.at(0) == Fate::passed);
  CHECK(sent.line.next_due() == 21000);
  CHECK_FALSE(sent.line.leave(20999));
  CHECK(sent.line.leave(21000));
  CHECK(sent.line.next_due() == 22000);
  CHECK_FALSE(sent.line.settings.set("delay_ms", "0"));
  CHECK_FALSE(sent.line.settings.set("rate_kbit", "0"));
  CHECK(sent.at(1000) == Fate::passed);
  CHECK(sent.line.leave(22000));
  CHECK(sent.line.leave(22000));
  CHECK(sent.line.frames(Fate::passed) == 3);
}

TEST_CASE("wire: what the queue does not hold is lost") {
  Sent sent;
  CHECK_FALSE(sent.line.settings.set("rate_kbit", "912"));
  CHECK_FALSE(sent.line.settings.set("queue_bytes", "342"));
  for (int i = 0; i < 3; ++i) CHECK(sent.at(0) == Fate::passed);
  CHECK(sent.at(0) == Fate::queue);
  CHECK(sent.at(1000) == Fate::passed);
}

TEST_CASE("wire: a cut takes what is on its way") {
  Sent sent;
  CHECK_FALSE(sent.line.settings.set("delay_ms", "20"));
  CHECK(sent.at(0) == Fate::passed);
  CHECK_FALSE(sent.line.settings.set("cut", "1"));
  sent.line.lose_underway();
  CHECK(sent.at(1) == Fate::cut);
  CHECK_FALSE(sent.line.leave(kSecond));
  CHECK(sent.line.frames(Fate::cut) == 1);  // that of its way; the other is its caller's
}

TEST_CASE("wire: loss is as wished, and the same for the same seed") {
  Sent first, second;
  for (Sent* sent : {&first, &second}) CHECK_FALSE(sent->line.settings.set("loss", "0.1"));
  const int lost = first.lost_of(20000, 1000);
  CHECK(lost > 1800);
  CHECK(lost < 2200);
  CHECK(second.lost_of(20000, 1000) == lost);
}

TEST_CASE("wire: bursts take their share of time") {
  Sent sent;
  CHECK_FALSE(sent.line.settings.set("burst_ms", "300"));
  CHECK_FALSE(sent.line.settings.set("burst_every_ms", "2700"));
  int lost = 0, bursts = 0;
  bool before = false;
  for (Micros now = 0; now < 6000 * kSecond; now += 10000) {
    const bool in = sent.at(now) == Fate::burst;
    while (sent.line.leave(now)) continue;
    lost += in;
    bursts += in && !before;
    before = in;
  }
  CHECK(lost > 48000);
  CHECK(lost < 72000);
  CHECK(bursts > 1600);
  CHECK(bursts < 2400);
}

TEST_CASE("wire: large packets, UDP and its ports vanish as wished") {
  Sent sent;
  CHECK_FALSE(sent.line.settings.set("mtu", "99"));
  CHECK(sent.at(0) == Fate::mtu);
  CHECK_FALSE(sent.line.settings.set("mtu", "100"));
  CHECK(sent.at(0) == Fate::passed);
  CHECK_FALSE(sent.line.settings.set("udp_deny", "5,2000"));
  CHECK(sent.at(0) == Fate::udp);
  CHECK_FALSE(sent.line.settings.set("udp_deny", ""));
  CHECK(sent.at(0) == Fate::passed);
  CHECK_FALSE(sent.line.settings.set("udp_block", "1"));
  CHECK(sent.at(0) == Fate::udp);
  sent.bytes = v4_frame(6, 1000, 2000, 100);
  CHECK(sent.at(0) == Fate::passed);
}

TEST_CASE("wire: a setting that makes no sense is refused") {
  LineSettings settings;
  CHECK(settings.set("loss", "2"));
  CHECK(settings.set("loss", "-1"));
  CHECK(settings.set("delay_ms", "soon"));
  CHECK(settings.set("udp_deny", "1,two"));
  CHECK(settings.set("colour", "1"));
  CHECK(settings.loss == 0);
}

TEST_CASE("wire: a flow that is too old passes nothing both ways; from another port it does") {
  FlowBook flows;
  const Frame out = Frame::read(v4_frame(17, 1000, 2000, 60));
  const Frame other = Frame::read(v4_frame(17, 1001, 2000, 60));
  Frame back = out;
  std::swap(back.source, back.target);
  std::swap(back.ports->source, back.ports->target);
  flows.set_age_max(10 * kSecond);
  for (int s = 0; s <= 10; ++s)
    CHECK(flows.passes(s % 2 == 0 ? out : back, s % 2 == 0, s * kSecond));
  CHECK_FALSE(flows.passes(out, true, 11 * kSecond));
  CHECK_FALSE(flows.passes(back, false, 12 * kSecond));
  CHECK(flows.passes(other, true, 12 * kSecond));
  CHECK(flows.size() == 2);
  CHECK(flows.passes(out, true, 23 * kSecond));  // it was silent for as long
}

TEST_CASE("wire: flows that are declared rotten stay so, and the book is bounded") {
  FlowBook flows;
  for (int port = 1; port <= 5000; ++port) {
    CHECK(flows.passes(Frame::read(v4_frame(17, port, 2000, 60)), true, port));
  }
  CHECK(flows.size() == FlowBook::kFlowsMax);
  flows.rot_all();
  CHECK_FALSE(flows.passes(Frame::read(v4_frame(17, 5000, 2000, 60)), true, kSecond));
  CHECK(flows.passes(Frame::read(v4_frame(17, 1, 2000, 60)), true, kSecond));
}
