#include "firmware/box/settings_source.h"

#include <fmt/format.h>

#include "firmware/ports/config.h"
#include "firmware/settings/load.h"

namespace sluice::box {

Result<LoadedSettings> load_settings(const std::string& path, ports::Files& files) {
  const Result<std::string> text = files.read(path, kSettingsFileMax);
  if (!text) {
    return Error{text.error().kind, "settings",
                 fmt::format("{}; name the settings file with --config FILE", text.error().text)};
  }
  Result<ports::ConfigNode> tree = ports::parse_config(*text, path);
  if (!tree) return tree.error();
  if (tree->kind == ports::ConfigNode::Kind::empty) {
    // More likely a save that broke off than a box that wants no nodes.
    return Error{ErrorKind::refused, "settings",
                 fmt::format("{}:1: the file is empty; write at least state_dir or nodes", path)};
  }
  LoadedSettings loaded;
  loaded.base = {path, std::move(*tree)};
  const Result<settings::Settings> alone = settings::load(loaded.base.tree, path);
  if (!alone) return alone.error();
  settings::LoadedOverlay overlay = settings::load_overlay(files, alone->start.state_dir);
  if (overlay.error) loaded.trouble = overlay.error->text;
  loaded.overlay = std::move(overlay.overlay);
  Result<settings::Effective> effective = settings::apply(loaded.base, loaded.overlay);
  if (!effective) return effective.error();
  loaded.effective = std::move(*effective);
  if (!loaded.effective.problems.empty()) {
    if (!loaded.trouble.empty()) loaded.trouble += "\n";
    loaded.trouble += settings::to_text(loaded.effective.problems);
  }
  return loaded;
}

}  // namespace sluice::box
