// What an idle connection costs, and that it goes on after having given its buffers back.
#include <malloc.h>
#include <unistd.h>

#include <ctime>
#include <fstream>

#include "tests/unit/mbedtls/world.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCountsMemory = false;
#else
constexpr bool kCountsMemory = true;
#endif

constexpr double kIdleBytesMax = 8192;

// The address space of this process.
double mapped_bytes() {
  std::ifstream in("/proc/self/statm");
  double pages = 0;
  REQUIRE(static_cast<bool>(in >> pages));
  return pages * static_cast<double>(::getpagesize());
}

struct Conversation {
  Served served;
  Client client;
  explicit Conversation(World& world) : served(world), client(world) {
    client.exchange(served);
    REQUIRE(client.is_done());
  }
};

}  // namespace

TEST_CASE("tls idle: a connection goes on after each rest, in both directions") {
  World world;
  Conversation talk(world);
  std::string asked;
  std::string answered;
  for (int i = 0; i < 10; ++i) {
    world.timers.pass(Duration::seconds(10));
    if (i % 3 != 1) {
      talk.client.say("ask" + std::to_string(i));
      asked += "ask" + std::to_string(i);
    }
    talk.client.exchange(talk.served);
    if (i % 3 != 2) {
      talk.served.stream->write("answer" + std::to_string(i));
      answered += "answer" + std::to_string(i);
    }
    talk.client.exchange(talk.served);
    CHECK(talk.served.heard.text == asked);
    CHECK(talk.client.text == answered);
  }
  world.timers.pass(Duration::seconds(10));
  talk.served.stream->end_writing();
  talk.client.exchange(talk.served);
  CHECK(talk.client.code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
}

TEST_CASE("tls idle: half a record survives the rest") {
  World world;
  Conversation talk(world);
  talk.client.say(pattern(5000));
  const std::string record = std::exchange(talk.client.out, {});
  talk.served.wire->sink->on_bytes(std::string_view(record).substr(0, 3000));
  world.timers.pass(Duration::seconds(10));
  talk.served.stream->write("meanwhile");
  talk.client.exchange(talk.served);
  CHECK(talk.client.text == "meanwhile");
  world.timers.pass(Duration::seconds(10));
  talk.served.wire->sink->on_bytes(std::string_view(record).substr(3000));
  CHECK(talk.served.heard.text == pattern(5000));
}

TEST_CASE("tls idle: a connection costs little memory, and a handshake some milliseconds") {
  World world;
  constexpr int kCount = 100;
  std::vector<std::unique_ptr<Client>> clients;  // theirs is not counted
  for (int i = 0; i < kCount; ++i) clients.push_back(std::make_unique<Client>(world));
  std::vector<std::unique_ptr<Served>> all;
  for (int i = 0; i < kCount; ++i) all.push_back(std::make_unique<Served>(world));
  const auto in_use = [] {
    const struct mallinfo2 now = mallinfo2();
    return static_cast<double>(now.uordblks + now.hblkhd);
  };
  for (auto& client : clients) client->take(*all.front()->wire);  // its first flight
  std::clock_t spent = 0;                                         // of the processor
  for (size_t i = 0; i < all.size(); ++i) {
    Client& client = *clients[i];
    Served& served = *all[i];
    while (true) {
      const std::string bytes = std::exchange(client.out, {});
      const std::clock_t start = std::clock();
      served.wire->sink->on_bytes(bytes);
      spent += std::clock() - start;
      if (!client.take(*served.wire)) break;
    }
    REQUIRE(client.is_done());
  }
  MESSAGE("a handshake took " << 1e3 * static_cast<double>(spent) / CLOCKS_PER_SEC / kCount
                              << " ms of the server");
  for (auto& client : clients) client.reset();
  if (!kCountsMemory) return;
  const double asleep = mapped_bytes();
  for (auto& served : all) served->stream->write("awake");
  const double awake = mapped_bytes();
  CHECK((awake - asleep) / kCount > 2 * TlsSession::kRecordMax);
  world.timers.pass(Duration::seconds(10));
  CHECK(mapped_bytes() <= asleep);
  const double rested = in_use();
  std::vector<std::unique_ptr<Served>>().swap(all);
  MESSAGE("an idle connection cost " << (rested - in_use()) / kCount << " bytes");
  CHECK((rested - in_use()) / kCount < kIdleBytesMax);
}
