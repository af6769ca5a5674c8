#include "firmware/govern/permit.h"

namespace sluice::govern {

const char* to_text(DataClass data_class) {
  switch (data_class) {
    case DataClass::open:
      return "open";
    case DataClass::internal:
      return "internal";
    case DataClass::home_only:
      return "home-only";
  }
  return "";
}

std::optional<DataClass> data_class_from_text(std::string_view text) {
  for (const DataClass one : {DataClass::open, DataClass::internal, DataClass::home_only}) {
    if (text == to_text(one)) return one;
  }
  return std::nullopt;
}

DataClass stricter(DataClass a, DataClass b) { return a < b ? b : a; }

bool may_go(DataClass data_class, const NodePolicy& node) {
  switch (data_class) {
    case DataClass::open:
      return node.accepts_open;
    case DataClass::internal:
      return node.accepts_internal;
    case DataClass::home_only:
      return !node.is_cloud;
  }
  return false;
}

}  // namespace sluice::govern
