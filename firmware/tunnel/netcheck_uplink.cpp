// The lines about one uplink.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "firmware/tunnel/names.h"
#include "firmware/tunnel/netcheck_lines.h"
#include "firmware/tunnel/probe_packet.h"

namespace sluice::tunnel {

namespace {

using Family = IpAddress::Family;
using ports::JsonValue;

constexpr int kInnerLeast = 1280;  // IPv6 inside the tunnel needs it, RFC 8200
constexpr int kSmallOnly = static_cast<int>(kProbeBytesMin) + 48;

NetcheckLine uplink_line(const UplinkEvidence& uplink, const char* name, Verdict verdict,
                         Words finding, Words advice = {}) {
  return {"uplink",          uplink.seen.name,     name, verdict, std::move(finding),
          std::move(advice), JsonValue::object({})};
}

bool has(const UplinkSeen& seen, Family family) {
  return std::any_of(seen.addresses.begin(), seen.addresses.end(),
                     [family](const IpPrefix& one) { return one.address.family == family; });
}

std::string listed(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ", "));
}

NetcheckLine link_line(const NetcheckEvidence& evidence, const UplinkEvidence& uplink) {
  const UplinkSeen& seen = uplink.seen;
  if (!seen.trouble.empty()) {
    const bool other =
        std::any_of(evidence.uplinks.begin(), evidence.uplinks.end(),
                    [](const UplinkEvidence& one) { return one.seen.trouble.empty(); });
    return uplink_line(uplink, "link", other ? Verdict::warn : Verdict::fail, seen.trouble);
  }
  std::vector<std::string> parts;
  for (const IpPrefix& address : seen.addresses) parts.push_back(address.text());
  const std::string addresses = listed(parts);
  std::vector<std::string> gateways;
  if (seen.gateway4) gateways.push_back(seen.gateway4->text());
  if (seen.gateway6) gateways.push_back(seen.gateway6->text());
  const std::string en = gateways.empty() ? "point to point" : "gateway " + listed(gateways);
  const std::string zh = gateways.empty() ? "点对点" : "网关 " + listed(gateways);
  return uplink_line(uplink, "link", Verdict::ok,
                     {fmt::format("{}: {}, {}, packets of {} bytes{}.", seen.interface, addresses,
                                  en, seen.mtu, seen.metered ? ", metered" : ""),
                      fmt::format("{}：{}，{}，报文 {} 字节{}。", seen.interface, addresses, zh,
                                  seen.mtu, seen.metered ? "，按流量计费" : "")});
}

struct Count {
  int asked = 0;
  int answered = 0;
};

Count count_of(const UplinkEvidence& uplink, Family family) {
  Count count;
  if (!uplink.probe) return count;
  for (const WhereFinding& host : uplink.probe->hosts) {
    if (host.host.family != family) continue;
    ++count.asked;
    if (host.reachable) ++count.answered;
  }
  return count;
}

