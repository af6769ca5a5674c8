// What may leave the site: the class of the data against what each node may be given.
//
// Classes rise in strictness: open < internal < home-only. A key has a class; a request may raise
// it (tighten), never lower it. `home_only` never goes to a cloud node, whatever the node's list
// says. Asked twice: when the plan is made, and again at the last moment before a socket opens.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::govern {

enum class DataClass : uint8_t { open, internal, home_only };

const char* to_text(DataClass data_class);  // "open", "internal", "home-only"
std::optional<DataClass> data_class_from_text(std::string_view text);

struct NodePolicy {
  bool is_cloud = false;
  bool accepts_open = true;
  bool accepts_internal = true;
};

DataClass stricter(DataClass a, DataClass b);
bool may_go(DataClass data_class, const NodePolicy& node);

}  // namespace sluice::govern
