// Tunnels to the compute network, and the uplinks that they use.
#include "firmware/settings/describe.h"

namespace sluice::settings {

namespace {

constexpr When kLive = When::live;
constexpr When kFixed = When::fixed;

void describe_uplink(UplinkSettings& uplink, Visitor& v) {
  v.field(
      {"name", kLive, "Its name in pages, records and logs.", "在页面、记录和日志中的名称。", true},
      text(uplink.name, kNameRule));
  v.field({"interface", kLive, "The interface of this machine that it is on.", "所用的本机接口。",
           true},
          text(uplink.interface, kInterfaceRule));
  v.field({"metered", kLive,
           "Its bytes cost money: few probes, and traffic only when nothing else is there.",
           "按流量计费：减少探测，且仅在没有其他线路时使用。"},
          boolean(uplink.metered));
  v.field({"preference", kLive, "Order among uplinks that are alike; less = rather this one.",
           "同等线路中的次序；越小越优先。"},
          whole(uplink.preference, 0, 1000));
  v.field({"rate_up_kbit_s", kLive,
           "What it surely carries upwards; below it bulk traffic is held back so that tokens do "
           "not wait. 0 = not known: nothing is held back.",
           "可靠的上行速率；大流量低于此值限速，使词元不必等待。0 = 未知：不限速。"},
          whole(uplink.rate_up_kbit_s, 0, 100000000));
}

void describe_quality(TunnelSettings& tunnel, Visitor& v) {
  v.field({"probe_ms", kLive,
           "How often every path is asked; shorter = faults seen sooner, more packets.",
           "每条路径的探测间隔；越短越早发现故障，报文越多。"},
          milliseconds(tunnel.probe, 50, 10000));
  v.field({"probe_metered_ms", kLive, "The same for a metered path that carries nothing.",
           "按流量计费且空闲的路径的探测间隔。"},
          milliseconds(tunnel.probe_metered, 200, 60000));
  v.field({"failback_ms", kLive,
           "A better path must have been clean for so long before traffic returns to it; longer = "
           "calmer, later.",
           "更优路径须保持正常多久后流量才切回；越长越平稳，也越晚。"},
          milliseconds(tunnel.failback, 0, 3600000));
  v.field({"degraded_loss_percent", kLive,
           "Loss from which a path counts as degraded; less = left sooner, more changes.",
           "丢包率达到多少视为质量下降；越小越早离开，切换越多。"},
          percent(tunnel.degraded_loss_percent, 1, 50));
  v.field({"degraded_rtt_ms", kLive,
           "Round trip from which a path counts as degraded; less = left sooner, more changes.",
           "往返时延达到多少视为质量下降；越小越早离开，切换越多。"},
          milliseconds(tunnel.degraded_rtt, 10, 10000));
}

}  // namespace

void describe_tunnel(TunnelSettings& tunnel, Visitor& v) {
  v.enter({"tunnel", kLive,
           "WireGuard to the compute network, over every uplink; starts once the box has joined.",
           "通往算力网络的 WireGuard 隧道，使用所有上行线路；设备加入网络后启动。"});
  v.field(
      {"mode", kLive,
       "auto = up as soon as the box has joined; off = down: what lies in the network is out of "
       "reach, and nothing goes there in clear.",
       "auto = 设备加入网络后即建立；off = 关闭：算力网络内的地址不可达，也不会以明文发送。"},
      choice(tunnel.mode));
  v.field({"backend", kFixed,
           "Who carries WireGuard: auto = the kernel where it can, else a program beside this one.",
           "WireGuard 的承载：auto = 内核支持则用内核，否则用独立程序。"},
          choice(tunnel.backend));
  v.field({"wireguard_go", kFixed, "That program: a path, or a name that the system finds.",
           "该程序：路径，或由系统查找的名称。"},
          text(tunnel.wireguard_go, kProgramRule));
  v.field({"failover", kLive, "off = traffic stays on its path, even when that is dead.",
           "off = 流量不切换路径，即使路径已断。"},
          choice(tunnel.failover));
  VectorElements<UplinkSettings, describe_uplink> uplinks(tunnel.uplinks);
  v.list({"uplinks", kLive, "Ways to the internet; none = every interface with a default route.",
          "上行线路；不写 = 所有具有默认路由的接口。"},
         uplinks);
  v.field(
      {"tcp443", kLive, "auto = a path over TCP is kept open for when UDP is blocked; off = none.",
       "auto = 备有一条 TCP 路径，供 UDP 被封时使用；off = 无。"},
      choice(tunnel.tcp443));
  describe_quality(tunnel, v);
  v.field({"key_rotation_days", kLive, "Age at which a path gets a new key pair; 0 = when asked.",
           "路径密钥的更换周期（天）；0 = 仅在要求时。"},
          whole(tunnel.key_rotation_days, 0, 3650));
  v.field({"port_rotation_ms", kLive,
           "How often a path takes a new port, for providers whose address translation forgets "
           "long flows; 0 = only when that seems to have happened, else 30000 or more.",
           "更换端口的间隔，用于会遗忘长连接的运营商地址转换；0 = 仅在疑似发生时，否则至少 "
           "30000。"},
          milliseconds(tunnel.port_rotation, 0, 86400000));
  v.field({"outer_dscp", kLive,
           "DSCP of the tunnel's own packets, for a provider that heeds it; 0 = none.",
           "隧道外层报文的 DSCP，供识别它的运营商使用；0 = 无。"},
          whole(tunnel.outer_dscp, 0, 63));
  v.field({"step_clock", kLive,
           "auto = a system date that is surely wrong is set right; off = it is only said.",
           "auto = 系统日期明显错误时自动校正；off = 仅提示。"},
          choice(tunnel.step_clock));
  v.field({"check_url", kLive,
           "Plain http page that answers 204, to notice captive portals; empty = the operator's.",
           "返回 204 的明文 http 页面，用于发现强制门户；空 = 运营方的。"},
          text(tunnel.check_url, kUrlRule));
  v.leave();
}

}  // namespace sluice::settings
