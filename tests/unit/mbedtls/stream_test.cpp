#include "tests/unit/mbedtls/world.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {
constexpr int kAlert = 0x15;
constexpr int kText = 0x17;
}  // namespace

TEST_CASE("tls: text goes both ways, one record for each small write") {
  World world;
  Served served(world);
  Client client(world);
  client.exchange(served);
  REQUIRE(client.is_done());
  CHECK(std::string(mbedtls_ssl_get_version(&client.raw())) == "TLSv1.2");
  CHECK(std::string(mbedtls_ssl_get_ciphersuite(&client.raw())) ==
        "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256");
  CHECK(std::string(mbedtls_ssl_get_alpn_protocol(&client.raw())) == "http/1.1");
  client.say("GET / HTTP/1.1\r\n\r\n");
  client.exchange(served);
  CHECK(served.heard.text == "GET / HTTP/1.1\r\n\r\n");
  CHECK(served.heard.reads == 1);
  served.stream->write("data: one\n\n");
  CHECK(record_types(served.wire->written) == std::vector<int>{kText});
  served.stream->write("data: two\n\n");
  CHECK(record_types(served.wire->written) == std::vector<int>{kText, kText});
  client.exchange(served);
  CHECK(client.text == "data: one\n\ndata: two\n\n");
}

TEST_CASE("tls: records may come octet by octet, or many in one read") {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}, std::string::npos}) {
    World world;
    Served served(world);
    Client client(world);
    client.exchange(served, piece);
    REQUIRE(client.is_done());
    std::string sent;
    for (int i = 0; i < 20; ++i) {
      const std::string words = pattern(size_t(i) * 100 + 1);
      client.say(words);
      sent += words;
    }
    client.exchange(served, piece);
    CHECK(served.heard.text == sent);
    CHECK(served.heard.reads == 20);
  }
}

TEST_CASE("tls: a megabyte goes through a full kernel, counted and whole") {
  World world;
  Served served(world);
  Client client(world);
  client.exchange(served);
  const std::string sent = pattern(1 << 20);
  served.wire->window = 100000;
  served.stream->write(sent);
  const size_t pending = served.stream->pending_bytes();
  CHECK(pending > sent.size() - 100000);
  CHECK(pending < sent.size());  // records add less than 30 octets to 16 KB
  CHECK(served.heard.drains == 0);
  served.wire->drain();
  CHECK(served.heard.drains == 1);
  CHECK(served.stream->pending_bytes() == 0);
  client.exchange(served);
  CHECK(client.text == sent);
}

TEST_CASE("tls: while reading is paused nothing comes, also of what is here already") {
  World world;
  Served served(world);
  Client client(world);
  client.exchange(served);
  served.heard.on_text = [&] { served.stream->pause_reading(); };
  client.say("one");
  client.say("two");
  client.say("three");
  client.exchange(served);
  CHECK(served.heard.text == "one");
  CHECK(served.wire->paused);
  served.stream->resume_reading();
  CHECK(served.heard.text == "one");  // not inside the call
  world.timers.settle();
  CHECK(served.heard.text == "onetwo");
  CHECK(served.wire->paused);
  served.heard.on_text = [] {};
  served.stream->resume_reading();
  world.timers.settle();
  CHECK(served.heard.text == "onetwothree");
  CHECK_FALSE(served.wire->paused);
}

