"""A small clean tree, and for each rule of scripts/check the violations to plant in it.

A planted case is (sentence, rule, path, text): `text` is written to `path`, and the check must then
name `rule` at `path`. A clean case must stay without a violation.
"""

CMAKE = """\
sluice_folder(firmware/base)
sluice_folder(firmware/ports USES base)
sluice_folder(firmware/valve USES base)
sluice_folder(firmware/sense USES base ports valve)
sluice_folder(firmware/identity USES base ports)
sluice_folder(firmware/proxy USES base ports valve sense identity)
sluice_folder(firmware/web USES base ports sense)
sluice_folder(drivers/uv USES base ports THIRD PkgConfig::uv)
sluice_folder(drivers/curl USES base ports DRIVERS uv)
sluice_folder(drivers/yaml USES base ports)
sluice_folder(drivers/cards/nvml USES base ports)
sluice_folder(drivers/cards/sysfs USES base ports)
sluice_folder(firmware/box USES base ports valve sense identity proxy web
              DRIVERS uv curl yaml cards/nvml cards/sysfs)
"""


def header(*lines):
    return "#pragma once\n\n" + "".join(line + "\n" for line in lines)


def include(*names):
    return header(*(f"#include {n}" if n[0] == "<" else f'#include "{n}"' for n in names))


CLEAN = {
    "CMakeLists.txt": CMAKE,
    "README.md": "# Tree\n\nSee `firmware/base/result.h`, `base/result`, `firmware/*/store.h` and "
                 "`scripts/go --fast`. Sent as `text/plain`.\n\n```\nscripts/go --fast\n"
                 "firmware/   the daemon\n```\n",
    "firmware/base/result.h": header("namespace sluice {", "// a thread may throw here", "}"),
    "firmware/ports/store.h": include("firmware/base/result.h"),
    "firmware/valve/view.h": include("firmware/base/result.h"),
    "firmware/sense/world.h": include("firmware/ports/store.h", "firmware/valve/view.h"),
    "firmware/sense/world.cpp": '#include "firmware/sense/world.h"\n\n#include <map>\n',
    "firmware/sense/engines_view.h": include("firmware/base/result.h"),
    "firmware/identity/accounts.h": header("int accounts();"),
    "firmware/identity/key_view.h": header("int key();"),
    "firmware/proxy/exchange.h": include("firmware/identity/key_view.h", "firmware/sense/world.h"),
    "firmware/web/page.h": include("<fmt/format.h>", "firmware/sense/engines_view.h"),
    "firmware/box/box.h": include("<CLI/CLI.hpp>", "drivers/uv/loop.h", "firmware/web/page.h"),
    "firmware/main.cpp": '#include "firmware/box/box.h"\n\nint main() { return 0; }\n',
    "drivers/uv/loop.h": include("<unistd.h>", "<uv.h>", "firmware/ports/store.h"),
    "drivers/curl/client.h": include("<curl/curl.h>", "<uv.h>", "drivers/uv/loop.h"),
    "drivers/yaml/reader.cpp": "int f() {\n  try {\n    return 1;\n  } catch (...) {\n"
                               "    return 0;\n  }\n}\n",
    "drivers/cards/nvml/calls.h": include("<dlfcn.h>", "firmware/ports/store.h"),
    "drivers/cards/sysfs/files.h": include("firmware/base/result.h"),
    "tests/unit/sense/world_test.cpp": '#include <doctest/doctest.h>\n\n#include "drivers/uv/loop.h"\n',
    "tests/unit/sense/world.h": header("int world();"),
    "scripts/go": "#!/bin/bash\n# Goes.\n\n[[ $1 == --help ]]\n",
}


def function(lines, opening="int f(int a) {"):
    return opening + "\n" + "  a += 1;\n" * (lines - 3) + "  return a;\n}\n"


def scope(body):
    return "namespace x {\nclass Y {\n public:\n" + body + "};\n}  // namespace x\n"


UNORDERED = "#include <unordered_map>\n\nstd::unordered_map<int, std::map<int, int>> links_;\n"

