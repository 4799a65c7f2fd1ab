#!/usr/bin/env python3
"""Retry over HTTP: any task of a plan that has ended, a failed one of a plan that runs, with everything that depends on it."""
import server_harness
from harness import TASKS
from server_harness import Api, ServerCase

UNKNOWN = "PlanExe_00000000-0000-4000-8000-000000000000"


class Retry(ServerCase):
    def dependents(self, plan_id, key):
        edges, found, more = self.api.get("listTasks", id=plan_id)["edges"], set(), {key}
        while more:
            found |= more
            more = {e["to"] for e in edges if e["from"] in found} - found
        return found

    def test_a_task_of_a_finished_plan_with_all_that_depends_on_it(self):
        plan_id = self.api.completed()["plan_id"]
        reset = self.dependents(plan_id, "review_plan")
        self.rehearsal.reset()
        self.hold("review_plan")
        plan = self.api.call("retryTask", 200, id=plan_id, task_key="review_plan", body={"reasoning_effort": "low"}).json()
        self.assertEqual(set(plan["reset_tasks"]), reset)
        self.assertIn(plan["status"], ("pending", "running"))
        self.assertLess(plan["progress_percentage"], 100)
        self.assertLess(self.box.value("SELECT progress_percentage FROM plans WHERE plan_id = ?", plan_id), 100, "the stored row says so, too")
        self.api.wait_task(plan_id, "review_plan", "running")
        files = {a["filename"]: a for a in self.api.get("listArtefacts", id=plan_id)["artefacts"]}
        self.assertTrue(files["029-report.html"]["stale"])
        self.assertFalse(files["014-2-swot_analysis.md"]["stale"])
        self.assertEqual(self.api.call("getReport", 200, id=plan_id).header("X-PlanExe-Stale"), "true")
        self.assertTrue(self.api.get("getReport", id=plan_id, query={"format": "json"})["stale"])
        self.api.call("downloadFile", 200, id=plan_id, filename="029-report.html")
        self.api.call("cancelPlan", id=plan_id)
        self.rehearsal.reset()
        self.api.call("resumePlan", id=plan_id)
        self.assertEqual(self.api.wait(plan_id)["status"], "completed")
        task = self.api.task(plan_id, "review_plan")
        self.assertEqual([a["attempt"] for a in task["attempts"]], list(range(1, task["attempt"] + 1)))
        self.assertEqual([a["state"] for a in task["attempts"]], ["completed", "cancelled", "completed"])
        self.assertEqual([a["run_attempt"] for a in task["attempts"]], [0, 1, 2])
        self.assertEqual(self.api.task(plan_id, "swot_analysis")["attempt"], 1)
        self.assertIsNone(self.api.call("getReport", 200, id=plan_id).header("X-PlanExe-Stale"))
        self.assertEqual({key.split("/")[0] for key in self.rehearsal.asked()} - reset, set(), "nothing else was asked")

    def test_dependents_with_the_same_inputs_keep_their_results(self):
        plan_id = self.api.completed()["plan_id"]
        files = lambda: {a["filename"]: (a["sha256"], a["stale"]) for a in self.api.get("listArtefacts", id=plan_id)["artefacts"]}
        before = files()
        self.rehearsal.reset()
        reset = self.api.call("retryTask", 200, id=plan_id, task_key="identify_risks").json()["reset_tasks"]
        self.assertGreater(len(reset), 30)
        done = self.api.wait(plan_id)
        self.assertEqual((done["status"], done["run_attempt"]), ("completed", 1))
        self.assertEqual({key.split("/")[0] for key in self.rehearsal.asked()}, {"identify_risks"}, "the same answer changes nothing behind it")
        self.assertEqual({n: v for n, v in files().items() if not n.startswith(("024", "029"))},
                         {n: v for n, v in before.items() if not n.startswith(("024", "029"))})
        self.assertFalse([n for n, (_, stale) in files().items() if stale])

    def test_any_task_takes_all_that_depends_on_it_along(self):
        plan_id = self.api.completed()["plan_id"]
        self.addCleanup(self.forget, self.api, plan_id)
        tasks = [t["task_key"] for t in self.api.get("listTasks", id=plan_id)["tasks"] if t["retryable"]]
        self.assertEqual(len(tasks), TASKS - 2)
        self.script({"delay": {"first_event": 120000}})
        # Every other one is enough: from the last to the gate that comes before everything.
        for key in dict.fromkeys([*tasks[::-2], "redline_gate"]):
            with self.subTest(task=key):
                reset = self.api.call("retryTask", 200, id=plan_id, task_key=key).json()["reset_tasks"]
                self.assertEqual(len(reset), len(set(reset)))
                self.assertEqual(set(reset), self.dependents(plan_id, key))
                Api(self.server).http.request("POST", "/api/plans/%s/cancel" % plan_id, body=b"")
                self.assertIn(self.api.wait(plan_id)["status"], ("cancelled", "completed"))

    def test_names_of_older_clients(self):
        plan_id = self.api.completed()["plan_id"]
        reset = self.api.call("retryTask", 200, id=plan_id, task_key="vital_few_levers", body={"items": None}).json()["reset_tasks"]
        self.assertIn("focus_on_vital_few_levers", reset)
        self.assertEqual(self.api.wait(plan_id)["status"], "completed")

    def test_a_failed_task_of_a_running_plan(self):
        self.hold("swot_analysis")
        self.refuse(task="create_wbs_level1")
        plan_id = self.api.create()["plan_id"]
        self.addCleanup(self.forget, self.api, plan_id)
        self.api.wait_task(plan_id, "create_wbs_level1", "failed")
        self.api.wait_task(plan_id, "swot_analysis", "running")
        self.api.wait_task(plan_id, "create_wbs_level2", "blocked")
        retryable = {t["task_key"] for t in self.api.get("listTasks", id=plan_id)["tasks"] if t["retryable"]}
        self.assertEqual(retryable, {"create_wbs_level1"})
        for key in ("identify_risks", "swot_analysis", "create_wbs_level2", "report"):
            self.api.call("retryTask", 409, "PLAN_ACTIVE", id=plan_id, task_key=key)
        running = self.api.task(plan_id, "swot_analysis")
        self.rehearsal.reset()
        plan = self.api.call("retryTask", 200, id=plan_id, task_key="create_wbs_level1", body={"items": "all"}).json()
        self.assertEqual((plan["status"], plan["run_attempt"]), ("running", 0))
        self.assertEqual(set(plan["reset_tasks"]), self.dependents(plan_id, "create_wbs_level1"))
        done = self.api.wait_task(plan_id, "create_wbs_level1", "completed")
        self.assertEqual([(a["attempt"], a["state"]) for a in done["attempts"]], [(1, "failed"), (2, "completed")])
        self.assertIn(self.api.task(plan_id, "create_wbs_level2")["state"], ("pending", "ready", "running", "completed"))
        same = ("state", "attempt", "started_at", "attempts")
        self.assertEqual({k: self.api.task(plan_id, "swot_analysis")[k] for k in same}, {k: running[k] for k in same}, "the rest of the run goes on undisturbed")
        self.api.call("cancelPlan", 200, id=plan_id)
        self.api.call("resumePlan", 200, id=plan_id)
        self.assertEqual(self.api.wait(plan_id)["status"], "completed")

    def test_what_cannot_be_retried(self):
        plan_id = self.api.completed()["plan_id"]
        for key in ("nothing", "Swot", "..", "x" * 129):
            self.api.call("retryTask", 404, "TASK_NOT_FOUND", id=plan_id, task_key=key)
        for key in ("setup", "start_time"):
            self.api.call("retryTask", 409, "TASK_NOT_RETRYABLE", id=plan_id, task_key=key)
        self.api.call("retryTask", 404, "PLAN_NOT_FOUND", id=UNKNOWN, task_key="report")
        self.api.call("retryTask", 422, "MODEL_UNAVAILABLE", id=plan_id, task_key="report", body={"llm_model": "no-such"})
        self.api.call("retryTask", 422, "VALIDATION_FAILED", id=plan_id, task_key="report", body={"items": "some"})
        self.assertEqual(self.api.get("getPlan", id=plan_id)["status"], "completed")


if __name__ == "__main__":
    server_harness.main()
