// Bytes of tests/data/netlink.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/base/text.h"

namespace sluice::drivers {

inline std::filesystem::path netlink_folder() {
  const auto here = std::filesystem::path(__FILE__).parent_path();
  return here.parent_path().parent_path() / "data" / "netlink";
}

inline std::string hex_of(std::span<const uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

inline std::string lines_of(const std::string& file, std::vector<std::string>& lines) {
  std::ifstream in(netlink_folder() / file);
  REQUIRE_MESSAGE(in, file);
  std::string line;
  while (std::getline(in, line)) lines.push_back(line);
  return file;
}

// A file of hexadecimal digits.
inline std::vector<uint8_t> recorded(const std::string& file) {
  std::vector<std::string> lines;
  lines_of(file, lines);
  std::vector<uint8_t> out;
  for (const std::string& line : lines) {
    for (size_t i = 0; i + 1 < line.size(); i += 2) {
      out.push_back(static_cast<uint8_t>(std::stoi(line.substr(i, 2), nullptr, 16)));
    }
  }
  REQUIRE_FALSE(out.empty());
  return out;
}

// "# name" lines, each with its digits on the lines behind it.
inline std::map<std::string, std::string> named_vectors(const std::string& file) {
  std::vector<std::string> lines;
  lines_of(file, lines);
  std::map<std::string, std::string> out;
  std::string name;
  for (const std::string& line : lines) {
    if (line.rfind("# ", 0) == 0) {
      name = line.substr(2);
    } else {
      out[name] += line;
    }
  }
  return out;
}

}  // namespace sluice::drivers
