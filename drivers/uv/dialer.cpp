#include "drivers/uv/dialer.h"

#include <uv.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "drivers/uv/addresses.h"
#include "drivers/uv/outbound.h"
#include "drivers/uv/socket.h"
#include "drivers/uv/stream.h"
#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

// resolving -> connecting (once for each address) -> over, or any -> failing -> over.
// A literal address or a local socket begins at connecting.
class UvDial final : public ports::Dial {
 public:
  UvDial(UvLoop& loop, const ports::Clock& clock, ports::Timers& timers, const ports::Address& to,
         const ports::OutboundWay& way, Duration timeout, ports::DialSink& sink);
  ~UvDial() override;
  UvDial(const UvDial&) = delete;
  UvDial& operator=(const UvDial&) = delete;

 private:
  enum class State { resolving, connecting, failing, over };
  struct Lookup {  // on the heap until libuv calls back: a running one cannot be stopped
    uv_getaddrinfo_t request;
    UvDial* dial;
  };

  static void on_lookup(uv_getaddrinfo_t* request, int status, addrinfo* found) noexcept;
  static void on_connect(uv_connect_t* request, int status) noexcept;

  void begin();
  void look_up();
  void looked_up(int status, const addrinfo* found);
  bool is_wanted(int family) const;
  void connect_local();
  void connect_next();
  bool connect_to(const sockaddr_storage& target);
  int set_out(const sockaddr_storage& target);
  void connected(int status);
  void give_up_attempt();
  void on_time();
  void fail(int code);

  // Fixed after construction.
  UvLoop& loop_;
  const ports::Clock& clock_;
  ports::Timers& timers_;
  const ports::Address to_;
  const ports::OutboundWay way_;
  const Instant deadline_;
  ports::DialSink& sink_;
  // Changes.
  State state_ = State::connecting;
  std::vector<sockaddr_storage> targets_;
  size_t next_target_ = 0;
  int last_code_ = UV_ETIMEDOUT;
  std::string last_text_;      // instead of its reason; empty = none
  Lookup* lookup_ = nullptr;   // null when libuv does not hold one for us
  Socket* attempt_ = nullptr;  // the socket that connects now
  std::unique_ptr<ports::Timer> timer_;
};

UvDial::UvDial(UvLoop& loop, const ports::Clock& clock, ports::Timers& timers,
               const ports::Address& to, const ports::OutboundWay& way, Duration timeout,
               ports::DialSink& sink)
    : loop_(loop),
      clock_(clock),
      timers_(timers),
      to_(to),
      way_(way),
      deadline_(clock.now() + timeout),
      sink_(sink),
      timer_(timers.make([this] { on_time(); })) {
  begin();
}

UvDial::~UvDial() {
  give_up_attempt();
  if (lookup_ == nullptr) return;
  lookup_->dial = nullptr;
  uv_cancel(reinterpret_cast<uv_req_t*>(&lookup_->request));
}

void UvDial::begin() {
  if (!to_.unix_path.empty()) return connect_local();
  const auto literal = to_socket_address(to_.host, to_.port);
  if (!literal) return look_up();
  targets_.push_back(*literal);
  connect_next();
}

void UvDial::look_up() {
  state_ = State::resolving;
  timer_->start(deadline_ - clock_.now());
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  auto lookup = std::make_unique<Lookup>();
  lookup->dial = this;
  lookup->request.data = lookup.get();
  const int code =
      uv_getaddrinfo(loop_.raw(), &lookup->request, on_lookup, to_.host.c_str(), nullptr, &hints);
  if (code != 0) return fail(code);
  lookup_ = lookup.release();
}

void UvDial::on_lookup(uv_getaddrinfo_t* request, int status, addrinfo* found) noexcept {
  const std::unique_ptr<Lookup> lookup(static_cast<Lookup*>(request->data));
  if (lookup->dial != nullptr) lookup->dial->looked_up(status, found);
  uv_freeaddrinfo(found);
}

