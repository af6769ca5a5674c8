// The near end of a test flow: datagrams at a fixed interval, and records in a TCP stream, to the
// echo; a line is written for each that comes back. Times are CLOCK_MONOTONIC in microseconds:
//   u SEQUENCE SENT CAME      a datagram
//   t SEQUENCE SENT CAME      a record of the stream
//   x AT                      the stream broke; another is begun
#pragma once

#include <cstdio>
#include <optional>
#include <string>

#include "tests/testbed/flow/packet_socket.h"
#include "tests/testbed/poller.h"

namespace sluice::testbed {

struct FlowOptions {
  std::string to;      // the echo; with `blast_mbit` its swallowing port
  std::string source;  // "10.88.0.2:0"
  std::string out;     // appended to
  std::int64_t interval_us = 2000;
  std::int64_t stream_interval_us = 0;  // 0: no stream
  int bytes = 64;                       // of a datagram's content
  std::uint32_t mark = 0;
  int dscp = 0;
  double blast_mbit = 0;  // instead of all else: so much, nothing comes back
};

class Flow {
 public:
  Flow(Poller& poller, FlowOptions options);
  ~Flow();
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  std::optional<std::string> start();  // an error text

 private:
  struct Record {  // in host order: both ends of the flow are this process
    std::uint64_t sequence = 0;
    std::int64_t sent = 0;
    char padding[16] = {};
  };
  struct Datagrams : Pollable {
    explicit Datagrams(Flow& flow) : owner(flow) {}
    void on_ready(std::uint32_t epoll_events) override;
    Flow& owner;
  };
  struct Stream : Pollable {
    explicit Stream(Flow& flow) : owner(flow) {}
    void on_ready(std::uint32_t epoll_events) override;
    Flow& owner;
  };

  void send_datagram();
  void send_record();
  void blast();
  void connect_stream();
  void break_stream();
  void take_datagrams();
  void take_stream();
  void write_line(char kind, const Record& record);

  // Fixed after construction.
  Poller& poller_;
  const FlowOptions options_;
  sockaddr_in to_{};
  sockaddr_in source_{};
  // Changes.
  std::FILE* out_ = nullptr;
  Datagrams datagrams_{*this};
  Stream stream_{*this};
  int udp_ = -1;
  int tcp_ = -1;
  std::uint64_t datagrams_sent_ = 0;
  std::uint64_t records_sent_ = 0;
  Micros datagram_due_ = 0;
  Micros record_due_ = 0;
  std::string came_;     // of the stream, less than a record
  std::string to_send_;  // of the stream, not taken yet
};

}  // namespace sluice::testbed
