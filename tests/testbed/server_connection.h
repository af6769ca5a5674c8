// One client's connection to a stand-in server: reads requests one after the other, writes what the
// owner sends, notices when the client leaves.
//
// Lifetime: the owner destroys it after on_gone(), never inside a call from it.
// Order: after on_request() no further request is read until answer_done().
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/testbed/http_reader.h"
#include "tests/testbed/poller.h"

namespace sluice::testbed {

class ServerConnection;

class ConnectionOwner {
 public:
  virtual void on_request(ServerConnection& connection, HttpReader& request) = 0;
  // The client left or the connection was closed; its descriptor is gone. Called exactly once.
  virtual void on_gone(ServerConnection& connection) = 0;

 protected:
  ~ConnectionOwner() = default;
};

class ServerConnection : public Pollable {
 public:
  // A client that does not read while this much waits for it is dropped.
  static constexpr std::size_t kMaxQueued = 64 << 20;
  static constexpr std::size_t kMaxRequestBody = 256 << 20;

  ServerConnection(Poller& poller, int fd, ConnectionOwner& owner);
  ~ServerConnection() override;

  void send(std::string_view bytes);
  // The answer is complete: the next request may be read, or the connection closes after the last
  // byte has left.
  void answer_done(bool keep);
  // Nothing more is read or written; the connection stays open until the client leaves.
  void hold() { held_ = true; }
  void close();
  void reset();  // RST

  void on_ready(std::uint32_t epoll_events) override;

  std::uint64_t exchange = 0;  // the owner's: the request under way, 0 if none

 private:
  void read_some();
  void parse();
  void parse_one();
  void flush();
  void drop(bool with_reset);

  Poller& poller_;
  ConnectionOwner& owner_;
  int fd_;
  HttpReader request_{HttpReader::Role::request};
  std::string unread_;
  bool busy_ = false;
  bool held_ = false;
  bool parsing_ = false;
  bool continued_ = false;
  bool closing_ = false;
  bool wants_write_ = false;
  std::string queue_;
  std::size_t sent_ = 0;
};

}  // namespace sluice::testbed