PLANTED = [
    ("valve may not include even ports", "layer", "firmware/valve/x.h", include("firmware/ports/store.h")),
    ("firmware knows no driver", "layer", "firmware/sense/x.h", include("drivers/uv/loop.h")),
    ("sense may not look up", "layer", "firmware/sense/x.h", include("firmware/proxy/exchange.h")),
    ("the daemon knows no test", "layer", "firmware/box/x.h", include("tests/unit/sense/world.h")),
    ("proxy sees of identity only views", "layer", "firmware/proxy/x.h",
     include("firmware/identity/accounts.h")),
    ("web sees of others only views and commands", "layer", "firmware/web/x.h",
     include("firmware/sense/world.h")),
    ("a folder outside the table may include nothing", "layer", "firmware/radio/x.h",
     include("firmware/base/result.h")),
    ("a driver knows only base and ports", "layer", "drivers/uv/x.h", include("firmware/sense/world.h")),
    ("a driver knows no other driver", "layer", "drivers/yaml/x.h", include("drivers/uv/loop.h")),
    ("nor one in the same folder", "layer", "drivers/cards/sysfs/x.h",
     include("drivers/cards/nvml/calls.h")),
    ("uv.h only where the loop is", "third-party", "drivers/yaml/x.h", include("<uv.h>")),
    ("curl only in its driver", "third-party", "drivers/uv/x.h", include("<curl/curl.h>")),
    ("firmware includes no library", "third-party", "firmware/sense/x.h", include("<nlohmann/json.hpp>")),
    ("firmware includes no system header", "third-party", "firmware/sense/x.h", include("<unistd.h>")),
    ("firmware has no threads", "third-party", "firmware/sense/x.h", include("<thread>")),
    ("CLI11 only in box and main", "third-party", "firmware/web/x.h", include("<CLI/CLI.hpp>")),
    ("box includes of libraries only CLI11", "third-party", "firmware/box/x.h", include("<uv.h>")),
    ("doctest only in tests", "third-party", "firmware/box/x.h", include("<doctest/doctest.h>")),
    ("paths start at the root", "include-path", "firmware/sense/x.h", include("world.h")),
    ("included files exist", "include-path", "firmware/sense/x.h", include("firmware/base/gone.h")),
    ("a source includes its header first", "own-header", "firmware/sense/world.cpp",
     '#include <map>\n#include "firmware/sense/world.h"\n'),
    ("a header has pragma once", "pragma-once", "firmware/sense/x.h", "int f();\n"),
    ("no TO" "DO", "unfinished", "firmware/sense/x.h", header("// TO" "DO: later")),
    ("no FIX" "ME in a script", "unfinished", "scripts/go", "#!/bin/bash\n# Goes; --help\n# FIX" "ME\n"),
    ("no registry host", "registry", "README.md", "From registry." "npmjs.org.\n"),
    ("no registry host in a lock file", "registry", "firmware/web/ui/package-lock.json",
     '{"resolved": "https://registry.' 'npmjs.org/x"}\n'),
    ("unordered containers are not iterated", "unordered-iteration", "firmware/sense/x.cpp",
     UNORDERED + "void f() {\n  for (auto& [a, b] : links_) g(a, b);\n}\n"),
    ("nor by begin()", "unordered-iteration", "firmware/valve/x.cpp",
     UNORDERED + "auto f() { return links_.begin(); }\n"),
    ("nor through an alias", "unordered-iteration", "firmware/valve/x.cpp",
     "using Links = std::unordered_map<int, int>;\nLinks links;\nvoid f() { for (auto l : links) g(l); }\n"),
    ("a file has a ceiling", "file-length", "firmware/sense/x.h", header(*["int f();"] * 499)),
    ("a script module has a ceiling", "file-length", "toolchain/x.cmake", "#\n" * 501),
    ("a function has a ceiling", "function-length", "firmware/sense/x.cpp", function(71)),
    ("a method has a ceiling", "function-length", "firmware/sense/x.cpp",
     scope(function(71, "int f(int a) const noexcept override {"))),
    ("a constructor has a ceiling", "function-length", "firmware/sense/x.cpp",
     scope(function(71, "Y(int b) : b_{b}, c_(b) {"))),
    ("a test has a ceiling", "function-length", "tests/unit/sense/world_test.cpp",
     "#include <doctest/doctest.h>\n\n" + function(71, 'TEST_CASE("a: { b") {')),
    ("a function template has a ceiling", "function-length", "firmware/sense/x.cpp",
     function(71, "template <class T>\nauto f(T a) -> std::pair<int, T> {")),
    ("paths in a README exist", "readme-path", "README.md", "See `firmware/base/gone.h`.\n"),
    ("paths within firmware exist", "readme-path", "README.md", "See `base/gone`.\n"),
    ("paths in commands exist", "readme-path", "README.md", "```\nscripts/gone --fast\n```\n"),
    ("file names beside a README exist", "readme-path", "firmware/sense/README.md", "`gone.h` has it.\n"),
    ("globs match something", "readme-path", "README.md", "See `firmware/*/gone.h`.\n"),
    ("a class says what it is", "class-name", "firmware/sense/x.h", header("class LinkManager {};")),
    ("so does a struct in a driver", "class-name", "drivers/uv/x.h", header("struct LoopData final {", "};")),
    ("no folder for anything", "folder-name", "firmware/sense/util/x.h", header("int f();")),
    ("the top level is fixed", "top-level", "extras/x.txt", "x\n"),
    ("a script is short", "script", "scripts/go", "#!/bin/bash\n# Goes; --help\n" + ":\n" * 148),
    ("a script opens with a comment", "script", "scripts/go", "#!/bin/bash\necho --help\n"),
    ("a script knows --help", "script", "scripts/go", "#!/bin/bash\n# Goes.\n"),
    ("CMake links no other edge", "edges", "CMakeLists.txt",
     CMAKE.replace("valve USES base", "valve USES base ports")),
    ("CMake links every edge", "edges", "CMakeLists.txt",
     CMAKE.replace("sense USES base ports valve", "sense USES base ports")),
    ("CMake links no driver to a driver", "edges", "CMakeLists.txt",
     CMAKE.replace("drivers/yaml USES base ports", "drivers/yaml USES base ports DRIVERS uv")),
    ("box links every driver", "edges", "CMakeLists.txt", CMAKE.replace("uv curl yaml ", "uv curl ")),
    ("box links drivers inside folders", "edges", "CMakeLists.txt",
     CMAKE.replace(" cards/sysfs)", ")")),
    ("every folder has a target", "edges", "CMakeLists.txt",
     CMAKE.replace("sluice_folder(drivers/yaml USES base ports)\n", "").replace(" yaml ", " ")),
    ("so has every folder inside one", "edges", "CMakeLists.txt",
     CMAKE.replace("sluice_folder(drivers/cards/nvml USES base ports)\n", "")
     .replace(" cards/nvml ", " ")),
]

