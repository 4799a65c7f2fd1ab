#!/usr/bin/env python3
"""Very many watchers of one plan, whose connections break at random, while its model fails now and then.

PLANEXE_WATCHERS (200) and PLANEXE_SEED (1) change the crowd; PLANEXE_WATCHERS=1000 is the long form.
"""
import collections
import os
import resource
import time

import server_harness
from server_harness import Api, Server, ServerCase
from server_swarm import Plan, Swarm, stored_log

WATCHERS = int(os.environ.get("PLANEXE_WATCHERS", "200"))
SEED = int(os.environ.get("PLANEXE_SEED", "1"))
SECONDS = 300


def raise_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard) if hard != resource.RLIM_INFINITY else count, hard))


class Crowd(ServerCase):
    # A crowd that is larger takes longer to come back.
    rehearsal_arguments = ["--latency-ms", str(WATCHERS // 8), "--token-rate", str(max(500, 3_000_000 // WATCHERS)), "--fault-rate", "0.04"]

    @classmethod
    def setUpClass(cls):
        raise_descriptors(4 * WATCHERS + 200)
        super().setUpClass()

    def crowd(self, plan, server):
        """Watchers that come in the first seconds, half of each kind; some come when the plan is over."""
        swarm = Swarm(server.port, SEED)
        self.addCleanup(swarm.close)
        for number in range(WATCHERS):
            swarm.add(plan, "socket" if number % 2 else "stream", delay=swarm.random.uniform(0, 3))
        return swarm

    def cutter(self, swarm):
        """Cuts about as many connections per second as a twentieth of the crowd."""
        due = [time.monotonic() + 0.5]

        def cut_some():
            while time.monotonic() > due[0]:
                due[0] += 20 / WATCHERS
                watcher = swarm.random.choice(swarm.watchers)
                swarm.cut(watcher, hard=swarm.random.random() < 0.7, pause=swarm.random.uniform(0, 1.0))
        return cut_some

    def expect_told(self, swarm, plan, database):
        problems = swarm.problems(database)
        self.assertEqual(problems[:5], [], "%d problems" % len(problems))
        resumes = collections.Counter(resume for watcher in swarm.watchers for resume in watcher.resumes)
        snapshots = collections.Counter(reason for watcher in swarm.watchers for reason in watcher.snapshots)
        print("%d watchers, %d events stored, %d messages told, %d connections cut, %d connects (%s), snapshots %s" % (
            len(swarm.watchers), len(stored_log(database, plan.id)), sum(w.messages for w in swarm.watchers), swarm.cuts,
            sum(w.connects for w in swarm.watchers), ", ".join("%s %d" % entry for entry in sorted(resumes.items())), dict(snapshots)))
        return resumes

    def test_everyone_is_told_the_stored_log_once_and_in_order(self):
        plan = Plan(self.api.create()["plan_id"])
        swarm = self.crowd(plan, self.server)
        done = swarm.run(SECONDS, self.cutter(swarm))
        resumes = self.expect_told(swarm, plan, self.box.database)
        self.assertTrue(done)
        self.assertGreater(swarm.cuts, WATCHERS // 4)
        self.assertGreater(resumes["ring"], WATCHERS // 8)
        self.assertEqual(self.api.get("getPlan", id=plan.id)["status"], "completed")

    def test_the_crowd_comes_back_to_a_server_that_was_killed(self):
        server = Server(self.sandbox())
        self.addCleanup(lambda: server.alive and server.stop())
        plan = Plan(Api(server).create()["plan_id"])
        swarm = self.crowd(plan, server)
        kills, cut_some = [time.monotonic() + seconds for seconds in (1.5, 4)], self.cutter(swarm)

        def kill_at_times():
            cut_some()
            if kills and time.monotonic() > kills[0]:
                kills.pop(0)
                swarm.port = None
                server.kill()
                server.start()
                swarm.port = server.port
        done = swarm.run(SECONDS, kill_at_times)
        resumes = self.expect_told(swarm, plan, server.box.database)
        self.assertTrue(done)
        self.assertEqual(kills, [])
        self.assertGreater(resumes["stored"], WATCHERS // 4)
        self.assertEqual(Api(server).get("getPlan", id=plan.id)["status"], "completed")


if __name__ == "__main__":
    server_harness.main()
