#!/usr/bin/env python3
"""Plans that wait for their turn, and plans over the end of a server: the queue, restarts, several servers on one database."""
import concurrent.futures
import contextlib
import json
import signal
import sqlite3
import time

import server_harness
from harness import PROMPT, TASKS, eventually
from server_contract import contract
from server_harness import Api, Server, ServerCase, expect_in_order, read_messages
from server_wire import Broken


class Queue(ServerCase):
    server_env = {"PLANEXE_MAX_CONCURRENT_PLANS": "1", "PLANEXE_MAX_QUEUED": "2"}

    def test_order_positions_and_the_limit(self):
        running = self.held_plan()
        first, second = self.api.create("first")["plan_id"], self.api.create("second")["plan_id"]
        for plan_id in (first, second):
            self.addCleanup(self.forget, self.api, plan_id)
        self.assertEqual([self.api.get("getPlan", id=i)["queue_position"] for i in (running, first, second)], [None, 1, 2])
        health = self.api.get("getHealth")
        self.assertEqual((health["queue"], health["status"]), ({"running": 1, "waiting": 2, "max_running": 1}, "degraded"))
        self.assertEqual(self.api.call("createPlan", 429, "QUEUE_FULL", body={"prompt": "third"}).header("Retry-After").isdigit(), True)
        self.api.call("cancelPlan", 200, id=first)
        self.assertEqual(self.api.get("getPlan", id=second)["queue_position"], 1)
        third = self.api.create("third")["plan_id"]
        self.addCleanup(self.forget, self.api, third)
        self.api.call("resumePlan", 429, "QUEUE_FULL", id=first)
        self.rehearsal.reset()
        self.api.call("cancelPlan", 200, id=running)
        plans = [self.api.wait(plan_id) for plan_id in (second, third)]
        self.assertEqual([p["status"] for p in plans], ["completed"] * 2)
        self.assertLessEqual(plans[0]["completed_at"], plans[1]["started_at"], "one at a time, in order of creation")


    def test_a_bare_list_has_the_newest_hundred(self):
        api = Api(self.own_server(PLANEXE_MAX_CONCURRENT_PLANS="1"))
        ids = [self.held_plan(api=api)] + [api.create("plan %d" % n)["plan_id"] for n in range(104)]
        first = api.call("listPlans")
        self.assertEqual([p["plan_id"] for p in first.json()], ids[:4:-1])
        self.assertEqual([p["queue_position"] for p in first.json()], list(range(104, 4, -1)))
        second = api.call("listPlans", query={"cursor": first.header("X-Next-Cursor")})
        self.assertEqual([p["plan_id"] for p in second.json()], ids[4::-1])
        self.assertIsNone(second.header("X-Next-Cursor"))

    def test_a_full_queue_still_tells_what_was_made(self):
        running = self.held_plan()
        made = [self.api.call("createPlan", 200, body={"prompt": "p%d" % n}, headers={"Idempotency-Key": "full %d" % n}).json() for n in range(2)]
        for plan in made:
            self.addCleanup(self.forget, self.api, plan["plan_id"])
        self.assertEqual([plan["queue_position"] for plan in made], [1, 2])
        self.api.call("createPlan", 429, "QUEUE_FULL", body={"prompt": "p"})
        self.api.call("retryTask", 429, "QUEUE_FULL", id=running, task_key="report")
        again = self.api.call("createPlan", 200, body={"prompt": "p0"}, headers={"Idempotency-Key": "full 0"})
        self.assertEqual((again.json(), again.header("Idempotent-Replay")), (made[0], "true"))

    def test_many_at_once_do_not_overfill_the_queue(self):
        self.held_plan()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda n: Api(self.server).http.request("POST", "/api/plans", {"Content-Type": "application/json"}, b'{"prompt":"x"}'), range(8)))
        for reply in replies:
            if reply.status == 200:
                self.addCleanup(self.forget, self.api, reply.json()["plan_id"])
        self.assertEqual(sorted(r.status for r in replies), [200] * 2 + [429] * 6)

    def test_a_plan_that_waits_is_cancelled_and_its_watchers_are_told(self):
        self.held_plan()
        plan_id = self.api.create("waits")["plan_id"]
        asked = self.rehearsal.asked()
        with self.api.socket(plan_id) as socket:
            socket.next(), socket.next()
            plan = self.api.call("cancelPlan", 200, id=plan_id).json()
            messages, code = read_messages(socket)
        self.assertEqual((plan["status"], plan["error_code"], plan["queue_position"], plan["started_at"]), ("cancelled", "CANCELLED", None, None))
        self.assertTrue(plan["cancel_requested_at"] and plan["completed_at"])
        self.assertEqual((messages[-1]["type"], messages[-1]["reason"], code), ("stream_end", "cancelled", 1000))
        self.assertEqual(self.rehearsal.asked(), asked)
        self.api.call("deletePlan", 200, id=plan_id)


