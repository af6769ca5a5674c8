#include "tests/testbed/server_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace sluice::testbed {

namespace {

constexpr std::size_t kReadSize = 64 * 1024;
// Bytes a client may send beyond the request under way (pipelining) before it is dropped.
constexpr std::size_t kMaxUnread = 1 << 20;

}  // namespace

ServerConnection::ServerConnection(Poller& poller, int fd, ConnectionOwner& owner)
    : poller_(poller), owner_(owner), fd_(fd) {
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  poller_.watch(fd_, EPOLLIN, *this);
}

ServerConnection::~ServerConnection() {
  if (fd_ < 0) return;
  poller_.forget(fd_);
  ::close(fd_);
}

void ServerConnection::on_ready(std::uint32_t epoll_events) {
  if ((epoll_events & EPOLLOUT) != 0) flush();
  if (fd_ >= 0 && (epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some();
}

void ServerConnection::read_some() {
  char buffer[kReadSize];
  const ssize_t count = ::recv(fd_, buffer, sizeof(buffer), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return drop(false);
  if (held_ || closing_) return;
  unread_.append(buffer, static_cast<std::size_t>(count));
  if (busy_) {
    if (unread_.size() > kMaxUnread) drop(true);
    return;
  }
  parse();
}

void ServerConnection::parse() {
  if (parsing_) return;  // an answer given at once comes back here
  parsing_ = true;
  while (fd_ >= 0 && !busy_ && !closing_ && !held_ && !unread_.empty()) parse_one();
  parsing_ = false;
}

void ServerConnection::parse_one() {
  unread_.erase(0, request_.feed(unread_));
  if (request_.broken() || request_.body().size() > kMaxRequestBody) {
    send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    return answer_done(false);
  }
  if (request_.done()) {
    busy_ = true;
    return owner_.on_request(*this, request_);
  }
  if (request_.head_done() && !continued_ && request_.header("expect") == "100-continue") {
    continued_ = true;
    send("HTTP/1.1 100 Continue\r\n\r\n");
  }
}

void ServerConnection::send(std::string_view bytes) {
  if (fd_ < 0 || held_ || closing_) return;
  queue_.append(bytes);
  if (!wants_write_) flush();
  if (queue_.size() - sent_ > kMaxQueued) {
    hold();
    ::shutdown(fd_, SHUT_RDWR);  // the next poll reports it, outside the owner's call
  }
}

void ServerConnection::flush() {
  while (sent_ < queue_.size()) {
    const ssize_t count = ::send(fd_, queue_.data() + sent_, queue_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    sent_ += static_cast<std::size_t>(count);
  }
  // A send that failed for good leaves an error on the socket, which the next poll reports.
  const bool left = sent_ < queue_.size() && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (!left) {
    queue_.clear();
    sent_ = 0;
  }
  if (left != wants_write_) {
    wants_write_ = left;
    poller_.change(fd_, left ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
  if (!left && closing_) drop(false);
}

void ServerConnection::answer_done(bool keep) {
  exchange = 0;
  if (fd_ < 0) return;
  if (!keep) {
    closing_ = true;
    if (!wants_write_) drop(false);
    return;
  }
  request_ = HttpReader(HttpReader::Role::request);
  busy_ = continued_ = false;
  parse();
}

void ServerConnection::close() { drop(false); }

void ServerConnection::reset() { drop(true); }

void ServerConnection::drop(bool with_reset) {
  if (fd_ < 0) return;
  poller_.forget(fd_);
  if (with_reset) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  }
  ::close(fd_);
  fd_ = -1;
  owner_.on_gone(*this);
}

}  // namespace sluice::testbed
