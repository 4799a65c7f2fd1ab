#!/usr/bin/env python3
"""Ends `planexe plan` at every single commit: before it, after it, and with the answer to COMMIT lost; then goes on.

usage: commit_points.py BIN_DIR [--every N] [--first N]

The n-th commit of the program is hit for n = first, first + every, … until a plan ends before its n-th commit. After a
kill the plan is resumed; a lost answer must be cleared up by the running program itself or by a resume. The same rules as
after random kills hold.
"""
import argparse
import os
import sys

from checker import Plan, counts, post, repeated_calls, start_rehearsal, violations

KINDS = [("killed before the commit", "store.before_commit.*=kill@%d"),
         ("killed after the commit", "store.after_commit.*=kill@%d"),
         ("answer of the commit lost", "store.commit_answer_lost.*=error@%d")]
KILLED = -9


def check(bin_dir, url, number, points):
    """Problems, and whether the n-th commit was reached."""
    post(url + "/control/reset")
    plan = Plan(bin_dir, url, number)
    code, said = plan.run(testpoints=points)
    was_hit = code != 0 or "kill@" not in points
    if code != 0:
        code, said = plan.run()
    problems = ["exit %d: %s" % (code, said)] if code != 0 else violations(plan.database, plan.id) + repeated_calls(url, plan)
    if not problems:
        plan.forget()
    return problems, was_hit


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin_dir")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    options = parser.parse_args()
    bin_dir = os.path.abspath(options.bin_dir)
    server, url = start_rehearsal(bin_dir, "instant", 1)
    commits = points = bad = again = found = 0
    try:
        for what, spec in KINDS:
            n = options.first
            while True:
                problems, was_hit = check(bin_dir, url, points, spec % n)
                repeats, fetched = counts(url)
                points, again, found, bad = points + 1, again + repeats, found + fetched, bad + (1 if problems else 0)
                for problem in problems:
                    print("%s %d: %s" % (what, n, problem))
                if not was_hit or ("kill@" not in spec and n > commits):
                    break
                commits = max(commits, n)
                n += options.every
    finally:
        server.terminate()
    print("%d points at the commits 1 to %d: %d with violations, %d calls repeated, %d answers fetched" % (points, commits, bad, again, found))
    print("%d passed, %d failed" % (points - bad, bad))
    sys.exit(1 if bad else 0)


main()
