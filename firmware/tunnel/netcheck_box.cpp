// The lines about the box itself and about the PoPs.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "firmware/tunnel/clock_floor.h"
#include "firmware/tunnel/netcheck_lines.h"

namespace sluice::tunnel {

namespace {

using ports::JsonValue;

constexpr Duration kFar = Duration::ms(200);  // people notice the round trip before a first token

NetcheckLine box_line(const char* name, Verdict verdict, Words finding, Words advice = {}) {
  return {"box", "", name, verdict, std::move(finding), std::move(advice), JsonValue::object({})};
}

NetcheckLine network_line(const NetcheckEvidence& evidence) {
  using Standing = NetcheckEvidence::Standing;
  switch (evidence.standing) {
    case Standing::joined:
      return box_line("network", Verdict::ok,
                      {fmt::format("Joined the network \"{}\".", evidence.network),
                       fmt::format("已加入算力网络“{}”。", evidence.network)});
    case Standing::imported:
      return box_line(
          "network", Verdict::ok,
          {"Runs a pasted configuration. Its peer answers no questions from outside the tunnel: "
           "whether it is reached, packet sizes and the clock are not checked.",
           "使用粘贴的配置。对端不应答隧道外的询问：不检查其可达性、报文大小和时钟。"});
    case Standing::not_joined:
      return box_line(
          "network", Verdict::unknown,
          {"This box has not joined a network: what needs one to answer is not "
           "checked (UDP, TCP, packet sizes, address translation, clock).",
           "本机尚未加入算力网络：需要对端应答的项目不检查（UDP、TCP、报文大小、地址转换"
           "、时钟）。"},
          {"Join one with sluiced tunnel join, then check again.",
           "请用 sluiced tunnel join 加入网络，然后再检查。"});
    case Standing::unreadable:
      break;
  }
  return box_line("network", Verdict::fail,
                  {fmt::format("What the box knows of its network cannot be read: {}.",
                               evidence.standing_trouble),
                   fmt::format("无法读取本机的网络成员信息：{}。", evidence.standing_trouble)},
                  {"Run this as root (sudo sluiced netcheck). If that does not help, the file is "
                   "damaged: leave the network and join it again.",
                   "请以 root 身份运行（sudo sluiced netcheck）。若仍不行，则文件已损坏：请退出网络"
                   "后重新加入。"});
}

// The nearest answer of all uplinks.
const ClockFinding* nearest_clock(const NetcheckEvidence& evidence) {
  const ClockFinding* best = nullptr;
  const auto take = [&best](const std::optional<ClockFinding>& one) {
    if (one && (best == nullptr || one->uncertainty < best->uncertainty)) best = &*one;
  };
  for (const UplinkEvidence& uplink : evidence.uplinks) {
    if (uplink.probe) take(uplink.probe->clock);
  }
  if (best != nullptr) return best;  // datagrams are not held up on the way as TCP may be
  for (const UplinkEvidence& uplink : evidence.uplinks) {
    for (const UplinkEvidence::Shim& shim : uplink.shims) take(shim.clock);
  }
  return best;
}

Words clock_advice() {
  return {
      "Set the date (timedatectl set-ntp true, or let the daemon do it: tunnel.step_clock). A "
      "tunnel that was begun with a later date stays silent until the PoP forgets it, for "
      "which the daemon asks.",
      "请校正时间（timedatectl set-ntp true，或由守护进程校正：tunnel.step_clock）。用更晚的时间"
      "建立过的隧道会一直沉默，直到接入点忘记它；守护进程会请求接入点这样做。"};
}

NetcheckLine told_clock_line(const ClockFinding& clock) {
  const Duration off = clock.offset;
  const Duration size = Duration::us(std::llabs(off.as_us()));
  const bool ahead = off < Duration();  // the box before the PoP
  const bool equal = size <= clock.uncertainty;
  const std::string about = ms_text(clock.uncertainty);
  NetcheckLine line = box_line("clock", Verdict::ok, {});
  line.figures.add("offset_ms", ms(off));
  line.figures.add("uncertainty_ms", ms(clock.uncertainty));
  if (equal) {
    line.finding = {fmt::format("Agrees with {} within {}.", clock.pop, about),
                    fmt::format("与 {} 一致，误差不超过 {}。", clock.pop, about)};
    return line;
  }
  line.finding = {fmt::format("{} {} {} (within {}).", span_text(off),
                              ahead ? "ahead of" : "behind", clock.pop, about),
                  fmt::format("比 {} {} {}（误差不超过 {}）。", clock.pop, ahead ? "快" : "慢",
                              span_text_zh(off), about)};
  if (ahead ? size > kClockAheadMax : size > kClockBehindMax) {
    line.verdict = Verdict::fail;
    line.advice = clock_advice();
  }
  return line;
}

NetcheckLine clock_line(const NetcheckEvidence& evidence) {
  if (const ClockFinding* clock = nearest_clock(evidence)) return told_clock_line(*clock);
  if (evidence.floor && evidence.now < *evidence.floor) {
    const Duration behind = *evidence.floor - evidence.now;
    return box_line(
        "clock", Verdict::fail,
        {fmt::format("The date lies {} before one that has certainly been.", span_text(behind)),
         fmt::format("系统时间比曾经到过的时间还早 {}。", span_text_zh(behind))},
        clock_advice());
  }
  return box_line("clock", Verdict::unknown,
                  {"No PoP told its date, so this one is not compared with any.",
                   "没有接入点告知时间，无法核对本机时间。"});
}

std::vector<NetcheckLine> overlap_lines(const NetcheckEvidence& evidence) {
  if (evidence.overlaps.empty()) {
    return {box_line("overlap", Verdict::ok,
                     {"No address of the network is used at this site.",
                      "算力网络的地址与本站点的地址没有重叠。"})};
  }
  std::vector<NetcheckLine> lines;
  for (const Overlap& overlap : evidence.overlaps) {
    NetcheckLine line =
        box_line("overlap", overlap.refuses ? Verdict::fail : Verdict::warn, overlap.words);
    line.figures.add("ours", overlap.ours.text());
    line.figures.add("theirs", overlap.theirs.text());
    line.figures.add("interface", overlap.interface);
    lines.push_back(std::move(line));
  }
  return lines;
}

// Nothing: nobody answered who would know.
std::optional<NetcheckLine> identity_line(const NetcheckEvidence& evidence) {
  bool answered = false;
  bool cloned = false;
  for (const UplinkEvidence& uplink : evidence.uplinks) {
    if (!uplink.probe) continue;
    for (const WhereFinding& host : uplink.probe->hosts) {
      answered = answered || host.reachable;
      cloned = cloned || host.cloned;
    }
  }
  if (!answered) return std::nullopt;
  if (!cloned) {
    return box_line("identity", Verdict::ok,
                    {"No other device uses this box's identity.", "没有其他设备使用本机的身份。"});
  }
  return box_line(
      "identity", Verdict::fail,
      {"Another device uses this box's identity: both lose their tunnels in turn.",
       "另有设备使用本机的身份：两者的隧道会轮流中断。"},
      {"One of them is a copy (disk image, memory card, backup). On the copy stop "
       "sluiced, delete the tunnel folder in its state folder, and join it as a box of "
       "its own. Not sluiced tunnel leave: that would end the other one too.",
       "其中一台是复制品（磁盘镜像、存储卡或备份）。请在复制品上停止 sluiced，删除其状态"
       "目录中的 tunnel 目录，再作为新设备加入。不要用 sluiced tunnel leave：那会使另一台"
       "也退出。"});
}

struct Reach {
  std::string uplink;
  Duration round_trip;
};

// The nearest address of the PoP by each uplink.
std::vector<Reach> reaches(const NetcheckEvidence& evidence, const std::string& pop) {
  std::vector<Reach> found;
  for (const UplinkEvidence& uplink : evidence.uplinks) {
    if (!uplink.probe) continue;
    std::optional<Duration> best;
    for (const WhereFinding& host : uplink.probe->hosts) {
      if (host.pop != pop || !host.reachable) continue;
      best = best ? std::min(*best, host.round_trip) : host.round_trip;
    }
    if (best) found.push_back({uplink.seen.name, *best});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Reach& a, const Reach& b) { return a.round_trip < b.round_trip; });
  return found;
}

bool stops(const NetcheckEvidence& evidence, const std::string& pop) {
  for (const UplinkEvidence& uplink : evidence.uplinks) {
    if (!uplink.probe) continue;
    for (const WhereFinding& host : uplink.probe->hosts) {
      if (host.pop == pop && host.stopping) return true;
    }
  }
  return false;
}

// By TCP, when nothing else came through.
std::optional<Reach> reach_by_tcp(const NetcheckEvidence& evidence, const std::string& pop) {
  for (const UplinkEvidence& uplink : evidence.uplinks) {
    for (const UplinkEvidence::Shim& shim : uplink.shims) {
      if (shim.pop == pop && shim.finding.answered) {
        return Reach{uplink.seen.name, shim.finding.round_trip};
      }
    }
  }
  return std::nullopt;
}

bool any_answers(const NetcheckEvidence& evidence) {
  return std::any_of(evidence.uplinks.begin(), evidence.uplinks.end(), [](const auto& uplink) {
    return udp_answers(uplink) || shim_answers(uplink);
  });
}

void unreached(const NetcheckEvidence& evidence, const PopEvidence& pop, NetcheckLine& line) {
  line.verdict = any_answers(evidence) ? Verdict::warn : Verdict::fail;
  if (pop.addresses.empty()) {
    line.finding = {fmt::format("Its name has no address: {}.", pop.trouble),
                    fmt::format("其名称没有地址：{}。", pop.trouble)};
    line.advice = {
        "Check this site's name server (DNS); ask the operator whether the name is "
        "right.",
        "请检查本站点的域名服务器（DNS），并向运营方确认名称是否正确。"};
    return;
  }
  line.finding = {"Does not answer by any uplink.", "所有上行链路都得不到应答。"};
  if (line.verdict == Verdict::warn) {
    line.advice = {"Other PoPs answer, so this one is down or blocked: tell the operator.",
                   "其他接入点有应答，说明此接入点停机或被封锁：请告知运营方。"};
  } else {
    line.advice = {"See the uplinks above: no PoP answers by any of them.",
                   "请看上面的上行链路：没有任何接入点应答。"};
  }
}

NetcheckLine pop_line(const NetcheckEvidence& evidence, const PopEvidence& pop) {
  NetcheckLine line{"pop", pop.name, "latency", Verdict::ok, {}, {}, JsonValue::object({})};
  const std::vector<Reach> by = reaches(evidence, pop.name);
  for (const Reach& one : by) {
    const char* comma = line.finding.en.empty() ? "" : ", ";
    line.finding.en += fmt::format("{}{} by {}", comma, ms_text(one.round_trip), one.uplink);
    line.finding.zh +=
        fmt::format("{}经 {} {}", comma[0] == 0 ? "" : "，", one.uplink, ms_text(one.round_trip));
    line.figures.add("rtt_ms_" + one.uplink, ms(one.round_trip));
  }
  const std::optional<Reach> tcp = reach_by_tcp(evidence, pop.name);
  if (by.empty() && tcp) {
    line.finding = {fmt::format("{} by {}, over TCP only", ms_text(tcp->round_trip), tcp->uplink),
                    fmt::format("经 {} {}，仅 TCP", tcp->uplink, ms_text(tcp->round_trip))};
  } else if (by.empty()) {
    unreached(evidence, pop, line);
    return line;
  }
  line.finding.en += ".";
  line.finding.zh += "。";
  if (stops(evidence, pop.name)) {
    line.verdict = Verdict::warn;
    line.advice = {"It is about to stop; traffic moves to another PoP by itself.",
                   "该接入点即将停止服务；流量会自动转移到其他接入点。"};
  } else if (!by.empty() && by.front().round_trip > kFar) {
    line.verdict = Verdict::warn;
    line.advice = {"It is far: ask the operator for a PoP nearer to this site.",
                   "距离较远：请向运营方询问离本站点更近的接入点。"};
  }
  return line;
}

}  // namespace

