#include "firmware/proxy/http_server.h"

#include "firmware/base/check.h"

namespace sluice::proxy {

HttpServer::HttpServer(ports::HttpParsers& parsers, ports::Timers& timers,
                       ports::HttpService& service, Log& log)
    : parsers_(parsers),
      timers_(timers),
      service_(service),
      log_(log),
      tell_(timers.make([this] { say_refused(); })) {
  set_limits({});
}

HttpServer::~HttpServer() = default;

void HttpServer::set_limits(const ServerLimits& limits) {
  limits_ = limits;
  rules_ = std::make_shared<const ConnectionRules>(limits.rules);
}

void HttpServer::on_accept(std::unique_ptr<ports::ByteStream> stream) {
  const std::string host = stream->peer().host;
  const auto from_there = per_address_.find(host);
  const size_t count = from_there == per_address_.end() ? 0 : from_there->second;
  if (draining_ || connections_.size() >= limits_.connections_max ||
      count >= limits_.connections_per_address_max) {
    refuse_one();
    log_.debug("proxy", "connection from {} refused: {} open, {} from there", host,
               connections_.size(), count);
    stream->reset();
    return;
  }
  const uint64_t id = next_id_++;
  ++per_address_[host];
  auto connection =
      std::make_unique<HttpConnection>(std::move(stream), parsers_.request_parser(limits_.http),
                                       timers_, service_, rules_, [this, id] { closed(id); });
  HttpConnection& started = *connection;
  connections_.emplace(id, std::move(connection));
  started.start();
}

void HttpServer::on_no_room() { refuse_one(); }

void HttpServer::refuse_one() {
  ++refused_;
  if (!tell_->is_running()) say_refused();
}

// At most one line in kTellEvery, however many are refused.
void HttpServer::say_refused() {
  if (refused_ == refused_told_) return;
  log_.warning("proxy",
               "{} connections refused: {} are open, of {} allowed and {} from one address, or the "
               "process is short of descriptors",
               refused_ - refused_told_, connections_.size(), limits_.connections_max,
               limits_.connections_per_address_max);
  refused_told_ = refused_;
  tell_->start(kTellEvery);
}

void HttpServer::closed(uint64_t id) {
  const auto found = connections_.find(id);
  ENSURE(found != connections_.end());
  const auto address = per_address_.find(found->second->peer().host);
  if (--address->second == 0) per_address_.erase(address);
  connections_.erase(found);
  if (draining_ && connections_.empty() && drained_) {
    Callback done = std::move(drained_);
    drained_ = nullptr;
    done();
  }
}

void HttpServer::drain(Duration grace, Callback done) {
  draining_ = true;
  drained_ = std::move(done);
  for (auto& [id, connection] : connections_) connection->finish_soon(grace);
  if (connections_.empty()) {
    Callback now = std::move(drained_);
    drained_ = nullptr;
    now();
  }
}

}  // namespace sluice::proxy
