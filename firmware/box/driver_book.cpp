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

Error fault_in(const std::string& file, const std::string& text) {
  return Error{ErrorKind::refused, "drivers", fmt::format("{}: {}", file, text)};
}

Result<void> check_endpoints(const sense::DriverFacts& facts, const std::string& file) {
  for (const std::string& word : facts.endpoints) {
    if (upstream::endpoint_from_word(word)) continue;
    return fault_in(file, fmt::format("'endpoints': there is no endpoint '{}'; write words of the "
                                      "setting nodes[].endpoints",
                                      word));
  }
  return {};
}

// On an error the catalog is as before.
Result<void> add_file(DriverCatalog& catalog, DriverShelf shelf, const std::string& file,
                      ports::Files& files) {
  const Result<std::string> text = files.read(file, sense::kDriverFileBytesMax);
  if (!text) return fault_in(file, text.error().text);
  DriverCatalog read;
  if (Result<void> added = add_driver(read, shelf, file, *text); !added) {
    return fault_in(added.error().where, added.error().text);
  }
  for (auto& [name, facts] : read.engines) {
    if (Result<void> ok = check_endpoints(facts, file); !ok) return ok;
    catalog.engines.insert_or_assign(name, std::move(facts));
  }
  for (auto& [name, facts] : read.accelerators) {
    catalog.accelerators.insert_or_assign(name, std::move(facts));
  }
  return {};
}

void add_folder(DriverBook& book, DriverShelf shelf, const std::string& folder, ports::Files& files,
                size_t& count) {
  const Result<std::vector<std::string>> names = files.list(folder);
  if (!names && names.error().kind != ErrorKind::gone) book.faults.push_back(names.error());
  if (!names) return;
  for (const std::string& name : *names) {
    if (!name.ends_with(".yaml") || name.starts_with('.')) continue;
    const std::string file = folder + "/" + name;
    if (++count > sense::kSiteDriversMax) {
      book.faults.push_back(
          fault_in(file, fmt::format("there are more than {} driver files of the site; remove some",
                                     sense::kSiteDriversMax)));
      return;
    }
    Result<void> added = add_file(book.catalog, shelf, file, files);
    if (!added) book.faults.push_back(added.error());
  }
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

Result<DriverBook> read_drivers(const std::string& folder, ports::Files& files) {
  Result<DriverCatalog> built_in = built_in_drivers();
  if (!built_in) return built_in.error();
  DriverBook book{std::move(*built_in), {}};
  size_t count = 0;
  for (const DriverShelf shelf : {DriverShelf::engines, DriverShelf::accelerators}) {
    add_folder(book, shelf, fmt::format("{}/{}", folder, to_text(shelf)), files, count);
  }
  return book;
}

}  // namespace sluice::box
