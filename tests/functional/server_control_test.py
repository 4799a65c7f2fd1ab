#!/usr/bin/env python3
"""The life of plans over HTTP: cancel, resume, delete."""
import concurrent.futures
import contextlib
import json
import pathlib
import sqlite3
import time

import server_harness
from harness import eventually
from server_harness import Api, ServerCase, read_messages


def gate_answer(verdict):
    """An answer of the safety gate that its schema allows."""
    schema = json.loads((pathlib.Path(__file__).parents[2] / "recipe/tasks/redline_gate/answer.schema.json").read_text(encoding="utf-8"))
    answer = {}
    for name, field in schema["properties"].items():
        options = [v for part in [field, *field.get("anyOf", [])] for v in part.get("enum", []) if v is not None]
        truth = "boolean" in str([field.get("type"), field.get("anyOf")])
        answer[name] = options[0] if options else truth or "It asks how the lock of another person is opened"
    return json.dumps({**answer, "verdict": verdict})


def at_once(server, count, method, target, body=b""):
    def one(_):
        return Api(server).http.request(method, target, {"Content-Type": "application/json"}, body)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def drop_by_drop(case, task):
    """Text that comes in drops: the provider notices at its next piece that nobody listens."""
    case.script({"text": "drop by drop " * 400, "bytes": [40], "delay": {"between": 50}}, task=task)


class Cancel(ServerCase):
    def test_a_running_plan_stops_within_a_second_and_keeps_its_results(self):
        drop_by_drop(self, "project_plan")
        plan_id = self.held_plan("project_plan")
        kept = len(self.api.get("listArtefacts", id=plan_id)["artefacts"])
        self.assertGreater(kept, 5)
        before = time.monotonic()
        plan = self.api.call("cancelPlan", 200, id=plan_id).json()
        self.assertLess(time.monotonic() - before, 1)
        self.assertEqual((plan["status"], plan["error_code"] in (None, "CANCELLED")), ("cancelled", True))
        self.assertTrue(eventually(lambda: self.rehearsal.counters()["running"] == 0, 1), "the call at the provider goes on")
        states = {t["task_key"]: t["state"] for t in self.api.get("listTasks", id=plan_id)["tasks"]}
        self.assertEqual(states["project_plan"], "cancelled")
        self.assertNotIn("running", states.values())
        self.assertEqual(states["identify_risks"], "completed")
        self.assertGreaterEqual(len(self.api.get("listArtefacts", id=plan_id)["artefacts"]), kept)
        again = self.api.call("cancelPlan", 200, id=plan_id).json()
        self.assertEqual((again["status"], again["last_seq"]), ("cancelled", plan["last_seq"]))

    def test_a_plan_that_has_ended_cannot_be_cancelled(self):
        done = self.api.completed()
        self.api.call("cancelPlan", 409, "PLAN_NOT_CANCELLABLE", id=done["plan_id"])
        failed = self.failed_plan()
        self.api.call("cancelPlan", 409, "PLAN_NOT_CANCELLABLE", id=failed["plan_id"])

    def test_many_cancels_at_once_agree(self):
        plan_id = self.held_plan()
        replies = at_once(self.server, 8, "POST", "/api/plans/%s/cancel" % plan_id)
        self.assertLessEqual({r.status for r in replies}, {200, 202})
        self.assertEqual(self.api.wait(plan_id)["status"], "cancelled")
        with self.api.stream(id=plan_id, query={"after": 0}) as stream:
            messages = stream.values()
        self.assertEqual([m["status"] for m in messages if m["type"] == "status"].count("cancelled"), 1)
        self.assertEqual([m["reason"] for m in messages if m["type"] == "stream_end"], ["cancelled"])


