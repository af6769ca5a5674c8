// One node: where it is, how to reach it, what it costs, what may be sent there.
#include "firmware/settings/describe.h"

namespace sluice::settings {

namespace {

constexpr When kLive = When::live;
constexpr double kPriceMax = 1e6;

void describe_model(ModelSettings& model, Visitor& v) {
  v.field({"name", kLive, "What clients ask for.", "客户端请求的名称。", true},
          text(model.name, kModelNameRule));
  v.field({"upstream", kLive, "What the node calls it; without it the same name.",
           "节点上的名称；不写则相同。"},
          text(model.upstream, kModelNameRule));
  v.field({"aliases", kLive, "Other names that clients may use.", "客户端可用的其他名称。"},
          texts(model.aliases, kModelNameRule));
}

void describe_credential(CredentialSource& credential, Visitor& v) {
  v.field({"file", kLive, "File that holds the key; readable by the service only.",
           "存放密钥的文件；仅服务可读。"},
          text(credential.file, kKeyFileRule));
  v.field({"env", kLive, "Environment variable that holds the key, instead of file.",
           "存放密钥的环境变量，代替 file。"},
          text(credential.env, kEnvRule));
  v.field({"header", kLive,
           "How the key is sent: as `Authorization: Bearer`, or bare in the header named here.",
           "密钥的发送方式：`Authorization: Bearer`，或放入此处命名的请求头。"},
          text(credential.header, kHeaderRule));
}

void describe_price(PriceSettings& price, Visitor& v) {
  v.enter({"price", kLive, "What a million tokens cost there; 0 = free.",
           "该节点每百万词元的价格；0 = 免费。"});
  v.field({"currency", kLive,
           "Currency of these prices; without it the box's. Another one needs an exchange rate.",
           "价格的货币；不写则为设备货币。其他货币需要汇率。"},
          currency(price.currency));
  v.field({"input_per_million", kLive, "Prompt tokens.", "输入词元。"},
          money(price.input_per_million, kPriceMax));
  v.field({"output_per_million", kLive, "Answer tokens.", "输出词元。"},
          money(price.output_per_million, kPriceMax));
  v.field({"cached_per_million", kLive, "Prompt tokens that the node had cached.",
           "节点已缓存的输入词元。"},
          money(price.cached_per_million, kPriceMax));
  v.leave();
}

void describe_node_place(NodeSettings& node, Visitor& v) {
  v.field(
      {"name", kLive, "Its name in pages, ledger and logs.", "在页面、账本和日志中的名称。", true},
      text(node.name, kNameRule));
  v.field({"place", kLive, "local = on the site, cloud = anywhere else.",
           "local = 在本地站点，cloud = 其他地方。", true},
          choice(node.place));
  v.field({"engine", kLive, "Engine description: how its load is read, e.g. vllm; openai fits all.",
           "引擎描述：如何读取负载，如 vllm；openai 通用。"},
          text(node.engine, kNameRule));
  v.field(
      {"url", kLive,
       "Where it answers. Behind the tunnels write its address as a number: of a name's path "
       "nothing is known, so requests are not moved away before it fails.",
       "访问地址。位于隧道之后时请写数字地址：写域名则不知其路径状态，故障前不会提前避开。", true},
      text(node.url, kUrlRule));
  v.field({"metrics_url", kLive,
           "Where its metrics are, if not at url; with a path it is the page itself.",
           "指标地址（若不在 url 处）；带路径时即为指标页本身。"},
          text(node.metrics_url, kUrlRule));
  v.field({"enabled", kLive, "false = running answers end, no new ones start.",
           "false = 进行中的回答结束，不再接受新请求。"},
          boolean(node.enabled));
}

}  // namespace

void describe_node(NodeSettings& node, Visitor& v) {
  describe_node_place(node, v);
  CredentialSource credential = node.credential.value_or(CredentialSource{});
  if (v.enter_optional({"credential", kLive,
                        "Where its key is found, in a file or a variable; never the key itself.",
                        "密钥所在的文件或环境变量；不得写密钥本身。"},
                       node.credential.has_value())) {
    describe_credential(credential, v);
    v.leave();
    node.credential = credential;
  }
  VectorElements<ModelSettings, describe_model> models(node.models);
  v.list({"models", kLive, "Models it serves; empty = what its own model list says.",
          "提供的模型；空 = 以节点自己的模型列表为准。"},
         models);
  describe_price(node.price, v);
  v.field({"carbon_g_per_million_tokens", kLive, "Carbon of a million tokens there, in grams.",
           "该节点每百万词元的碳排放，克。"},
          number(node.carbon_g_per_million_tokens, 0, 1e9));
  v.field({"endpoints", kLive, "Endpoints it speaks; empty = those of its engine's description.",
           "支持的接口；空 = 以引擎描述为准。"},
          choices(node.endpoints, true));
  v.field({"data_classes", kLive,
           "What may be sent there; without it all for local, open and internal for cloud.",
           "可发送的数据类别；不写则本地为全部，云端为 open 和 internal。"},
          choices(node.data_classes));
  v.enter({"limits", kLive, "What the node may be asked at most.", "对该节点的请求上限。"});
  v.field({"concurrency", kLive, "Requests at a time; 0 = no limit.", "同时请求数；0 = 不限。"},
          whole(node.concurrency_limit, 0, 100000));
  v.field({"requests_per_minute", kLive, "Requests in a minute; 0 = no limit.",
           "每分钟请求数；0 = 不限。"},
          whole(node.requests_per_minute_limit, 0, 10000000));
  v.leave();
  v.field({"untried_concurrency", kLive,
           "Concurrent requests believed safe before it is measured; 0 = the valve's for local, "
           "unbounded for cloud.",
           "测量之前认为安全的并发数；0 = 本地用 valve 的值，云端不限。"},
          whole(node.untried_concurrency, 0, 4096));
  v.field({"context_tokens_max", kLive,
           "Longest prompt and answer together; 0 = what the node says, if it says anything.",
           "提示与回答的总长上限；0 = 以节点自报为准（若有）。"},
          whole(node.context_tokens_max, 0, 100000000));
  v.field({"capabilities", kLive,
           "What it can do; empty = everything. A request that needs more does not go there.",
           "该节点支持的功能；空 = 全部。需要更多功能的请求不会送往此处。"},
          choices(node.capabilities, true));
  v.field(
      {"weight", kLive,
       "Its share among nodes that are alike in price and speed; 0 = only if there is no other.",
       "在价格与速度相当的节点之间所占的份额；0 = 仅在没有其他节点时使用。"},
      whole(node.weight, 0, 1000));
  v.field({"ca_file", kLive, "Certificate authorities to trust for it; without it the system's.",
           "信任的证书颁发机构文件；不写则用系统的。"},
          text(node.ca_file, kPathRule));
  v.field({"traffic", kLive,
           "Its class in the tunnel: bulk = for batches; it never delays interactive traffic.",
           "在隧道中的类别：bulk = 批量任务，不会拖慢交互流量。"},
          choice(node.traffic));
}

}  // namespace sluice::settings
