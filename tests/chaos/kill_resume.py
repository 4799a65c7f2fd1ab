#!/usr/bin/env python3
"""Kills `planexe plan` with SIGKILL at random instants, resumes it, and checks what must hold afterwards.

usage: kill_resume.py BIN_DIR [--kills N] [--seed S] [--profile NAME]

For every plan: it ends complete; every unit has exactly one accepted answer; every file has one current version; event
numbers only grow; no task started before its inputs were accepted; the model server was asked again only for calls in
flight at a kill whose response had no known id yet.
"""
import argparse
import os
import random
import sys
import time

from checker import Plan, RUN_SECONDS_MAX, counts, post, repeated_calls, start_rehearsal, violations

RESUMES_MAX = 40
WAITS_FOR_ANOTHER = 2  # exit status while a lease of the killed process still runs


def until_complete(plan, rng, kills_wanted, span):
    """Kills and resumes until the plan is complete; what went wrong, or None."""
    for _ in range(RESUMES_MAX):
        code, said = plan.run(rng.uniform(0.01, span) if plan.kills < kills_wanted else RUN_SECONDS_MAX)
        if code == 0:
            return None
        if code > 0 and code != WAITS_FOR_ANOTHER:
            return "exit %d: %s" % (code, said)
    return "not complete after %d resumes" % RESUMES_MAX


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin_dir")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--per-plan", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--profile", default="fast")
    parser.add_argument("--span", type=float, default=1.5, help="seconds after a start within which the kill falls")
    options = parser.parse_args()
    bin_dir = os.path.abspath(options.bin_dir)
    rng = random.Random(options.seed)
    server, url = start_rehearsal(bin_dir, options.profile, options.seed)
    kills = plans = bad = repeats = fetched = 0
    try:
        while kills < options.kills:
            post(url + "/control/reset")
            plan = Plan(bin_dir, url, plans)
            error = until_complete(plan, rng, options.per_plan, options.span)
            problems = [error] if error else violations(plan.database, plan.id) + repeated_calls(url, plan)
            again, found = counts(url)
            repeats, fetched, plans, kills = repeats + again, fetched + found, plans + 1, kills + plan.kills
            for problem in problems:
                print("seed %d plan %d (%s): %s" % (options.seed, plans, plan.folder, problem))
            bad += 1 if problems else 0
            if not problems:
                plan.forget()
    finally:
        server.terminate()
    print("%d kills over %d plans (seed %d): %d plans with violations, %d calls repeated, %d answers fetched instead of asked again"
          % (kills, plans, options.seed, bad, repeats, fetched))
    print("%d passed, %d failed" % (plans - bad, bad))
    sys.exit(1 if bad else 0)


main()