WORDS = [
    "std::chrono::steady_clock::now();", "std::chrono::system_clock::now();", "clock_gettime(0, &t);",
    "uv_hrtime();", "std::this_thread::sleep_for(d);", "usleep(5);", "sleep(5);", "time(nullptr);",
    "std::time(NULL);", "std::random_device d;", "rand();", "std::rand();", "std::thread t;",
    "std::mutex m;", 'fopen("x", "r");', "sqlite3_open(a, b);", "throw 1;", "try { g(); } catch (...) {}",
    "co_await g();", "auto l = [=] { g(); };", "auto l = [=, this](int a) { g(a); };", "socket(1, 2, 3);",
]
PLANTED += [(f"firmware says no {word}", "banned-word", "firmware/sense/x.cpp",
             "void f() {\n  " + word + "\n}\n") for word in WORDS]
PLANTED += [("a driver does not throw", "banned-word", "drivers/uv/x.cpp", "void f() { throw 1; }\n"),
            ("only yaml's driver catches", "banned-word", "drivers/uv/x.cpp",
             "void f() {\n  try {\n  } catch (...) {\n  }\n}\n")]

STAYS_CLEAN = [
    ("words in comments and texts", "firmware/sense/x.cpp",
     "// never throw; no rand() or time(nullptr)\nconst char* kText = \"throw // catch\";\n"
     "const char* kRaw = R\"(std::mutex m; \" )\";\nconst int kBig = 1'000'000;\n"),
    ("names that contain banned words", "firmware/sense/x.cpp",
     "int operand(int uptime);\nint g = operand(1);\nint h = clock.time(0);\n"),
    ("lookup in an unordered container", "firmware/sense/x.cpp",
     "#include <unordered_map>\n\nstd::unordered_map<int, int> links_;\n"
     "bool f() { return links_.find(1) != links_.end(); }\n"),
    ("a function at the ceiling", "firmware/sense/x.cpp", function(70)),
    ("a long class of short functions", "firmware/sense/x.cpp", scope("  int f() { return 1; }\n" * 200)),
    ("a long table", "firmware/sense/x.cpp", "const int kTable[] = {\n" + "    1,\n" * 200 + "};\n"),
    ("two functions that are long together", "firmware/sense/x.cpp", function(60) + "\n" + function(60)),
    ("an interface folder's own headers", "firmware/web/x_test.h", include("firmware/web/page.h")),
    ("a driver that catches what CLI11 reports", "firmware/box/x.cpp",
     "int f() {\n  try {\n    return 1;\n  } catch (const CLI::ParseError& e) {\n    return 2;\n  }\n}\n"),
    ("a README that names generated files", "README.md", "It makes `build/release/sluiced`.\n"),
    ("a README with media types and addresses", "README.md",
     "`application/json` at `/v1/models`, `127.0.0.1:0`, `a/b` and `http://x/y.h`.\n"),
]