NetcheckLine family_line(const UplinkEvidence& uplink, Family family) {
  const bool v4 = family == Family::v4;
  const char* key = v4 ? "ipv4" : "ipv6";
  const char* name = v4 ? "IPv4" : "IPv6";
  const char* other = v4 ? "IPv6" : "IPv4";
  const Count count = count_of(uplink, family);
  const Count others = count_of(uplink, v4 ? Family::v6 : Family::v4);
  if (!uplink.seen.carries(family)) {
    const bool half = has(uplink.seen, family);
    return uplink_line(uplink, key, Verdict::ok,
                       {fmt::format("{}; {} is used.",
                                    half ? fmt::format("An {} address, but no way out", name)
                                         : fmt::format("No {} here", name),
                                    other),
                        fmt::format("{}，使用 {}。",
                                    half ? fmt::format("有 {} 地址但没有默认路由", name)
                                         : fmt::format("此处没有 {}", name),
                                    other)});
  }
  if (count.asked == 0) {
    return uplink_line(uplink, key, Verdict::ok,
                       {fmt::format("An {} address and a way out; nobody was asked over it.", name),
                        fmt::format("有 {} 地址和默认路由；未经它询问任何接入点。", name)});
  }
  NetcheckLine line =
      uplink_line(uplink, key, Verdict::ok,
                  {fmt::format("{} of {} addresses of PoPs answer.", count.answered, count.asked),
                   fmt::format("{} 个接入点地址中有 {} 个应答。", count.asked, count.answered)});
  line.figures.add("asked", count.asked);
  line.figures.add("answered", count.answered);
  if (count.answered > 0) return line;
  const bool by_tcp = std::any_of(
      uplink.shims.begin(), uplink.shims.end(),
      [family](const auto& one) { return one.family == family && one.finding.answered; });
  if (by_tcp) {
    line.finding = {"PoPs answer over it, by TCP only.", "接入点经它应答，仅 TCP。"};
    return line;
  }
  line.verdict = others.answered > 0 ? Verdict::warn : Verdict::unknown;
  line.finding = {fmt::format("An {} address and a way out; no PoP answers over it.", name),
                  fmt::format("有 {} 地址和默认路由；没有接入点经它应答。", name)};
  if (line.verdict == Verdict::warn) {
    line.advice = {
        fmt::format("{} answers, so its paths carry. Ask the provider why {} leads "
                    "nowhere.",
                    other, name),
        fmt::format("{} 有应答，流量走 {}。请询问运营商 {} 为何不通。", other, other, name)};
  }
  return line;
}

// What somebody on the way told of it; empty: nobody told anything.
std::string told(const UplinkEvidence& uplink) {
  for (const WhereFinding& host : uplink.probe->hosts) {
    if (!host.trouble.empty()) return host.trouble;
  }
  return "";
}

std::string udp_ports(const NetcheckEvidence& evidence) {
  std::set<int> ports;
  for (const PopEvidence& pop : evidence.pops) {
    if (pop.where_port != 0) ports.insert({pop.where_port, pop.where_port + 1});
  }
  return fmt::format("{}", fmt::join(ports, ", "));
}

NetcheckLine udp_silent_line(const NetcheckEvidence& evidence, const UplinkEvidence& uplink) {
  const std::string said = told(uplink);
  const std::string en = said.empty() ? "" : fmt::format(" (told: {})", said);
  const std::string zh = said.empty() ? "" : fmt::format("（提示：{}）", said);
  if (shim_answers(uplink)) {
    const std::string ports = udp_ports(evidence);
    return uplink_line(
        uplink, "udp", Verdict::warn,
        {fmt::format("Blocked: no PoP answers over UDP, while TCP comes through{}.", en),
         fmt::format("被封锁：没有接入点通过 UDP 应答，而 TCP 可通{}。", zh)},
        {fmt::format("Traffic takes the TCP way, which is slower when packets are lost. Ask who "
                     "runs this network to let UDP out, to ports {} and those of the paths.",
                     ports),
         fmt::format(
             "流量改走 TCP，丢包时较慢。请让网络管理者放行 UDP 出站端口 {} 及各路径的端口。",
             ports)});
  }
  if (uplink.portal && uplink.portal->what == PortalFinding::What::portal) {
    return uplink_line(uplink, "udp", Verdict::fail,
                       {"Blocked, most likely by the captive portal (see below).",
                        "被封锁，很可能是由于强制门户（见下）。"});
  }
  const bool web = uplink.portal && uplink.portal->what == PortalFinding::What::clear;
  NetcheckLine line = uplink_line(uplink, "udp", Verdict::fail,
                                  {fmt::format("No PoP answers, over UDP or TCP{}.", en),
                                   fmt::format("没有接入点应答，UDP 和 TCP 均不通{}。", zh)});
  if (web) {
    line.advice = {
        "The operator's web address answers, so the internet is there: a firewall of "
        "this site or the provider blocks the rest, or the PoPs are down.",
        "运营方的网址有应答，说明互联网可达：其余被本站点或运营商的防火墙封锁，或接入点停机。"};
  } else {
    line.advice = {
        "Does this uplink reach the internet at all? Check modem and contract; try "
        "another uplink.",
        "此上行链路能上网吗？请检查光猫和套餐，或换一条上行链路。"};
  }
  return line;
}

