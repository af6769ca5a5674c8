// Every word of the page: name, English, Chinese. A $name is filled in by fill(). It is one text,
// not an object, because that is shorter; the compiler still reads the names out of it.
const table = `other|中文|English
waiting|Waiting for the first reading.|正在等待第一次读数。
empty|No engine is connected yet.|尚未接入任何引擎。
cloud_only|No local engine: everything goes to the cloud.|没有本地引擎，请求全部转到云端。
silent|The local engine does not answer; everything goes to the cloud.|本地引擎没有响应，请求全部转到云端。
stuck|No engine answers.|没有引擎响应。
full|The local engine is full; $cloud of $all requests go to the cloud.|本地引擎已满，$all 个请求中有 $cloud 个溢出到云端。
brim|The local engine is full.|本地引擎已满。
shared|$local of $all requests are served here, $cloud in the cloud.|$all 个请求中，本地处理 $local 个，云端处理 $cloud 个。
here|All requests are served here: $all.|请求全部在本地处理，共 $all 个。
idle|All quiet: no requests just now.|一切平静，暂无请求。
lost|No news from the box for $s s.|已有 $s 秒没有收到设备的消息。
old|What you see below is old.|以下内容已过时。
queued|$queue waiting in the queue. |$queue 个请求在排队。
no_answer|$name does not answer. |$name 没有响应。
level|Water level|水位
of|$a of $b|$a / $b
now_local|in flight here|本地处理中
now_cloud|in the cloud|云端处理中
line|Overflow line|溢出线
past|2 min ago|2 分钟前
now|now|现在
window|Last $s s|最近 $s 秒
local|Local|本地
cloud|Cloud|云端
requests|Requests|请求
tokens|Tokens|词元
cost|Cost|费用
valve|Valve|阀门
open|Open|打开
closed|Closed|关闭
overflow|Overflow|溢出
holding|Hold|等待
auto|Automatic|自动
off|Off|停用
queue|Queue|排队
nodes|Nodes|节点
node|Node|节点
place|Place|位置
state|State|状态
load|In flight / line|处理中 / 溢出线
ttft|TTFT p50|首字时延 p50
tpot|TPOT p50|每字时延 p50
age|Reading|读数
ago|$t ago|$t前
gone|$node: $engine answers, but $name is gone since $time.|$node：$engine 有响应，但 $name 自 $time 起不再提供。
up|Up|正常
slow_start|Slow start|缓启动
probing|Probing|探测中
down|Down|无响应
unknown|Unknown|未知
disabled|Disabled|已停用
accelerators|Accelerators|加速卡
device|Device|设备
busy|Busy|占用率
memory|Memory|显存
power|Power|功率
temperature|Temperature|温度
well|Answers|正常
unwell|Not well|异常
stale|No news|数据已过时
unrecognised|Not recognised|无法识别
no_device|No device|没有设备
no_library|No library|缺少库
library_too_old|Library too old|库版本过旧
driver_not_running|Driver not running|驱动未运行
not_supported|Not supported|不支持
not_allowed|No permission|没有权限
broken|Makes no sense|数据无效
more|and $n more|另有 $n 个
tunnels|Tunnels|隧道
path|Path|路径
rtt|Round trip|往返时延
loss|Loss out / back|丢包 去 / 回
carries|Carries|承载
interactive|interactive|交互
bulk|bulk|批量
good|Good|良好
degraded|Degraded|下降
suspect|Suspect|可疑
dead|Dead|中断
starting|Starting|启动中
moved|$time: $words|$time：$words
decisions|Last decisions|最近决策
none|None yet.|暂无。
hold|Held|等待
refuse|Refused|拒绝
units| ms, s, min, h, d| 毫秒, 秒, 分钟, 小时, 天
`;

type Names<Text, Found = never> =
  Text extends `${infer Name}|${string}|${string}\n${infer Rest}` ? Names<Rest, Found | Name> : Found;
export type Words = Record<Names<typeof table>, string>;
export type Language = 'en' | 'zh';

export const words = (language: Language) =>
  Object.fromEntries(
    table.split('\n').map((line) => {
      const [name, en, zh] = line.split('|');
      return [name, language == 'zh' ? zh : en];
    }),
  ) as Words;

export const fill = (text: string, values: Record<string, any>) =>
  text.replace(/\$(\w+)/g, (_, name) => values[name]);
