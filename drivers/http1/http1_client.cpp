#include "drivers/http1/http1_client.h"

#include "drivers/http1/request_writer.h"

namespace sluice::drivers {

Http1Client::Http1Client(ports::Dialer& dialer, ports::Timers& timers, ports::Clock& clock,
                         ports::HttpParsers& parsers, ports::HttpLimits limits)
    : ports_{dialer, timers, clock, parsers, limits, {}}, pool_(ports_) {}

std::unique_ptr<ports::HttpCall> Http1Client::call(ports::HttpCallSpec spec,
                                                   ports::HttpCallSink& sink) {
  auto call = std::make_unique<Http1Call>();
  const ports::Address& address = spec.origin.address;
  if (auto error = check_call(spec)) {
    pool_.make(address).refuse(std::move(*error), sink, *call);
    return call;
  }
  Http1Connection* connection = pool_.take(address, spec.fresh_connection);
  if (connection == nullptr) {
    Error busy{ErrorKind::busy, "http1", "too many connections are open; try again later"};
    pool_.make(address).refuse(std::move(busy), sink, *call);
    return call;
  }
  connection->begin(std::move(spec), sink, *call);
  return call;
}

}  // namespace sluice::drivers
