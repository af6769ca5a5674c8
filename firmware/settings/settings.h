// Every setting of the box with its default: what it does, and what more of it costs.
//
// StartSettings is read once; LiveSettings is replaced whole while streams go on. The table that
// binds these fields to YAML keys, ranges and help texts is describe.h.
// Units: strong types here; in YAML the key's end names the unit (_ms, _bytes, _percent).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/log.h"
#include "firmware/base/time.h"
#include "firmware/base/units.h"
#include "firmware/ports/streams.h"

namespace sluice::settings {

enum class Mode { automatic, off };                           // "auto", "off"
enum class Place { local, cloud };                            // "local", "cloud"
enum class DataClass { open, internal, home_only };           // "open", "internal", "home-only"
enum class HalfClose { leave, keep };                         // "leave", "keep"
enum class HostLook { automatic, on, off };                   // "auto", "on", "off"
enum class TunnelBackend { automatic, kernel, userspace };    // "auto", "kernel", "userspace"
enum class Traffic { interactive, bulk };                     // by its own name
enum class Goal { cost, balanced, fast, green, home_first };  // "home-first"
enum class Rule {                                             // "local-only"
  predict,
  local_only,
  cloud_only,
  round_robin,
  least_outstanding,
  static_threshold,
  queue_kv,
  cache_aware,
  prefix_hash,
};
enum class Capability { tools, vision, audio, structured_output };  // by its own name
enum class NodeEndpoint {                                           // by its own name
  chat_completions,
  completions,
  embeddings,
  responses,
  messages,
  messages_count_tokens,
  rerank,
  audio_transcriptions,
  audio_translations,
  audio_speech,
  images_generations,
  images_edits,
  images_variations,
};

const char* to_text(Mode mode);
const char* to_text(Place place);
const char* to_text(DataClass data_class);
const char* to_text(HalfClose half_close);
const char* to_text(HostLook look);
const char* to_text(TunnelBackend backend);
const char* to_text(Traffic traffic);
const char* to_text(Goal goal);
const char* to_text(Rule rule);
const char* to_text(Capability capability);
const char* to_text(NodeEndpoint endpoint);
const char* to_text(LogLevel level);

// Every enumerator, in the order in which it is shown.
std::span<const Mode> all_of(Mode);
std::span<const Place> all_of(Place);
std::span<const DataClass> all_of(DataClass);
std::span<const HalfClose> all_of(HalfClose);
std::span<const HostLook> all_of(HostLook);
std::span<const TunnelBackend> all_of(TunnelBackend);
std::span<const Traffic> all_of(Traffic);
std::span<const Goal> all_of(Goal);
std::span<const Rule> all_of(Rule);
std::span<const Capability> all_of(Capability);
std::span<const NodeEndpoint> all_of(NodeEndpoint);
std::span<const LogLevel> all_of(LogLevel);

template <class Enum>
std::optional<Enum> from_text(std::string_view text) {
  for (Enum value : all_of(Enum{})) {
    if (text == to_text(value)) return value;
  }
  return std::nullopt;
}

// ---- Fixed: a change needs a restart ----

struct ListenSettings {
  std::optional<ports::Address> api =
      ports::Address{"0.0.0.0", 8080, ""};  // applications; all addresses = the whole LAN may ask
  std::optional<ports::Address> tls =
      ports::Address{"0.0.0.0", 8443, ""};      // the same over HTTPS; at least one of both
  HalfClose api_half_close = HalfClose::leave;  // keep: one that left is noticed later
  std::optional<ports::Address> page =
      ports::Address{"127.0.0.1", 8081, ""};  // the page; loopback only; none = no page
  std::string admin_socket;                   // the command line; after loading never empty
  bool operator==(const ListenSettings&) const = default;
};

struct StartSettings {
  ListenSettings listen;
  std::string state_dir = "/var/lib/sluice";  // journals, ledger, keys, overlay; grows with use
  std::string drivers_dir = "/etc/sluice/drivers";  // the site's own engines and accelerators
  std::string admin_token_file;                     // opens the page's commands; empty = none
  Currency currency;                                // every amount is told in it
  bool operator==(const StartSettings&) const = default;
};

// ---- Live: replaced whole ----

struct AccessSettings {
  bool require_key = true;         // off: everybody who reaches listen.api may spend
  std::vector<std::string> hosts;  // further names of the box; "*" = no defence against rebinding
  bool operator==(const AccessSettings&) const = default;
};

// Both or none; none = the box makes a certificate of its own.
struct TlsSettings {
  std::string certificate_file;  // PEM; the box's own first, then those of its issuers
  std::string key_file;          // PEM, without a passphrase
  bool operator==(const TlsSettings&) const = default;
};

struct ServiceLevel {
  std::string name = "default";
  Duration ttft = Duration::ms(2000);  // time to first token; shorter = more overflow, more cost
  Duration tpot = Duration::ms(100);   // time per output token; shorter = more overflow, more cost
  bool operator==(const ServiceLevel&) const = default;
};

struct ValveSettings {
  Mode overflow = Mode::automatic;     // off: nothing goes to the cloud, bursts wait or fail
  Mode hold = Mode::automatic;         // off: answer "busy" where a place in the queue could be had
  int64_t hysteresis_percent = 3;      // more: fewer changes of mind, slower to come home
  int64_t margin_percent = 100;        // less: overflows earlier, costs more, misses less
  int64_t untried_concurrency = 32;    // more: a never measured engine may be overrun at first
  int64_t growth_percent = 6;          // more: learns an engine's limit faster, overshoots more
  int64_t untried_prefill_tps = 2000;  // prompt tokens/s believed of a never measured engine
  Tokens expected_output{256};         // for cost when the request names no maximum
  Money carbon_price_per_kg;           // box currency; more: cleaner nodes win over cheaper ones
  int64_t attempts_max = 3;            // more: survives more faults, a failure takes longer
  Duration first_byte_max = Duration::ms(120000);  // longest wait for an answer's first byte
  Mode hedge = Mode::off;                          // auto: fewer late answers, more tokens paid for
  int64_t hedge_quantile_percent = 95;             // less: copies go out sooner, and more of them
  int64_t hedge_percent_max = 5;                   // of requests
  int64_t retry_percent_max = 10;      // of requests; more: survives more faults, overloads longer
  int64_t retry_floor_per_s = 10;      // tries that are always allowed; for boxes with few requests
  Goal goal = Goal::balanced;          // what the choice among nodes goes by
  Money waiting_price_per_s{1000000};  // box currency; more: faster nodes win over cheaper ones
  Rule rule = Rule::predict;      // any other: as another gateway decides, blind to service levels
  int64_t rule_concurrency = 32;  // N of static-threshold; more: fuller here, slower
  int64_t rule_queue = 5;         // queue-kv: waiting requests at which local counts as full
  int64_t rule_kv_percent = 80;   // queue-kv: KV memory in use at which local counts as full
  std::string shadow = "off";     // a rule's or goal's name: it decides along, without acting
  bool operator==(const ValveSettings&) const = default;
};

struct QueueSettings {
  int64_t length_max = 1000;                // more: longer bursts survive, more memory
  Duration wait_max = Duration::ms(60000);  // more: fewer refusals, clients wait longer
  bool operator==(const QueueSettings&) const = default;
};

struct SenseSettings {
  Duration scrape = Duration::ms(500);          // shorter: fresher load, more work for the engine
  Duration scrape_timeout = Duration::ms(400);  // less than scrape
  Duration lease = Duration::ms(1000);          // how long one reading of the load counts as fresh
  Duration probe = Duration::ms(5000);     // health and model list; shorter: faults seen sooner
  Duration learn = Duration::ms(250);      // shorter: rates follow faster, more CPU
  Duration window = Duration::ms(10000);   // TTFT/TPOT windows; longer: calmer, slower
  Duration memory = Duration::ms(600000);  // how long a measured rate is believed
  std::string calibration_window = "17:00-21:00";  // UTC; when an engine may be measured
  bool operator==(const SenseSettings&) const = default;
};

struct BreakerSettings {
  int64_t failures = 5;                       // in a row, then the node rests
  Duration open = Duration::ms(5000);         // how long it rests
  Duration slow_start = Duration::ms(10000);  // how long until it carries a full share again
  bool operator==(const BreakerSettings&) const = default;
};

struct LimitSettings {
  Bytes body_max{104857600};                          // one request
  Bytes body_memory_max{1048576};                     // of one request in memory, the rest on disk
  Bytes bodies_memory_max{134217728};                 // of all requests in memory
  Bytes bodies_per_key_max{536870912};                // kept for one key; memory and disk
  Bytes bodies_max{1073741824};                       // kept for all; memory and disk
  int64_t connections_max = 16384;                    // of one listener; descriptors and memory
  int64_t connections_per_address_max = 1024;         // one client address may hold so many
  Duration tls_handshake_max = Duration::ms(10000);   // slow handshakes are cut off
  int64_t tls_handshakes_per_s_max = 100;             // more: bursts connect faster, stalls streams
  int64_t tls_handshakes_per_s_per_address_max = 50;  // less: one client cannot take all
  Duration head_max = Duration::ms(10000);            // slow heads are cut off
  Duration idle_max = Duration::ms(75000);            // idle client connections are closed
  int64_t requests_per_connection_max = 1000;       // more: a client stays longer on one connection
  Bytes body_per_s_min{100};                        // more: slow senders are cut off sooner
  Duration body_slow_max = Duration::ms(30000);     // how long a body may be slower than that
  Duration write_stall_max = Duration::ms(120000);  // a client that takes nothing is dropped
  Duration request_max = Duration::ms(600000);      // one exchange, first byte to last
  Duration stream_idle_max = Duration::ms(120000);  // silence of an upstream within an answer
  Duration connect_max = Duration::ms(5000);        // to a node
  Duration keepalive_comment = Duration::ms(15000);  // SSE comment while waiting; zero = never
  Duration drain_max = Duration::ms(30000);          // open exchanges may end so long after SIGTERM
  Duration upgrade_drain_max = Duration::ms(3600000);  // the same, after an upgrade in place
  bool operator==(const LimitSettings&) const = default;
};

struct MeteringSettings {
  Duration commit = Duration::ms(200);  // shorter: ledger is fresher, more disk writes
  Bytes journal_max{67108864};          // disk
  Money budget_per_month;               // for nodes that cost money, all keys; zero = no limit
  bool operator==(const MeteringSettings&) const = default;
};

struct DecisionSettings {
  int64_t keep = 1000;          // in memory for the page, about 1 KB each for a few nodes
  Bytes journal_max{67108864};  // disk, per file
  int64_t files_max = 4;        // disk, files kept
  bool operator==(const DecisionSettings&) const = default;
};

// Where a key is found; the key itself is never a setting. Exactly one of file and env.
struct CredentialSource {
  std::string file;                             // absolute path
  std::string env;                              // name of an environment variable
  std::string header = "authorization-bearer";  // or the lower-case header that takes the bare key
  bool operator==(const CredentialSource&) const = default;
};

struct ModelSettings {
  std::string name;                  // what clients ask for
  std::string upstream;              // what the node calls it; after loading never empty
  std::vector<std::string> aliases;  // other names that clients may use
  bool operator==(const ModelSettings&) const = default;
};

struct PriceSettings {               // per million tokens, in `currency`
  std::optional<Currency> currency;  // after loading never empty
  Money input_per_million;
  Money output_per_million;
  Money cached_per_million;
  bool operator==(const PriceSettings&) const = default;
};

struct NodeSettings {
  std::string name;
  Place place = Place::local;
  std::string engine = "openai";  // an engine description: how its load is read
  std::string url;                // ports::parse_origin accepts it
  std::string metrics_url;        // the same; empty = at `url`, or as its engine says
  bool enabled = true;            // off: running answers end, no new ones
  std::optional<CredentialSource> credential;
  std::vector<ModelSettings> models;  // empty = what the node's own list says
  PriceSettings price;
  double carbon_g_per_million_tokens = 0;
  std::vector<NodeEndpoint> endpoints;     // what it speaks; empty = what its engine does
  std::vector<DataClass> data_classes;     // what may be sent there; after loading never empty
  int64_t concurrency_limit = 0;           // 0 = none
  int64_t requests_per_minute_limit = 0;   // 0 = none
  int64_t untried_concurrency = 0;         // 0 = the valve's for local, unbounded for cloud
  int64_t context_tokens_max = 0;          // 0 = what the node says
  std::vector<Capability> capabilities;    // what it can do; empty = believed to do all
  int64_t weight = 1;                      // share among nodes that are alike; 0 = a spare
  std::string ca_file;                     // empty = the system's certificate authorities
  Traffic traffic = Traffic::interactive;  // bulk: never delays the others in the tunnel
  bool operator==(const NodeSettings&) const = default;
};

inline constexpr size_t kUplinksMax = 8;

// A way to the internet.
struct UplinkSettings {
  std::string name;
  std::string interface;       // of this machine
  bool metered = false;        // on: fewer probes, used when nothing else is there
  int64_t preference = 0;      // less = rather this one
  int64_t rate_up_kbit_s = 0;  // what it surely carries; 0 = not known: bulk is not held back
  bool operator==(const UplinkSettings&) const = default;
};

struct TunnelSettings {
  Mode mode = Mode::automatic;  // auto: as soon as the box has joined; off: the network is shut
  TunnelBackend backend = TunnelBackend::automatic;  // fixed; auto: the kernel's where it has one
  Mode failover = Mode::automatic;                   // off: traffic stays on its path, dead or not
  std::vector<UplinkSettings> uplinks;               // empty = every interface with a default route
  Mode tcp443 = Mode::automatic;                     // off: no path over TCP where UDP is blocked
  Duration probe = Duration::ms(200);  // of every path; shorter: faults seen sooner, more packets
  Duration probe_metered = Duration::ms(1000);  // of a metered path that carries nothing
  Duration failback = Duration::ms(30000);      // a better path must have been clean for so long
  int64_t degraded_loss_percent = 5;            // less: leaves a lossy path sooner, flaps more
  Duration degraded_rtt = Duration::ms(400);    // of a round trip; less: leaves a slow one sooner
  int64_t key_rotation_days = 30;               // 0 = only when asked
  Duration port_rotation;  // zero = only when address translation seems to have gone stale
  int64_t outer_dscp = 0;  // of the tunnel's own packets; needs a provider that heeds it
  Mode step_clock = Mode::automatic;  // off: a date that is wrong is said, not mended
  std::string check_url;  // answers 204 where there is no portal; empty = the operator's
  std::string wireguard_go = "wireguard-go";  // fixed; the program of the userspace backend
  bool operator==(const TunnelSettings&) const = default;
};

// A program elsewhere that tells of accelerators in a metrics page.
struct ExporterSettings {
  std::string name;
  std::string url;      // ports::parse_origin accepts it; with a path it is the page itself
  std::string driver;   // a driver file; empty = found by the names on the page
  Duration scrape;      // zero = as the driver says
  std::string ca_file;  // empty = the system's certificate authorities
  bool operator==(const ExporterSettings&) const = default;
};

// Context for people and health: never by itself a reason to send a request elsewhere.
struct AcceleratorSettings {
  HostLook host = HostLook::automatic;   // this machine's own; on = what is missing is said
  Duration scrape = Duration::ms(1000);  // of this machine's; shorter = fresher, more CPU
  std::string nvml_library = "libnvidia-ml.so.1";  // code that the daemon loads
  std::vector<ExporterSettings> exporters;
  bool operator==(const AcceleratorSettings&) const = default;
};

struct LiveSettings {
  LogLevel log_level = LogLevel::info;
  std::map<Currency, double> exchange_rates;  // box currency per unit
  AccessSettings access;
  TlsSettings tls;
  std::vector<ServiceLevel> service_levels;  // after loading one is named "default"
  ValveSettings valve;
  QueueSettings queue;
  SenseSettings sense;
  BreakerSettings breaker;
  LimitSettings limits;
  MeteringSettings metering;
  DecisionSettings decisions;
  std::vector<NodeSettings> nodes;
  AcceleratorSettings accelerators;
  TunnelSettings tunnel;
  bool operator==(const LiveSettings&) const = default;
};

struct Settings {
  StartSettings start;
  LiveSettings live;
  std::vector<std::string> locked;  // keys (or beginnings of keys) the overlay must not change
  bool operator==(const Settings&) const = default;
};

}  // namespace sluice::settings
