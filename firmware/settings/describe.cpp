#include "firmware/settings/describe.h"

namespace sluice::settings {

namespace {

constexpr When kLive = When::live;
constexpr When kFixed = When::fixed;

void describe_level(ServiceLevel& level, Visitor& v) {
  v.field({"name", kLive, "Name; the one named `default` always exists.",
           "名称；名为 `default` 的等级始终存在。", true},
          text(level.name, kNameRule));
  v.field({"ttft_ms", kLive,
           "Time to first token that a request should meet; shorter = more overflow, more cost.",
           "请求应达到的首词元时延；越短，溢出越多，费用越高。"},
          milliseconds(level.ttft, 10, 600000));
  v.field({"tpot_ms", kLive,
           "Time per output token that a request should meet; shorter = more overflow, more cost.",
           "请求应达到的每输出词元时延；越短，溢出越多，费用越高。"},
          milliseconds(level.tpot, 1, 60000));
}

void describe_access(LiveSettings& live, Visitor& v) {
  v.enter({"access", kLive, "Who may ask.", "谁可以请求。"});
  v.field({"require_key", kLive,
           "Applications must show an API key; false = everybody who reaches listen.api may spend.",
           "应用必须出示 API 密钥；false = 能访问 listen.api 的人都可以消费。"},
          boolean(live.access.require_key));
  v.field(
      {"hosts", kLive,
       "Further names that clients call the box by. Always good: addresses, localhost, the "
       "machine's own name, names without a dot or under .local .lan .internal .home.arpa; "
       "any other is answered 421, so that no web page can reach the box by a name of its own. "
       "* = any name.",
       "客户端可用来访问设备的其他名称。始终允许：IP 地址、localhost、本机名、不含点的名称，以及 "
       ".local .lan .internal .home.arpa 下的名称；其他一律回答 421，以防网页借自己的域名访问设备。"
       "* = 任意名称。"},
      texts(live.access.hosts, kHostNameRule));
  v.leave();
  VectorElements<ServiceLevel, describe_level> levels(live.service_levels);
  v.list({"service_levels", kLive, "Delays that requests should meet, by name.",
          "请求应达到的时延，按名称。"},
         levels);
}

void describe_tls(TlsSettings& tls, Visitor& v) {
  v.enter(
      {"tls", kLive,
       "The certificate of listen.tls; without one the box makes its own, in `tls` in state_dir.",
       "listen.tls 的证书；不写则设备自行生成，存于 state_dir 的 `tls` 中。"});
  v.field({"certificate_file", kLive,
           "PEM file: the box's certificate, then those of its issuers. Read again at each reload.",
           "PEM 文件：先是设备证书，后是签发者证书。每次重新加载时重读。"},
          text(tls.certificate_file, kPathRule));
  v.field({"key_file", kLive, "PEM file of its private key, without a passphrase.",
           "其私钥的 PEM 文件，不带口令。"},
          text(tls.key_file, kKeyFileRule));
  v.leave();
}

void describe_queue(QueueSettings& queue, Visitor& v) {
  v.enter({"queue", kLive, "Where requests wait for local compute.", "请求等待本地算力的队列。"});
  v.field(
      {"length_max", kLive, "Requests that may wait; more = longer bursts survive, more memory.",
       "可等待的请求数；越多越能承受突发，占用内存越多。"},
      whole(queue.length_max, 0, 100000));
  v.field({"wait_ms_max", kLive, "Longest wait; more = fewer refusals, but clients wait longer.",
           "最长等待；越长拒绝越少，但客户端等待越久。"},
          milliseconds(queue.wait_max, 0, 3600000));
  v.leave();
}

void describe_log(LiveSettings& live, Visitor& v) {
  v.enter({"log", kLive, "What the program says.", "程序日志。"});
  v.field({"level", kLive, "Least important line that is written; debug = many lines.",
           "写出的最低级别；debug = 大量日志。"},
          choice(live.log_level));
  v.leave();
}

}  // namespace

void describe_start(StartSettings& start, Visitor& v) {
  v.enter({"listen", kFixed, "Where the box can be reached.", "设备的访问入口。"});
  v.field({"api", kFixed,
           "Applications ask here in plain HTTP: who listens on the LAN reads keys and prompts; "
           "0.0.0.0 = the whole LAN may ask; off = only HTTPS.",
           "应用在此以明文 HTTP 请求：局域网上的窃听者可读取密钥和内容；0.0.0.0 = "
           "整个局域网都可请求；off = 仅 HTTPS。"},
          address_or_off(start.listen.api));
  v.field({"tls", kFixed, "Applications ask here over HTTPS; off = only plain HTTP.",
           "应用在此以 HTTPS 请求；off = 仅明文 HTTP。"},
          address_or_off(start.listen.tls));
  v.field({"api_half_close", kFixed,
           "A client that ends its side before the answer: leave = it has left, the request is "
           "cancelled; keep = it still gets the answer, and one that left is noticed later.",
           "客户端在回答结束前关闭发送方向：leave = 视为离开并取消请求；keep = "
           "仍返回回答，但离开会更晚被发现。"},
          choice(start.listen.api_half_close));
  v.field({"page", kFixed, "The page of the box, for this machine only; off = no page.",
           "设备页面，仅限本机；off = 无页面。"},
          loopback_or_off(start.listen.page));
  v.field({"admin_socket", kFixed,
           "Local socket of the command line; without it `admin.sock` in state_dir.",
           "命令行使用的本地套接字；不写则为 state_dir 中的 `admin.sock`。"},
          text(start.listen.admin_socket, kSocketPathRule));
  v.leave();
  v.field({"state_dir", kFixed, "Journals, ledger, keys and overlay live here; grows with use.",
           "日志、账本、密钥和覆盖设置存放处；随使用增长。"},
          text(start.state_dir, kPathRule));
  v.field(
      {"drivers_dir", kFixed,
       "The site's own drivers, in engines and accelerators below it; one of the same name takes "
       "the place of the box's own. Read with the settings.",
       "站点自己的驱动文件，位于其下的 engines 和 "
       "accelerators；同名者取代设备自带的。随设置一起读取。"},
      text(start.drivers_dir, kPathRule));
  v.enter({"admin", kFixed, "Who may change settings.", "谁可以修改设置。"});
  v.field({"token_file", kFixed,
           "File with the token that opens the page's commands; without it the page only shows.",
           "存放令牌的文件，凭令牌可在页面上操作；不写则页面只读。"},
          text(start.admin_token_file, kKeyFileRule));
  v.leave();
}

void describe_money(Settings& settings, Visitor& v) {
  v.field({"currency", kFixed, "The box's currency: every amount is told in it.",
           "设备货币：所有金额以此表示。"},
          currency(settings.start.currency));
  v.field({"exchange_rates", kLive,
           "Box currency for one unit of another, e.g. USD: 7.2; for nodes priced in it.",
           "一单位外币折合的设备货币，如 USD: 7.2；用于以外币计价的节点。"},
          rates(settings.live.exchange_rates));
}

void describe(Settings& settings, Visitor& v) {
  LiveSettings& live = settings.live;
  describe_start(settings.start, v);
  describe_log(live, v);
  describe_money(settings, v);
  describe_access(live, v);
  describe_tls(live.tls, v);
  describe_valve(live.valve, v);
  describe_queue(live.queue, v);
  describe_sense(live.sense, v);
  v.enter({"breaker", kLive, "When a failing node is left alone.", "何时暂停使用故障节点。"});
  v.field(
      {"failures", kLive, "Failures in a row that open it; fewer = reacts faster, and to chance.",
       "连续失败多少次后断开；越少反应越快，也越易误判。"},
      whole(live.breaker.failures, 1, 1000));
  v.field({"open_ms", kLive, "How long the node rests; longer = fewer failed tries, later return.",
           "节点停用多久；越长失败尝试越少，恢复越晚。"},
          milliseconds(live.breaker.open, 100, 600000));
  v.field(
      {"slow_start_ms", kLive, "How long until the node carries a full share again; 0 = at once.",
       "节点恢复到满负荷所需时间；0 = 立即。"},
      milliseconds(live.breaker.slow_start, 0, 600000));
  v.leave();
  describe_limits(live.limits, v);
  v.enter({"metering", kLive, "The ledger.", "账本。"});
  v.field(
      {"commit_ms", kFixed, "How often the ledger is written; shorter = fresher, more disk writes.",
       "账本写入间隔；越短越新，写盘越多。"},
      milliseconds(live.metering.commit, 10, 60000));
  v.field(
      {"journal_bytes_max", kFixed, "Largest file of the journal ahead of the ledger; disk space.",
       "账本前置日志单个文件的上限；占用磁盘。"},
      bytes(live.metering.journal_max, 1048576, 268435456));
  v.field({"budget_per_month", kLive,
           "What all keys together may spend in a month (UTC), in box currency; then nothing goes "
           "to nodes that cost money. 0 = no limit.",
           "所有密钥每月（UTC）可花费的总额（设备货币）；用完后不再使用收费节点。0 = 不限。"},
          money(live.metering.budget_per_month, 1e9));
  v.leave();
  v.enter(
      {"decisions", kLive, "The record of why each request went where.", "每次决策原因的记录。"});
  v.field({"keep", kLive, "Decisions kept in memory for the page, about 1 KB each.",
           "为页面保留在内存中的决策数，每条约 1 KB。"},
          whole(live.decisions.keep, 0, 100000));
  v.field({"journal_bytes_max", kLive, "Largest file of decisions; disk space.",
           "单个决策文件的上限；占用磁盘。"},
          bytes(live.decisions.journal_max, 65536, 17179869184));
  v.field({"files_max", kLive, "Files of decisions that are kept; the oldest is removed.",
           "保留的决策文件数；最旧的被删除。"},
          whole(live.decisions.files_max, 1, 1000));
  v.leave();
  VectorElements<NodeSettings, describe_node> nodes(live.nodes);
  v.list({"nodes", kLive, "Engines that answer: the local ones and the cloud's.",
          "提供推理的节点：本地与云端。"},
         nodes);
  describe_accelerators(live.accelerators, v);
  describe_tunnel(live.tunnel, v);
  v.field({"locked", kFixed,
           "Keys, or beginnings of keys, that only this file may change: neither page nor command.",
           "只能由本文件修改的键（或键的开头）：页面和命令均不可修改。"},
          texts(settings.locked, kKeyPathRule));
}

}  // namespace sluice::settings
