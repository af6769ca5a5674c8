// The valve and what it knows: valve, sense.
#include "firmware/settings/describe.h"

namespace sluice::settings {

namespace {
constexpr When kLive = When::live;
constexpr int64_t kMinuteMs = 60000;
constexpr int64_t kHourMs = 3600000;

// By which rule, and what the rules of others need.
void describe_rule(ValveSettings& valve, Visitor& v) {
  v.field(
      {"rule", kLive,
       "predict = by what would keep its service level; the others decide as other gateways do, "
       "for comparison: they know no service level.",
       "predict = 按能否满足服务等级决定；其余各项模仿其他网关的做法，仅供对比，不顾及服务等级。"},
      choice(valve.rule));
  v.field({"rule_concurrency", kLive,
           "static-threshold: requests at a time that stay local; more = fuller here, slower.",
           "static-threshold：留在本地的并发请求数；越大本地越满、越慢。"},
          whole(valve.rule_concurrency, 1, 4096));
  v.field({"rule_queue", kLive,
           "queue-kv: requests waiting in the engine at which it counts as full; 0 = any.",
           "queue-kv：引擎中等待的请求达到此数即视为已满；0 = 只要有等待。"},
          whole(valve.rule_queue, 0, 4096));
  v.field(
      {"rule_kv_percent", kLive, "queue-kv: KV memory in use at which an engine counts as full.",
       "queue-kv：KV 显存占用达到此比例即视为已满。"},
      percent(valve.rule_kv_percent, 1, 100));
  std::vector<std::string_view> words = {"off"};
  for (const std::string_view word : words_of<Rule>()) words.push_back(word);
  for (const std::string_view word : words_of<Goal>()) words.push_back(word);
  v.field({"shadow", kLive,
           "A second rule or goal that decides on the same requests without acting; `sluiced "
           "shadow` shows the difference. off = none.",
           "第二个规则或目标，对相同请求同时做决定但不执行；`sluiced shadow` 显示差异。off = 无。"},
          choice_of(
              std::move(words), [&valve](std::string_view word) { valve.shadow = word; },
              [&valve] { return std::string_view(valve.shadow); }));
}

void describe_extra_sends(ValveSettings& valve, Visitor& v) {
  v.field(
      {"hedge", kLive,
       "auto = a stream whose first byte is late gets a second copy on another node that it may "
       "use, and the first byte wins; both are paid for. off = never.",
       "auto = 首字节迟到的流会在另一可用节点上再发一份，先到者胜出，两份都计费；off = 从不。"},
      choice(valve.hedge));
  v.field(
      {"hedge_quantile_percent", kLive,
       "Share of a node's answers that begin earlier than what counts as late; less = copies go "
       "out sooner, and more of them.",
       "节点回答中早于“迟到”界限的比例；越小，副本发出越早、越多。"},
      percent(valve.hedge_quantile_percent, 50, 99));
  v.field({"hedge_percent_max", kLive, "Copies, as a share of the requests.",
           "副本占请求数的最大比例。"},
          percent(valve.hedge_percent_max, 1, 50));
  v.field({"retry_percent_max", kLive,
           "Retries on another node, as a share of the requests; less = an overload ends sooner, "
           "fewer faults are survived.",
           "在其他节点重试的次数占请求数的最大比例；越小，过载结束越早，能容忍的故障越少。"},
          percent(valve.retry_percent_max, 0, 100));
  v.field({"retry_floor_per_s", kLive, "Retries per second that are always allowed.",
           "始终允许的每秒重试次数。"},
          whole(valve.retry_floor_per_s, 0, 10000));
}

}  // namespace

void describe_valve(ValveSettings& valve, Visitor& v) {
  v.enter({"valve", kLive, "Local or cloud: how each request is decided.",
           "本地还是云端：如何决定每个请求。"});
  v.field({"overflow", kLive,
           "auto = to the cloud what would miss its service level here; off = never.",
           "auto = 本地将达不到服务等级的请求转到云端；off = 从不。"},
          choice(valve.overflow));
  v.field({"hold", kLive,
           "auto = wait in the fair queue when local is full and overflow is not possible; off = "
           "answer busy at once.",
           "auto = 本地已满且无法溢出时在公平队列中等待；off = 立即答复繁忙。"},
          choice(valve.hold));
  v.field({"hysteresis_percent", kLive,
           "How far it must get better before it turns back; more = calmer, later home.",
           "好转多少才回切；越大越稳定，回本地越晚。"},
          percent(valve.hysteresis_percent, 0, 50));
  v.field({"margin_percent", kLive,
           "Share of the service level that the prediction may reach; less = overflows earlier, "
           "costs more, misses less.",
           "预测值可达到服务等级的比例；越小溢出越早，费用越高，违约越少。"},
          percent(valve.margin_percent, 10, 200));
  v.field({"untried_concurrency", kLive,
           "Concurrent requests believed safe on a local engine never measured; more = may overrun "
           "it at first.",
           "对从未测量过的本地引擎，认为安全的并发数；越大，起初越可能超载。"},
          whole(valve.untried_concurrency, 1, 4096));
  v.field({"growth_percent", kLive,
           "How far above the measured concurrency it dares to go at a time; more = learns faster, "
           "overshoots more.",
           "每次敢于超过已测并发的幅度；越大学得越快，过冲越多。"},
          percent(valve.growth_percent, 1, 100));
  v.field({"untried_prefill_tps", kLive,
           "Prompt tokens per second believed of an engine never measured.",
           "对从未测量过的引擎，假定的每秒提示词元数。"},
          whole(valve.untried_prefill_tps, 1, 10000000));
  v.field(
      {"expected_output_tokens", kLive, "Answer length for cost when the request names no maximum.",
       "请求未给出上限时，估算费用所用的回答长度。"},
      tokens(valve.expected_output, 1, 1000000));
  v.field({"carbon_price_per_kg", kLive,
           "Box currency per kg of carbon; more = cleaner nodes win over cheaper ones.",
           "每千克碳的价格（设备货币）；越高越偏向清洁节点。"},
          money(valve.carbon_price_per_kg, 1000000));
  v.field({"attempts_max", kLive,
           "Nodes tried for one request before its first byte; more = survives more faults, fails "
           "later.",
           "首字节之前一个请求最多尝试的节点数；越多越能容错，失败越晚。"},
          whole(valve.attempts_max, 1, 10));
  v.field({"first_byte_ms_max", kLive, "Longest wait for the first byte of an answer.",
           "等待回答首字节的最长时间。"},
          milliseconds(valve.first_byte_max, 100, kHourMs));
  v.field({"goal", kLive,
           "What the choice among nodes goes by, for keys that name no goal of their own: cost, "
           "balanced, fast, green (carbon) or home-first.",
           "在节点之间选择的依据，用于未指定目标的密钥：费用、均衡、快速、低碳或本地优先。"},
          choice(valve.goal));
  v.field({"waiting_price_per_s", kLive,
           "What a second of waiting is worth, in box currency; more = faster nodes win over "
           "cheaper ones.",
           "等待一秒的价值（设备货币）；越高越偏向快的节点而非便宜的节点。"},
          money(valve.waiting_price_per_s, 1000000));
  describe_extra_sends(valve, v);
  describe_rule(valve, v);
  v.leave();
}

void describe_sense(SenseSettings& sense, Visitor& v) {
  v.enter({"sense", kLive, "How the engines' load is measured.", "如何测量引擎负载。"});
  v.field({"scrape_ms", kLive, "How often an engine's load is read; shorter = fresher, more work.",
           "读取引擎负载的间隔；越短越新，开销越大。"},
          milliseconds(sense.scrape, 50, kMinuteMs));
  v.field({"scrape_timeout_ms", kLive, "Longest wait for one reading; less than scrape_ms.",
           "单次读取的最长等待；小于 scrape_ms。"},
          milliseconds(sense.scrape_timeout, 10, kMinuteMs));
  v.field({"lease_ms", kLive,
           "How long one reading counts as fresh; shorter = mistrusts sooner, overflows sooner.",
           "一次读数多久内算新；越短越早不信任，越早溢出。"},
          milliseconds(sense.lease, 100, 10 * kMinuteMs));
  v.field({"probe_ms", kLive,
           "How often health and model list are asked; shorter = faults are seen sooner.",
           "查询健康状况和模型列表的间隔；越短越早发现故障。"},
          milliseconds(sense.probe, 100, kHourMs));
  v.field({"learn_ms", kLive, "How often the rate estimates are updated; shorter = follows faster.",
           "更新速率估计的间隔；越短跟随越快。"},
          milliseconds(sense.learn, 10, kMinuteMs));
  v.field({"window_ms", kLive, "Window of the TTFT and TPOT figures; longer = calmer, slower.",
           "TTFT 与 TPOT 统计窗口；越长越平稳，反应越慢。"},
          milliseconds(sense.window, 1000, kHourMs));
  v.field({"memory_ms", kLive,
           "How long a measured rate is believed; longer = fewer new trials, may be out of date.",
           "已测速率的有效时间；越长重新试探越少，但可能过时。"},
          milliseconds(sense.memory, 1000, 7 * 24 * kHourMs));
  v.field({"calibration_window", kLive,
           "When `sluiced calibrate` may measure an engine, each day, in UTC; longer = more often "
           "possible, less quiet.",
           "每天允许 `sluiced calibrate` 测量引擎的时段（UTC）；越长机会越多，越不安静。"},
          text(sense.calibration_window, kDayWindowRule));
  v.leave();
}

}  // namespace sluice::settings
