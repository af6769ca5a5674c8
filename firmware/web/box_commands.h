// What the page, the command line and the metrics may ask of the box as a whole.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "firmware/base/result.h"
#include "firmware/base/time.h"

namespace sluice::web {

struct BoxStatus {
  std::string version;
  Duration uptime;
  std::string overflow;  // auto, off
  std::string hold;      // auto, off
  bool open = false;     // the valve lets requests overflow, for any model
  std::string currency;  // ISO 4217
  std::string health;    // one sentence on what is wrong with the box itself; empty: nothing
};

// Of this process, as the system tells; negative = not known.
struct ProcessFigures {
  int64_t open_descriptors = -1;
  int64_t resident_bytes = -1;
  int64_t connections = 0;          // of clients, open at any of the box's addresses
  int64_t connections_refused = 0;  // beyond a limit, since the start
};

enum class UsageBy { key, model, node, day };
enum class UsageFormat { table, csv, json };

// Days are UTC; the box reads and checks them.
struct UsageQuery {
  UsageBy by = UsageBy::key;
  std::string from_day;  // included, as a person wrote it, e.g. 2026-11-01; empty = the beginning
  std::string to_day;    // included; empty = until now
  UsageFormat format = UsageFormat::table;
};

struct UsageText {
  std::string text;
  std::string content_type;
};
using UsageCallback = std::function<void(Result<UsageText>)>;
using UpgradeCallback = std::function<void(Result<int>)>;

// Errors: refused = the request is at fault; gone = there is no such thing; busy = try again;
// broken = the box's own files. Texts are shown to people as they are.
class BoxCommands {
 public:
  virtual ~BoxCommands() = default;

  // `key`: a setting's address (settings/overlay.h). `value_text`: JSON, e.g. "off" in its quotes,
  // 0.5, or an object. `author`: who changed it, for people.
  virtual Result<void> set_setting(std::string_view key, std::string_view value_text,
                                   std::string_view author) = 0;
  virtual Result<void> unset_setting(std::string_view key, std::string_view author) = 0;
  virtual Result<void> reload(std::string_view author) = 0;   // reads the settings file again
  virtual std::string print_settings(bool origin) const = 0;  // YAML; no secrets
  virtual void usage(
      const UsageQuery& query,
      UsageCallback done) = 0;  // `done` once, on the loop; it may be called before usage() returns

  // The program at its own path takes over: see box/upgrade.h. `done` once, on the loop, with the
  // id of the new process; it may be called before upgrade() returns.
  virtual void upgrade(std::string_view author, UpgradeCallback done) = 0;

  virtual BoxStatus status() const = 0;
  virtual ProcessFigures process() const = 0;
};

}  // namespace sluice::web
