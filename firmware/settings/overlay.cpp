#include "firmware/settings/overlay.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "firmware/base/text.h"
#include "firmware/settings/load.h"
#include "firmware/settings/overlay_tree.h"
#include "firmware/settings/text_rules.h"

namespace sluice::settings {

namespace {

using ports::ConfigNode;
using ports::JsonValue;

Error refused(const OverlayEntry& entry, std::string_view text) {
  return {ErrorKind::refused, "overlay", fmt::format("{}: {}", entry.key, text)};
}

std::string place_of(const OverlayEntry& entry) {
  return fmt::format("overlay by {} at {}", entry.author, to_rfc3339(entry.time.as_us()));
}

int line_of(size_t entry) { return -static_cast<int>(entry) - 1; }

const std::string* lock_on(const std::vector<std::string>& locked, std::string_view key) {
  const auto found = std::find_if(locked.begin(), locked.end(),
                                  [key](const std::string& lock) { return touches(key, lock); });
  return found == locked.end() ? nullptr : &*found;
}

// Puts one entry into `tree`, or says why not; the tree is then as before.
std::optional<std::string> complaint_of(ConfigNode& tree, const SchemaNode& schema,
                                        const std::vector<std::string>& locked,
                                        const OverlayEntry& entry, int line) {
  if (entry.value.is_null()) return "has no value; write one, or unset the key";
  if (const std::string* lock = lock_on(locked, entry.key)) {
    return fmt::format("is locked by \"{}\" in the settings file; change it there", *lock);
  }
  ConfigNode changed = tree;
  const auto set = set_in_tree(changed, schema, entry.key, to_config(entry.value, line));
  if (!set) return set.error().text;
  tree = std::move(changed);
  return std::nullopt;
}

// One attempt with the entries that are not `left_out`; what it finds wrong is left out next time.
Effective attempt(const Base& base, const std::vector<std::string>& locked, const Overlay& overlay,
                  std::set<size_t>& left_out, std::vector<Problem>& problems) {
  Effective effective;
  effective.tree = base.tree;
  effective.sources.file = base.file;
  const SchemaNode root = schema();
  for (size_t i = 0; i < overlay.entries.size(); ++i) {
    const OverlayEntry& entry = overlay.entries[i];
    effective.sources.overlay.push_back(place_of(entry));
    if (left_out.count(i) != 0) continue;
    const auto complaint = complaint_of(effective.tree, root, locked, entry, line_of(i));
    if (!complaint) continue;
    left_out.insert(i);
    problems.push_back({place_of(entry), entry.key, *complaint, line_of(i)});
  }
  LoadReport report = load(effective.tree, effective.sources);
  effective.settings = std::move(report.settings);
  effective.problems = std::move(report.problems);
  return effective;
}

// The entry behind problems that show up at the file's own values: without it there are fewer of
// them. The newest one goes first.
size_t find_culprit(const Base& base, const std::vector<std::string>& locked,
                    const Overlay& overlay, const std::set<size_t>& left_out,
                    const std::vector<Problem>& found) {
  size_t newest = overlay.entries.size();
  for (size_t i = overlay.entries.size(); i-- > 0;) {
    if (left_out.count(i) != 0) continue;
    if (newest == overlay.entries.size()) newest = i;
    std::set<size_t> without = left_out;
    without.insert(i);
    std::vector<Problem> ignored;
    if (attempt(base, locked, overlay, without, ignored).problems.size() < found.size()) return i;
  }
  ENSURE(newest < overlay.entries.size());  // the base alone is sound
  return newest;
}

Result<JsonValue> entry_list(std::string_view json, std::string_view name) {
  const auto broken = [name](std::string_view text) {
    return Error{ErrorKind::broken, std::string(name),
                 fmt::format("{}; correct the file, or remove it and set the values again", text)};
  };
  auto root = ports::parse_json(json);
  if (!root) return broken(fmt::format("is not JSON ({})", root.error().text));
  if (root->integer("version") != 1) return broken("is not an overlay of version 1");
  const JsonValue* entries = root->find("entries");
  if (entries == nullptr || entries->as_array() == nullptr)
    return broken("has no list \"entries\"");
  if (entries->as_array()->size() > kOverlayEntriesMax) {
    return broken(fmt::format("has more than {} entries", kOverlayEntriesMax));
  }
  return *entries;
}

bool is_plain(std::string_view text, size_t max) {
  return !text.empty() && text.size() <= max && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
  });
}

std::string path_in(const std::string& state_dir, std::string_view name) {
  return fmt::format("{}/{}", state_dir, name);
}

std::vector<OverlayEntry>::iterator find_entry(Overlay& overlay, std::string_view key) {
  return std::find_if(overlay.entries.begin(), overlay.entries.end(),
                      [key](const OverlayEntry& entry) { return entry.key == key; });
}

}  // namespace

Result<Effective> apply(const Base& base, const Overlay& overlay) {
  const auto alone = load(base.tree, base.file);
  if (!alone) return alone.error();
  std::set<size_t> left_out;
  std::vector<Problem> problems;
  while (true) {
    Effective effective = attempt(base, alone->locked, overlay, left_out, problems);
    if (effective.problems.empty()) {
      effective.problems = std::move(problems);
      return effective;
    }
    const size_t before = left_out.size();
    for (Problem& problem : effective.problems) {
      if (problem.line >= 0) continue;
      left_out.insert(static_cast<size_t>(-(problem.line + 1)));
      problems.push_back(std::move(problem));
    }
    if (left_out.size() > before) continue;
    const size_t culprit = find_culprit(base, alone->locked, overlay, left_out, effective.problems);
    const OverlayEntry& entry = overlay.entries[culprit];
    left_out.insert(culprit);
    problems.push_back({place_of(entry), entry.key,
                        "does not fit the settings file: " + effective.problems.front().sentence(),
                        line_of(culprit)});
  }
}