class Resume(ServerCase):
    def test_a_cancelled_plan_goes_on_and_asks_only_what_is_missing(self):
        plan_id = self.held_plan("project_plan")
        self.api.call("cancelPlan", id=plan_id)
        kept = {e["call_key"] for e in self.api.get("listInteractions", id=plan_id, query={"limit": 200, "status": "completed"})["interactions"]}
        before = {a["filename"]: a["sha256"] for a in self.api.get("listArtefacts", id=plan_id)["artefacts"]}
        self.rehearsal.reset()
        plan = self.api.call("resumePlan", 200, id=plan_id, body={"reasoning_effort": "low", "max_cost_usd": 50}).json()
        self.assertEqual((plan["plan_id"], plan["status"], plan["reasoning_effort"], plan["max_cost_usd"]), (plan_id, "pending", "low", 50))
        done = self.api.wait(plan_id)
        self.assertEqual((done["status"], done["run_attempt"]), ("completed", plan["run_attempt"]))
        asked = set(self.rehearsal.asked())
        self.assertTrue(kept and asked)
        self.assertEqual(asked & kept, set())
        after = {a["filename"]: a["sha256"] for a in self.api.get("listArtefacts", id=plan_id)["artefacts"]}
        self.assertLessEqual(before.items(), after.items())

    def test_a_failed_plan_names_its_cause_and_goes_on(self):
        failed = self.failed_plan("find_team_members")
        self.assertEqual(failed["failed_task_key"], "find_team_members")
        self.assertTrue(failed["error_message"] and failed["error_code"])
        self.assertLess(failed["progress_percentage"], 100)
        tasks = {t["task_key"]: t for t in self.api.get("listTasks", id=failed["plan_id"])["tasks"]}
        self.assertEqual((tasks["find_team_members"]["state"], tasks["team_markdown"]["state"], tasks["swot_analysis"]["state"]),
                         ("failed", "blocked", "completed"))
        self.assertIsNotNone(tasks["find_team_members"]["error"])
        self.api.call("resumePlan", 200, id=failed["plan_id"])
        done = self.api.wait(failed["plan_id"])
        self.assertEqual((done["status"], done["error_code"], done["error_message"], done["failed_task_key"]), ("completed", None, None, None))

    def test_of_two_at_once_exactly_one_wins(self):
        for _ in range(3):
            plan_id = self.held_plan()
            self.api.call("cancelPlan", id=plan_id)
            replies = at_once(self.server, 8, "POST", "/api/plans/%s/resume" % plan_id)
            self.assertEqual(sorted(r.status for r in replies), [200] + [409] * 7)
            self.assertEqual({r.json()["code"] for r in replies if r.status == 409}, {"PLAN_ACTIVE"})
            # The same for a resume and a retry.
            self.api.call("cancelPlan", id=plan_id)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                targets = ["/api/plans/%s/resume" % plan_id, "/api/plans/%s/tasks/report/retry" % plan_id]
                replies = [r for rs in pool.map(lambda target: at_once(self.server, 3, "POST", target), targets) for r in rs]
            self.assertEqual(sorted(r.status for r in replies), [200] + [409] * 5)

    def test_what_cannot_be_resumed(self):
        done = self.api.completed()
        self.api.call("resumePlan", 409, "PLAN_NOT_RESUMABLE", id=done["plan_id"])
        running = self.held_plan()
        self.api.call("resumePlan", 409, "PLAN_ACTIVE", id=running)
        self.api.call("resumePlan", 422, "VALIDATION_FAILED", id=running, body={"reasoning_effort": "huge"})
        self.api.call("cancelPlan", id=running)
        self.api.call("resumePlan", 422, "MODEL_UNAVAILABLE", id=running, body={"llm_model": "no-such"})
        self.api.call("resumePlan", 400, "INVALID_JSON", id=running, data=b"{")
        self.api.call("resumePlan", 415, "UNSUPPORTED_MEDIA_TYPE", id=running, data=b"{}", headers={"Content-Type": "text/plain"})
        self.rehearsal.reset()
        self.assertEqual(self.api.wait(self.api.call("resumePlan", id=running, body={}).json()["plan_id"])["status"], "completed")

    def test_a_refused_prompt(self):
        self.script({"text": gate_answer("REFUSE")}, task="redline_gate")
        plan = self.api.wait(self.api.create()["plan_id"])
        self.assertEqual((plan["status"], plan["error_code"]), ("failed", "PROMPT_REFUSED"))
        self.assertEqual({key.split("/")[0] for key in self.rehearsal.asked()}, {"redline_gate"})
        self.assertIn("002-1-redline_gate.json", {a["filename"] for a in self.api.get("listArtefacts", id=plan["plan_id"])["artefacts"]})
        self.api.call("resumePlan", 409, "PLAN_NOT_RESUMABLE", id=plan["plan_id"])
        self.rehearsal.reset()
        self.api.call("retryTask", 200, id=plan["plan_id"], task_key="redline_gate")
        self.assertEqual(self.api.wait(plan["plan_id"])["status"], "completed", "only the judging task has it judged again")


