// What is wrong with the settings, told so that a person can mend it: place, key, what is wrong,
// what to write instead. Many are gathered before anything is said.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firmware/ports/config.h"

namespace sluice::settings {

inline constexpr size_t kProblemsMax = 20;  // told; the rest is counted

struct Problem {
  std::string where;  // "sluice.yaml:12", or who set it in the overlay
  std::string key;    // "nodes[0].url"; empty = the file as a whole
  std::string text;   // "<what is wrong>; <what to write>"
  int line = 0;       // as in ConfigNode; see Sources
  std::string sentence() const;
};

// Where a node of the settings tree comes from. By its line: above 0 the file; below 0 the overlay
// entry number -line - 1; 0 nowhere, a default.
struct Sources {
  std::string file;                  // its name, for people
  std::vector<std::string> overlay;  // "overlay by ann at 2026-...", one for each entry
  std::string place(const ports::ConfigNode& node) const;   // "sluice.yaml:12"
  std::string origin(const ports::ConfigNode* node) const;  // the same, or "default"
};

// The node at "nodes[2].price.currency", or the last one above it that exists.
const ports::ConfigNode& nearest_node(const ports::ConfigNode& root, std::string_view path);

class Report {
 public:
  Report(const ports::ConfigNode& root, const Sources& sources) : root_(root), sources_(sources) {}

  void add(const ports::ConfigNode& at, std::string key, std::string text);
  // A problem between several fields. Silent if one of them is already complained about.
  void add_between(const std::string& key, const std::vector<std::string>& others,
                   std::string text);
  bool empty() const { return problems_.empty(); }
  // In the order of the file.
  std::vector<Problem> take_sorted();

 private:
  bool complains_about(const std::string& key) const;

  const ports::ConfigNode& root_;
  const Sources& sources_;
  std::vector<Problem> problems_;
};

// One line each, at most kProblemsMax and then "... and N more".
std::string to_text(const std::vector<Problem>& problems);

}  // namespace sluice::settings
