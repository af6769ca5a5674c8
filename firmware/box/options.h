// The command line of sluiced.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace sluice::box {

enum class Command {
  serve,
  check_config,
  print_settings,
  status,
  key_add,
  key_list,
  key_revoke,
  usage,
  replay,
  upgrade,
  calibrate,
  shadow,
  rehearse,
  probe,
  tunnel_status,
  tunnel_join,
  tunnel_import,
  tunnel_rotate,
  tunnel_leave,
  tunnel_rehearse,
  netcheck,
};

struct KeyOptions {
  std::string name;  // or id, to revoke
  std::vector<std::string> models;
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int concurrency = 0;
  std::string priority = "normal";
  std::string data_class = "internal";
  int64_t deadline_ms = 0;
  std::string service_level = "default";
  std::string goal;  // empty: the box's
  double budget_per_month = 0;
};

struct UsageOptions {
  std::string by = "key";
  std::string from;  // YYYY-MM-DD; empty = open
  std::string to;
  std::string format = "table";
};

// Zeros: as the method has it.
struct CalibrateOptions {
  std::string node;
  std::string model;
  bool quick = false;
  bool now = false;
  int concurrency_max = 0;
  int minutes_max = 0;
  int64_t prompt_tokens = 0;
  int64_t output_tokens = 0;
};

// Negative, zero or empty: as the site has it, or as is usual.
struct RehearseOptions {
  std::vector<std::string> traces;
  std::vector<std::string> policies;  // empty: all
  std::string model;
  double rho = 0;
  double speed = 0;
  double ttft_ms = 0;
  double tpot_ms = 0;
  double base_ms = -1;  // given: an engine by flags, no settings are read
  double per_seq_ms = 0;
  double per_kv_us = 0;
  double prefill_us = 0;
  int64_t chunk = 0;
  int slots = 0;
  int64_t kv_tokens = 0;
  double cloud_ttft_ms = -1;
  double cloud_tpot_ms = -1;
  double price_in = 1;  // by flags only; for a million tokens
  double price_out = 4;
};

struct ProbeOptions {
  std::string url;     // or
  std::string subnet;  // of which every address is asked
  std::vector<int> ports;
  std::string key_file;
  std::string ca_file;
  bool all = false;
};

struct TunnelOptions {
  std::string url;
  std::string token_file;
  std::string ca_file;
  std::string configuration;  // file; "-" = standard input
  bool chinese = false;
};

struct Options {
  Command command = Command::serve;
  std::string config = "/etc/sluice/sluice.yaml";
  std::string program;                 // path of this program, as it was started
  std::vector<std::string> arguments;  // behind the program's name
  bool origin = false;                 // print-settings
  bool json = false;                   // status, shadow, key list, calibrate, rehearse, probe,
                                       // tunnel, netcheck
  KeyOptions key;
  UsageOptions usage;
  CalibrateOptions calibrate;
  RehearseOptions rehearse;
  ProbeOptions probe;
  TunnelOptions tunnel;
  std::vector<std::string> journals;  // replay
  bool quiet = false;                 // replay: only the last line
};

// Nothing: the program is to end with *exit_code (help was asked for, or the line was wrong; what
// to say has been said).
std::optional<Options> read_options(int argc, char** argv, int* exit_code);

}  // namespace sluice::box