Result<Overlay> with_entry(const Base& base, const Overlay& overlay, OverlayEntry entry) {
  if (!is_plain(entry.key, kOverlayKeyLengthMax)) {
    return Error{ErrorKind::refused, "overlay", "the key is empty, too long or not plain text"};
  }
  if (!is_plain(entry.author, kAuthorLengthMax)) {
    return refused(entry, "the author is empty, too long or not plain text");
  }
  const auto now = apply(base, overlay);
  if (!now) return now.error();
  Overlay changed = overlay;
  const auto found = find_entry(changed, entry.key);
  const size_t at = static_cast<size_t>(found - changed.entries.begin());
  if (found != changed.entries.end()) {
    *found = entry;
  } else if (changed.entries.size() < kOverlayEntriesMax) {
    changed.entries.push_back(entry);
  } else {
    return refused(entry, fmt::format("the overlay is full ({} entries); unset some, or write them "
                                      "into the settings file",
                                      kOverlayEntriesMax));
  }
  const auto then = apply(base, changed);
  if (!then) return then.error();
  for (const Problem& problem : then->problems) {
    if (problem.line == line_of(at)) {
      return refused(entry,
                     problem.key == entry.key ? problem.text : problem.key + ": " + problem.text);
    }
  }
  if (then->problems.size() > now->problems.size()) {
    return refused(entry, "clashes with " + then->problems.back().sentence());
  }
  return changed;
}

Result<Overlay> without_entry(const Base& base, const Overlay& overlay, std::string_view key) {
  Overlay changed = overlay;
  const auto found = find_entry(changed, key);
  if (found == changed.entries.end()) {
    return Error{ErrorKind::refused, "overlay",
                 fmt::format("{}: is not set in the overlay; nothing to unset", quoted(key))};
  }
  const auto now = apply(base, overlay);
  if (!now) return now.error();
  changed.entries.erase(found);
  const auto then = apply(base, changed);
  if (!then) return then.error();
  if (then->problems.size() <= now->problems.size()) return changed;
  return Error{
      ErrorKind::refused, "overlay",
      fmt::format("{}: is needed by another entry: {}", key, then->problems.front().sentence())};
}

std::string write_overlay(const Overlay& overlay) {
  JsonValue entries = JsonValue::array();
  for (const OverlayEntry& entry : overlay.entries) {
    entries.push(JsonValue::object({{"key", entry.key},
                                    {"value", entry.value},
                                    {"author", entry.author},
                                    {"time_us", entry.time.as_us()}}));
  }
  return ports::to_json(JsonValue::object({{"version", 1}, {"entries", std::move(entries)}})) +
         "\n";
}

Result<Overlay> read_overlay(std::string_view json, std::string_view name) {
  const auto list = entry_list(json, name);
  if (!list) return list.error();
  Overlay overlay;
  for (const JsonValue& item : *list->as_array()) {
    OverlayEntry entry;
    entry.key = std::string(item.text("key"));
    entry.author = std::string(item.text("author"));
    entry.time = Date::from_us(item.integer("time_us"));
    const JsonValue* value = item.find("value");
    const bool is_new = find_entry(overlay, entry.key) == overlay.entries.end();
    if (value == nullptr || !is_new || !is_plain(entry.key, kOverlayKeyLengthMax) ||
        !is_plain(entry.author, kAuthorLengthMax)) {
      return Error{
          ErrorKind::broken, std::string(name),
          fmt::format("entry {} lacks a key, value or author, or repeats a key; correct the "
                      "file, or remove it and set the values again",
                      overlay.entries.size() + 1)};
    }
    entry.value = *value;
    overlay.entries.push_back(std::move(entry));
  }
  return overlay;
}

LoadedOverlay load_overlay(ports::Files& files, const std::string& state_dir) {
  const std::string path = path_in(state_dir, "overlay.json");
  const auto text = files.read(path, kOverlayFileMax);
  if (!text && text.error().kind == ErrorKind::gone) return {};
  if (!text) return {{}, text.error()};
  auto overlay = read_overlay(*text, path);
  if (!overlay) return {{}, overlay.error()};
  return {std::move(*overlay), std::nullopt};
}

Result<void> save_overlay(ports::Files& files, const std::string& state_dir,
                          const Overlay& overlay) {
  const std::string path = path_in(state_dir, "overlay.json");
  const std::string json = write_overlay(overlay);
  if (json.size() > static_cast<size_t>(kOverlayFileMax.count)) {
    return Error{
        ErrorKind::refused, path,
        fmt::format("would be larger than {} bytes; unset some entries, or write them into "
                    "the settings file",
                    kOverlayFileMax.count)};
  }
  if (load_overlay(files, state_dir).error) {
    const auto kept = files.rename(path, path_in(state_dir, "overlay.broken.json"));
    if (!kept) return kept.error();
  }
  return files.replace(path, json);
}

}  // namespace sluice::settings
