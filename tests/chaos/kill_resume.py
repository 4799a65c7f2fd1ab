#!/usr/bin/env python3
"""Kills `planexe plan` with SIGKILL at random instants, resumes it, and checks what must hold afterwards.

usage: kill_resume.py BIN_DIR [--kills N] [--seed S] [--profile NAME]

For every plan: it ends complete; every unit has exactly one accepted answer; every file has one current version; event
numbers only grow; no task started before its inputs were accepted; the model server was asked again only for calls in
flight at a kill, and never for one whose stored response it handed out afterwards.
"""
import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

PROMPT = "Open a bicycle repair shop in Lyon, budget 80 000 EUR, opening within 9 months"
RESUMES_MAX = 40


def start_rehearsal(bin_dir, profile, seed):
    child = subprocess.Popen([os.path.join(bin_dir, "planexe-rehearsal"), "--port", "0", "--profile", profile, "--seed", str(seed)],
                             stdout=subprocess.PIPE, text=True)
    line = child.stdout.readline().strip()
    if not line.startswith("listening "):
        sys.exit("the rehearsal server did not start: " + line)
    return child, line.split(" ", 1)[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return json.load(reply)


def post(url):
    urllib.request.urlopen(urllib.request.Request(url, data=b"{}", headers={"Content-Type": "application/json"}), timeout=10).read()


def violations(database, plan_id):
    """Everything in the stored rows that must never be."""
    db = sqlite3.connect(database)
    found = []

    def none(what, sql):
        for row in db.execute(sql, (plan_id,)):
            found.append(what + ": " + ", ".join(map(str, row)))

    none("task not ended", "SELECT task_key, state FROM plan_tasks WHERE plan_id = ? AND state NOT IN ('completed', 'skipped')")
    none("unit not accepted", "SELECT task_key, item_key, state FROM plan_task_items WHERE plan_id = ? AND state NOT IN ('done', 'skipped')")
    none("two current versions", "SELECT filename, count(*) FROM plan_content WHERE plan_id = ? AND is_current GROUP BY filename HAVING count(*) > 1")
    none("accepted twice", "SELECT filename, count(*) FROM plan_content WHERE plan_id = ? GROUP BY filename HAVING count(*) > 1")
    none("call still open", "SELECT call_key, status FROM llm_interactions WHERE owner_id = ? AND status IN ('pending', 'running')")
    none("two completed calls",
         "SELECT call_key, count(*) FROM llm_interactions WHERE owner_id = ? AND status = 'completed' GROUP BY call_key HAVING count(*) > 1")
    none("started before its input",
         "SELECT e.to_key, e.from_key FROM plan_task_edges e JOIN plan_tasks a ON a.plan_id = e.plan_id AND a.task_key = e.from_key "
         "JOIN plan_tasks b ON b.plan_id = e.plan_id AND b.task_key = e.to_key WHERE e.plan_id = ? AND b.started_at < a.finished_at AND b.attempt = 1")
    last = ""
    for seq, created in db.execute("SELECT seq, created_at FROM plan_events WHERE plan_id = ? ORDER BY seq", (plan_id,)):
        if created < last:
            found.append("event %d is older than the one before it" % seq)
        last = created
    status = db.execute("SELECT status, error_message FROM plans WHERE plan_id = ?", (plan_id,)).fetchone()
    if not status or status[0] != "completed":
        found.append("plan is %s" % (status,))
    return found


def in_flight(database, plan_id):
    if not os.path.exists(database):
        return {}
    try:
        db = sqlite3.connect(database)
        rows = db.execute("SELECT call_key, response_id FROM llm_interactions WHERE owner_id = ? AND status IN ('pending', 'running')", (plan_id,))
        return dict(rows.fetchall())
    except sqlite3.Error:
        return {}


class Plan:
    def __init__(self, options, url, number, rng):
        self.options, self.url, self.rng = options, url, rng
        self.folder = tempfile.mkdtemp(prefix="planexe-kill-")
        self.id = "PlanExe_kill_%d" % number
        self.database = os.path.join(self.folder, "planexe.db")
        self.kills = 0
        self.may_repeat = {}  # call key -> kills while it was in flight without a response id

    def run(self, arguments, deadline):
        env = {"PATH": os.environ["PATH"], "PLANEXE_REHEARSAL_URL": self.url, "PLANEXE_DATA_DIR": self.folder}
        child = subprocess.Popen([os.path.join(self.options.bin_dir, "planexe")] + arguments, env=env, cwd=self.folder,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            child.wait(deadline)
            return child.returncode, child.stderr.read().decode(errors="replace")
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            self.kills += 1
            for key, response in in_flight(self.database, self.id).items():
                self.may_repeat[key] = self.may_repeat.get(key, 0) + 1
            return None, ""

    def until_complete(self, kills_wanted, span):
        arguments = ["plan", "--quiet", "--plan-id", self.id, PROMPT]
        for attempt in range(RESUMES_MAX):
            kill = self.kills < kills_wanted
            code, text = self.run(arguments, self.rng.uniform(0.01, span) if kill else 120)
            if code == 0:
                return None
            if code is not None and code != 2:
                return "exit %d: %s" % (code, text.strip()[-500:])
            exists = os.path.exists(self.database) and self.known()
            arguments = ["resume", "--quiet", self.id] if exists else ["plan", "--quiet", "--plan-id", self.id, PROMPT]
        return "not complete after %d resumes" % RESUMES_MAX

    def known(self):
        try:
            return sqlite3.connect(self.database).execute("SELECT 1 FROM plans WHERE plan_id = ?", (self.id,)).fetchone() is not None
        except sqlite3.Error:
            return False


def repeated_calls(url, plan):
    """Calls that the server was asked for more often than kills in flight explain."""
    found = []
    calls = get(url + "/control/counters").get("calls", {})
    if not any(counts.get("received") for counts in calls.values()):
        found.append("the server counted no request at all: this check proves nothing")
    for key, counts in calls.items():
        extra = counts.get("received", 0) - 1
        if extra > plan.may_repeat.get(key, 0):
            found.append("%s was asked %d times, in flight at %d kills" % (key, counts["received"], plan.may_repeat.get(key, 0)))
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin_dir")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--per-plan", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--profile", default="fast")
    parser.add_argument("--span", type=float, default=1.5, help="seconds after a start within which the kill falls")
    options = parser.parse_args()
    options.bin_dir = os.path.abspath(options.bin_dir)
    rng = random.Random(options.seed)
    server, url = start_rehearsal(options.bin_dir, options.profile, options.seed)
    kills = plans = bad = repeats = fetched = 0
    try:
        while kills < options.kills:
            post(url + "/control/reset")
            plan = Plan(options, url, plans, rng)
            error = plan.until_complete(options.per_plan, options.span)
            problems = [error] if error else violations(plan.database, plan.id) + repeated_calls(url, plan)
            counters = get(url + "/control/counters")
            repeats += sum(max(0, c.get("received", 0) - 1) for c in counters.get("calls", {}).values())
            fetched += sum(c.get("fetched", 0) for c in counters.get("calls", {}).values())
            plans += 1
            kills += plan.kills
            for problem in problems:
                bad += 1
                print("seed %d plan %d (%s): %s" % (options.seed, plans, plan.folder, problem))
            if not problems:
                subprocess.run(["rm", "-rf", plan.folder], check=False)
    finally:
        server.terminate()
    print("%d kills over %d plans (seed %d): %d violations, %d calls repeated, %d answers fetched instead of asked again"
          % (kills, plans, options.seed, bad, repeats, fetched))
    print("%d passed, %d failed" % (plans if bad == 0 else plans - 1, 0 if bad == 0 else 1))
    sys.exit(1 if bad else 0)


main()
