#include "firmware/sense/prober_answers.h"

#include <algorithm>

#include "firmware/ports/json.h"

namespace sluice::sense {

Result<ModelList> read_model_list(std::string_view json) {
  const Result<ports::JsonValue> document = ports::parse_json(json);
  if (!document) return document.error();
  const ports::JsonValue* data = document->find("data");
  const ports::JsonValue::Array* items = data == nullptr ? nullptr : data->as_array();
  if (items == nullptr) {
    return Error{ErrorKind::broken, "model list", "the answer has no list named data"};
  }
  ModelList list;
  for (const ports::JsonValue& item : *items) {
    const std::string_view name = item.text("id");
    if (name.empty() || name.size() > kModelNameBytesMax) continue;
    if (std::find(list.names.begin(), list.names.end(), name) != list.names.end()) continue;
    if (list.names.size() == kListedModelsMax) break;
    list.names.emplace_back(name);
    const int64_t length = item.integer("max_model_len");
    if (length > 0) list.max_model_len = std::min(length, list.max_model_len.value_or(length));
  }
  return list;
}

}  // namespace sluice::sense
