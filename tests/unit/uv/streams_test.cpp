#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/unit/uv/world.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

std::string pattern(size_t size) {
  std::string out(size, '\0');
  uint32_t state = 1;
  for (char& c : out) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

std::string temporary_socket(const char* name) {
  return "/tmp/sluice_uv_" + std::to_string(::getpid()) + "_" + name;
}

}  // namespace

TEST_CASE("stream: ten megabytes echo back whole through backpressure on both ends") {
  for (const bool local : {false, true}) {
    World world;
    ports::Address at = loopback_port();
    if (local) at = {"", 0, temporary_socket("echo")};
    Pair pair(world, at);
    const std::string sent = pattern(10 * 1024 * 1024);
    constexpr size_t kMark = 256 * 1024;
    size_t next = 0;
    size_t most_pending = 0;
    const Callback produce = [&] {
      while (next < sent.size() && pair.near.stream->pending_bytes() < kMark) {
        const size_t size = std::min<size_t>(50000, sent.size() - next);
        pair.near.stream->write(std::string_view(sent).substr(next, size));
        next += size;
      }
      most_pending = std::max(most_pending, pair.near.stream->pending_bytes());
    };
    pair.near.drain_seen = produce;
    pair.far.bytes_seen = [&](std::string_view bytes) {
      pair.far.stream->write(bytes);
      if (pair.far.stream->pending_bytes() > kMark) pair.far.stream->pause_reading();
    };
    pair.far.drain_seen = [&] { pair.far.stream->resume_reading(); };
    pair.near.bytes_seen = [&](std::string_view) {
      if (pair.near.heard.size() == sent.size()) world.stop();
    };
    produce();
    world.run();
    CHECK(pair.near.heard == sent);
    CHECK(most_pending > 0);
    CHECK(most_pending < kMark + 50000);
    CHECK(pair.near.drains > 0);
    CHECK(pair.near.stream->pending_bytes() == 0);
  }
}

TEST_CASE(
    "stream: what is written while the kernel is full arrives in order, drained once at the end") {
  World world;
  Pair pair(world);
  pair.far.stream->pause_reading();
  std::string sent;
  while (pair.near.stream->pending_bytes() == 0) {
    sent += pattern(100000);
    pair.near.stream->write(pattern(100000));
  }
  for (int i = 0; i < 1000; ++i) {
    const std::string piece = "piece " + std::to_string(i) + ";";
    sent += piece;
    pair.near.stream->write(piece);
  }
  CHECK(pair.near.stream->pending_bytes() > 1000 * 7);
  CHECK(pair.near.drains == 0);
  world.settle();
  CHECK(pair.far.heard.empty());
  pair.far.bytes_seen = [&](std::string_view) {
    if (pair.far.heard.size() == sent.size()) world.stop();
  };
  pair.far.stream->resume_reading();
  world.run();
  world.settle();
  CHECK(pair.far.heard == sent);
  CHECK(pair.near.drains == 1);
}

TEST_CASE("stream: a write that the kernel takes at once needs no drain") {
  World world;
  Pair pair(world);
  pair.near.stream->write("hello");
  CHECK(pair.near.stream->pending_bytes() == 0);
  world.settle();
  CHECK(pair.far.heard == "hello");
  CHECK(pair.near.drains == 0);
}

TEST_CASE("stream: what is written within a turn arrives in one piece, in order") {
  World world;
  Pair pair(world);
  std::vector<std::string> pieces;
  pair.far.bytes_seen = [&](std::string_view bytes) { pieces.emplace_back(bytes); };
  for (const char* part : {"head, ", "body, ", "end"}) pair.near.stream->write(part);
  world.settle();
  CHECK(pieces == std::vector<std::string>{"head, body, end"});
  const std::string large(kGatherMax, 'x');
  pair.near.stream->write("first ");
  pair.near.stream->write(large);
  pair.near.stream->write(" last");
  world.settle();
  CHECK(pair.far.heard == "head, body, endfirst " + large + " last");
}

TEST_CASE("stream: one that is destroyed or ended in the turn of its last write has sent it") {
  World world;
  Pair pair(world);
  pair.near.stream->write("last ");
  SUBCASE("destroyed") { pair.near.stream.reset(); }
  SUBCASE("ended") { pair.near.stream->end_writing(); }
  world.settle();
  CHECK(pair.far.heard == "last ");
  CHECK(pair.far.ends == 1);
}

