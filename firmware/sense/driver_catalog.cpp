#include "firmware/sense/driver_catalog.h"

#include <fmt/format.h>

#include <utility>

#include "firmware/ports/config.h"

namespace sluice::sense {

namespace {

const DriverFacts* find(const std::map<std::string, DriverFacts>& drivers,
                        const std::string& name) {
  const auto found = drivers.find(name);
  return found == drivers.end() ? nullptr : &found->second;
}

std::string_view stem_of(std::string_view file) {
  if (const size_t slash = file.rfind('/'); slash != std::string_view::npos) {
    file.remove_prefix(slash + 1);
  }
  if (file.ends_with(".yaml")) file.remove_suffix(5);
  return file;
}

Error refuse(std::string_view file, const ports::ConfigNode& at, std::string text) {
  return Error{ErrorKind::refused, fmt::format("{}:{}", file, at.line), std::move(text)};
}

// "file:line: text" parted, as all other errors of a file are.
Error placed(const Error& error, std::string_view file) {
  const size_t end = error.text.find(": ", file.size());
  if (!error.text.starts_with(file) || end == std::string::npos) return error;
  return Error{error.kind, error.text.substr(0, end), error.text.substr(end + 2)};
}

}  // namespace

const char* to_text(DriverShelf shelf) {
  return shelf == DriverShelf::engines ? "engines" : "accelerators";
}

const DriverFacts* DriverCatalog::engine(const std::string& name) const {
  return find(engines, name);
}

const DriverFacts* DriverCatalog::accelerator(const std::string& name) const {
  return find(accelerators, name);
}

std::vector<const DriverFacts*> DriverCatalog::all() const {
  std::vector<const DriverFacts*> drivers;
  for (const auto& [name, facts] : engines) drivers.push_back(&facts);
  for (const auto& [name, facts] : accelerators) drivers.push_back(&facts);
  return drivers;
}

std::string DriverCatalog::engine_names() const {
  std::string names;
  for (const auto& [name, facts] : engines) names += (names.empty() ? "" : ", ") + name;
  return names;
}

Result<void> add_driver(DriverCatalog& catalog, DriverShelf shelf, std::string_view file,
                        std::string_view text) {
  if (text.size() > static_cast<size_t>(kDriverFileBytesMax.count)) {
    return Error{ErrorKind::refused, std::string(file),
                 fmt::format("a driver file has at most {} bytes", kDriverFileBytesMax.count)};
  }
  const Result<ports::ConfigNode> node = ports::parse_config(text, file);
  if (!node) return placed(node.error(), file);
  Result<DriverFacts> facts = read_driver_facts(*node, file);
  if (!facts) return facts.error();
  if (facts->name != stem_of(file)) {
    return refuse(file, *node->find("driver"),
                  fmt::format("the driver is named '{}' and its file '{}.yaml'; let them agree",
                              facts->name, stem_of(file)));
  }
  const bool is_accelerator = facts->kind == DriverKind::accelerator;
  if (is_accelerator != (shelf == DriverShelf::accelerators)) {
    return refuse(file, *node->find("kind"),
                  fmt::format("a driver of kind {} lies in the folder {}; move the file to {}",
                              to_text(facts->kind), to_text(shelf),
                              is_accelerator ? "accelerators" : "engines"));
  }
  auto& drivers = is_accelerator ? catalog.accelerators : catalog.engines;
  const std::string name = facts->name;
  drivers.insert_or_assign(name, std::move(*facts));
  return {};
}

Result<void> add_drivers(DriverCatalog& catalog, DriverShelf shelf,
                         const std::vector<EmbeddedFile>& files) {
  for (const EmbeddedFile& file : files) {
    if (Result<void> added = add_driver(catalog, shelf, file.name, file.bytes); !added) {
      return added;
    }
  }
  return {};
}

}  // namespace sluice::sense