NetcheckLine udp_line(const NetcheckEvidence& evidence, const UplinkEvidence& uplink) {
  std::set<std::string> asked;
  std::set<std::string> answered;
  for (const WhereFinding& host : uplink.probe->hosts) {
    asked.insert(host.pop);
    if (host.reachable) answered.insert(host.pop);
  }
  if (asked.empty()) {
    return uplink_line(
        uplink, "udp", Verdict::unknown,
        {"No PoP has an address that this uplink can ask.", "没有接入点地址可经此上行链路询问。"});
  }
  if (answered.empty()) return udp_silent_line(evidence, uplink);
  NetcheckLine line =
      uplink_line(uplink, "udp", answered == asked ? Verdict::ok : Verdict::warn,
                  {fmt::format("{} of {} PoPs answer.", answered.size(), asked.size()),
                   fmt::format("{} 个接入点中有 {} 个应答。", asked.size(), answered.size())});
  line.figures.add("pops_asked", static_cast<int>(asked.size()));
  line.figures.add("pops_answered", static_cast<int>(answered.size()));
  return line;
}

std::string shim_places(const UplinkEvidence& uplink) {
  std::set<int> ports;
  for (const UplinkEvidence::Shim& shim : uplink.shims) ports.insert(shim.port);
  return fmt::format("{}", fmt::join(ports, ", "));
}

NetcheckLine tcp_line(const UplinkEvidence& uplink) {
  const std::string ports = shim_places(uplink);
  const auto answered = std::count_if(uplink.shims.begin(), uplink.shims.end(),
                                      [](const auto& one) { return one.finding.answered; });
  const auto taken = std::find_if(uplink.shims.begin(), uplink.shims.end(), [](const auto& one) {
    return one.finding.connected && !one.finding.answered;
  });
  const Verdict without = udp_answers(uplink) ? Verdict::warn : Verdict::fail;
  if (answered > 0) {
    NetcheckLine line = uplink_line(
        uplink, "tcp443", Verdict::ok,
        {fmt::format("{} of {} PoPs answer at TCP port {}.", answered, uplink.shims.size(), ports),
         fmt::format("{} 个接入点中有 {} 个在 TCP 端口 {} 应答。", uplink.shims.size(), answered,
                     ports)});
    line.figures.add("pops_asked", static_cast<int>(uplink.shims.size()));
    line.figures.add("pops_answered", static_cast<int>(answered));
    return line;
  }
  if (taken != uplink.shims.end()) {
    return uplink_line(
        uplink, "tcp443", without,
        {fmt::format("Something takes the connection to {} and is not the PoP: a proxy, a portal "
                     "or a firewall that looks inside.",
                     taken->pop),
         fmt::format("有设备接受了到 {} 的连接，但不是接入点：可能是代理、门户或深度检测防火墙。",
                     taken->pop)},
        {"Ask who runs this network to let TCP through unchanged.",
         "请让网络管理者原样放行 TCP。"});
  }
  const std::string why = uplink.shims.front().finding.trouble;
  return uplink_line(
      uplink, "tcp443", without,
      {fmt::format("No PoP answers at TCP port {} ({}).", ports, why),
       fmt::format("没有接入点在 TCP 端口 {} 应答（{}）。", ports, why)},
      without == Verdict::warn
          ? Words{"UDP carries the traffic; should it be blocked some day, there is no other way.",
                  "UDP 承载流量；一旦 UDP 被封锁，将没有后备。"}
          : Words{});
}

