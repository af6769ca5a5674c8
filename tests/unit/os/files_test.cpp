#include "drivers/os/files.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace sluice;
using namespace sluice::drivers;

namespace {

constexpr Bytes kPlenty{1 << 20};

struct Folder {
  std::string path;
  Folder() {
    char name[] = "/tmp/sluice_files_XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string at(const std::string& name) const { return path + "/" + name; }
};

mode_t mode_of(const std::string& path) {
  struct stat status = {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

// Writing beyond `size` fails from here on, as on a full disk, until destroyed.
struct FileSizeLimit {
  rlimit before = {};
  explicit FileSizeLimit(rlim_t size) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit low = before;
    low.rlim_cur = size;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &low) == 0);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before); }
};

}  // namespace

TEST_CASE("files: what was replaced is read back, mode 0600, nothing left beside it") {
  const Folder folder;
  OsFiles files;
  const std::string path = folder.at("key");
  CHECK(files.replace(path, "old"));
  CHECK(files.replace(path, std::string("new\0with zero", 13)));
  const auto content = files.read(path, kPlenty);
  REQUIRE(content);
  CHECK(*content == std::string("new\0with zero", 13));
  CHECK(mode_of(path) == 0600);
  const auto names = files.list(folder.path);
  REQUIRE(names);
  CHECK(*names == std::vector<std::string>{"key"});
}

TEST_CASE("files: replace overwrites the remains of an interrupted one, with the right mode") {
  const Folder folder;
  OsFiles files;
  std::ofstream(folder.at("key.new")) << "a long torn remainder";
  CHECK(files.replace(folder.at("key"), "short"));
  CHECK(files.read(folder.at("key"), kPlenty).value() == "short");
  CHECK(mode_of(folder.at("key")) == 0600);
}

TEST_CASE("files: a replace that fails leaves the old content and no remains") {
  const Folder folder;
  OsFiles files;
  const std::string path = folder.at("settings");
  REQUIRE(files.replace(path, "old"));
  {
    const FileSizeLimit limit(100);
    const auto failed = files.replace(path, std::string(1000, 'x'));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().text.find(path) != std::string::npos);
  }
  CHECK(files.read(path, kPlenty).value() == "old");
  CHECK(files.list(folder.path)->size() == 1);
  CHECK(files.replace(folder.at("no/such/folder/x"), "y").error().kind == ErrorKind::gone);
}

TEST_CASE("files: reading tells absent, too large and not a file apart") {
  const Folder folder;
  OsFiles files;
  CHECK(files.read(folder.at("absent"), kPlenty).error().kind == ErrorKind::gone);
  REQUIRE(files.replace(folder.at("ten"), "0123456789"));
  CHECK(files.read(folder.at("ten"), Bytes{10}).value() == "0123456789");
  const auto large = files.read(folder.at("ten"), Bytes{9});
  REQUIRE_FALSE(large);
  CHECK(large.error().kind == ErrorKind::refused);
  CHECK(large.error().text.find("9 bytes") != std::string::npos);
  CHECK(files.read(folder.path, kPlenty).error().kind == ErrorKind::refused);
  REQUIRE(files.replace(folder.at("large"), std::string(300000, 'z')));
  CHECK(files.read(folder.at("large"), kPlenty).value() == std::string(300000, 'z'));
}

TEST_CASE("files: appends add up over openings, mode 0600, size known") {
  const Folder folder;
  OsFiles files;
  const std::string path = folder.at("journal");
  {
    auto journal = files.open_append(path);
    REQUIRE(journal);
    CHECK((*journal)->size() == Bytes{0});
    CHECK((*journal)->append("one\n"));
    CHECK((*journal)->append("two\n"));
    CHECK((*journal)->sync());
    CHECK((*journal)->size() == Bytes{8});
  }
  auto journal = files.open_append(path);
  REQUIRE(journal);
  CHECK((*journal)->size() == Bytes{8});
  CHECK((*journal)->append("three\n"));
  CHECK(files.read(path, kPlenty).value() == "one\ntwo\nthree\n");
  CHECK(mode_of(path) == 0600);
  CHECK(files.open_append(folder.at("no/journal")).error().kind == ErrorKind::gone);
}

TEST_CASE("files: an append that does not fit leaves no torn line") {
  const Folder folder;
  OsFiles files;
  const std::string path = folder.at("journal");
  auto journal = files.open_append(path);
  REQUIRE(journal);
  REQUIRE((*journal)->append("whole\n"));
  {
    const FileSizeLimit limit(10);
    const auto torn = (*journal)->append("longer than four\n");
    REQUIRE_FALSE(torn);
    CHECK(torn.error().kind == ErrorKind::busy);
  }
  CHECK((*journal)->size() == Bytes{6});
  CHECK((*journal)->append("next\n"));
  CHECK(files.read(path, kPlenty).value() == "whole\nnext\n");
}

TEST_CASE("files: rename, remove, list in order") {
  const Folder folder;
  OsFiles files;
  for (const char* name : {"c", "a", "b"}) REQUIRE(files.replace(folder.at(name), name));
  CHECK(files.rename(folder.at("a"), folder.at("d")));
  CHECK(files.rename(folder.at("a"), folder.at("e")).error().kind == ErrorKind::gone);
  CHECK(files.remove(folder.at("b")));
  CHECK(files.remove(folder.at("b")));
  CHECK_FALSE(files.remove(folder.path));
  CHECK(*files.list(folder.path) == std::vector<std::string>{"c", "d"});
  CHECK(files.read(folder.at("d"), kPlenty).value() == "a");
  CHECK(files.list(folder.at("none")).error().kind == ErrorKind::gone);
}

TEST_CASE("files: folders are made with their parents, mode 0750, and may be there already") {
  const Folder folder;
  OsFiles files;
  const mode_t before = ::umask(0);
  CHECK(files.make_folder(folder.at("one/two/three")));
  CHECK(files.make_folder(folder.at("one/two/three/")));
  ::umask(before);
  CHECK(mode_of(folder.at("one")) == 0750);
  CHECK(mode_of(folder.at("one/two/three")) == 0750);
  REQUIRE(files.replace(folder.at("file"), "x"));
  CHECK_FALSE(files.make_folder(folder.at("file")));
  CHECK_FALSE(files.make_folder(folder.at("file/below")));
}

TEST_CASE("files: a held lock is busy until it is let go") {
  const Folder folder;
  OsFiles files;
  const std::string path = folder.at("lock");
  auto held = files.lock(path);
  REQUIRE(held);
  const auto second = files.lock(path);
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == ErrorKind::busy);
  CHECK(second.error().text.find(path) != std::string::npos);
  std::unique_ptr<ports::FileLock> owned = std::move(held).value();
  owned.reset();
  CHECK(files.lock(path));
  CHECK(files.lock(folder.at("none/lock")).error().kind == ErrorKind::gone);
}

TEST_CASE("files: a lock is freed when its process is killed") {
  const Folder folder;
  OsFiles files;
  const std::string path = folder.at("lock");
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto held = files.lock(path);
    const char answer = held ? 'y' : 'n';
    if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  char answer = 0;
  CHECK(::read(ready[0], &answer, 1) == 1);
  CHECK(answer == 'y');
  CHECK(files.lock(path).error().kind == ErrorKind::busy);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(files.lock(path));
  ::close(ready[0]);
  ::close(ready[1]);
}