void UvDial::looked_up(int status, const addrinfo* found) {
  lookup_ = nullptr;
  if (state_ != State::resolving) return;
  if (status != 0) return fail(status);
  for (; found != nullptr && targets_.size() < kDialAddressesMax; found = found->ai_next) {
    if (!is_wanted(found->ai_family)) continue;
    sockaddr_storage& target = targets_.emplace_back();
    std::copy_n(reinterpret_cast<const char*>(found->ai_addr), found->ai_addrlen,
                reinterpret_cast<char*>(&target));
    set_port(target, to_.port);
  }
  last_code_ = UV_EAI_NODATA;
  state_ = State::connecting;
  connect_next();
}

bool UvDial::is_wanted(int family) const {
  if (!way_.source) return family == AF_INET || family == AF_INET6;
  return family == (way_.source->family == IpAddress::Family::v4 ? AF_INET : AF_INET6);
}

void UvDial::connect_local() {
  if (to_.unix_path.size() > kUnixPathMax) return fail(UV_ENAMETOOLONG);
  timer_->start(deadline_ - clock_.now());
  attempt_ = open_socket(loop_, SocketKind::local, this);
  uv_pipe_connect(&attempt_->connect, &attempt_->pipe, to_.unix_path.c_str(), on_connect);
}

void UvDial::connect_next() {
  while (next_target_ < targets_.size()) {
    const Duration left = deadline_ - clock_.now();
    if (left <= Duration()) return fail(UV_ETIMEDOUT);
    const auto share = static_cast<int64_t>(targets_.size() - next_target_);
    if (connect_to(targets_[next_target_++])) return timer_->start(left / share);
  }
  fail(last_code_);
}

bool UvDial::connect_to(const sockaddr_storage& target) {
  attempt_ = open_socket(loop_, SocketKind::tcp, this);
  last_text_.clear();
  int code = set_out(target);
  if (code == 0) code = uv_tcp_nodelay(&attempt_->tcp, 1);
  if (code == 0) {
    code = uv_tcp_connect(&attempt_->connect, &attempt_->tcp,
                          reinterpret_cast<const sockaddr*>(&target), on_connect);
  }
  if (code == 0) return true;
  last_code_ = code;
  give_up_attempt();
  return false;
}

int UvDial::set_out(const sockaddr_storage& target) {
  if (way_ == ports::OutboundWay{}) return 0;
  const int code = make_descriptor(attempt_, target.ss_family);
  if (code != 0) return code;
  const IpAddress::Family family = to_endpoint(target).address.family;
  const auto done = set_way_and_source(descriptor_of(attempt_), family, way_, 0);
  if (done) return 0;
  last_text_ = done.error().text;
  return UV_EADDRNOTAVAIL;
}

void UvDial::on_connect(uv_connect_t* request, int status) noexcept {
  auto* dial = owner_of<UvDial>(request->handle);
  if (dial != nullptr) dial->connected(status);
}

void UvDial::connected(int status) {
  if (status != 0) {
    last_code_ = status;
    give_up_attempt();
    return connect_next();
  }
  timer_->stop();
  state_ = State::over;
  ports::Address peer = to_.unix_path.empty() ? to_address(targets_[next_target_ - 1]) : to_;
  sink_.on_connected(std::make_unique<UvStream>(loop_, timers_, std::exchange(attempt_, nullptr),
                                                std::move(peer)));
}

void UvDial::give_up_attempt() {
  if (attempt_ != nullptr) close_socket(std::exchange(attempt_, nullptr));
}

void UvDial::on_time() {
  if (state_ == State::failing) {
    state_ = State::over;
    Error error = uv_error("cannot connect to " + to_.text(), last_code_);
    if (!last_text_.empty()) error.text = "cannot connect to " + to_.text() + ": " + last_text_;
    return sink_.on_dial_failed(error);
  }
  last_code_ = UV_ETIMEDOUT;
  if (state_ == State::resolving) return fail(UV_ETIMEDOUT);
  give_up_attempt();
  connect_next();
}

// Reported on a later turn: it may have been found inside dial().
void UvDial::fail(int code) {
  state_ = State::failing;
  last_code_ = code;
  timer_->start(Duration());
}

}  // namespace

std::unique_ptr<ports::Dial> UvDialer::dial(const ports::Address& to, Duration timeout,
                                            ports::DialSink& sink) {
  return std::make_unique<UvDial>(loop_, clock_, timers_, to, way_, timeout, sink);
}

}  // namespace sluice::drivers
