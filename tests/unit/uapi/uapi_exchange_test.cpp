#include "drivers/uapi/uapi_exchange.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/uapi/control_socket.h"
#include "drivers/uapi/uapi_text.h"
#include "tests/unit/uapi/two_sites.h"

using namespace sluice;
using namespace sluice::drivers;

namespace {

// The program's side, moved by hand.
struct Scripted {
  LoopWorld world;
  std::string path = "/tmp/sluice_uapi_" + std::to_string(::getpid()) + ".sock";
  HeldDescriptor listener;
  HeldDescriptor peer;
  std::optional<Result<SecretText>> answer;
  std::unique_ptr<UapiExchange> exchange;

  Scripted() {
    auto listening = listen_at(path);
    REQUIRE(listening);
    listener = *std::move(listening);
  }
  ~Scripted() { ::unlink(path.c_str()); }
  void ask(std::string_view request, Duration time_max = Duration::seconds(10)) {
    SecretText text;
    text.append(request);
    exchange = std::make_unique<UapiExchange>(world.loop, world.timers, path, std::move(text),
                                              time_max, [this](Result<SecretText> told) {
                                                answer = std::move(told);
                                                exchange.reset();
                                              });
    CHECK_FALSE(answer.has_value());
  }
  void accept() {
    peer = HeldDescriptor(
        ::accept4(listener.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    REQUIRE(peer.is_open());
  }
  std::string hear() {  // all that is there
    std::string out;
    char bytes[65536];
    for (ssize_t size = 0; (size = ::read(peer.number(), bytes, sizeof bytes)) > 0;) {
      out.append(bytes, static_cast<size_t>(size));
    }
    return out;
  }
  void say(std::string_view text) {
    REQUIRE(::send(peer.number(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  void turn() {
    int turns = 3;
    world.run_until([&] { return --turns == 0; });
  }
  void wait() {
    world.run_until([&] { return answer.has_value(); });
    REQUIRE(answer.has_value());
  }
};

}  // namespace

TEST_CASE("exchange: a request goes out whole and at once, an answer in pieces is put together") {
  Scripted scripted;
  scripted.ask("get=1\n\n");
  scripted.accept();
  CHECK(scripted.hear() == "get=1\n\n");  // before the loop has run
  for (const char* piece : {"listen_port=", "1\n", "errno=0\n"}) {
    scripted.say(piece);
    scripted.turn();
    CHECK_FALSE(scripted.answer.has_value());
  }
  scripted.say("\n");
  scripted.wait();
  REQUIRE(*scripted.answer);
  CHECK(scripted.answer->value().reveal() == "listen_port=1\nerrno=0\n\n");
}

TEST_CASE("exchange: what the socket does not take at once goes on as it is read") {
  Scripted scripted;
  std::string request = "set=1\n";
  while (request.size() < 3000000) request += "allowed_ip=10.0.0.0/8\n";
  request += "\n";
  scripted.ask(request);
  scripted.accept();
  std::string heard;
  scripted.world.run_until([&] {
    heard += scripted.hear();
    return heard.size() >= request.size();
  });
  CHECK(heard == request);
  scripted.say("errno=0\n\n");
  scripted.wait();
  CHECK(*scripted.answer);
}

TEST_CASE("exchange: an answer before all is sent, and a close behind it, is the answer") {
  Scripted scripted;
  scripted.ask(std::string(3000000, 'x'));
  scripted.accept();
  scripted.say("errno=-22\n\n");
  scripted.peer = HeldDescriptor();
  scripted.wait();
  // The kernel may have dropped it together with the unread request; then it is gone.
  if (*scripted.answer) {
    CHECK(scripted.answer->value().reveal() == "errno=-22\n\n");
  } else {
    CHECK(scripted.answer->error().kind == ErrorKind::gone);
  }
}

TEST_CASE("exchange: nobody listens, or it closes: gone") {
  Scripted scripted;
  scripted.ask("get=1\n\n");
  scripted.accept();
  scripted.peer = HeldDescriptor();
  scripted.wait();
  CHECK(scripted.answer->error().kind == ErrorKind::gone);
  scripted.answer.reset();
  scripted.listener = HeldDescriptor();
  scripted.ask("get=1\n\n");
  scripted.wait();
  CHECK(scripted.answer->error().kind == ErrorKind::gone);
}

TEST_CASE("exchange: no answer in time is busy, an endless one broken") {
  Scripted scripted;
  scripted.ask("get=1\n\n", Duration::ms(30));
  scripted.wait();
  CHECK(scripted.answer->error().kind == ErrorKind::busy);
  scripted.answer.reset();
  scripted.accept();  // the one that was given up
  scripted.ask("get=1\n\n");
  scripted.accept();
  const std::string line(100000, 'x');
  scripted.world.run_until([&] {
    static_cast<void>(::send(scripted.peer.number(), line.data(), line.size(), MSG_NOSIGNAL));
    return scripted.answer.has_value();
  });
  CHECK(scripted.answer->error().kind == ErrorKind::broken);
}

TEST_CASE("exchange: one that is given up is never answered") {
  Scripted scripted;
  scripted.ask("get=1\n\n");
  scripted.accept();
  scripted.say("errno=0\n\n");
  scripted.exchange.reset();
  scripted.turn();
  CHECK_FALSE(scripted.answer.has_value());
}