TEST_CASE(
    "stream: what a timer finds pending is what the kernel has not taken of the turn's writes") {
  World world;
  Pair pair(world);
  pair.far.stream->pause_reading();
  size_t pending = 0;
  const auto after = world.timers.make([&] { pending = pair.near.stream->pending_bytes(); });
  const std::string piece(1000, 'x');
  pair.far.stream->write("go");
  pair.near.bytes_seen = [&](std::string_view) {
    for (int i = 0; i < 20000; ++i) pair.near.stream->write(piece);
    CHECK(pair.near.stream->pending_bytes() > 0);
    after->start(Duration());
  };
  world.settle();
  CHECK(pending > 0);
}

TEST_CASE("stream: after the peer's FIN writing still works") {
  World world;
  Pair pair(world);
  pair.near.stream->write("question");
  pair.near.stream->end_writing();
  pair.near.stream->end_writing();
  pair.far.end_seen = [&] {
    pair.far.stream->write("a late ");
    pair.far.stream->write("answer");
    pair.far.stream->end_writing();
  };
  pair.near.end_seen = [&] { world.stop(); };
  world.run();
  CHECK(pair.far.heard == "question");
  CHECK(pair.near.heard == "a late answer");
  CHECK(pair.far.ends == 1);
  CHECK(pair.near.ends == 1);
  CHECK(pair.near.errors + pair.far.errors == 0);
  pair.near.stream->pause_reading();
  pair.near.stream->resume_reading();
  world.settle();
  CHECK(pair.near.ends == 1);
}

TEST_CASE("stream: the FIN follows the pending bytes") {
  World world;
  Pair pair(world);
  pair.far.stream->pause_reading();
  const std::string sent = pattern(8 * 1024 * 1024);
  pair.near.stream->write(sent);
  CHECK(pair.near.stream->pending_bytes() > 0);
  pair.near.stream->end_writing();
  pair.far.end_seen = [&] { world.stop(); };
  pair.far.stream->resume_reading();
  world.run();
  CHECK(pair.far.heard == sent);
  CHECK(pair.near.drains == 1);
}

TEST_CASE("stream: a reset is an error for the peer, and the resetter hears nothing more") {
  World world;
  Pair pair(world);
  pair.far.error_seen = [&] { world.stop(); };
  pair.near.stream->write("half an ans");
  pair.near.stream->reset();
  pair.near.stream->reset();
  pair.near.stream->write("ignored");
  CHECK(pair.near.stream->pending_bytes() == 0);
  world.run();
  CHECK(pair.far.errors == 1);
  CHECK(pair.far.ends == 0);
  CHECK(pair.far.error.kind == ErrorKind::gone);
  CHECK(pair.far.error.text.find("ECONNRESET") != std::string::npos);
  world.settle();
  CHECK(pair.far.errors == 1);
  CHECK(pair.near.errors + pair.near.ends + pair.near.drains == 0);
}

TEST_CASE("stream: a reset while bytes are pending drops them") {
  World world;
  Pair pair(world);
  pair.far.stream->pause_reading();
  pair.near.stream->write(pattern(16 * 1024 * 1024));
  CHECK(pair.near.stream->pending_bytes() > 0);
  pair.near.stream->reset();
  pair.far.stream->resume_reading();
  pair.far.error_seen = [&] { world.stop(); };
  world.run();
  CHECK(pair.far.errors == 1);
  CHECK(pair.near.drains == 0);
}

TEST_CASE("stream: writing to a peer that closed is an error, on a later turn, once") {
  World world;
  Pair pair(world);
  pair.near.stream->pause_reading();
  pair.far.stream.reset();
  world.settle();
  pair.near.stream->write("first: answered with RST");
  world.settle();
  bool inside = true;
  pair.near.error_seen = [&] {
    CHECK_FALSE(inside);
    world.stop();
  };
  pair.near.stream->write("second");
  pair.near.stream->write("third");
  CHECK(pair.near.errors == 0);
  inside = false;
  world.run();
  world.settle();
  CHECK(pair.near.errors == 1);
  CHECK(pair.near.error.kind == ErrorKind::gone);
  CHECK(pair.near.stream->pending_bytes() == 0);
}

TEST_CASE("stream: an early answer is heard before the error of a write that follows it") {
  World world;
  Pair pair(world, {"", 0, temporary_socket("early")});
  pair.far.stream->write("413 too large");
  pair.far.stream.reset();
  pair.near.stream->write("more of the body");
  pair.near.error_seen = [&] {
    CHECK(pair.near.heard == "413 too large");
    world.stop();
  };
  world.run();
  CHECK(pair.near.errors == 1);
  CHECK(pair.near.heard == "413 too large");
}

