// A loop, a server that answers as a test says, and a sink that remembers.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/curl/curl_client.h"
#include "drivers/uv/clock.h"
#include "drivers/uv/listeners.h"
#include "drivers/uv/loop.h"
#include "drivers/uv/timers.h"

namespace sluice::tests {

struct Peer : ports::ByteSink {  // the server's end of one connection
  std::unique_ptr<ports::ByteStream> stream;
  std::string request;  // all bytes so far
  std::function<void(Peer&)> on_request;
  int requests = 0;
  bool ended = false;

  void answer(std::string_view bytes) { stream->write(bytes); }
  void on_bytes(std::string_view bytes) override {
    request.append(bytes);
    const size_t head = request.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const size_t length = request.find("Content-Length: ");
    const size_t body = length == std::string::npos || length > head
                            ? 0
                            : static_cast<size_t>(std::atol(request.c_str() + length + 16));
    if (request.size() < head + 4 + body) return;
    ++requests;
    const auto act = on_request;
    act(*this);
    request.clear();
  }
  void on_end() override { ended = true; }
  void on_error(const Error&) override { ended = true; }
  void on_drained() override {}
};

struct World : ports::AcceptSink {
  drivers::UvLoop loop;
  drivers::UvClock clock{loop};
  drivers::UvTimers timers{loop, clock};
  drivers::UvListeners listeners{loop, timers};
  std::vector<std::unique_ptr<Peer>> peers;
  std::function<void(Peer&)> on_request = [](Peer& peer) {
    peer.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  };
  std::unique_ptr<ports::Listener> listener;
  bool out_of_time = false;
  std::unique_ptr<ports::Timer> guard = timers.make([this] {
    out_of_time = true;
    loop.stop();
  });

  World() {
    auto listening = listeners.listen({"127.0.0.1", 0, ""}, *this);
    REQUIRE(listening.has_value());
    listener = *std::move(listening);
  }
  void on_accept(std::unique_ptr<ports::ByteStream> stream) override {
    auto& peer = *peers.emplace_back(std::make_unique<Peer>());
    peer.stream = std::move(stream);
    peer.on_request = on_request;
    peer.stream->start(peer);
  }
  void run() {  // until a test stops the loop
    guard->start(Duration::seconds(20));
    loop.run();
    guard->stop();
    REQUIRE_FALSE(out_of_time);
  }
  void run_for(Duration time) {
    auto end = timers.make([this] { loop.stop(); });
    end->start(time);
    run();
  }
  ports::HttpCallSpec spec(std::string method, std::string target) const {
    ports::HttpCallSpec spec;
    spec.origin.address = listener->address();
    spec.origin.authority = listener->address().text();
    spec.method = std::move(method);
    spec.target = std::move(target);
    return spec;
  }
};

struct Heard : ports::HttpCallSink {
  explicit Heard(World& of) : world(of) {}
  World& world;
  std::vector<std::string> events;  // head, body..., end or fail
  ports::HttpResponseHead head;
  std::string body;
  ports::HttpFailure failure;
  std::function<void(const std::string&)> on_event = [](const std::string&) {};

  void hear(const std::string& event) {
    events.push_back(event);
    const auto act = on_event;
    act(event);
  }
  void on_head(const ports::HttpResponseHead& h) override {
    head = h;
    hear("head");
  }
  void on_body(std::string_view bytes) override {
    body.append(bytes);
    hear("body");
  }
  void on_end() override {
    world.loop.stop();
    hear("end");
  }
  void on_fail(const ports::HttpFailure& f) override {
    failure = f;
    world.loop.stop();
    hear("fail");
  }
};

}  // namespace sluice::tests
