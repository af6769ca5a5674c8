// The kernel's files as a folder that a test writes, and the samples of tests/data/metrics.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/unit/scratch_folder.h"

namespace sluice::drivers {

inline std::string sample(const std::string& name) {
  const auto here = std::filesystem::path(__FILE__).parent_path();
  std::ifstream file(here.parent_path().parent_path() / "data" / "metrics" / name);
  REQUIRE_MESSAGE(file.good(), name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Folder : public ScratchFolder {
 public:
  std::string root() const { return path(); }
  // A process that has `target` open, with that fdinfo.
  void open(int pid, int number, const std::string& target, const std::string& fdinfo) {
    const std::string process = "proc/" + std::to_string(pid);
    const std::filesystem::path folder = file(process + "/fd");
    std::filesystem::create_directories(folder);
    const auto link = folder / std::to_string(number);
    std::filesystem::remove(link);
    std::filesystem::create_symlink(target, link);
    write(process + "/fdinfo/" + std::to_string(number), fdinfo);
  }
  void card(int number, const std::string& driver, const std::string& address) {
    write("sys/class/drm/card" + std::to_string(number) + "/device/uevent",
          "DRIVER=" + driver + "\nPCI_CLASS=30000\nPCI_ID=1002:744C\nPCI_SLOT_NAME=" + address +
              "\n");
  }
  // The lines of a sample: path, tab, content.
  void card_files(int number, const std::string& lines) {
    std::istringstream text(lines);
    for (std::string line; std::getline(text, line);) {
      const size_t tab = line.find('\t');
      if (line.front() == '#' || tab == std::string::npos) continue;
      write("sys/class/drm/card" + std::to_string(number) + "/device/" + line.substr(0, tab),
            line.substr(tab + 1) + "\n");
    }
  }
};

}  // namespace sluice::drivers
