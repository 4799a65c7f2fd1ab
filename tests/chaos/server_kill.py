#!/usr/bin/env python3
"""Kills `planexe serve` with SIGKILL at random instants while plans run and clients watch, starts it again, and checks what
must hold afterwards.

usage: server_kill.py BIN_DIR [--kills N] [--plans N] [--seed S] [--fault-rate R] [--span SECONDS]

Clients create plans with an idempotency key and repeat a request whose answer was lost. Watchers (WebSocket and event
stream) come back with the number that they saw last. In the end: every plan that was accepted is there once and complete;
every rule of checker.py holds; every watcher was told every stored event behind its first snapshot once and in order.
A kill falls so that every running plan has had the time for a result since its third start in a row; plans go on by
themselves.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "functional"))

from checker import PROMPT, lost_and_doubled, most_recoveries, start_rehearsal, violations  # noqa: E402
from server_swarm import Plan, Swarm  # noqa: E402
from server_wire import Broken, Http  # noqa: E402

START_SECONDS = 60
BATCH_SECONDS = 600
WATCHERS_PER_PLAN = 4
RECOVERIES_MAX = 3
BREATH_SECONDS = 120


class Victim:
    """The server. `port` is None while none answers."""

    def __init__(self, bin_dir, url):
        self.bin_dir, self.folder, self.port, self.child = bin_dir, tempfile.mkdtemp(prefix="planexe-server-kill-"), None, None
        self.env = {"PATH": os.environ["PATH"], "PLANEXE_REHEARSAL_URL": url, "PLANEXE_DATA_DIR": self.folder, "PLANEXE_RATE_LIMITS": "off"}
        self.database, self.errors = os.path.join(self.folder, "planexe.db"), os.path.join(self.folder, "server.err")

    def start(self):
        with open(self.errors, "ab") as errors:
            self.child = subprocess.Popen([os.path.join(self.bin_dir, "planexe"), "serve", "--port", "0"], cwd=self.folder, env=self.env,
                                          stdout=subprocess.PIPE, stderr=errors, text=True)
        self.started = time.monotonic()
        threading.Thread(target=self._listen, args=(self.child,), daemon=True).start()

    def _listen(self, child):
        line = child.stdout.readline()
        if line.startswith("listening http://") and child is self.child:
            self.port = int(line.strip().rsplit(":", 1)[1])
        child.stdout.read()

    def look(self):
        """Raises when it has ended by itself or does not come up."""
        if self.child.poll() is not None:
            raise AssertionError("the server ended by itself with %s\n%s" % (self.child.returncode, open(self.errors, errors="replace").read()[-3000:]))
        if self.port is None and time.monotonic() - self.started > START_SECONDS:
            raise AssertionError("the server did not start within %d s" % START_SECONDS)

    def kill(self):
        self.port = None
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def stop(self):
        self.child.terminate()
        self.child.wait(60)
        return self.child.returncode


class Killer(threading.Thread):
    """Kills and starts again, whatever the others are doing."""

    def __init__(self, victim, options, kills):
        super().__init__(daemon=True)
        self.victim, self.options, self.left, self.kills, self.ended, self.problems = victim, options, kills, 0, threading.Event(), []
        self.random = random.Random(options.seed + kills)
        self.start()

    def run(self):
        while self.kills < self.left and not self.ended.is_set():
            # Now and then before the server listens.
            if self.random.random() > 0.15 and not self.wait_for_start():
                return
            if self.ended.wait(self.random.uniform(0.01, self.options.span if self.victim.port else 0.4)):
                return
            try:
                self.victim.look()
                if not self.wait_for_results():
                    return
            except AssertionError as error:
                self.problems.append(str(error))
                return
            self.victim.kill()
            self.victim.start()
            self.kills += 1

    def wait_for_results(self):
        """A plan that breaks off four times in a row without a result is given up, and that is right. Each gets the time for one."""
        deadline = time.monotonic() + BREATH_SECONDS
        while most_recoveries(self.victim.database) >= RECOVERIES_MAX:
            self.victim.look()
            if time.monotonic() > deadline:
                raise AssertionError("a plan got no new result within %d s" % BREATH_SECONDS)
            if self.ended.wait(0.02):
                return False
        return True

    def wait_for_start(self):
        while self.victim.port is None and self.victim.child.poll() is None and time.monotonic() - self.victim.started < START_SECONDS:
            if self.ended.wait(0.005):
                return False
        return True

    def stop(self):
        self.ended.set()
        self.join(30)


class Creator(threading.Thread):
    """Creates one plan: asks until an answer comes, then once more."""

    def __init__(self, victim, key, delay):
        super().__init__(daemon=True)
        self.victim, self.key, self.delay, self.plan_id, self.asked, self.problems, self.give_up = victim, key, delay, None, 0, [], False
        self.start()

    def run(self):
        time.sleep(self.delay)
        first = self.create()
        if first is None:
            return
        self.plan_id = first.json()["plan_id"]
        again = self.create()
        if again is not None and (again.json()["plan_id"] != self.plan_id or again.header("Idempotent-Replay") != "true"):
            self.problems.append("%s was created again: %s" % (self.key, again))

    def create(self):
        body = b'{"prompt": "%s"}' % PROMPT.encode()
        while not self.give_up:
            port = self.victim.port
            if port is None:
                time.sleep(0.01)
                continue
            try:
                self.asked += 1
                reply = Http(port, 20).request("POST", "/api/plans", {"Content-Type": "application/json", "Idempotency-Key": self.key}, body)
            except (Broken, OSError):
                continue
            if reply.status == 200:
                return reply
            if reply.status not in (409, 503):
                self.problems.append("%s was refused: %s" % (self.key, reply))
                return None
            time.sleep(0.05)
        return None


class Chaos:
    def __init__(self, options):
        self.options, self.random = options, random.Random(options.seed)
        self.rehearsal, self.url = start_rehearsal(os.path.abspath(options.bin_dir), options.profile, options.seed, "--fault-rate", str(options.fault_rate))
        self.victim = Victim(os.path.abspath(options.bin_dir), self.url)
        self.kills = self.plans = self.events = self.connects = self.repeats = self.stored = 0

    def batch(self):
        """Plans from their creation to their end, with kills as long as some are wanted; what was wrong."""
        creators = [Creator(self.victim, "chaos-%d-%d" % (self.options.seed, self.plans + n), self.random.uniform(0, 3)) for n in range(self.options.plans)]
        swarm, killer = Swarm(self.victim.port, self.random.random()), Killer(self.victim, self.options, self.options.kills - self.kills)
        watched, problems = {}, []
        deadline = time.monotonic() + BATCH_SECONDS
        try:
            while len(watched) < len(creators) or swarm.open:
                if time.monotonic() > deadline:
                    problems.append("%d of %d plans created, %d watchers still open after %d s" % (len(watched), len(creators), len(swarm.open), BATCH_SECONDS))
                    break
                for creator in creators:
                    if creator.plan_id and creator not in watched:
                        watched[creator] = Plan(creator.plan_id)
                        for number in range(WATCHERS_PER_PLAN):
                            swarm.add(watched[creator], "socket" if number % 2 else "stream", delay=self.random.uniform(0, 0.5))
                    problems += creator.problems
                problems += killer.problems
                if problems:
                    return problems
                if not killer.is_alive():
                    self.victim.look()
                swarm.port = self.victim.port
                swarm.step(0.02)
        finally:
            killer.stop()
            self.kills += killer.kills
            for creator in creators:
                creator.give_up = True
            swarm.close()
        for creator in creators:
            creator.join(30)
            problems += creator.problems
        return problems + self.check(creators, watched, swarm)

    def check(self, creators, watched, swarm):
        problems = swarm.problems(self.victim.database)
        for plan in watched.values():
            problems += ["%s: %s" % (plan.id, problem) for problem in violations(self.victim.database, plan.id)]
        self.plans += len(creators)
        self.repeats += sum(creator.asked - 2 for creator in creators)
        self.connects += sum(watcher.connects for watcher in swarm.watchers)
        self.events += sum(watcher.messages for watcher in swarm.watchers)
        self.stored += sum(watcher.resumes.count("stored") for watcher in swarm.watchers)
        problems += lost_and_doubled(self.victim.database, self.plans, "chaos-%d-" % self.options.seed)
        return problems

    def run(self):
        self.victim.start()
        problems, batches, begun = [], 0, time.monotonic()
        try:
            while not problems and (self.kills < self.options.kills or batches == 0):
                problems, batches = self.batch(), batches + 1
                print("%d kills, %d plans, %.0f s" % (self.kills, self.plans, time.monotonic() - begun), flush=True)
            if not problems and self.victim.stop() != 0:
                problems.append("the server ended with status %d" % self.victim.child.returncode)
        except AssertionError as error:
            problems.append(str(error))
        finally:
            self.victim.child.kill()
            self.rehearsal.terminate()
        return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin_dir")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--plans", type=int, default=20, help="plans that run at the same time")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--profile", default="fast")
    parser.add_argument("--fault-rate", type=float, default=0.02)
    parser.add_argument("--span", type=float, default=2.5, help="seconds after a start within which the kill falls")
    chaos = Chaos(parser.parse_args())
    problems = chaos.run()
    for problem in problems[:20]:
        print(problem)
    print("%d kills over %d plans (seed %d): %d creations repeated, %d connects of watchers (%d gone on from the database), %d messages told, %d problems" % (
        chaos.kills, chaos.plans, chaos.options.seed, chaos.repeats, chaos.connects, chaos.stored, chaos.events, len(problems)))
    if problems:
        print("left in " + chaos.victim.folder)
    else:
        shutil.rmtree(chaos.victim.folder, ignore_errors=True)
    print("%d passed, %d failed" % (max(0, chaos.plans - len(problems)), len(problems)))
    sys.exit(1 if problems else 0)


main()