NetcheckLine mtu_line(const UplinkEvidence& uplink) {
  const UplinkFinding& probe = *uplink.probe;
  const Family family = probe.mtu4 != 0 ? Family::v4 : Family::v6;
  const int outer = family == Family::v4 ? probe.mtu4 : probe.mtu6;
  const int inner = inner_mtu(outer, family);
  const bool smaller = outer < uplink.seen.mtu;
  NetcheckLine line = uplink_line(
      uplink, "mtu", inner >= kInnerLeast ? Verdict::ok : Verdict::warn,
      {fmt::format("Packets of {} bytes pass{}; that leaves {} inside a tunnel.", outer,
                   smaller ? fmt::format(" (the interface takes {})", uplink.seen.mtu) : "", inner),
       fmt::format("可通过 {} 字节的报文{}；隧道内可用 {} 字节。", outer,
                   smaller ? fmt::format("（接口允许 {}）", uplink.seen.mtu) : "", inner)});
  if (outer <= kSmallOnly) {
    line.verdict = Verdict::fail;
    line.finding = {"Only small packets come back; larger ones vanish without a word.",
                    "只有小报文能返回；较大的报文无声消失。"};
  }
  if (line.verdict != Verdict::ok) {
    line.advice = {
        "Set the MTU of modem or router to what the provider carries (PPPoE: 1492), "
        "and let ICMP \"fragmentation needed\" pass.",
        "请将光猫或路由器的 MTU 设为运营商支持的值（PPPoE：1492），并放行 ICMP"
        "“需要分片”报文。"};
  }
  if (probe.mtu4 != 0) line.figures.add("ipv4_bytes", probe.mtu4);
  if (probe.mtu6 != 0) line.figures.add("ipv6_bytes", probe.mtu6);
  line.figures.add("inside_bytes", inner);
  return line;
}

// Null: nobody answered at this hop.
JsonValue hops_json(const UplinkFinding& probe) {
  JsonValue hops = JsonValue::array();
  for (const std::optional<IpAddress>& hop : probe.hops) {
    hops.push(hop ? JsonValue(hop->text()) : JsonValue());
  }
  return hops;
}

NetcheckLine nat_line(const UplinkEvidence& uplink) {
  const UplinkFinding& probe = *uplink.probe;
  const Nat nat = nat_of(probe, uplink.seen.addresses);
  std::string seen;
  for (const WhereFinding& host : probe.hosts) {
    if (seen.empty() && host.host.family == Family::v4 && host.seen) {
      seen = host.seen->address.text();
    }
  }
  NetcheckLine line = uplink_line(uplink, "nat", Verdict::ok, {});
  line.figures.add("kind", to_text(nat));
  if (!seen.empty()) line.figures.add("seen_as", seen);
  line.figures.add("hops", hops_json(probe));
  switch (nat) {
    case Nat::unknown:
      line.verdict = Verdict::unknown;
      line.finding = {"Not known: nobody answered over IPv4 at both ports.",
                      "未知：没有接入点在两个端口上通过 IPv4 应答。"};
      break;
    case Nat::none:
      line.finding = {fmt::format("None: PoPs see this box's own address {}.", seen),
                      fmt::format("无：接入点看到的是本机地址 {}。", seen)};
      break;
    case Nat::easy:
      line.finding = {fmt::format("Address translation, seen as {}; one port for all "
                                  "destinations.",
                                  seen),
                      fmt::format("有地址转换，对外为 {}；对所有目的地使用同一端口。", seen)};
      break;
    case Nat::hard:
      line.finding = {
          fmt::format("Address translation, seen as {}; another port for each "
                      "destination. Tunnels work.",
                      seen),
          fmt::format("有地址转换，对外为 {}；每个目的地使用不同端口。隧道可用。", seen)};
      break;
  }
  const bool doubled = is_double_nat(probe, uplink.seen.addresses);
  line.figures.add("double", doubled);
  if (!doubled) return line;
  line.verdict = Verdict::warn;
  const std::string hops = probe.hops[0]->text() + ", " + probe.hops[1]->text();
  line.finding.en += fmt::format(" Most likely translated twice (hops {}).", hops);
  line.finding.zh += fmt::format("很可能经过两次转换（途经 {}）。", hops);
  line.advice = {
      "Tunnels work, but mappings are dropped sooner. Better: set the modem to bridge "
      "mode, or ask the provider for a public address.",
      "隧道可用，但映射更易失效。建议将光猫改为桥接模式，或向运营商申请公网地址。"};
  return line;
}

