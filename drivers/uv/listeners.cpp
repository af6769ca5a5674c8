#include "drivers/uv/listeners.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "drivers/uv/addresses.h"
#include "drivers/uv/socket.h"
#include "drivers/uv/stream.h"
#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

constexpr mode_t kLocalSocketMode = 0660;

Error refusal(const ports::Address& at, const std::string& why) {
  return {ErrorKind::refused, "uv", "cannot listen on " + at.text() + ": " + why};
}

std::string why_not(int code) {
  switch (code) {
    case UV_EADDRINUSE:
      return "the address is in use by another program; stop that program or choose another port";
    case UV_EADDRNOTAVAIL:
      return "this machine does not have that address; choose one of its own, or 0.0.0.0 or ::";
    case UV_EACCES:
      return "permission denied; choose a port above 1023 or a folder that this user may write";
    case UV_ENOENT:
      return "the folder of the socket does not exist; create it or choose another path";
    default:
      return uv_reason(code);
  }
}

class UvListener final : public ports::Listener {
 public:
  UvListener(UvLoop& loop, ports::Timers& timers, SocketKind kind, ports::AcceptSink& sink,
             int64_t descriptor_bound)
      : loop_(loop),
        timers_(timers),
        sink_(sink),
        kind_(kind),
        descriptor_bound_(descriptor_bound),
        socket_(open_socket(loop, kind, this)) {}
  ~UvListener() override {
    close_socket(socket_);
    if (owns_name_) ::unlink(address_.unix_path.c_str());
  }
  UvListener(const UvListener&) = delete;
  UvListener& operator=(const UvListener&) = delete;

  const ports::Address& address() const override { return address_; }
  int descriptor() const override { return descriptor_of(*socket_); }
  void own_name(bool owns) override { owns_name_ = owns && kind_ == SocketKind::local; }
  // Each returns an error code of libuv, or 0.
  int listen_tcp(const sockaddr_storage& at);
  int listen_local(const std::string& path);
  int adopt(int descriptor, const std::string& path);

 private:
  static void on_connection(uv_stream_t* server, int status) noexcept;
  static int descriptor_of(const Socket& socket);
  int listen_here();
  void accept();
  ports::Address peer_of(const Socket& accepted) const;

  UvLoop& loop_;
  ports::Timers& timers_;
  ports::AcceptSink& sink_;
  const SocketKind kind_;
  const int64_t descriptor_bound_;
  Socket* const socket_;
  ports::Address address_;
  bool owns_name_ = false;  // of a local socket
};

int UvListener::descriptor_of(const Socket& socket) {
  uv_os_fd_t descriptor = -1;
  return uv_fileno(&socket.handle, &descriptor) == 0 ? descriptor : -1;
}

int UvListener::listen_tcp(const sockaddr_storage& at) {
  int code = uv_tcp_bind(&socket_->tcp, reinterpret_cast<const sockaddr*>(&at), 0);
  if (code == 0) code = uv_tcp_nodelay(&socket_->tcp, 1);
  if (code == 0) code = uv_tcp_keepalive(&socket_->tcp, 1, kKeepAliveSeconds);
  return code == 0 ? listen_here() : code;
}

int UvListener::listen_here() {
  int code = uv_listen(&socket_->stream, kAcceptBacklog, on_connection);
  if (code != 0 || kind_ == SocketKind::local) return code;
  sockaddr_storage bound = {};
  int size = sizeof bound;
  code = uv_tcp_getsockname(&socket_->tcp, reinterpret_cast<sockaddr*>(&bound), &size);
  address_ = to_address(bound);
  return code;
}

// Bound here and not by libuv, which would remove the name when a successor still listens there.
// Nobody can connect between bind and listen, so the mode is never seen wider than it should be.
int UvListener::listen_local(const std::string& path) {
  address_.unix_path = path;
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return uv_translate_sys_error(errno);
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  int code = 0;
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
    code = uv_translate_sys_error(errno);
  } else {
    owns_name_ = true;
    if (::chmod(path.c_str(), kLocalSocketMode) != 0) code = uv_translate_sys_error(errno);
  }
  if (code == 0) code = uv_pipe_open(&socket_->pipe, descriptor);
  if (code != 0) {
    ::close(descriptor);
    return code;
  }
  return listen_here();
}

