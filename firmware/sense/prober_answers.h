// What engines say of themselves in the OpenAI model list. Pure; every answer is a stranger's and
// may be anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/result.h"

namespace sluice::sense {

inline constexpr size_t kListedModelsMax = 256;    // of one node; the rest is left out
inline constexpr size_t kModelNameBytesMax = 256;  // a longer name is left out

struct ModelList {
  std::vector<std::string> names;        // in the order of the list, each once
  std::optional<int64_t> max_model_len;  // the smallest that is stated, in tokens
};
Result<ModelList> read_model_list(std::string_view json);  // errors: broken

}  // namespace sluice::sense
