#!/usr/bin/env python3
# Tests scripts/check: on a clean tree it is silent, and each planted violation is found by its rule.
#
#   tests/check/check_test.py [--help]

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "scripts")]

from planted import CLEAN, PLANTED, STAYS_CLEAN, header  # noqa: E402
from rules import edges, full, layers, layout, readme, shape, words  # noqa: E402
from rules.tree import Tree  # noqa: E402

TEXT_RULES = [rule for m in (layers, words, shape, readme, edges) for rule in m.RULES]


def write(root, path, text):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if path.startswith("scripts/"):
        file.chmod(0o755)


def clean_tree(folder):
    for path, text in CLEAN.items():
        write(Path(folder), path, text)
    return Path(folder)


def violations(root, rules=TEXT_RULES):
    tree = Tree(root)
    return [v for rule in rules for v in rule(tree)]


def run_check(*options):
    return subprocess.run([sys.executable, str(ROOT / "scripts" / "check"), *options],
                          capture_output=True, text=True)


class InTree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = clean_tree(self.folder.name)

    def plant(self, path, text):
        write(self.root, path, text)


class Rules(InTree):
    def test_clean_tree_has_no_violation(self):
        self.assertEqual(violations(self.root), [])

    def test_every_planted_violation_is_found_by_its_rule_and_no_other(self):
        for sentence, rule, path, text in PLANTED:
            with self.subTest(sentence), tempfile.TemporaryDirectory() as folder:
                root = clean_tree(folder)
                write(root, path, text)
                found = {(v.rule, v.path) for v in violations(root)}
                place = path if rule not in ("folder-name", "top-level", "edges") else None
                self.assertTrue(any(r == rule and place in (None, p) for r, p in found), found)
                also = {"edges"} if path.startswith("firmware/radio/") else set()
                self.assertEqual({r for r, _ in found} - {rule} - also, set())

    def test_what_only_looks_like_a_violation_passes(self):
        for sentence, path, text in STAYS_CLEAN:
            with self.subTest(sentence), tempfile.TemporaryDirectory() as folder:
                root = clean_tree(folder)
                write(root, path, text)
                self.assertEqual(violations(root), [])

    def test_a_script_must_be_executable(self):
        (self.root / "scripts" / "go").chmod(0o644)
        self.assertEqual([v.rule for v in violations(self.root)], ["script"])

    def test_the_line_is_that_of_the_word(self):
        self.plant("firmware/sense/x.cpp", '/* two\n lines */\nconst char* a = R"(\n)";\nint b = rand();\n')
        self.assertEqual([(v.rule, v.line) for v in violations(self.root)], [("banned-word", 5)])

    def test_the_line_is_that_of_the_function(self):
        body = "  if (a) {\n    a = {1};\n  }\n" * 30
        self.plant("firmware/sense/x.cpp", f"int g() {{ return 1; }}\n\nint f(int a) {{\n{body}}}\n")
        self.assertEqual([(v.rule, v.line) for v in violations(self.root)], [("function-length", 3)])

    def test_installed_packages_of_the_page_are_not_looked_at(self):
        self.plant("firmware/web/ui/node_modules/x/README.md", "`firmware/gone.h`\n")
        self.assertEqual(violations(self.root), [])