TEST_CASE("tls: close_notify ends the reading once, and writing goes on") {
  World world;
  Served served(world);
  Client client(world);
  client.exchange(served);
  client.say("last");
  REQUIRE(mbedtls_ssl_close_notify(&client.raw()) == 0);
  client.exchange(served);
  CHECK(served.heard.text == "last");
  CHECK(served.heard.ends == 1);
  served.wire->sink->on_end();  // the FIN behind it
  CHECK(served.heard.ends == 1);
  served.stream->write("answer");
  served.stream->end_writing();
  CHECK(record_types(served.wire->written) == std::vector<int>{kText, kAlert});
  CHECK(served.wire->saw_fin());
  client.exchange(served);
  CHECK(client.text == "answer");
  CHECK(client.code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
  CHECK(served.heard.errors == 0);
}

TEST_CASE("tls: a FIN without close_notify is an end, before the handshake is done an error") {
  World world;
  Served served(world);
  Client client(world);
  client.exchange(served);
  served.wire->sink->on_end();
  CHECK(served.heard.ends == 1);
  CHECK(served.heard.errors == 0);

  Served early(world);
  early.wire->sink->on_end();
  CHECK(early.heard.ends == 0);
  CHECK(early.heard.errors == 1);
}

TEST_CASE("tls: a changed octet ends the connection with an alert") {
  World world;
  Served served(world);
  Client client(world);
  client.exchange(served);
  client.say("GET /");
  client.out.back() = static_cast<char>(client.out.back() ^ 1);
  client.exchange(served);
  CHECK(served.heard.text.empty());
  CHECK(served.heard.errors == 1);
  CHECK(client.code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
  CHECK(served.wire->saw_fin());
  served.stream->write("nobody hears this");
  served.wire->sink->on_bytes("nor this");
  CHECK(served.heard.errors == 1);
}

TEST_CASE("tls: plain HTTP is told to use https, and what is neither gets nothing") {
  World world;
  Served plain(world);
  plain.wire->sink->on_bytes("POST /v1/chat/completions HTTP/1.1\r\n");
  CHECK(plain.wire->written.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(plain.wire->written.find("https_needed") != std::string::npos);
  CHECK(plain.wire->saw_fin());
  CHECK(plain.heard.errors == 1);
  CHECK(plain.heard.text.empty());
  Served noise(world);
  noise.wire->sink->on_bytes("\x80\x2e\x01\x03\x01");
  CHECK(noise.wire->written.empty());
  CHECK(noise.heard.errors == 1);
}

TEST_CASE("tls: who does not finish the handshake in time is dropped") {
  World world;
  Served silent(world);
  Served slow(world);
  Client client(world);
  client.take(*slow.wire);
  slow.wire->sink->on_bytes(std::string_view(client.out).substr(0, 20));
  world.timers.pass(Duration::ms(9999));
  CHECK(silent.heard.errors + slow.heard.errors == 0);
  world.timers.pass(Duration::ms(1));
  CHECK(silent.heard.errors == 1);
  CHECK(slow.heard.errors == 1);
}

TEST_CASE("tls: over the rate a connection is closed before anything is computed") {
  World world;
  world.server.set_limits({Duration::seconds(10), 3, 2});
  std::vector<int> answered;
  for (const char* host : {"a", "a", "a", "b", "b"}) {
    Served served(world, host);
    Client client(world);
    client.exchange(served);
    answered.push_back(client.is_done());
    if (!client.is_done()) {
      CHECK(served.wire->written.empty());
      CHECK(served.wire->saw_fin());
      CHECK(served.heard.errors == 1);
    }
  }
  CHECK(answered == std::vector<int>{1, 1, 0, 1, 0});
  const auto told =
      std::count_if(world.log.lines.begin(), world.log.lines.end(), [](const std::string& line) {
        return line.find("connections refused") != std::string::npos;
      });
  CHECK(told == 1);
  world.timers.pass(Duration::seconds(1));
  Served later(world, "a");
  Client client(world);
  client.exchange(later);
  CHECK(client.is_done());
}

TEST_CASE("tls: what is written before the handshake is done follows it") {
  World world;
  Served served(world);
  served.stream->write("early");
  CHECK(served.stream->pending_bytes() == 5);
  served.stream->end_writing();
  CHECK(served.wire->written.empty());
  Client client(world);
  client.exchange(served);
  CHECK(client.text == "early");
  CHECK(client.code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
  CHECK(served.wire->saw_fin());
}

TEST_CASE("tls: the owner may destroy or reset the stream in any callback") {
  World world;
  for (const bool destroy : {true, false}) {
    Served served(world);
    Client client(world);
    client.exchange(served);
    client.say("one");
    client.say("two");
    served.heard.on_text = [&] {
      if (destroy) {
        served.stream.reset();
      } else {
        served.stream->reset();
      }
    };
    client.exchange(served);
    CHECK(served.heard.text == "one");
    CHECK((destroy ? served.wire->closed : served.wire->reset));
    CHECK(served.heard.ends + served.heard.errors == 0);
    world.timers.pass(Duration::seconds(30));
  }
}

TEST_CASE("tls: a stream that is destroyed says that it ends, one that is reset does not") {
  World world;
  Served left(world);
  Client client(world);
  client.exchange(left);
  left.stream->write("all");
  left.stream.reset();
  CHECK(record_types(left.wire->written) == std::vector<int>{kText, kAlert});
  client.take(*left.wire);
  CHECK(client.code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
  Served broken(world);
  Client other(world);
  other.exchange(broken);
  broken.stream->reset();
  broken.stream.reset();
  CHECK(broken.wire->written.empty());
}

TEST_CASE("tls: an error of the connection below is the last that is heard") {
  World world;
  Served served(world);
  Client client(world);
  client.exchange(served);
  served.wire->sink->on_error({ErrorKind::gone, "uv", "reset by peer"});
  CHECK(served.heard.errors == 1);
  CHECK(served.heard.error.text == "reset by peer");
  world.timers.pass(Duration::seconds(30));
  CHECK(served.heard.errors == 1);
}
