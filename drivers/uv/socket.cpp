#include "drivers/uv/socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

void on_closed(uv_handle_t* handle) noexcept { delete reinterpret_cast<Socket*>(handle); }

}  // namespace

Socket* open_socket(UvLoop& loop, SocketKind kind, void* owner) {
  auto* socket = new Socket;
  if (kind == SocketKind::tcp) {
    ENSURE(uv_tcp_init(loop.raw(), &socket->tcp) == 0);
  } else {
    ENSURE(uv_pipe_init(loop.raw(), &socket->pipe, 0) == 0);
  }
  socket->handle.data = owner;
  return socket;
}

int make_descriptor(Socket* socket, int family) {
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return uv_translate_sys_error(errno);
  const int code = uv_tcp_open(&socket->tcp, descriptor);
  if (code != 0) ::close(descriptor);
  return code;
}

int descriptor_of(const Socket* socket) {
  uv_os_fd_t descriptor = -1;
  ENSURE(uv_fileno(&socket->handle, &descriptor) == 0);
  return descriptor;
}

void close_socket(Socket* socket) {
  socket->handle.data = nullptr;
  uv_close(&socket->handle, on_closed);
}

void reset_socket(Socket* socket) {
  const bool tcp = socket->handle.type == UV_TCP;
  socket->handle.data = nullptr;
  if (!tcp || uv_tcp_close_reset(&socket->tcp, on_closed) != 0)
    uv_close(&socket->handle, on_closed);
}

}  // namespace sluice::drivers