TEST_CASE("stream: a pending write that fails is told once") {
  World world;
  Pair pair(world);
  pair.far.stream->pause_reading();
  pair.near.stream->pause_reading();
  pair.near.stream->write(pattern(16 * 1024 * 1024));
  pair.near.stream->write("and more");
  CHECK(pair.near.stream->pending_bytes() > 0);
  pair.near.error_seen = [&] { world.stop(); };
  pair.far.stream->reset();
  world.run();
  world.settle();
  CHECK(pair.near.errors == 1);
  CHECK(pair.near.drains == 0);
}

TEST_CASE("stream: a FIN or reset is noticed while nobody writes") {
  World world;
  Pair first(world);
  Pair second(world);
  int noticed = 0;
  const Callback seen = [&] {
    if (++noticed == 2) world.stop();
  };
  first.near.end_seen = seen;
  second.near.error_seen = seen;
  first.far.stream.reset();
  second.far.stream->reset();
  world.run();
  CHECK(first.near.ends == 1);
  CHECK(second.near.errors == 1);
}

TEST_CASE("stream: paused, nothing is heard; resumed, all of it") {
  World world;
  Pair pair(world);
  pair.far.stream->pause_reading();
  pair.near.stream->write("one");
  pair.near.stream->end_writing();
  world.settle();
  CHECK(pair.far.heard.empty());
  CHECK(pair.far.ends == 0);
  pair.far.stream->resume_reading();
  pair.far.end_seen = [&] { world.stop(); };
  world.run();
  CHECK(pair.far.heard == "one");
}

TEST_CASE("stream: the sink may destroy it inside every callback") {
  World world;
  SUBCASE("on_bytes") {
    Pair pair(world);
    pair.far.bytes_seen = [&](std::string_view) {
      pair.far.stream.reset();
      world.stop();
    };
    pair.near.stream->write("x");
    world.run();
    CHECK(pair.far.stream == nullptr);
  }
  SUBCASE("on_bytes by reset, with more to come") {
    Pair pair(world);
    int calls = 0;
    pair.far.bytes_seen = [&](std::string_view) {
      ++calls;
      pair.far.stream->reset();
      pair.far.stream.reset();
    };
    pair.near.error_seen = [&] { world.stop(); };
    pair.near.stream->write(pattern(1024 * 1024));
    world.run();
    CHECK(calls == 1);
  }
  SUBCASE("on_end") {
    Pair pair(world);
    pair.far.end_seen = [&] {
      pair.far.stream.reset();
      world.stop();
    };
    pair.near.stream->end_writing();
    world.run();
    CHECK(pair.far.stream == nullptr);
  }
  SUBCASE("on_error while reading") {
    Pair pair(world);
    pair.far.error_seen = [&] {
      pair.far.stream.reset();
      world.stop();
    };
    pair.near.stream->reset();
    world.run();
    CHECK(pair.far.stream == nullptr);
  }
  SUBCASE("on_error of a write") {
    Pair pair(world, {"", 0, temporary_socket("destroy")});
    pair.near.stream->pause_reading();
    pair.far.stream.reset();
    pair.near.error_seen = [&] {
      pair.near.stream.reset();
      world.stop();
    };
    pair.near.stream->write("x");
    world.run();
    CHECK(pair.near.stream == nullptr);
  }
  SUBCASE("on_drained") {
    Pair pair(world);
    pair.near.drain_seen = [&] {
      pair.near.stream.reset();
      world.stop();
    };
    pair.near.stream->write(pattern(16 * 1024 * 1024));
    world.run();
    CHECK(pair.near.stream == nullptr);
  }
  world.settle();
}

TEST_CASE("stream: destroyed with bytes pending, before start, and with its error on the way") {
  World world;
  {
    Pair pair(world);
    pair.far.stream->pause_reading();
    pair.near.stream->write(pattern(16 * 1024 * 1024));
    CHECK(pair.near.stream->pending_bytes() > 0);
  }
  {
    Pair pair(world, {"", 0, temporary_socket("pending_error")});
    pair.far.stream.reset();
    pair.near.stream->write("x");
    pair.near.stream.reset();
    CHECK(pair.near.errors == 0);
  }
  world.settle();
}

TEST_CASE("stream: both ends know their peer") {
  World world;
  Pair pair(world);
  CHECK(pair.near.stream->peer().host == "127.0.0.1");
  CHECK(pair.near.stream->peer().port > 0);
  CHECK(pair.far.stream->peer().host == "127.0.0.1");
  CHECK(pair.far.stream->peer().port > 0);
  const ports::Address at{"", 0, temporary_socket("peer")};
  Pair local(world, at);
  CHECK(local.near.stream->peer() == at);
  CHECK(local.far.stream->peer() == at);
}