NetcheckLine portal_line(const UplinkEvidence& uplink) {
  const PortalFinding& portal = *uplink.portal;
  NetcheckLine line = uplink_line(uplink, "portal", Verdict::ok, {});
  if (portal.status != 0) line.figures.add("status", portal.status);
  switch (portal.what) {
    case PortalFinding::What::clear:
      line.finding = {"No captive portal.", "没有强制门户。"};
      break;
    case PortalFinding::What::portal:
      line.verdict = Verdict::fail;
      line.finding = {
          "A captive portal wants a person first" + (portal.url.empty() ? "." : ": " + portal.url),
          "强制门户要求先登录" + (portal.url.empty() ? "。" : "： " + portal.url)};
      line.advice = {
          "Open that page with a browser on this network and log in, or ask who runs "
          "the network to let this box through without.",
          "请在此网络中用浏览器打开该页面并登录，或让网络管理者免认证放行本机。"};
      if (!portal.url.empty()) line.figures.add("url", portal.url);
      break;
    case PortalFinding::What::odd:
      line.verdict = Verdict::unknown;
      line.finding = {
          fmt::format("The check address did not answer as it should: {}.", portal.text),
          fmt::format("检查地址的应答不符合预期：{}。", portal.text)};
      line.advice = {"Another check address can be set: tunnel.check_url.",
                     "可设置其他检查地址：tunnel.check_url。"};
      break;
    case PortalFinding::What::no_answer:
      line.verdict = Verdict::unknown;
      line.finding = {fmt::format("The check address was not reached: {}.", portal.text),
                      fmt::format("未能访问检查地址：{}。", portal.text)};
      break;
  }
  return line;
}

NetcheckLine no_portal_line(const UplinkEvidence& uplink) {
  return uplink_line(
      uplink, "portal", Verdict::unknown, {"No address to ask is known.", "没有可询问的地址。"},
      {"Set one that answers 204 in plain HTTP (tunnel.check_url), or join a "
       "network: its operator has one.",
       "请设置一个以明文 HTTP 应答 204 的地址（tunnel.check_url），或加入网络：运营方"
       "会提供。"});
}

}  // namespace

std::vector<NetcheckLine> uplink_lines(const NetcheckEvidence& evidence,
                                       const UplinkEvidence& uplink) {
  std::vector<NetcheckLine> lines{link_line(evidence, uplink)};
  if (!uplink.seen.trouble.empty()) return lines;
  lines.push_back(family_line(uplink, Family::v4));
  lines.push_back(family_line(uplink, Family::v6));
  if (uplink.probe) {
    lines.push_back(udp_line(evidence, uplink));
    if (udp_answers(uplink) && uplink.seen.carries(Family::v4)) lines.push_back(nat_line(uplink));
    if (uplink.probe->mtu4 != 0 || uplink.probe->mtu6 != 0) lines.push_back(mtu_line(uplink));
  }
  if (!uplink.shims.empty()) lines.push_back(tcp_line(uplink));
  if (uplink.portal) {
    lines.push_back(portal_line(uplink));
  } else if (evidence.portal_url.empty()) {
    lines.push_back(no_portal_line(uplink));
  }
  return lines;
}

}  // namespace sluice::tunnel
