#include "firmware/settings/load.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware/settings/cross_checks.h"
#include "firmware/settings/describe.h"
#include "firmware/settings/schema.h"

namespace sluice::settings {

namespace {

using ports::ConfigNode;

class Loader final : public Visitor {
 public:
  Loader(const ConfigNode& root, Report& report) : report_(report) { push(&root, ""); }

  void field(const Facts& facts, const Value& value) override {
    const ConfigNode* node = member(facts);
    if (node == nullptr) return;
    Faults faults;
    value.take(*node, faults);
    for (Fault& fault : faults) {
      report_.add(*fault.at, path_of(facts.key) + fault.below, std::move(fault.text));
    }
  }

  void enter(const Facts& group) override { push(member(group), path_of(group.key)); }

  bool enter_optional(const Facts& group, bool /*present*/) override {
    const ConfigNode* node = member(group);
    if (node == nullptr || node->kind == ConfigNode::Kind::empty) return false;
    if (node->kind != ConfigNode::Kind::map) {  // may be a key: not repeated
      report_.add(*node, path_of(group.key),
                  "holds a value; a key never stands in the settings: put it into a file and write "
                  "{file: PATH}, or {env: NAME}");
      return false;
    }
    push(node, path_of(group.key));
    return true;
  }

  void leave() override {
    refuse_unknown();
    frames_.pop_back();
  }

  // Order: last, for the root; inside by leave().
  void refuse_unknown() {
    const Frame& frame = frames_.back();
    if (frame.node == nullptr) return;
    for (const auto& [key, node] : frame.node->members) {
      if (std::find(frame.known.begin(), frame.known.end(), key) != frame.known.end()) continue;
      report_.add(node, path_of(key), unknown_key_text(key, frame.known));
    }
  }

  void list(const Facts& facts, Elements& elements) override {
    const ConfigNode* node = member(facts);
    if (node == nullptr) return;
    elements.clear();
    const std::string path = path_of(facts.key);
    if (node->kind == ConfigNode::Kind::scalar || node->kind == ConfigNode::Kind::map) {
      report_.add(*node, path, "is not a list; begin each element with \"- name: ...\"");
      return;
    }
    if (node->items.size() > kListItemsMax) {
      report_.add(
          *node, path,
          fmt::format("has {} elements; write at most {}", node->items.size(), kListItemsMax));
      return;
    }
    for (size_t i = 0; i < node->items.size(); ++i) {
      elements.add();
      push(&node->items[i], fmt::format("{}[{}]", path, i));
      elements.describe(i, *this);
      leave();
    }
  }

 private:
  struct Frame {
    const ConfigNode* node;  // null if the file does not have it
    std::string path;
    std::vector<std::string_view> known;
  };

  void push(const ConfigNode* node, std::string path) {
    if (node != nullptr &&
        (node->kind == ConfigNode::Kind::scalar || node->kind == ConfigNode::Kind::list)) {
      report_.add(*node, path, "has no keys; write \"key: value\" lines below it");
      node = nullptr;
    }
    frames_.push_back({node, std::move(path), {}});
  }

  const ConfigNode* member(const Facts& facts) {
    Frame& frame = frames_.back();
    frame.known.push_back(facts.key);
    if (frame.node == nullptr) return nullptr;
    const ConfigNode* node = frame.node->find(facts.key);
    if (node == nullptr && facts.required) {
      report_.add(*frame.node, path_of(facts.key),
                  fmt::format("is missing; write \"{}: ...\" here", facts.key));
    }
    return node;
  }

  std::string path_of(std::string_view key) const {
    const std::string& above = frames_.back().path;
    return above.empty() ? std::string(key) : fmt::format("{}.{}", above, key);
  }

  std::vector<Frame> frames_;
  Report& report_;
};

void complete_node(NodeSettings& node, Currency box_currency) {
  if (node.data_classes.empty()) {
    node.data_classes = {DataClass::open, DataClass::internal};
    if (node.place == Place::local) node.data_classes.push_back(DataClass::home_only);
  }
  if (!node.price.currency) node.price.currency = box_currency;
  for (ModelSettings& model : node.models) {
    if (model.upstream.empty()) model.upstream = model.name;
  }
}

}  // namespace

void complete(Settings& settings) {
  StartSettings& start = settings.start;
  if (start.listen.admin_socket.empty())
    start.listen.admin_socket = start.state_dir + "/admin.sock";
  auto& levels = settings.live.service_levels;
  const bool has_default = std::any_of(levels.begin(), levels.end(), [](const ServiceLevel& level) {
    return level.name == "default";
  });
  if (!has_default) levels.emplace_back();
  for (NodeSettings& node : settings.live.nodes) complete_node(node, start.currency);
}

LoadReport load(const ConfigNode& root, const Sources& sources) {
  LoadReport report;
  Report complaints(root, sources);
  Loader loader(root, complaints);
  describe(report.settings, loader);
  loader.refuse_unknown();
  complete(report.settings);
  check_between(report.settings, complaints);
  report.problems = complaints.take_sorted();
  return report;
}

Result<Settings> load(const ConfigNode& root, std::string_view name) {
  LoadReport report = load(root, Sources{std::string(name), {}});
  if (report.ok()) return std::move(report.settings);
  std::string text = to_text(report.problems);
  if (!text.empty()) text.pop_back();
  return Error{ErrorKind::refused, std::string(name), std::move(text)};
}

Result<Settings> load_text(std::string_view yaml, std::string_view name) {
  const auto root = ports::parse_config(yaml, name);
  if (!root) return root.error();
  return load(*root, name);
}

}  // namespace sluice::settings