class Delete(ServerCase):
    def rows(self, plan_id):
        with contextlib.closing(sqlite3.connect(self.box.database, timeout=30)) as db:
            tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
            return {t for t in tables for c in db.execute("PRAGMA table_info(%s)" % t).fetchall()
                    if c[1] in ("plan_id", "owner_id") and db.execute("SELECT 1 FROM %s WHERE %s = ?" % (t, c[1]), (plan_id,)).fetchone()}

    def test_a_finished_plan_leaves_nothing(self):
        plan_id = self.api.completed()["plan_id"]
        self.assertGreater(len(self.rows(plan_id)), 5)
        self.assertTrue((self.box.run_dir / plan_id).exists())
        reply = self.api.call("deletePlan", 200, id=plan_id).json()
        self.assertEqual(reply["plan_id"], plan_id)
        self.assertLessEqual(self.rows(plan_id), {"idempotency_keys"})
        self.assertFalse((self.box.run_dir / plan_id).exists())
        self.api.call("deletePlan", 404, "PLAN_NOT_FOUND", id=plan_id)
        self.assertNotIn(plan_id, [p["plan_id"] for p in self.api.get("listPlans")])

    def test_a_running_plan_is_stopped_and_its_watchers_are_told(self):
        drop_by_drop(self, "project_plan")
        plan_id = self.held_plan("project_plan")
        with self.api.socket(plan_id) as socket, self.api.stream(id=plan_id) as stream:
            socket.next(), next(iter(stream))
            before = time.monotonic()
            self.api.call("deletePlan", 200, id=plan_id)
            self.assertLess(time.monotonic() - before, 10)
            messages, code = read_messages(socket)
            self.assertEqual((messages[-1]["type"], messages[-1]["reason"], code), ("stream_end", "deleted", 1000))
            last = stream.values()[-1]
            self.assertEqual((last["type"], last["reason"]), ("stream_end", "deleted"))
        self.assertTrue(eventually(lambda: self.rehearsal.counters()["running"] == 0, 2))
        # A whole plan later anything late would have been written.
        self.rehearsal.reset()
        self.forget(self.api, self.api.completed("afterwards")["plan_id"])
        self.assertEqual(self.rows(plan_id), set(), "a late task wrote rows")
        self.assertFalse((self.box.run_dir / plan_id).exists())

    def test_plans_deleted_in_full_run_leave_nothing(self):
        ids = [self.api.create()["plan_id"] for _ in range(4)]
        for at, plan_id in enumerate(ids):
            eventually(lambda: self.api.get("getPlan", id=plan_id)["progress"]["completed"] >= 14 * at, 30)
            self.api.call("deletePlan", 200, id=plan_id)
        self.forget(self.api, self.api.completed("afterwards")["plan_id"])
        for plan_id in ids:
            self.assertEqual(self.rows(plan_id), set())
            self.assertFalse((self.box.run_dir / plan_id).exists())

    def test_of_many_deletes_at_once_one_wins(self):
        plan_id = self.held_plan()
        replies = at_once(self.server, 6, "DELETE", "/api/plans/" + plan_id, None)
        self.assertEqual({r.status for r in replies} - {404}, {200})
        self.assertEqual(self.rows(plan_id), set())


if __name__ == "__main__":
    server_harness.main()
