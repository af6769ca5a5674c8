// Bounds of the client's side and of waiting.
#include "firmware/settings/describe.h"

namespace sluice::settings {

namespace {
constexpr When kLive = When::live;
constexpr int64_t kHourMs = 3600000;
constexpr int64_t kDayMs = 24 * kHourMs;
constexpr int64_t kGiB = int64_t{1024} * 1024 * 1024;

void describe_bodies(LimitSettings& limits, Visitor& v) {
  v.field({"body_bytes_max", kLive, "Largest request body.", "单个请求正文的上限。"},
          bytes(limits.body_max, 1024, kGiB));
  v.field(
      {"body_memory_bytes_max", kLive,
       "Up to this size a request's body is kept in memory, a larger one in a file without name.",
       "不超过此大小的请求正文保存在内存中，更大的保存在无名文件中。"},
      bytes(limits.body_memory_max, 0, kGiB));
  v.field({"bodies_memory_bytes_max", kLive,
           "Memory for all request bodies together; beyond it small ones go to disk too.",
           "全部请求正文占用的内存；超过后小的也写入磁盘。"},
          bytes(limits.bodies_memory_max, 0, 64 * kGiB));
  v.field({"bodies_per_key_bytes_max", kLive,
           "Bodies kept for one key at a time; less = one key cannot fill the box.",
           "单个密钥同时保留的请求正文；越小越能防止独占。"},
          bytes(limits.bodies_per_key_max, 1024, 1024 * kGiB));
  v.field({"bodies_bytes_max", kLive, "Bodies kept at a time in all; memory and disk.",
           "同时保留的全部请求正文；占用内存和磁盘。"},
          bytes(limits.bodies_max, 1024, 1024 * kGiB));
}
}  // namespace

void describe_limits(LimitSettings& limits, Visitor& v) {
  v.enter({"limits", kLive, "Bounds that keep the box alive.", "保护设备的上限。"});
  describe_bodies(limits, v);
  v.field({"connections_max", kLive, "Client connections at a time; memory and descriptors.",
           "同时的客户端连接数；占用内存和描述符。"},
          whole(limits.connections_max, 1, 100000));
  v.field({"connections_per_address_max", kLive,
           "Connections from one client address; less = one client cannot take all.",
           "单个客户端地址的连接数；越小越能防止独占。"},
          whole(limits.connections_per_address_max, 1, 100000));
  v.field({"tls_handshake_ms_max", kLive,
           "Longest time for a TLS handshake; cuts off who connects and says nothing.",
           "TLS 握手的最长时间；切断只连接不发送的客户端。"},
          milliseconds(limits.tls_handshake_max, 100, 600000));
  v.field({"tls_handshakes_per_second_max", kLive,
           "TLS handshakes per second, of all clients; each takes about 2.5 ms from all else. "
           "Connections beyond it are closed at once.",
           "每秒 TLS 握手总数；每次约占用 2.5 毫秒。超出的连接立即关闭。"},
          whole(limits.tls_handshakes_per_s_max, 1, 10000));
  v.field({"tls_handshakes_per_second_per_address_max", kLive,
           "The same for one client address; less = one client cannot take all.",
           "单个客户端地址每秒的 TLS 握手数；越小越能防止独占。"},
          whole(limits.tls_handshakes_per_s_per_address_max, 1, 10000));
  v.field({"head_ms_max", kLive, "Longest time for a request's head; cuts off slow senders.",
           "接收请求头的最长时间；切断过慢的发送方。"},
          milliseconds(limits.head_max, 100, 600000));
  v.field({"idle_ms_max", kLive, "How long an idle client connection is kept.",
           "空闲客户端连接保留多久。"},
          milliseconds(limits.idle_max, 1000, kHourMs));
  v.field({"requests_per_connection_max", kLive,
           "Requests on one client connection; then it is closed, and the client opens another.",
           "单个客户端连接上的请求数；达到后关闭，客户端另开连接。"},
          whole(limits.requests_per_connection_max, 1, 1000000));
  v.field(
      {"body_bytes_per_s_min", kLive,
       "Slowest request body, over body_slow_ms_max; 0 = only one that stands still is cut off.",
       "请求正文的最低速率，按 body_slow_ms_max 计；0 = 仅切断完全停顿的发送方。"},
      bytes(limits.body_per_s_min, 0, 1048576));
  v.field({"body_slow_ms_max", kLive, "How long a request body may be slower than that.",
           "请求正文低于该速率可持续多久。"},
          milliseconds(limits.body_slow_max, 100, kHourMs));
  v.field({"write_stall_ms_max", kLive,
           "A client that takes nothing of its answer for so long is dropped.",
           "客户端多久不接收回答即被断开。"},
          milliseconds(limits.write_stall_max, 100, kHourMs));
  v.field({"request_ms_max", kLive, "Longest exchange from first byte to last.",
           "一次交互从首字节到末字节的最长时间。"},
          milliseconds(limits.request_max, 1000, kDayMs));
  v.field({"stream_idle_ms_max", kLive, "Longest silence of a node within an answer.",
           "回答过程中节点的最长静默。"},
          milliseconds(limits.stream_idle_max, 1000, kHourMs));
  v.field({"connect_ms_max", kLive, "Longest time to connect to a node.", "连接节点的最长时间。"},
          milliseconds(limits.connect_max, 50, 600000));
  v.field(
      {"keepalive_comment_ms", kLive, "How often a comment keeps a waiting stream open; 0 = never.",
       "等待中的流多久发送一次保活注释；0 = 从不。"},
      milliseconds(limits.keepalive_comment, 0, 600000));
  v.field({"drain_ms_max", kLive,
           "How long open exchanges may go on after SIGTERM; then they are cut off.",
           "收到 SIGTERM 后，进行中的交互最多再持续多久；之后被切断。"},
          milliseconds(limits.drain_max, 0, kDayMs));
  v.field({"upgrade_drain_ms_max", kLive,
           "The same for the old process after an upgrade in place, while the new one serves.",
           "就地升级后旧进程中的交互最多再持续多久；此时新进程已在服务。"},
          milliseconds(limits.upgrade_drain_max, 0, kDayMs));
  v.leave();
}

}  // namespace sluice::settings
