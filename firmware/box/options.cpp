#include "firmware/box/options.h"

#include <CLI/CLI.hpp>

#include "drivers/os/environment.h"

namespace sluice::box {

namespace {

CLI::App* add_command(CLI::App& app, Options& options, const char* name, const char* help,
                      Command command) {
  CLI::App* sub = app.add_subcommand(name, help);
  sub->callback([&options, command] { options.command = command; });
  return sub;
}

void add_key_commands(CLI::App& app, Options& options) {
  CLI::App* key = app.add_subcommand("key", "API keys of applications");
  key->require_subcommand(1);
  KeyOptions& o = options.key;
  CLI::App* add = add_command(*key, options, "add", "make a key; its secret is shown this once",
                              Command::key_add);
  add->add_option("name", o.name, "who it is for")->required();
  add->add_option("--model", o.models, "a model it may use (repeat; default: all)");
  add->add_option("--requests-per-minute", o.requests_per_minute, "0 = no limit");
  add->add_option("--tokens-per-minute", o.tokens_per_minute, "0 = no limit");
  add->add_option("--concurrency", o.concurrency, "requests at a time; 0 = no limit");
  add->add_option("--priority", o.priority, "low, normal or high");
  add->add_option("--data-class", o.data_class,
                  "open, internal or home-only (never leaves the site)");
  add->add_option("--deadline-ms", o.deadline_ms, "for the first byte; 0 = the box's");
  add->add_option("--service-level", o.service_level, "one of service_levels in the settings");
  add->add_option("--goal", o.goal,
                  "cost, balanced, fast, green or home-first; default: the setting valve.goal");
  add->add_option("--budget", o.budget_per_month,
                  "for nodes that cost money, a month, in the box's currency; 0 = no limit");
  CLI::App* list =
      add_command(*key, options, "list", "all keys, without secrets", Command::key_list);
  list->add_flag("--json", options.json, "as JSON");
  CLI::App* revoke =
      add_command(*key, options, "revoke", "end a key, at once", Command::key_revoke);
  revoke->add_option("key", o.name, "its id or name")->required();
}

void add_usage_command(CLI::App& app, Options& options) {
  UsageOptions& o = options.usage;
  CLI::App* usage =
      add_command(app, options, "usage", "tokens, time and cost, from the ledger", Command::usage);
  usage->add_option("--by", o.by, "key, model, node or day");
  usage->add_option("--from", o.from, "first day, YYYY-MM-DD (UTC)");
  usage->add_option("--to", o.to, "last day, YYYY-MM-DD (UTC)");
  usage->add_option("--format", o.format, "table, csv or json");
}

void add_calibrate_command(CLI::App& app, Options& options) {
  CalibrateOptions& o = options.calibrate;
  CLI::App* calibrate = add_command(
      app, options, "calibrate",
      "measure a local node: 1, 2, 4 ... 512 requests of 1,024 tokens in and out, prefill and "
      "chunk; it gives way to clients",
      Command::calibrate);
  calibrate->add_option("node", o.node, "its name in the settings")->required();
  calibrate->add_option("--model", o.model, "as clients say it (default: the first it serves)");
  calibrate->add_flag("--quick", o.quick, "a first idea: 256 in, 64 out, up to 32 at a time");
  calibrate->add_flag("--now", o.now, "outside the window of the settings too");
  calibrate->add_option("--concurrency-max", o.concurrency_max, "go no further")
      ->check(CLI::Range(2, 512));
  calibrate->add_option("--minutes-max", o.minutes_max, "take no longer")
      ->check(CLI::Range(1, 1440));
  calibrate->add_option("--prompt-tokens", o.prompt_tokens, "of each request")
      ->check(CLI::Range(16, 32768));
  calibrate->add_option("--output-tokens", o.output_tokens, "of each answer")
      ->check(CLI::Range(16, 32768));
  calibrate->add_flag("--json", options.json, "the card as JSON");
}

void add_rehearsed_engine(CLI::App& rehearse, RehearseOptions& o) {
  const auto positive = CLI::Range(0.0, 1e9);
  rehearse.add_option("--base-ms", o.base_ms, "an engine instead of the site's: of every step")
      ->check(positive);
  rehearse.add_option("--per-seq-ms", o.per_seq_ms, "of a step, for each sequence that decodes")
      ->check(positive);
  rehearse.add_option("--per-kv-us", o.per_kv_us, "of a step, for each token of their context")
      ->check(positive);
  rehearse.add_option("--prefill-us", o.prefill_us, "for each prompt token")->check(positive);
  rehearse.add_option("--chunk", o.chunk, "prompt tokens in one step; also of the site's engines")
      ->check(CLI::Range(1, 1'000'000));
  rehearse.add_option("--slots", o.slots, "sequences at a time; also of the site's engines")
      ->check(CLI::Range(1, 100'000));
  rehearse.add_option("--kv-tokens", o.kv_tokens, "KV memory (default: never short)")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000'000}));
  rehearse.add_option("--price-in", o.price_in, "of its cloud, for a million tokens")
      ->check(CLI::Range(0.0, 1e6));
  rehearse.add_option("--price-out", o.price_out, "of its cloud, for a million tokens")
      ->check(CLI::Range(0.0, 1e6));
}

void add_rehearse_command(CLI::App& app, Options& options) {
  RehearseOptions& o = options.rehearse;
  CLI::App* rehearse =
      add_command(app, options, "rehearse",
                  "play a load against the site's engines as they were learnt: what each policy "
                  "would keep, send to the cloud and cost",
                  Command::rehearse);
  const auto some = CLI::Range(1e-6, 1e9);
  rehearse
      ->add_option("--trace", o.traces,
                   "arrivals: Azure's CSV; CSV with t_s,client,input_tokens,output_tokens; "
                   "Mooncake's JSON lines; decision journals of this box (repeat)")
      ->required();
  rehearse->add_option(
      "--policy", o.policies,
      "a goal (cost, balanced, fast, green, home-first) or another gateway's rule, "
      "such as queue-kv or static-threshold=48 (repeat; default: all)");
  CLI::Option* rho = rehearse->add_option("--rho", o.rho, "stretch time to this load on an engine");
  rho->check(some);
  rehearse->add_option("--speed", o.speed, "so many times as fast")->check(some)->excludes(rho);
  rehearse->add_option("--model", o.model, "as clients say it (default: the first local one)");
  rehearse->add_option("--ttft-ms", o.ttft_ms, "promised (default: the service level)")
      ->check(some);
  rehearse->add_option("--tpot-ms", o.tpot_ms, "promised (default: the service level)")
      ->check(some);
  rehearse->add_option("--cloud-ttft-ms", o.cloud_ttft_ms, "of every cloud node")->check(some);
  rehearse->add_option("--cloud-tpot-ms", o.cloud_tpot_ms, "of every cloud node")->check(some);
  add_rehearsed_engine(*rehearse, o);
  rehearse->add_flag("--json", options.json, "as JSON");
}

void add_probe_command(CLI::App& app, Options& options) {
  ProbeOptions& o = options.probe;
  CLI::App* probe = add_command(
      app, options, "probe",
      "ask an address, or a subnet, which engine or exporter answers there: what it tells, and the "
      "settings to paste. Only reads",
      Command::probe);
  CLI::Option_group* where = probe->add_option_group("where");
  where->add_option("url", o.url, "such as http://10.0.0.5:8000");
  CLI::Option* subnet =
      where->add_option("--subnet", o.subnet,
                        "every address of it, such as 10.0.0.0/28, at the drivers' usual ports");
  where->require_option(1);
  probe->add_option("--port", o.ports, "of a subnet: this port only (repeat)")
      ->check(CLI::Range(1, 65535))
      ->needs(subnet);
  probe->add_option("--key-file", o.key_file, "file that holds the place's API key")
      ->excludes(subnet);
  probe->add_option("--ca-file", o.ca_file, "certificates to trust besides the system's");
  probe->add_flag("--all", o.all, "say of every other driver why it does not fit");
  probe->add_flag("--json", options.json, "as JSON");
}

void add_language(CLI::App& command, Options& options) {
  command
      .add_option_function<std::string>(
          "--lang", [&options](const std::string& lang) { options.tunnel.chinese = lang == "zh"; },
          "of the text: en, zh (default: en)")
      ->check(CLI::IsMember({"en", "zh"}));
}

void add_tunnel_commands(CLI::App& app, Options& options) {
  TunnelOptions& o = options.tunnel;
  CLI::App* tunnel = app.add_subcommand("tunnel", "tunnels to the compute network");
  tunnel->require_subcommand(1);
  CLI::App* status = add_command(*tunnel, options, "status",
                                 "paths, their quality, what traffic uses, the last switches",
                                 Command::tunnel_status);
  status->add_flag("--json", options.json, "as JSON");
  add_language(*status, options);
  CLI::App* join =
      add_command(*tunnel, options, "join", "join a compute network; its keys are made here",
                  Command::tunnel_join);
  join->add_option("--url", o.url, "the operator's endpoint, https://...")->required();
  join->add_option("--token-file", o.token_file, "file that holds the operator's token")
      ->required();
  join->add_option("--ca-file", o.ca_file, "certificates to trust besides the system's");
  CLI::App* import =
      add_command(*tunnel, options, "import",
                  "use a wg-quick configuration that an operator gave out", Command::tunnel_import);
  import->add_option("file", o.configuration, "it; - = standard input")->required();
  add_command(*tunnel, options, "rotate", "give every path a new key pair, one after the other",
              Command::tunnel_rotate);
  add_command(*tunnel, options, "leave", "leave the network; nothing of it stays on this machine",
              Command::tunnel_leave);
  CLI::App* rehearse =
      add_command(*tunnel, options, "rehearse",
                  "cut the path in use for a moment and report how traffic moved; streams live on",
                  Command::tunnel_rehearse);
  rehearse->add_flag("--json", options.json, "as JSON");
  add_language(*rehearse, options);
}

void add_netcheck_command(CLI::App& app, Options& options) {
  CLI::App* netcheck = add_command(
      app, options, "netcheck",
      "what each uplink gives: families, UDP, TCP, packet sizes, address translation, captive "
      "portal, the PoPs, the clock. Changes nothing; 1 if something fails",
      Command::netcheck);
  netcheck->add_flag("--json", options.json, "as JSON");
  add_language(*netcheck, options);
}

// CLI11 reports by exceptions; its macro turns them into the code to exit with.
constexpr int kParsed = -1;
int parse_line(CLI::App& app, int argc, char** argv) {
  CLI11_PARSE(app, argc, argv);
  return kParsed;
}

}  // namespace

std::optional<Options> read_options(int argc, char** argv, int* exit_code) {
  Options options;
  CLI::App app{"Sluice: local inference first, cloud compute on overflow", "sluiced"};
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", SLUICE_VERSION);
  app.add_option("--config", options.config, "settings file")->capture_default_str();
  add_command(app, options, "serve", "run the daemon", Command::serve);
  add_command(app, options, "check-config", "check the settings file; say what is exposed",
              Command::check_config);
  CLI::App* print =
      add_command(app, options, "print-settings", "the settings in force", Command::print_settings);
  print->add_flag("--origin", options.origin, "and where each value comes from");
  CLI::App* status =
      add_command(app, options, "status", "what a running daemon is doing", Command::status);
  status->add_flag("--json", options.json, "as JSON");
  CLI::App* shadow =
      add_command(app, options, "shadow", "what the second rule (valve.shadow) would have done",
                  Command::shadow);
  shadow->add_flag("--json", options.json, "as JSON");
  add_key_commands(app, options);
  add_usage_command(app, options);
  CLI::App* replay = add_command(app, options, "replay",
                                 "decide recorded decisions again and compare", Command::replay);
  replay->add_option("journal", options.journals, "decision journals, in order")->required();
  replay->add_flag("--quiet", options.quiet, "only the totals");
  add_command(app, options, "upgrade",
              "let the program at the daemon's path take over; no stream breaks", Command::upgrade);
  add_calibrate_command(app, options);
  add_rehearse_command(app, options);
  add_probe_command(app, options);
  add_tunnel_commands(app, options);
  add_netcheck_command(app, options);
  options.program = drivers::own_program(argv[0]);
  options.arguments.assign(argv + 1, argv + argc);
  *exit_code = parse_line(app, argc, argv);
  if (*exit_code != kParsed) return std::nullopt;
  return options;
}

}  // namespace sluice::box
