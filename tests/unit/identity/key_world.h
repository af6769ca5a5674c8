// Files in memory, countable secrets and a date that moves, for tests of keys.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "firmware/identity/key_store.h"

namespace sluice::identity {

class KeyFiles final : public ports::Files {
 public:
  std::map<std::string, std::string> content;
  bool broken = false;
  bool full = false;
  bool locked = false;
  int locks = 0;

  Result<std::string> read(const std::string& path, Bytes) override {
    if (broken) return Error{ErrorKind::broken, "os", "read error"};
    if (content.count(path) == 0) return Error{ErrorKind::gone, "os", "no such file"};
    return content[path];
  }
  Result<void> replace(const std::string& path, std::string_view text) override {
    if (full) return Error{ErrorKind::busy, "os", "no space left"};
    content[path] = std::string(text);
    return {};
  }
  Result<std::unique_ptr<ports::FileLock>> lock(const std::string& path) override {
    if (locked) return Error{ErrorKind::busy, "os", path + " is locked"};
    ++locks;
    return std::make_unique<ports::FileLock>();
  }
  Result<std::unique_ptr<ports::AppendFile>> open_append(const std::string& path) override {
    return Error{ErrorKind::unsupported, "test", path};
  }
  Result<void> rename(const std::string&, const std::string&) override { return {}; }
  Result<void> remove(const std::string&) override { return {}; }
  Result<void> make_folder(const std::string&) override { return {}; }
  Result<std::vector<std::string>> list(const std::string&) override {
    return std::vector<std::string>();
  }
};

class CountedSecrets final : public ports::Secrets {
 public:
  uint32_t next = 1;
  std::string bytes(size_t count) override {
    std::string out(count, '\0');
    for (size_t i = 0; i < 4; ++i) out[count - 1 - i] = static_cast<char>(next >> (8 * i));
    ++next;
    return out;
  }
};

class KeyCalendar final : public ports::Calendar {
 public:
  Date date = Date::from_us(1'795'309'323'456'000);  // 2026-11-22T01:02:03.456Z
  Date now() const override { return date; }
};

struct KeyWorld {
  KeyFiles files;
  CountedSecrets secrets;
  KeyCalendar calendar;
  const std::string path = "/s/keys.json";
  KeyStore store = make();

  KeyStore make() { return KeyStore({files, secrets, calendar}, path); }
  NewKey add(const std::string& name) {
    KeySpec spec;
    spec.name = name;
    Result<NewKey> made = store.add(spec);
    REQUIRE_MESSAGE(made.has_value(), made.error().text);
    return *made;
  }
};

}  // namespace sluice::identity
