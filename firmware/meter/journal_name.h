// Names in the folder of journals.
//
//   attempts-<writer>-<serial>.journal   lines of one process, its writer; both numbers rise
//   attempts-<writer>-<serial>.broken    with lines that cannot be read: kept for people
//   attempts-<writer>.lock               locked while the writer lives, or while a later process
//                                        stores what it left
//   attempts-<serial>.journal            from before there were writers: its writer is 0
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::meter {

// Writer and serial in one; 0 is no file.
using FileNumber = int64_t;
inline constexpr int64_t kWriterMax = (int64_t{1} << 31) - 1;
inline constexpr int64_t kSerialMax = (int64_t{1} << 32) - 1;

constexpr FileNumber file_number(int64_t writer, int64_t serial) { return (writer << 32) | serial; }
constexpr int64_t writer_of(FileNumber file) { return file >> 32; }

enum class NameKind { journal, broken, lock };

struct JournalName {
  NameKind kind = NameKind::journal;
  int64_t writer = 0;
  FileNumber file = 0;  // of a journal, broken or not
};

std::string journal_name(FileNumber file, NameKind kind);
std::string lock_name(int64_t writer);
std::optional<JournalName> read_journal_name(std::string_view name);  // nothing: not one of ours

// A writer's number that no name has or had: one more than the greatest.
int64_t next_writer(const std::vector<std::string>& names);

}  // namespace sluice::meter
