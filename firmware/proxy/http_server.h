// All connections of one listener: accepts, bounds their number in all and per address, and ends
// them at stop.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "firmware/base/callback.h"
#include "firmware/base/log.h"
#include "firmware/ports/http_parser.h"
#include "firmware/ports/http_service.h"
#include "firmware/ports/listener.h"
#include "firmware/ports/timers.h"
#include "firmware/proxy/http_connection.h"

namespace sluice::proxy {

struct ServerLimits {
  size_t connections_max = 4096;
  size_t connections_per_address_max = 1024;
  ConnectionRules rules;
  ports::HttpLimits http;
};

class HttpServer : public ports::AcceptSink {
 public:
  static constexpr Duration kTellEvery = Duration::seconds(10);  // of connections refused

  HttpServer(ports::HttpParsers& parsers, ports::Timers& timers, ports::HttpService& service,
             Log& log);
  ~HttpServer() override;

  void set_limits(const ServerLimits& limits);  // for new connections
  // The answers under way are the last, but for what an idle client sends within `grace`; `done`
  // once, when the last connection has closed.
  void drain(Duration grace, Callback done);
  size_t connections() const { return connections_.size(); }
  uint64_t refused() const { return refused_; }

  void on_accept(std::unique_ptr<ports::ByteStream> stream) override;
  void on_no_room() override;

 private:
  void closed(uint64_t id);
  void refuse_one();
  void say_refused();

  ports::HttpParsers& parsers_;
  ports::Timers& timers_;
  ports::HttpService& service_;
  Log& log_;
  ServerLimits limits_;
  std::shared_ptr<const ConnectionRules> rules_;  // of limits_, one for all connections
  std::map<uint64_t, std::unique_ptr<HttpConnection>> connections_;
  std::map<std::string, size_t> per_address_;
  uint64_t next_id_ = 1;
  uint64_t refused_ = 0;
  uint64_t refused_told_ = 0;
  std::unique_ptr<ports::Timer> tell_;  // running: the last line is younger than kTellEvery
  bool draining_ = false;
  Callback drained_;
};

}  // namespace sluice::proxy
