"""Finds the functions of a C++ file by matching braces: enough for counting lines, no parser."""

import collections
import re

Function = collections.namedtuple("Function", "name lines")

_TOKENS = re.compile(
    r'R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"'  # raw string
    r"|//[^\n]*|/\*.*?\*/"  # comments
    r"|^[ \t]*\#(?:[^\n\\]|\\\n|\\.)*"  # preprocessor line with its continuations
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|(?<![0-9A-Fa-f])'(?:[^'\\\n]|\\.)+'",  # not the ' of 10'000
    re.S | re.M)
_NOT_A_FUNCTION = re.compile(r"^(?:export\s+|inline\s+|template\s*<.*>\s*)*(namespace|class|struct|union|enum|extern)\b",
                             re.S)


def blank(text):
    """The text with comments, literals and preprocessor lines emptied; line ends stay."""
    return _TOKENS.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def _name(header):
    # The last name before the first parenthesis that is no template argument.
    match = re.search(r"([~\w:]+|operator\s*\S+)\s*\($", header[: header.find("(") + 1])
    return match[1] if match else header.split("(")[0].split()[-1] if header.split("(")[0].split() else "?"


def _is_function(header):
    if _NOT_A_FUNCTION.match(header):
        # `struct x f() {` returns a struct; a class with a parenthesis in an attribute or base does not matter.
        return False
    return "(" in header


class _Scan:
    """Walks over the blanked text once; inside a function only the depth matters."""

    def __init__(self, clean):
        self.clean = clean
        self.found = []
        self.header_start = 0
        self.function = None  # (name, first line) while inside one
        self.blocks = []  # what each open brace is: "scope", "function" or "value"
        self.parens = 0

    def run(self):
        for at, char in enumerate(self.clean):
            if char == "{":
                self.open(at)
            elif char == "}" and self.blocks:
                self.close(at)
            elif self.function is None:
                self.outside(at, char)
        return self.found

    def outside(self, at, char):
        if char in "()":
            self.parens += 1 if char == "(" else -1
        elif char == ";" and self.parens == 0 and "value" not in self.blocks:
            self.header_start = at + 1
        elif char == ":" and re.search(r"\b(public|private|protected)\s*$", self.clean[self.header_start:at]):
            self.header_start = at + 1

    def open(self, at):
        if self.function is not None:
            self.blocks.append("inner")
            return
        header = self.clean[self.header_start:at]
        # A brace right behind a name or inside parentheses begins a value: `a_{1}`, `f(x = {})`.
        if self.parens > 0 or re.search(r"[\w>]$", header) or re.search(r"[^=!<>]=\s*$", header):
            self.blocks.append("value")
        elif _is_function(header.strip()):
            start = self.header_start + len(header) - len(header.lstrip())
            self.function = (_name(header.strip()), self.clean.count("\n", 0, start))
            self.blocks.append("function")
        else:
            self.blocks.append("scope")
            self.header_start = at + 1

    def close(self, at):
        kind = self.blocks.pop()
        if kind == "function":
            name, first = self.function
            self.found.append(Function(name, self.clean.count("\n", 0, at) - first + 1))
            self.function = None
        if kind in ("function", "scope"):
            self.header_start = at + 1


def functions(text):
    """All functions outside other functions, with the lines from the start of their head to the closing brace."""
    return _Scan(blank(text)).run()