class Restart(ServerCase):
    def test_a_run_that_broke_off_is_cancelled_while_it_waits(self):
        server = self.own_server()
        api = Api(server)
        one, other = self.held_plan(api=api), self.held_plan(api=api)
        server.kill()
        server.env["PLANEXE_MAX_CONCURRENT_PLANS"] = "1"
        server.start()
        api = Api(server)
        self.assertTrue(eventually(lambda: [api.get("getPlan", id=i)["queue_position"] for i in (one, other)] == [None, 1], 20))
        plan = api.call("cancelPlan", 200, id=other).json()
        self.assertEqual((plan["status"], plan["progress"]["running"]), ("cancelled", 0))
        self.assertEqual(api.get("getPlan", id=one)["status"], "running")

    def test_a_run_of_another_server_is_asked_to_stop(self):
        first = self.own_server()
        plan_id = self.held_plan(api=Api(first))
        second = Server(first.box)
        self.addCleanup(second.kill)
        api = Api(second)
        self.assertEqual(api.get("getPlan", id=plan_id)["status"], "running")
        self.stop_between_writes(first)
        before = time.monotonic()
        plan = api.call("cancelPlan", 202, id=plan_id).json()
        self.assertGreaterEqual(time.monotonic() - before, 1.9)
        self.assertEqual(plan["status"], "running")
        self.assertIsNotNone(plan["cancel_requested_at"])
        first.child.send_signal(signal.SIGCONT)
        self.assertEqual(api.wait(plan_id, seconds=10)["status"], "cancelled")
        api.call("cancelPlan", 200, id=plan_id)

    def test_servers_on_one_database_leave_each_others_runs_alone(self):
        first = self.own_server()
        second = Server(first.box, PLANEXE_MAX_CONCURRENT_PLANS="1")
        self.addCleanup(second.stop)
        one = self.held_plan(api=Api(second))
        owners = lambda: first.box.rows("SELECT plan_id, lease_owner, fencing, recovery_count FROM plans WHERE plan_id = ?", one)
        before = owners()
        # What waits at the one is taken by the other, which has therefore looked around.
        others = [Api(second).create("waits %d" % n)["plan_id"] for n in range(2)]
        for plan_id in others:
            self.addCleanup(self.forget, Api(second), plan_id)
            Api(first).wait_task(plan_id, "redline_gate", "running")
        self.assertEqual(owners(), before)

    def stop_between_writes(self, server):
        """Halts the process at a moment at which it does not hold the database."""
        for _ in range(50):
            server.child.send_signal(signal.SIGSTOP)
            with contextlib.closing(sqlite3.connect(server.box.database, timeout=0.2, isolation_level=None)) as db:
                with contextlib.suppress(sqlite3.OperationalError):
                    db.execute("BEGIN IMMEDIATE")
                    db.execute("ROLLBACK")
                    self.addCleanup(server.child.send_signal, signal.SIGCONT)
                    return
            server.child.send_signal(signal.SIGCONT)
        self.fail("the server holds the database all the time")

    def test_who_watches_over_a_resume_gets_every_number_once(self):
        server = self.own_server()
        api = Api(server)
        plan_id = self.held_plan(api=api)
        api.call("cancelPlan", 200, id=plan_id)
        with api.stream(id=plan_id, query={"after": 0}) as stream:
            seen = [m for m in stream.values() if m["type"] != "snapshot"]
        last = seen[-1]["seq"]
        self.rehearsal.reset()
        api.call("resumePlan", 200, id=plan_id)
        api.wait(plan_id)
        with api.stream(id=plan_id, query={"after": last}) as stream:
            rest = stream.values()
        expect_in_order(rest, last)
        statuses = [m["status"] for m in rest if m["type"] == "status"]
        self.assertEqual([s for at, s in enumerate(statuses) if s != statuses[at - 1] or at == 0], ["pending", "running", "completed"])

    def test_plans_go_on_by_themselves_after_an_orderly_end_and_after_a_kill(self):
        for how in ("stop", "kill"):
            with self.subTest(how=how):
                server = self.own_server()
                api = Api(server)
                plan_id = self.held_plan("project_plan", api)
                with api.socket(plan_id) as socket:
                    seen = [socket.next(), socket.next()]
                    before = time.monotonic()
                    if how == "stop":
                        with concurrent.futures.ThreadPoolExecutor(1) as pool:
                            reading = pool.submit(read_messages, socket)
                            self.assertEqual(server.stop(), 0)
                            messages, code = reading.result()
                        self.assertLess(time.monotonic() - before, 5)
                        self.assertEqual(code, 1001)
                        self.assertNotIn("stream_end", [m["type"] for m in seen + messages])
                    else:
                        server.kill()
                self.rehearsal.reset()
                server.start()
                api = Api(server)
                done = api.wait(plan_id)
                self.assertEqual((done["status"], done["progress"]["completed"]), ("completed", TASKS), done["error_message"])
                server.stop()

    def test_a_plan_that_waits_in_the_queue_survives(self):
        server = self.own_server(PLANEXE_MAX_CONCURRENT_PLANS="1")
        api = Api(server)
        running, waiting = self.held_plan(api=api), api.create("waits")["plan_id"]
        server.kill()
        self.rehearsal.reset()
        server.start()
        api = Api(server)
        self.assertEqual([api.wait(i)["status"] for i in (running, waiting)], ["completed"] * 2)

    def test_a_shutting_down_server_takes_nothing_new(self):
        server = self.own_server()
        api = Api(server)
        self.held_plan(api=api)
        api.get("ping")
        server.child.terminate()
        accepted = 0
        while server.alive:
            try:
                reply = Api(server).http.request("POST", "/api/plans", {"Content-Type": "application/json"}, json.dumps({"prompt": PROMPT}).encode())
            except (OSError, Broken):
                break
            contract().check_reply("createPlan", reply)
            if reply.status == 200:
                accepted += 1  # before the signal was heard
            else:
                self.expect_error(reply, 503, "SHUTTING_DOWN")
        self.assertEqual(server.child.wait(40), 0)
        self.assertEqual(server.box.value("SELECT count(*) FROM plans"), 1 + accepted)


if __name__ == "__main__":
    server_harness.main()
