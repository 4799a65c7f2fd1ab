#!/usr/bin/env python3
"""Adds up the results of all stages of ./dev test and prints "N passed, N failed" as its last line.

Every stage has a folder. In it: ctest.junit (what ctest ran), NAME.xml (what a gtest program counted; its single
tests are counted instead of the program), build-failed, and NAME.passed or NAME.failed for other checks.
"""

import pathlib
import sys
import xml.etree.ElementTree as ET


class Sum:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []


def add_gtest(total, stage, path, program_failed):
    """The tests of one program. A program that ended badly without a failed test (a crash) counts as one failure."""
    try:
        cases = list(ET.parse(path).getroot().iter("testcase"))
    except (ET.ParseError, OSError):
        return False
    failed_here = 0
    for case in cases:
        name = f"{stage}: {case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            total.failed.append(name)
            failed_here += 1
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            message = case.find("skipped")
            total.skipped.append((name, "" if message is None else message.get("message", "").strip()))
        else:
            total.passed += 1
    if program_failed and failed_here == 0:
        total.failed.append(f"{stage}: {path.stem} ended with an error")
    return True


def add_stage(total, folder):
    stage = folder.name
    if (folder / "build-failed").exists():
        total.failed.append(f"{stage}: the build")
    for mark in sorted(folder.glob("*.passed")):
        total.passed += 1
    for mark in sorted(folder.glob("*.failed")):
        total.failed.append(f"{stage}: {mark.stem}")
    junit = folder / "ctest.junit"
    if not junit.exists():
        return
    for case in ET.parse(junit).getroot().iter("testcase"):
        name = case.get("name")
        failed = case.find("failure") is not None or case.get("status") not in ("run", "notrun", "disabled")
        if add_gtest(total, stage, folder / f"{name}.xml", failed):
            continue
        if failed or case.get("status") == "notrun":
            total.failed.append(f"{stage}: {name}")
        elif case.get("status") == "run":
            total.passed += 1


def main():
    total = Sum()
    for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        if folder.is_dir():
            add_stage(total, folder)
    for name, reason in total.skipped:
        print(f"skipped  {name}  {reason}".rstrip())
    for name in total.failed:
        print(f"FAILED   {name}")
    if not total.passed and not total.failed:
        total.failed.append("nothing ran")
    print(f"{total.passed} passed, {len(total.failed)} failed")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
