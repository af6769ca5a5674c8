// The one table of settings: every field once, with its YAML key, unit, range, live or fixed, and
// help in English and Chinese. The loader, the print-out, the reference page, the overlay's checks
// and the page's form are visitors of it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/settings/settings.h"
#include "firmware/settings/value.h"

namespace sluice::settings {

enum class When {
  live,   // takes effect at once
  fixed,  // only in the settings file, after a restart
};

struct Facts {
  std::string_view key;  // the last part of the path
  When when = When::live;
  std::string_view en;
  std::string_view zh;
  bool required = false;
};

class Visitor;

// A list whose elements have fields and are told apart by their field `name`.
class Elements {
 public:
  virtual ~Elements() = default;
  virtual size_t size() const = 0;
  virtual void clear() = 0;
  virtual void add() = 0;  // with defaults
  virtual void describe(size_t index, Visitor& visitor) = 0;
};

class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void field(const Facts& facts, const Value& value) = 0;
  virtual void enter(const Facts& group) = 0;
  // A group that may be absent as a whole. True = visit it (and make it so), then leave().
  virtual bool enter_optional(const Facts& group, bool present) = 0;
  virtual void leave() = 0;
  virtual void list(const Facts& facts, Elements& elements) = 0;
};

void describe(Settings& settings, Visitor& visitor);

// Parts of it.
void describe_start(StartSettings& start, Visitor& v);
void describe_money(Settings& settings, Visitor& v);
void describe_valve(ValveSettings& valve, Visitor& v);
void describe_sense(SenseSettings& sense, Visitor& v);
void describe_limits(LimitSettings& limits, Visitor& v);
void describe_node(NodeSettings& node, Visitor& v);
void describe_accelerators(AcceleratorSettings& accelerators, Visitor& v);
void describe_tunnel(TunnelSettings& tunnel, Visitor& v);

template <class Element, void (*kDescribe)(Element&, Visitor&)>
class VectorElements final : public Elements {
 public:
  explicit VectorElements(std::vector<Element>& elements) : elements_(elements) {}
  size_t size() const override { return elements_.size(); }
  void clear() override { elements_.clear(); }
  void add() override { elements_.emplace_back(); }
  void describe(size_t index, Visitor& visitor) override { kDescribe(elements_[index], visitor); }

 private:
  std::vector<Element>& elements_;
};

// Keys whose values differ, elements by name: "listen.api", "nodes.gpu.url".
std::vector<std::string> differing_keys(const Settings& a, const Settings& b, When when);

}  // namespace sluice::settings
