#include <fmt/format.h>

#include <string>

#include "firmware/tunnel/choice.h"
#include "firmware/tunnel/path_quality.h"

namespace sluice::tunnel {

namespace {

struct ReasonWords {
  Reason reason;
  const char* text;
  const char* en;
  const char* zh;
};
constexpr ReasonWords kReasons[] = {
    {Reason::first, "first", "the first path that answered", "首个有应答的路径"},
    {Reason::stay, "stay", "no other path is better", "没有更好的路径"},
    {Reason::stay_suspect, "stay_suspect", "an answer is missing, a burst of probes decides",
     "有一次探测未获应答，正在用一串探测确认"},
    {Reason::stay_degraded, "stay_degraded",
     "it is out of the wanted quality, and no other path is clearly better",
     "质量低于要求，但没有明显更好的路径"},
    {Reason::stay_held, "stay_held",
     "another path would be better, but has not been good long enough",
     "另有更好的路径，但其稳定时间还不够"},
    {Reason::nothing_alive, "nothing_alive",
     "no path answers: nothing leaves until one does; look at the uplinks",
     "没有路径应答：恢复前不会发出任何数据，请检查上行链路"},
    {Reason::path_dead, "path_dead", "the path before it died", "原路径已中断"},
    {Reason::path_down, "path_down", "the path before it was taken down", "原路径已被停用"},
    {Reason::path_degraded, "path_degraded", "the path before it fell below the wanted quality",
     "原路径质量低于要求"},
    {Reason::pop_stopping, "pop_stopping", "the point of presence before it is about to stop",
     "原接入点即将停止服务"},
    {Reason::preferred, "preferred", "back to the preferred uplink, good for long enough",
     "首选上行链路已稳定，切回"},
    {Reason::better, "better", "this path has clearly less delay or loss",
     "该路径时延或丢包明显更低"},
    {Reason::not_metered, "not_metered", "off the metered uplink", "离开按流量计费的上行链路"},
    {Reason::own_uplink, "own_uplink", "bulk traffic keeps off the uplink of interactive traffic",
     "批量流量与交互流量分用上行链路"},
    {Reason::asked, "asked", "an administrator asked for it", "管理员指定"},
};

struct WhyNotWords {
  WhyNot why;
  const char* text;
  const char* en;
  const char* zh;
};
constexpr WhyNotWords kWhyNots[] = {
    {WhyNot::chosen, "chosen", "it is in use", "正在使用"},
    {WhyNot::down, "down", "it is not brought up", "未启用"},
    {WhyNot::starting, "starting", "it has not answered yet", "尚无应答"},
    {WhyNot::dead, "dead", "it does not answer", "无应答"},
    {WhyNot::suspect, "suspect", "an answer is missing", "有探测未获应答"},
    {WhyNot::no_proof, "no_proof", "its last answer is too old", "最近一次应答已过时"},
    {WhyNot::damped, "damped", "it failed repeatedly and has to prove itself", "多次中断，观察中"},
    {WhyNot::metered, "metered", "it is metered", "按流量计费"},
    {WhyNot::degraded, "degraded", "it is out of the wanted quality", "质量低于要求"},
    {WhyNot::poor, "poor", "it loses too many packets", "丢包过多"},
    {WhyNot::pop_stopping, "pop_stopping", "its point of presence is about to stop",
     "其接入点即将停止服务"},
    {WhyNot::shares_uplink, "shares_uplink", "interactive traffic uses its uplink",
     "其上行链路由交互流量使用"},
    {WhyNot::excluded, "excluded", "an administrator excluded it", "被管理员排除"},
    {WhyNot::preference, "preference", "another uplink is preferred", "另有首选的上行链路"},
    {WhyNot::too_new, "too_new", "it has not been good long enough", "稳定时间还不够"},
    {WhyNot::no_better, "no_better", "it is not clearly better", "并不明显更好"},
};

const ReasonWords& words_of(Reason reason) {
  for (const ReasonWords& words : kReasons) {
    if (words.reason == reason) return words;
  }
  return kReasons[0];
}

const WhyNotWords& words_of(WhyNot why) {
  for (const WhyNotWords& words : kWhyNots) {
    if (words.why == why) return words;
  }
  return kWhyNots[0];
}

const PathView* find(const std::vector<PathView>& paths, int number) {
  for (const PathView& path : paths) {
    if (path.number == number) return &path;
  }
  return nullptr;
}

Words figures(const PathView& path) {
  if (path.quality.probes == 0) return {};
  const double rtt = path.quality.rtt.as_seconds() * 1000;
  const double loss = loss_of(path.quality) * 100;
  return {fmt::format("; round trip {:.1f} ms, loss {:.1f} %", rtt, loss),
          fmt::format("；往返时延 {:.1f} 毫秒，丢包 {:.1f} %", rtt, loss)};
}

}  // namespace

const char* to_text(Reason reason) { return words_of(reason).text; }
const char* to_text(WhyNot why) { return words_of(why).text; }
Words explain(Reason reason) { return {words_of(reason).en, words_of(reason).zh}; }
Words explain(WhyNot why) { return {words_of(why).en, words_of(why).zh}; }

std::optional<Reason> parse_reason(std::string_view text) {
  for (const ReasonWords& words : kReasons) {
    if (words.text == text) return words.reason;
  }
  return std::nullopt;
}

std::optional<WhyNot> parse_why_not(std::string_view text) {
  for (const WhyNotWords& words : kWhyNots) {
    if (words.text == text) return words.why;
  }
  return std::nullopt;
}

Words explain(const Choice& choice, TrafficClass traffic, const std::vector<PathView>& paths) {
  const bool bulk = traffic == TrafficClass::bulk;
  const Words why = explain(choice.reason);
  const PathView* path = find(paths, choice.path);
  if (path == nullptr || choice.reason == Reason::nothing_alive) {
    return {fmt::format("{} traffic has no path: {}", bulk ? "Bulk" : "Interactive", why.en),
            fmt::format("{}流量无可用路径：{}", bulk ? "批量" : "交互", why.zh)};
  }
  const Words known = figures(*path);
  return {fmt::format("{} traffic uses {}: {}{}", bulk ? "Bulk" : "Interactive", path->name.text(),
                      why.en, known.en),
          fmt::format("{}流量使用 {}：{}{}", bulk ? "批量" : "交互", path->name.text(), why.zh,
                      known.zh)};
}

}  // namespace sluice::tunnel