std::vector<NetcheckLine> box_lines(const NetcheckEvidence& evidence) {
  using Standing = NetcheckEvidence::Standing;
  std::vector<NetcheckLine> lines{network_line(evidence)};
  if (!evidence.network_trouble.empty()) {
    lines.push_back(
        box_line("uplinks", Verdict::fail,
                 {fmt::format("The machine's interfaces and routes cannot be read: {}.",
                              evidence.network_trouble),
                  fmt::format("无法读取本机的网络接口和路由：{}。", evidence.network_trouble)}));
  } else if (evidence.uplinks.empty()) {
    lines.push_back(
        box_line("uplinks", Verdict::fail,
                 {"No interface has a default route: there is no way to the internet.",
                  "没有任何接口具有默认路由：没有通往互联网的路。"},
                 {"Check cable, modem and DHCP, or name the uplinks in the settings "
                  "(tunnel.uplinks).",
                  "请检查网线、光猫和 DHCP，或在设置中指明上行链路（tunnel.uplinks）。"}));
  }
  if (evidence.standing == Standing::joined) lines.push_back(clock_line(evidence));
  if (evidence.standing == Standing::joined || evidence.standing == Standing::imported) {
    for (NetcheckLine& line : overlap_lines(evidence)) lines.push_back(std::move(line));
  }
  if (auto line = identity_line(evidence)) lines.push_back(std::move(*line));
  if (evidence.out_of_time) {
    lines.push_back(box_line("time", Verdict::unknown,
                             {"The check took too long; what had not answered by then is missing "
                              "below.",
                              "检查超时；届时尚未应答的项目不在下面。"}));
  }
  return lines;
}

std::vector<NetcheckLine> pop_lines(const NetcheckEvidence& evidence) {
  std::vector<NetcheckLine> lines;
  if (evidence.standing != NetcheckEvidence::Standing::joined) return lines;
  for (const PopEvidence& pop : evidence.pops) lines.push_back(pop_line(evidence, pop));
  return lines;
}

}  // namespace sluice::tunnel
