// Accelerators: this machine's own, and those that exporters elsewhere tell of.
#include "firmware/settings/describe.h"

namespace sluice::settings {

namespace {

constexpr When kLive = When::live;

void describe_exporter(ExporterSettings& exporter, Visitor& v) {
  v.field(
      {"name", kLive, "Its name in pages, metrics and logs.", "在页面、指标和日志中的名称。", true},
      text(exporter.name, kNameRule));
  v.field({"url", kLive, "Where it answers; with a path, that is its page.",
           "访问地址；带路径时该路径即为其页面。", true},
          text(exporter.url, kUrlRule));
  v.field({"driver", kLive,
           "Driver file that says what its names mean; without it found by the names on its page.",
           "说明其名称含义的驱动文件；不写则根据页面上的名称识别。"},
          text(exporter.driver, kNameRule));
  v.field(
      {"scrape_ms", kLive,
       "How often it is asked; 0 = as the driver file says. Shorter = fresher, more work there.",
       "读取间隔；0 = 以驱动文件为准。越短越新，对方负担越重。"},
      milliseconds(exporter.scrape, 0, 600000));
  v.field({"ca_file", kLive, "Certificate authorities to trust for it; without it the system's.",
           "信任的证书颁发机构文件；不写则用系统的。"},
          text(exporter.ca_file, kPathRule));
}

}  // namespace

void describe_accelerators(AcceleratorSettings& accelerators, Visitor& v) {
  v.enter(
      {"accelerators", kLive,
       "GPUs and the like: shown, and told in the metrics; never by themselves a reason to send "
       "a request elsewhere.",
       "加速卡：用于显示和指标；其本身从不作为改变请求去向的理由。"});
  v.field(
      {"host", kLive,
       "This machine's own, by NVML and the kernel's files: auto = shown where there are any; "
       "on = what is missing is said; off = not looked at.",
       "本机加速卡，通过 NVML 和内核文件读取：auto = 有则显示；on = 缺少时说明；off = 不读取。"},
      choice(accelerators.host));
  v.field(
      {"scrape_ms", kLive, "How often this machine's are looked at; shorter = fresher, more CPU.",
       "读取本机加速卡的间隔；越短越新，占用 CPU 越多。"},
      milliseconds(accelerators.scrape, 250, 600000));
  v.field({"nvml_library", When::fixed,
           "NVIDIA's management library: a file, or a name that the system finds. The daemon runs "
           "its code.",
           "NVIDIA 管理库：文件路径，或由系统查找的名称。守护进程会运行其代码。"},
          text(accelerators.nvml_library, kLibraryRule));
  VectorElements<ExporterSettings, describe_exporter> exporters(accelerators.exporters);
  v.list({"exporters", kLive, "Programs that tell of accelerators in a metrics page.",
          "以指标页面提供加速卡数据的程序。"},
         exporters);
  v.leave();
}

}  // namespace sluice::settings
