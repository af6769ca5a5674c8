// One TCP or local socket as libuv wants it: on the heap until its close callback, together with
// the requests that libuv may still hold then. For the files of this folder only.
#pragma once

#include <uv.h>

#include <string>

#include "drivers/uv/loop.h"

namespace sluice::drivers {

enum class SocketKind { tcp, local };

// `data` of the handle is the object that hears the callbacks; null once it let go of the socket.
struct Socket {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  uv_connect_t connect;
  uv_write_t write;
  std::string sending;  // held by `write` until its callback
};

Socket* open_socket(UvLoop& loop, SocketKind kind, void* owner);
// Of a TCP socket, which libuv would else make when it connects; so that options can be set before.
int make_descriptor(Socket* socket, int family);  // an error code of libuv, or 0
int descriptor_of(const Socket* socket);          // one that has been made
void close_socket(Socket* socket);  // the owner hears nothing more; unread input makes it an RST
void reset_socket(Socket* socket);  // the same, and TCP sends RST in any case

template <class Owner>
Owner* owner_of(const uv_stream_t* stream) {
  return static_cast<Owner*>(stream->data);
}

}  // namespace sluice::drivers