class Tools(InTree):
    @unittest.skipUnless(layout.available(), "clang-format-14 is missing")
    def test_layout(self):
        shutil.copy(ROOT / ".clang-format", self.root)
        self.plant("firmware/sense/x.cpp", "int  f( ){return 1;}\n")
        found = violations(self.root, layout.RULES)
        self.assertEqual([(v.rule, v.path, v.line) for v in found],
                         [("clang-format", "firmware/sense/x.cpp", 1)])

    @unittest.skipUnless(shutil.which("g++"), "g++ is missing")
    def test_a_header_that_needs_another_is_found_until_it_includes_it(self):
        bad = header("inline std::string name() { return {}; }")
        for path in list(CLEAN):
            if path.endswith((".h", ".cpp")):
                (self.root / path).unlink()
        self.plant("firmware/sense/x.h", bad)
        found = violations(self.root, [full.headers_alone])
        self.assertEqual({(v.rule, v.path) for v in found}, {("header-alone", "firmware/sense/x.h")})
        self.plant("firmware/sense/x.h", bad.replace("inline", "#include <string>\n\ninline"))
        self.assertEqual(violations(self.root, [full.headers_alone]), [])
        self.assertEqual(violations(self.root, [full.headers_alone]), [])

    @unittest.skipUnless(shutil.which("g++"), "g++ is missing")
    def test_a_header_with_a_source_of_its_own_is_left_to_the_build(self):
        self.plant("firmware/sense/x.h", header("inline std::string name() { return {}; }"))
        self.plant("firmware/sense/x.cpp", '#include "firmware/sense/x.h"\n')
        self.assertNotIn("firmware/sense/x.h", full.to_compile_alone(Tree(self.root)))
        self.plant("firmware/sense/x.cpp", "#include <string>\n")
        self.assertEqual({v.rule for v in violations(self.root)}, {"own-header"})

    @unittest.skipUnless(shutil.which(full.TIDY), f"{full.TIDY} is missing")
    def test_clang_tidy_finds_a_fault_and_looks_again_when_a_header_changes(self):
        for path in list(CLEAN):
            if path.endswith((".h", ".cpp")):
                (self.root / path).unlink()
        shutil.copy(ROOT / ".clang-tidy", self.root)
        self.plant("firmware/sense/x.h", header("struct X {", "  explicit X(int a);", "};"))
        self.plant("firmware/sense/x.cpp", '#include "firmware/sense/x.h"\n\nX::X(int) {}\n')
        self.plant("build/debug/compile_commands.json",
                   f'[{{"directory": "{self.root}", "file": "{self.root}/firmware/sense/x.cpp",'
                   f' "command": "g++ -std=c++20 -I{self.root} -c {self.root}/firmware/sense/x.cpp"}}]')
        self.assertEqual(violations(self.root, [full.tidy]), [])
        self.plant("firmware/sense/x.h", header("struct X {", "  X(int a);", "};"))
        found = violations(self.root, [full.tidy])
        self.assertEqual([(v.rule, v.path, v.line) for v in found],
                         [("clang-tidy", "firmware/sense/x.h", 4)])


class Program(InTree):
    def test_exit_and_report(self):
        shutil.copy(ROOT / ".clang-format", self.root)
        self.plant("firmware/sense/x.cpp", "int f() { return rand(); }\n")
        run = run_check("--root", str(self.root))
        self.assertEqual(run.returncode, 1)
        self.assertIn("firmware/sense/x.cpp:1: banned-word: `rand(`; ", run.stdout)
        (self.root / "firmware/sense/x.cpp").unlink()
        run = run_check("--root", str(self.root))
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn(f"{len(CLEAN) + 1} files", run.stdout)

    def test_an_empty_tree_fails(self):
        with tempfile.TemporaryDirectory() as empty:
            run = run_check("--root", empty)
        self.assertEqual(run.returncode, 1)
        self.assertIn("nothing was checked", run.stderr)

    def test_a_missing_layout_tool_is_loud(self):
        with tempfile.TemporaryDirectory() as bin_folder:
            run = subprocess.run([sys.executable, str(ROOT / "scripts/check"), "--root", str(self.root)],
                                 capture_output=True, text=True, env={**os.environ, "PATH": bin_folder})
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertIn("THE LAYOUT IS NOT CHECKED", run.stderr)

    def test_help_is_the_first_comment_of_every_script(self):
        for script in sorted((ROOT / "scripts").iterdir()):
            if script.is_file() and script.suffix != ".txt":
                with self.subTest(script.name):
                    run = subprocess.run([str(script), "--help"], capture_output=True, text=True)
                    self.assertEqual(run.returncode, 0)
                    self.assertEqual(run.stdout.split("\n")[0],
                                     script.read_text().split("\n")[1].removeprefix("# "))

    def test_an_unknown_option_is_an_error(self):
        for name in ("build", "check", "format", "fuzz", "setup", "test"):
            with self.subTest(name):
                run = subprocess.run([str(ROOT / "scripts" / name), "--nonsense"], capture_output=True)
                self.assertEqual(run.returncode, 2)


if __name__ == "__main__":
    if "--help" in sys.argv:
        print("".join(line[2:] for line in Path(__file__).open() if line.startswith("# ")))
        sys.exit(0)
    unittest.main()
