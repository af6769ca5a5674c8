#include "firmware/tunnel/diagnosis_words.h"

#include <fmt/format.h>

namespace sluice::tunnel {

namespace {

Words of_uplink(Cause cause, const PathEvidence& e) {
  const std::string& u = e.uplink;
  const std::string page = e.portal_url.empty() ? "" : " (" + e.portal_url + ")";
  switch (cause) {
    case Cause::no_interface:
      return {fmt::format("The uplink {} has no interface; check its name in the settings, or "
                          "whether the device is plugged in.",
                          u),
              fmt::format("上行链路 {} 没有对应的网络接口；请检查设置中的名称或设备是否插好。", u)};
    case Cause::no_carrier:
      return {fmt::format("The uplink {} has no carrier; check the cable and the modem.", u),
              fmt::format("上行链路 {} 没有信号；请检查网线和光猫/调制解调器。", u)};
    case Cause::no_address:
      return {fmt::format("The uplink {} has no address of this family; check DHCP or PPPoE.", u),
              fmt::format("上行链路 {} 没有该协议族的地址；请检查 DHCP 或 PPPoE。", u)};
    case Cause::no_gateway:
      return {fmt::format("The uplink {} has no gateway; check DHCP or the router.", u),
              fmt::format("上行链路 {} 没有网关；请检查 DHCP 或路由器。", u)};
    default:
      return {fmt::format("The uplink {} is behind a captive portal, which wants a person first{}: "
                          "open a browser behind it and log in.",
                          u, page),
              fmt::format("上行链路 {} 处于强制门户之后，需要网页认证{}；请用浏览器登录后再试。", u,
                          page)};
  }
}

Words of_setup(Cause cause, const PathEvidence& e) {
  switch (cause) {
    case Cause::not_enrolled:
      return {fmt::format("The PoP {} does not know this path's key yet; the operator is being "
                          "asked. If this lasts, see whether the operator's address is reachable.",
                          e.pop),
              fmt::format("接入点 {} 尚不知道该路径的密钥，正在向运营方登记；如长时间如此，"
                          "请检查运营方地址是否可达。",
                          e.pop)};
    case Cause::no_endpoint:
      return {fmt::format("No address of this family is known for the PoP {}; check the DNS of "
                          "this site.",
                          e.pop),
              fmt::format("接入点 {} 没有该协议族的地址；请检查本地 DNS。", e.pop)};
    case Cause::clock:
      return e.clock.words.empty()
                 ? Words{"The date of this machine is not trusted, so no handshake is begun.",
                         "本机时间不可信，因此暂不握手。"}
                 : e.clock.words;
    default:
      return {
          "The program that carries this tunnel ended and is being started anew; no packet "
          "left outside the tunnel.",
          "承载隧道的程序已退出，正在重新启动；没有数据包在隧道之外发出。"};
  }
}

Words of_wire(Cause cause, const PathEvidence& e) {
  switch (cause) {
    case Cause::uplink_dead:
      return {
          fmt::format("Nothing of the PoP {} answers by {}: neither UDP nor TCP. The uplink has "
                      "no internet, or the PoP is down; see whether other PoPs answer.",
                      e.pop, e.uplink),
          fmt::format("经 {} 无法到达接入点 {}：UDP 和 TCP 均无应答。上行链路没有互联网或接入点"
                      "故障；请查看其他接入点是否有应答。",
                      e.uplink, e.pop)};
    case Cause::udp_blocked:
      return {
          fmt::format("UDP to the PoP {} is blocked or thrown away by {}, TCP gets through: the "
                      "tunnel takes TCP on port 443. Ask the provider or the firewall's "
                      "administrator to let UDP pass; it is faster.",
                      e.pop, e.uplink),
          fmt::format("经 {} 到接入点 {} 的 UDP 被阻断或丢弃，TCP 可通：隧道改走 TCP 443。"
                      "请运营商或防火墙管理员放行 UDP，速度更快。",
                      e.uplink, e.pop)};
    case Cause::tcp_blocked:
      return {fmt::format("The PoP {} does not take TCP connections by {} though UDP answers; the "
                          "tunnel stays on UDP. A firewall on the way may block it.",
                          e.pop, e.uplink),
              fmt::format("经 {} 无法建立到接入点 {} 的 TCP 连接，但 UDP 有应答；隧道继续使用 UDP。"
                          "途中可能有防火墙。",
                          e.uplink, e.pop)};
    case Cause::handshake_locked:
      return {fmt::format("The PoP {} is reached but the handshake is silent: most likely it "
                          "remembers a later clock of this box. It is asked to add this box anew.",
                          e.pop),
              fmt::format("可以到达接入点 {}，但握手没有应答：很可能它记住了本机更晚的时间。"
                          "已请求接入点重新添加本机。",
                          e.pop)};
    case Cause::handshake_silent:
      return {fmt::format("The handshake with the PoP {} is silent. Its key or port may be others "
                          "than we know, or something on the way drops WireGuard; TCP on port 443 "
                          "may pass. Ask the operator to look for this box.",
                          e.pop),
              fmt::format("与接入点 {} 的握手没有应答。对方密钥或端口可能已变，或途中设备丢弃 "
                          "WireGuard；TCP 443 或许可通。请联系运营方核对本机。",
                          e.pop)};
    default:
      return {fmt::format("The handshake with the PoP {} succeeds but nothing comes back through "
                          "the tunnel: one direction is lost, or the PoP does not answer inside. "
                          "Other paths are used; tell the operator if this lasts.",
                          e.pop),
              fmt::format("与接入点 {} 握手成功，但隧道内没有返回数据：某一方向丢包，或接入点隧道内"
                          "不应答。将使用其他路径；如持续请联系运营方。",
                          e.pop)};
  }
}

Words of_tunnel(Cause cause, const PathEvidence& e) {
  switch (cause) {
    case Cause::cloned:
      return {
          "Another box uses this box's identity (a copied disk or card): both disturb each "
          "other. Let one of them join anew with a token of its own.",
          "另一台设备正在使用本机的身份（磁盘或存储卡被复制），两者相互干扰。"
          "请让其中一台用新的令牌重新加入。"};
    case Cause::mtu_black_hole:
      return {fmt::format("Large packets vanish on the way to the PoP {} by {} without word; small "
                          "ones pass. Traffic is held to what passes. The provider's equipment "
                          "drops the notices that it should send (ICMP).",
                          e.pop, e.uplink),
              fmt::format("经 {} 到接入点 {} 的大数据包被无声丢弃，小数据包正常。已将数据包限制在"
                          "可通过的大小。运营商设备未发送应有的 ICMP 通知。",
                          e.uplink, e.pop)};
    case Cause::starting:
      return {"The path was brought up a moment ago; nothing is known yet.",
              "该路径刚刚建立，尚无结论。"};
    default:
      return {};
  }
}

bool may_be_nat(Cause cause) {
  return cause == Cause::handshake_silent || cause == Cause::one_way || cause == Cause::udp_blocked;
}

}  // namespace

Words words_of(Cause cause, const PathEvidence& evidence) {
  Words out;
  if (cause >= Cause::no_interface && cause <= Cause::captive_portal) {
    out = of_uplink(cause, evidence);
  } else if (cause >= Cause::not_enrolled && cause <= Cause::data_plane) {
    out = of_setup(cause, evidence);
  } else if ((cause >= Cause::uplink_dead && cause <= Cause::handshake_silent) ||
             cause == Cause::one_way) {
    out = of_wire(cause, evidence);
  } else {
    out = of_tunnel(cause, evidence);
  }
  if (evidence.double_nat.value_or(false) && may_be_nat(cause)) {
    out.en +=
        " This uplink is behind two translations of addresses (double NAT): set the "
        "provider's device to bridge, if that is possible.";
    out.zh += " 该上行链路处于双重 NAT 之后：如可能，请将运营商设备设为桥接模式。";
  }
  return out;
}

}  // namespace sluice::tunnel