// Closed if it is not taken over.
int UvListener::adopt(int descriptor, const std::string& path) {
  address_.unix_path = path;
  int listens = 0;
  int domain = 0;
  socklen_t size = sizeof listens;
  const bool known = ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
                     ::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
                     listens == 1 && (domain == AF_UNIX) == (kind_ == SocketKind::local);
  int code = known ? ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) : UV_ENOTSOCK;
  if (code == 0) {
    code = kind_ == SocketKind::tcp ? uv_tcp_open(&socket_->tcp, descriptor)
                                    : uv_pipe_open(&socket_->pipe, descriptor);
  }
  if (code != 0) {
    ::close(descriptor);
    return code;
  }
  return listen_here();
}

void UvListener::on_connection(uv_stream_t* server, int status) noexcept {
  auto* listener = owner_of<UvListener>(server);
  if (listener != nullptr && status == 0) listener->accept();
}

void UvListener::accept() {
  Socket* accepted = open_socket(loop_, kind_, nullptr);
  if (uv_accept(&socket_->stream, &accepted->stream) != 0) return close_socket(accepted);
  if (kind_ == SocketKind::tcp && descriptor_of(*accepted) >= descriptor_bound_) {
    reset_socket(accepted);
    return sink_.on_no_room();
  }
  sink_.on_accept(std::make_unique<UvStream>(loop_, timers_, accepted, peer_of(*accepted)));
}

ports::Address UvListener::peer_of(const Socket& accepted) const {
  if (kind_ == SocketKind::local) return address_;
  sockaddr_storage peer = {};
  int size = sizeof peer;
  uv_tcp_getpeername(&accepted.tcp, reinterpret_cast<sockaddr*>(&peer), &size);
  return to_address(peer);
}

enum class LocalPath { free, answered, not_a_socket };

// Connecting to a local socket never waits. What refuses has no listener any more.
LocalPath probe(const std::string& path) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) return LocalPath::free;
  if (!S_ISSOCK(status.st_mode)) return LocalPath::not_a_socket;
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return LocalPath::answered;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  const int code =
      ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const bool stale = code != 0 && errno == ECONNREFUSED;
  ::close(descriptor);
  if (!stale) return LocalPath::answered;
  ::unlink(path.c_str());
  return LocalPath::free;
}

}  // namespace

Result<std::unique_ptr<ports::Listener>> UvListeners::listen(const ports::Address& at,
                                                             ports::AcceptSink& sink) {
  const bool local = !at.unix_path.empty();
  auto listener = std::make_unique<UvListener>(
      loop_, timers_, local ? SocketKind::local : SocketKind::tcp, sink, descriptor_bound_);
  int code = 0;
  if (local) {
    if (at.unix_path.size() > kUnixPathMax) return refusal(at, "the path is too long (107 bytes)");
    const LocalPath found = probe(at.unix_path);
    if (found == LocalPath::not_a_socket) return refusal(at, "a file that is no socket is there");
    if (found == LocalPath::answered) return refusal(at, "another program answers there; stop it");
    code = listener->listen_local(at.unix_path);
  } else {
    const auto target = to_socket_address(at.host, at.port);
    if (!target) return refusal(at, "not an IP address; write for example 127.0.0.1 or ::");
    code = listener->listen_tcp(*target);
  }
  if (code != 0) return refusal(at, why_not(code));
  return std::unique_ptr<ports::Listener>(std::move(listener));
}

Result<std::unique_ptr<ports::Listener>> UvListeners::adopt(int descriptor,
                                                            const ports::Address& asked,
                                                            ports::AcceptSink& sink) {
  const bool local = !asked.unix_path.empty();
  auto listener = std::make_unique<UvListener>(
      loop_, timers_, local ? SocketKind::local : SocketKind::tcp, sink, descriptor_bound_);
  const int code = listener->adopt(descriptor, asked.unix_path);
  if (code != 0) return refusal(asked, "the inherited socket is of no use: " + uv_reason(code));
  return std::unique_ptr<ports::Listener>(std::move(listener));
}

}  // namespace sluice::drivers
