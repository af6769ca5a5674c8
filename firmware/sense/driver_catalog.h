// All drivers that are known: those built into the program, and those of the site, which add to
// them or take the place of one of the same name. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/embedded.h"
#include "firmware/base/result.h"
#include "firmware/base/units.h"
#include "firmware/sense/driver_facts.h"

namespace sluice::sense {

inline constexpr Bytes kDriverFileBytesMax{128 * 1024};
inline constexpr size_t kSiteDriversMax = 128;  // files, in both folders together

enum class DriverShelf { engines, accelerators };  // the folder that a file lies in
const char* to_text(DriverShelf shelf);

struct DriverCatalog {
  std::map<std::string, DriverFacts> engines;  // and routers
  std::map<std::string, DriverFacts> accelerators;

  const DriverFacts* engine(const std::string& name) const;       // null if there is none
  const DriverFacts* accelerator(const std::string& name) const;  // null if there is none
  std::vector<const DriverFacts*> all() const;                    // by name, engines first
  std::string engine_names() const;                               // "localai, vllm, ..."
};

// `file` is its path, for errors; its last part without .yaml is the driver's name. A driver of the
// same name is replaced. Errors: refused, with file:line and what to write.
Result<void> add_driver(DriverCatalog& catalog, DriverShelf shelf, std::string_view file,
                        std::string_view text);
Result<void> add_drivers(DriverCatalog& catalog, DriverShelf shelf,
                         const std::vector<EmbeddedFile>& files);

}  // namespace sluice::sense
