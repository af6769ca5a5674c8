#include "drivers/uv/socket.h"

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
