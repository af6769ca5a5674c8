// An engine stand-in for measuring what is in front of it: its answers are made beforehand, one
// thread serves tens of thousands of requests or tokens a second. It models no engine: the token
// interval is what the request asks for (FastAsk), in whole ticks of a timer wheel.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/testbed/fast_answers.h"
#include "tests/testbed/http_reader.h"
#include "tests/testbed/listening_socket.h"
#include "tests/testbed/poller.h"

namespace sluice::testbed {

class FastEngine;

class FastConnection : public Pollable {
 public:
  FastConnection(FastEngine& engine, std::uint64_t id, int fd)
      : engine_(engine), id_(id), fd_(fd) {}
  ~FastConnection() override;

  void on_ready(std::uint32_t epoll_events) override;
  void on_tick();  // the next token is due
  std::uint64_t id() const { return id_; }
  int fd() const { return fd_; }

 private:
  void take(std::string_view bytes);
  void answer();
  void begin_stream(const FastAsk& ask);
  void send(std::string_view bytes);
  void flush();
  void close();  // destroys it

  FastEngine& engine_;
  const std::uint64_t id_;
  const int fd_;
  bool closing_ = false;
  HttpReader reader_{HttpReader::Role::request};
  std::string unread_;  // pipelined behind a request that is being answered
  std::string unsent_;  // the peer reads slowly
  FastAsk ask_;
  int left_ = 0;  // tokens of the open stream
};

class FastEngine final : public SocketOwner {
 public:
  static constexpr Micros kTick = 1000;
  static constexpr std::size_t kSlots = 16384;  // the longest interval is 16 s

  FastEngine(Poller& poller, std::string model) : poller_(poller), answers_(std::move(model)) {}

  void on_accept(int fd) override;
  Poller& poller() { return poller_; }
  FastAnswers& answers() { return answers_; }
  void wake(std::uint64_t connection, int after_us);  // its on_tick(), so much later
  void close(FastConnection& connection) { connections_.erase(connection.id()); }

 private:
  void turn();

  Poller& poller_;
  FastAnswers answers_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<FastConnection>> connections_;
  std::vector<std::vector<std::uint64_t>> wheel_ = std::vector<std::vector<std::uint64_t>>(kSlots);
  std::size_t waiting_ = 0;
  Micros tick_ = 0;  // the last one that was served, counted from the clock's start
};

}  // namespace sluice::testbed
