#include "firmware/box/driver_book.h"

#include <fmt/format.h>

#include "firmware/base/embedded.h"
#include "firmware/upstream/endpoint.h"

namespace sluice::drivers {
std::vector<EmbeddedFile> embedded_engines();       // made by the build from drivers/engines
std::vector<EmbeddedFile> embedded_accelerators();  // and from drivers/accelerators
}  // namespace sluice::drivers

namespace sluice::box {

namespace {

using sense::DriverCatalog;
using sense::DriverShelf;

Result<void> check_endpoints(const sense::DriverFacts& facts, const std::string& file) {
  for (const std::string& word : facts.endpoints) {
    if (upstream::endpoint_from_word(word)) continue;
    return Error{
        ErrorKind::refused, file,
        fmt::format("'endpoints': there is no endpoint '{}'; write the words of the setting "
                    "nodes.endpoints",
                    word)};
  }
  return {};
}

Result<void> add_folder(DriverCatalog& catalog, DriverShelf shelf, const std::string& folder,
                        ports::Files& files, size_t& count) {
  const Result<std::vector<std::string>> names = files.list(folder);
  if (!names) {
    if (names.error().kind == ErrorKind::gone) return {};
    return names.error();
  }
  for (const std::string& name : *names) {
    if (!name.ends_with(".yaml") || name.starts_with('.')) continue;
    const std::string file = folder + "/" + name;
    if (++count > sense::kSiteDriversMax) {
      return Error{ErrorKind::refused, file,
                   fmt::format("there are more than {} driver files of the site; remove some",
                               sense::kSiteDriversMax)};
    }
    const Result<std::string> text = files.read(file, sense::kDriverFileBytesMax);
    if (!text) return Error{ErrorKind::refused, file, text.error().text};
    if (Result<void> added = add_driver(catalog, shelf, file, *text); !added) return added;
    if (shelf == DriverShelf::accelerators) continue;
    const std::string driver = name.substr(0, name.size() - 5);
    if (Result<void> ok = check_endpoints(catalog.engines.at(driver), file); !ok) return ok;
  }
  return {};
}

}  // namespace

Result<DriverCatalog> built_in_drivers() {
  DriverCatalog catalog;
  Result<void> added = add_drivers(catalog, DriverShelf::engines, drivers::embedded_engines());
  if (added) {
    added = add_drivers(catalog, DriverShelf::accelerators, drivers::embedded_accelerators());
  }
  if (!added) return added.error();
  return catalog;
}

Result<DriverCatalog> site_drivers(const std::string& folder, ports::Files& files) {
  Result<DriverCatalog> catalog = built_in_drivers();
  if (!catalog || folder.empty()) return catalog;
  size_t count = 0;
  for (const DriverShelf shelf : {DriverShelf::engines, DriverShelf::accelerators}) {
    const std::string shelf_folder = fmt::format("{}/{}", folder, to_text(shelf));
    Result<void> added = add_folder(*catalog, shelf, shelf_folder, files, count);
    if (added) continue;
    return Error{added.error().kind, "drivers",
                 fmt::format("{}: {}", added.error().where, added.error().text)};
  }
  return catalog;
}

}  // namespace sluice::box
