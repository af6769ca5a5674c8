#include "drivers/netlink/reply.h"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace sluice::drivers {

namespace {

// From other people's drivers: printable ASCII only, and not too much of it.
std::string printable(std::string_view words) {
  std::string out;
  for (const char c : words.substr(0, kKernelWordsMax)) out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

ErrorKind kind_of(int code) {
  switch (code) {
    case ENODEV:
    case ENXIO:
      return ErrorKind::gone;
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
      return ErrorKind::unsupported;
    case EBUSY:
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
    case ENOMEM:
    case ETIMEDOUT:
      return ErrorKind::busy;
    case EBADMSG:
      return ErrorKind::broken;
    default:
      return ErrorKind::refused;
  }
}

}  // namespace

void ReplyReader::end(int code, Octets attributes) {
  ended_ = true;
  answer_.code = code;
  if (const auto words = attribute(attributes, NLMSGERR_ATTR_MSG)) {
    answer_.words = printable(text_of(*words));
  }
}

void ReplyReader::read_error(const nlmsghdr& head, Octets body) {
  const auto error = fixed_at<nlmsgerr>(body);
  if (!error || error->error > 0 || error->error == INT32_MIN) return end(EBADMSG, {});
  if ((head.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return end(-error->error, {});
  // The request comes back in full unless it was capped to its header.
  size_t skip = sizeof(nlmsgerr);
  if ((head.nlmsg_flags & NLM_F_CAPPED) == 0 && error->msg.nlmsg_len > NLMSG_HDRLEN) {
    skip += NLMSG_ALIGN(error->msg.nlmsg_len - NLMSG_HDRLEN);
  }
  end(-error->error, skip < body.size() ? body.subspan(skip) : Octets());
}

void ReplyReader::read_done(const nlmsghdr& head, Octets body) {
  const int code = fixed_at<int>(body).value_or(0);
  if (code > 0 || code == INT32_MIN) return end(EBADMSG, {});
  const bool has_words = (head.nlmsg_flags & NLM_F_ACK_TLVS) != 0 && body.size() > sizeof(int);
  end(-code, has_words ? body.subspan(sizeof(int)) : Octets());
}

void ReplyReader::read(Octets datagram, const OnReply& on_reply) {
  while (!ended_ && !datagram.empty()) {
    const auto head = fixed_at<nlmsghdr>(datagram);
    if (!head || head->nlmsg_len < NLMSG_HDRLEN || head->nlmsg_len > datagram.size()) {
      return end(EBADMSG, {});
    }
    const Octets body = datagram.subspan(NLMSG_HDRLEN, head->nlmsg_len - NLMSG_HDRLEN);
    const auto padded = static_cast<size_t>(NLMSG_ALIGN(static_cast<size_t>(head->nlmsg_len)));
    datagram = datagram.subspan(std::min(padded, datagram.size()));
    if (head->nlmsg_seq != sequence_ || head->nlmsg_type == NLMSG_NOOP) continue;
    if ((head->nlmsg_flags & NLM_F_DUMP_INTR) != 0) answer_.interrupted = true;
    if (head->nlmsg_type == NLMSG_ERROR) {
      read_error(*head, body);
    } else if (head->nlmsg_type == NLMSG_DONE) {
      read_done(*head, body);
    } else if (head->nlmsg_type == NLMSG_OVERRUN) {
      end(ENOBUFS, {});
    } else {
      on_reply({head->nlmsg_type, body});
    }
  }
}

Error kernel_error(std::string what, const Answer& answer) {
  std::string text = std::move(what) + ": " + std::strerror(answer.code);
  if (!answer.words.empty()) text += " (" + answer.words + ")";
  if (answer.code == EPERM || answer.code == EACCES) {
    text += "; the daemon needs the right to administer the network (CAP_NET_ADMIN)";
  }
  return {kind_of(answer.code), "netlink", std::move(text)};
}

}  // namespace sluice::drivers
