// What was changed on the page or by command, on top of the settings file: a list of entries
// {key, value, who, when} in <state_dir>/overlay.json. The file itself is never rewritten.
//
// A key's address names list elements: valve.overflow, nodes.gpu-1.enabled,
// service_levels.default.ttft_ms. nodes.gpu-2 with an object adds or replaces that node.
// Refused: unknown keys, fixed keys, what `locked` in the file covers, values that do not fit.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"
#include "firmware/base/time.h"
#include "firmware/ports/config.h"
#include "firmware/ports/files.h"
#include "firmware/ports/json.h"
#include "firmware/settings/problem.h"
#include "firmware/settings/settings.h"

namespace sluice::settings {

inline constexpr size_t kOverlayEntriesMax = 1000;
inline constexpr size_t kOverlayKeyLengthMax = 512;
inline constexpr size_t kAuthorLengthMax = 128;
inline constexpr Bytes kOverlayFileMax{1048576};

struct OverlayEntry {
  std::string key;
  ports::JsonValue value;
  std::string author;
  Date time;
};

struct Overlay {
  std::vector<OverlayEntry> entries;  // in the order in which they apply; keys are unique
};

// The settings file as it was read and checked.
struct Base {
  std::string file;  // its name, for people
  ports::ConfigNode tree;
};

struct Effective {
  Settings settings;
  ports::ConfigNode tree;  // base and overlay in one; lines as Sources says
  Sources sources;
  std::vector<Problem> problems;  // of overlay entries that were left out
};

// Entries that do not fit (any more) are left out and told; the others apply.
// Errors: refused, if the base alone has problems.
Result<Effective> apply(const Base& base, const Overlay& overlay);

// The overlay with one entry set (an entry of that key keeps its place) or without it.
// Errors: refused, with what is wrong and what to write.
Result<Overlay> with_entry(const Base& base, const Overlay& overlay, OverlayEntry entry);
Result<Overlay> without_entry(const Base& base, const Overlay& overlay, std::string_view key);

std::string write_overlay(const Overlay& overlay);
Result<Overlay> read_overlay(std::string_view json, std::string_view name);  // errors: broken

struct LoadedOverlay {
  Overlay overlay;             // empty if there is none, or if it is broken
  std::optional<Error> error;  // then the box runs on the file alone, and must say so
};
LoadedOverlay load_overlay(ports::Files& files, const std::string& state_dir);

// A broken overlay.json is kept beside it as overlay.broken.json.
Result<void> save_overlay(ports::Files& files, const std::string& state_dir,
                          const Overlay& overlay);

}  // namespace sluice::settings
