#include "firmware/box/driver_book.h"

#include <doctest/doctest.h>

#include "drivers/os/files.h"
#include "firmware/box/configure.h"
#include "tests/unit/scratch_folder.h"

namespace sluice::box {
namespace {

using Folder = ScratchFolder;

std::string engine(const std::string& name, const std::string& more = "") {
  return "driver: " + name + "\nkind: engine\nfor: tests\n" + more;
}

DriverBook read(const std::string& folder) {
  drivers::OsFiles files;
  Result<DriverBook> book = read_drivers(folder, files);
  REQUIRE(book);
  return std::move(*book);
}

TEST_CASE("driver book: a folder that is not there holds no drivers and is no fault") {
  const DriverBook book = read("/no/such/folder");
  CHECK(book.faults.empty());
  CHECK(book.catalog.engine("vllm") != nullptr);
  CHECK(book.catalog.accelerator("nvidia-dcgm") != nullptr);
}

TEST_CASE("driver book: files add to what the program carries, other files are left alone") {
  Folder folder;
  folder.write("engines/ours.yaml", engine("ours"));
  folder.write("engines/vllm.yaml", engine("vllm"));
  folder.write("engines/README.md", "driver: [");
  folder.write("engines/.hidden.yaml", "driver: [");
  folder.write("accelerators/card.yaml",
               "driver: card\nkind: accelerator\nfor: tests\nscrape: {pages: [/m]}\n"
               "identity: {labels: [id]}\nfields:\n  busy: [{metric: b}]\n");
  const DriverBook book = read(folder.path());
  CHECK(book.faults.empty());
  CHECK(book.catalog.engine("ours") != nullptr);
  CHECK(book.catalog.engine("vllm")->purpose == "tests");
  CHECK(book.catalog.accelerator("card") != nullptr);
}

TEST_CASE("driver book: what is at fault is left out and named, the rest is read") {
  Folder folder;
  folder.write("engines/a.yaml", "driver: a\nkind: engine\nfro: tests\n");
  folder.write("engines/b.yaml", engine("b"));
  folder.write("engines/c.yaml", engine("c", "endpoints: [chat]\n"));
  folder.write("engines/d.yaml", std::string(200000, '#'));
  folder.write("engines/vllm.yaml", "driver: [\n");
  const DriverBook book = read(folder.path());
  REQUIRE(book.faults.size() == 4);
  const std::string engines = folder.path() + "/engines/";
  CHECK(book.faults[0].text.starts_with(engines + "a.yaml:3: unknown key 'fro'"));
  CHECK(book.faults[1].text.find("there is no endpoint 'chat'") != std::string::npos);
  CHECK(book.faults[2].text.starts_with(engines + "d.yaml: "));
  CHECK(book.faults[3].text.starts_with(engines + "vllm.yaml:"));
  CHECK(book.catalog.engine("b") != nullptr);
  CHECK(book.catalog.engine("c") == nullptr);
  CHECK(book.catalog.engine("vllm")->title == "vLLM");  // the program's own stands in
}

TEST_CASE("driver book: the number of files is bounded") {
  Folder folder;
  for (size_t i = 0; i <= sense::kSiteDriversMax; ++i) {
    const std::string name = "e" + std::to_string(1000 + i);
    folder.write("engines/" + name + ".yaml", engine(name));
  }
  const DriverBook book = read(folder.path());
  REQUIRE(book.faults.size() == 1);
  CHECK(book.faults[0].text.find("more than 128 driver files") != std::string::npos);
  CHECK(book.catalog.engine("e1127") != nullptr);
  CHECK(book.catalog.engine("e1128") == nullptr);
}

TEST_CASE("driver book: figures are too old as the driver says, but never before three looks") {
  sense::ScrapeFacts facts;
  facts.stale_after = Duration::seconds(2);
  CHECK(stale_after(facts, Duration::ms(250)) == Duration::seconds(2));
  CHECK(stale_after(facts, Duration::seconds(1)) == Duration::seconds(3));
  facts.gap_min = Duration::seconds(5);
  CHECK(stale_after(facts, Duration::ms(250)) == Duration::seconds(15));
}

}  // namespace
}  // namespace sluice::box
