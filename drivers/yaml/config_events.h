// Builds a ConfigNode tree from yaml-cpp's events. After the first fault all events are ignored.
#pragma once

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/ports/config.h"

namespace sluice::drivers {

class ConfigEvents : public YAML::EventHandler {
 public:
  struct Fault {
    int line = 0;  // 1-based
    std::string what;
  };

  // `text` must outlive the events: tags are looked for at the marks.
  explicit ConfigEvents(std::string_view text) : text_(text) {}

  const std::optional<Fault>& fault() const { return fault_; }
  ports::ConfigNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override { close(); }

 private:
  struct Open {  // a list or map whose end has not come yet
    ports::ConfigNode node;
    std::set<std::string> keys;
    std::optional<std::string> key;  // map: read, its value not yet
  };

  void fail(const YAML::Mark& mark, std::string what);
  bool is_sound(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor);
  char first_char(const YAML::Mark& mark) const;  // of the node; 0 at the end of the text
  bool wants_key() const;
  void open(const YAML::Mark& mark, ports::ConfigNode::Kind kind);
  void close();
  void take_key(const YAML::Mark& mark, const std::string& key);
  void place(ports::ConfigNode node);

  std::string_view text_;
  int documents_ = 0;
  std::vector<Open> open_;
  ports::ConfigNode root_;
  std::optional<Fault> fault_;
};

}  // namespace sluice::drivers
