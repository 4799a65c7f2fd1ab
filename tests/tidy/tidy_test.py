#!/usr/bin/env python3
"""The rules find what they shall find: each is tried on a small project that breaks it."""

import json
import pathlib
import tempfile
import unittest

import cpp_scan
import tidy


class Project:
    """A folder with the given files, outside version control."""

    def __init__(self, files):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.files = tidy.project_files(self.root)

    def places(self, check, *arguments):
        return [place for place, _ in check(self.root, self.files, *arguments)]


def function(lines, head="int f()"):
    return head + " {\n" + "  g();\n" * (lines - 2) + "}\n"


class Rules(unittest.TestCase):
    def test_layers(self):
        project = Project({
            "src/base/a.hpp": '#include "store/b.hpp"\n',
            "src/store/b.hpp": '#include "base/a.hpp"\n#include <vector>\n',
            "src/store/c.hpp": '#include "recipe/d.hpp"\n',
            "src/engine/e.cpp": '#include "plan/f.hpp"\n#include "engine/e.hpp"\n',
            "src/engine/g.cpp": '#include "cli/f.hpp"\n',
            "rehearsal/h.cpp": '#include "engine/e.hpp"\n',
            "src/llm/i.cpp": '#include "rehearsal/h.hpp"\n',
            "src/new/j.cpp": "",
            "tests/unit/k.cpp": '#include "cli/f.hpp"\n',
        })
        self.assertEqual(project.places(tidy.check_layers), [
            "rehearsal/h.cpp", "src/base/a.hpp", "src/engine/g.cpp", "src/llm/i.cpp", "src/new/j.cpp",
            "src/store/c.hpp"])

    def test_file_length(self):
        project = Project({"src/base/a.cpp": "\n" * 500, "src/base/b.cpp": "\n" * 501, "web/c.tsx": "\n" * 501,
                           "data.json": "\n" * 9000})
        self.assertEqual(project.places(tidy.check_file_length), ["src/base/b.cpp", "web/c.tsx"])

    def test_function_length(self):
        project = Project({"a.cpp": function(70), "b.cpp": "namespace x {\n" + function(71, "int X::f(int a)") + "}\n"})
        self.assertEqual(project.places(tidy.check_function_length), ["b.cpp:X::f"])

    def test_leftovers(self):
        words = ["TO" + "DO", "FIX" + "ME", "for n" + "ow", "not imple" + "mented"]
        project = Project({f"{i}.cpp": f"// {word} x\n" for i, word in enumerate(words)} | {"z.cpp": "// todos\n"})
        self.assertEqual(project.places(tidy.check_leftovers), ["0.cpp", "1.cpp", "2.cpp", "3.cpp"])

    def test_machine_paths(self):
        project = Project({"a.md": "see /" + "work/main\n", "b.md": "a/" + "work/b frame" + "work/x\n",
                           "c.sh": "cd /ro" + "ot/x\n", "d.txt": "https://registry.np" + "mjs.org/x\n"})
        self.assertEqual(project.places(tidy.check_machine_paths), ["a.md", "c.sh", "d.txt"])

    def test_orphans(self):
        project = Project({
            "src/base/a.cpp": '#include "base/a.hpp"\n', "src/base/a.hpp": "", "src/base/dead.hpp": "",
            "src/base/dead.cpp": "", "tests/fuzz/f.cpp": "", "bench/sub/b.cpp": ""})
        commands = [{"directory": str(project.root), "file": "src/base/a.cpp"}]
        (project.root / "compile_commands.json").write_text(json.dumps(commands))
        self.assertEqual(project.places(tidy.check_orphans, project.root),
                         ["bench/sub/b.cpp", "src/base/dead.cpp", "src/base/dead.hpp"])

    def test_exceptions_need_a_reason(self):
        allowed = tidy.Allowed("# comment\nfile_length src/a.cpp | a table\n")
        self.assertTrue(allowed.has("file_length", "src/a.cpp"))
        self.assertFalse(allowed.has("file_length", "src/b.cpp"))
        for text in ("file_length src/a.cpp\n", "file_length src/a.cpp | \n", "file_length | because\n"):
            with self.assertRaises(ValueError):
                tidy.Allowed(text)


class Scanner(unittest.TestCase):
    def lines(self, text):
        return [(f.name, f.lines) for f in cpp_scan.functions(text)]

    def test_members_constructors_and_nested_lambdas(self):
        text = """
class A {
 public:
  A(int x) : x_{x}, y_(1) {
    use();
  }
  int get() const { return x_; }
 private:
  int x_{0};
};
int A::run(std::function<void()> f = {}) noexcept {
  auto g = [&](int a) {
    return a;
  };
  if (x) {
  }
}
"""
        found = dict(self.lines(text))
        self.assertEqual(found["get"], 1)
        self.assertEqual(found["A::run"], 7)
        self.assertEqual(found["A"], 3)

    def test_braces_in_literals_comments_and_macros_do_not_count(self):
        text = 'int f() {\n  g("}{", \'{\', R"x(\n}}\n)x", 10\'000); // }\n  /* { */\n}\n#define M(x) do { \\\n  } while (0\nint h() {\n}\n'
        self.assertEqual(self.lines(text), [("f", 6), ("h", 2)])

    def test_brace_initialised_members(self):
        self.assertEqual(self.lines("A::A(int x)\n    : x_{x}, y_{f(1)} {\n  use();\n}\n"), [("A::A", 4)])

    def test_tables_are_no_functions(self):
        self.assertEqual(self.lines("const std::array kX = {\n  1,\n};\nenum class E {\n a\n};\n"), [])


if __name__ == "__main__":
    unittest.main(warnings="ignore")
