#!/usr/bin/env python3
"""Checks rules about the sources: tidy.py RULE SOURCE_DIR [BUILD_DIR].

Exceptions, each with its reason, stand in allow.txt. Exit status 1 when a rule is broken.
"""

import json
import pathlib
import re
import subprocess
import sys

import cpp_scan

# What a layer may include besides itself. Siblings do not know each other.
LAYERS = {
    "base": set(),
    "store": {"base"},
    "recipe": {"base"},
    "llm": {"base"},
    "plan": {"base", "store", "recipe", "llm"},
    "engine": {"base", "store", "recipe", "llm", "plan"},
    "server": {"base", "store", "recipe", "llm", "plan", "engine"},
    "cli": {"base", "store", "recipe", "llm", "plan", "engine", "server"},
    # The stand-in model server knows tasks and the wire protocol, never the engine it serves.
    "rehearsal": {"base", "recipe", "llm", "plan"},
}
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
CODE_SUFFIXES = {".cpp", ".hpp", ".h", ".ts", ".tsx", ".py", ".sh", ".cmake"}
SKIPPED_FOLDERS = {".git", "build", "node_modules", "out", ".next", "__pycache__"}

# Split, so that this file does not find itself.
LEFTOVERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK|not imple" r"mented|unimple" r"mented|coming so" r"on"
                       r"|for n" r"ow|in a la" r"ter version|stub" r"bed)\b")
MACHINE_PATHS = re.compile(r"(^|[^A-Za-z0-9_.-])/(w" r"ork|f" r"arm|r" r"oot|home/[a-z]+)/")
REGISTRIES = re.compile(r"(registry\.np" r"mjs|files\.python" r"hosted|deb\.deb" r"ian\.org|registry\.ya" r"rnpkg)")


class Allowed:
    def __init__(self, text):
        self.entries = set()
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            entry, bar, reason = line.partition("|")
            if not bar or not reason.strip() or len(entry.split()) != 2:
                raise ValueError(f"allow.txt, line {number}: write RULE PATH[:FUNCTION] | reason")
            self.entries.add(tuple(entry.split()))

    def has(self, rule, place):
        return (rule, place) in self.entries


def project_files(root):
    """Paths relative to the project, of what is or would be under version control."""
    try:
        listed = subprocess.run(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"],
                                capture_output=True, check=True).stdout.decode().split("\0")
        names = [name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        names = [str(path.relative_to(root)) for path in root.rglob("*")]
    paths = {pathlib.PurePath(name) for name in names}
    return sorted(p for p in paths if (root / p).is_file() and not SKIPPED_FOLDERS & set(p.parts))


def text_of(root, path):
    data = (root / path).read_bytes()
    if b"\0" in data:
        return ""
    return data.decode("utf-8", errors="replace")


def layer_of(path):
    parts = path.parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    return "rehearsal" if parts[0] == "rehearsal" else None


def is_cpp(path):
    return path.suffix in (".cpp", ".hpp")


def check_layers(root, files):
    for path in files:
        layer = layer_of(path)
        if layer is None or not is_cpp(path):
            continue
        if layer not in LAYERS:
            yield str(path), f"the layer {layer} is not known to tests/tidy/tidy.py"
            continue
        for number, line in enumerate(text_of(root, path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([a-z_]+)/', line)
            if match and match[1] in LAYERS and match[1] != layer and match[1] not in LAYERS[layer]:
                yield str(path), f"line {number}: {layer} must not include {match[1]}"


def check_file_length(root, files):
    for path in files:
        if path.suffix in CODE_SUFFIXES or path.name in ("dev", "planexe"):
            lines = text_of(root, path).count("\n")
            if lines > FILE_LINES_MAX:
                yield str(path), f"{lines} lines, at most {FILE_LINES_MAX}"


def check_function_length(root, files):
    for path in files:
        if not is_cpp(path):
            continue
        for function in cpp_scan.functions(text_of(root, path)):
            if function.lines > FUNCTION_LINES_MAX:
                yield f"{path}:{function.name}", f"{function.lines} lines, at most {FUNCTION_LINES_MAX}"


def find_pattern(root, files, pattern):
    for path in files:
        for number, line in enumerate(text_of(root, path).splitlines(), 1):
            match = pattern.search(line)
            if match:
                yield str(path), f"line {number}: {match[0].strip()}"


def check_leftovers(root, files):
    code = [p for p in files if p.suffix in CODE_SUFFIXES or p.name in ("dev", "planexe", "CMakeLists.txt")]
    yield from find_pattern(root, code, LEFTOVERS)


def check_machine_paths(root, files):
    # Lock files of package managers name the registry by their nature.
    own = [p for p in files if p.name != "package-lock.json"]
    yield from find_pattern(root, own, MACHINE_PATHS)
    yield from find_pattern(root, own, REGISTRIES)


def built_files(root, build):
    commands = json.loads((build / "compile_commands.json").read_text())
    return {(pathlib.Path(c["directory"]) / c["file"]).resolve() for c in commands}


def needs_other_preset(path):
    """Fuzz targets and benchmarks are built by presets of their own, from one folder without subfolders."""
    return path.parent in (pathlib.PurePath("tests/fuzz"), pathlib.PurePath("bench"))


def check_orphans(root, files, build):
    built = built_files(root, build)
    cpp = [p for p in files if is_cpp(p) and p.parts[0] in ("src", "rehearsal", "tests", "bench")]
    included = set()
    for path in cpp:
        included.update(re.findall(r'#\s*include\s+"([^"]+)"', text_of(root, path)))
    for path in cpp:
        if path.suffix == ".cpp":
            if (root / path).resolve() not in built and not needs_other_preset(path):
                yield str(path), "no target builds this file"
        elif not any(str(path).endswith("/" + name) for name in included):
            yield str(path), "no file includes this header"


def main():
    rule, root = sys.argv[1], pathlib.Path(sys.argv[2])
    files = project_files(root)
    allowed = Allowed((pathlib.Path(__file__).parent / "allow.txt").read_text())
    if rule == "orphans":
        found = check_orphans(root, files, pathlib.Path(sys.argv[3]))
    else:
        found = globals()[f"check_{rule}"](root, files)
    broken = [(place, what) for place, what in found if not allowed.has(rule, place)]
    for place, what in broken:
        print(f"{place}: {what}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
