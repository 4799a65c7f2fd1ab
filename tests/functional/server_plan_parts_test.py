#!/usr/bin/env python3
"""Tasks and model calls of plans over HTTP: graph, states, attempts, costs, previews, caching."""
import collections
import json
import urllib.parse

import server_harness
from harness import TASKS
from server_harness import Api, ServerCase

UNKNOWN = "PlanExe_00000000-0000-4000-8000-000000000000"
TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")


class Parts(ServerCase):
    """Tasks and interactions of one finished plan."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plan = cls.api.completed()
        cls.plan_id = cls.plan["plan_id"]

    def test_tasks_form_the_graph_of_the_plan(self):
        tasks = self.api.get("listTasks", id=self.plan_id)
        keys = [task["task_key"] for task in tasks["tasks"]]
        self.assertEqual((len(keys), tasks["total"], tasks["counts"]["completed"]), (TASKS, TASKS, TASKS))
        self.assertEqual([t["position"] for t in tasks["tasks"]], sorted(t["position"] for t in tasks["tasks"]))
        edges = collections.defaultdict(set)
        for edge in tasks["edges"]:
            edges[edge["to"]].add(edge["from"])
            self.assertLess(keys.index(edge["from"]), keys.index(edge["to"]))
        names = {a["filename"] for a in self.api.get("listArtefacts", id=self.plan_id)["artefacts"]}
        for task in tasks["tasks"]:
            self.assertEqual(set(task["depends_on"]), edges[task["task_key"]])
            self.assertEqual((task["state"], task["attempt"], task["error"]), ("completed", 1, None))
            self.assertLessEqual({o["filename"] for o in task["outputs"]}, names)
            self.assertTrue(all(o["available"] and not o["stale"] for o in task["outputs"]))
            self.assertEqual(task["retryable"], task["task_key"] not in ("setup", "start_time"), task["task_key"])
        self.assertEqual(sum(t["llm_calls"] for t in tasks["tasks"]), self.plan["usage"]["llm_calls"])
        self.assertTrue(any(t["units"] and t["units"]["total"] == t["units"]["done"] > 1 for t in tasks["tasks"]))
        self.assertEqual(tasks["last_seq"], self.api.get("getStreamStatus", id=self.plan_id)["last_seq"])

    def test_interactions_in_pages_and_one_by_one(self):
        found, cursor = [], None
        while True:
            page = self.api.call("listInteractions", id=self.plan_id, query={"limit": 40, **({"cursor": cursor} if cursor else {})})
            found += page.json()["interactions"]
            self.assertEqual(page.json()["next_cursor"], page.header("X-Next-Cursor"))
            if not (cursor := page.json()["next_cursor"]):
                break
        ids = [entry["id"] for entry in found]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual(len(found), self.plan["usage"]["llm_calls"])
        self.assertEqual(sum(e["total_tokens"] for e in found), self.plan["usage"]["total_tokens"])
        self.assertEqual(len(self.api.get("listInteractions", id=self.plan_id)["interactions"]), 50)
        mine = self.api.get("listInteractions", id=self.plan_id, query={"task_key": "swot_analysis", "status": "completed"})["interactions"]
        self.assertEqual({e["task_key"] for e in mine}, {"swot_analysis"})
        self.assertEqual(self.api.get("listInteractions", id=self.plan_id, query={"task_key": "nothing"})["interactions"], [])
        self.api.call("listInteractions", 422, "VALIDATION_FAILED", id=self.plan_id, query={"status": "lost"})
        self.api.call("listInteractions", 422, "CURSOR_INVALID", id=self.plan_id, query={"cursor": "zzz"})
        detail = self.api.get("getInteraction", id=self.plan_id, interaction_id=mine[0]["id"])
        self.assertGreater(len(detail["prompt_text"]), 400)
        self.assertIn(detail["prompt_preview"][:100], detail["prompt_text"])
        self.assertIn("strengths", detail["response_text"])
        self.assertEqual(detail["usage"]["total_tokens"], detail["total_tokens"])

    def test_unknown_ones(self):
        other = self.api.completed("another plan")
        foreign = self.api.get("listInteractions", id=other["plan_id"])["interactions"][0]["id"]
        for number in (foreign, 999999999, 9223372036854775807, "0", "-1", "abc", "1.0", "9" * 30):
            with self.subTest(number=number):
                self.api.call("getInteraction", 404, "INTERACTION_NOT_FOUND", id=self.plan_id, interaction_id=number)
        for plan_id in (UNKNOWN, "x", "..", "a" * 129, "PlanExe_", "%00", "ä"):
            for operation in ("getPlan", "deletePlan", "listTasks", "cancelPlan", "resumePlan", "listArtefacts", "listFiles", "getReport", "getDetails",
                              "getFallbackReport", "getAssembledDocument", "downloadBundle", "getStreamStatus", "listInteractions", "streamProgress"):
                with self.subTest(plan_id=plan_id, operation=operation):
                    self.api.call(operation, 404, "PLAN_NOT_FOUND", id=plan_id)

    def test_unknown_plans_come_before_every_check_of_the_body(self):
        for data, kind in ((b"{", "application/json"), (b"x", "text/plain")):
            self.api.call("resumePlan", 404, "PLAN_NOT_FOUND", id=UNKNOWN, data=data, headers={"Content-Type": kind})
            self.api.call("retryTask", 404, "PLAN_NOT_FOUND", id=UNKNOWN, task_key="report", data=data, headers={"Content-Type": kind})

    def test_polling_costs_little(self):
        for operation, path in (("listTasks", {}), ("listInteractions", {}), ("listArtefacts", {}), ("listFiles", {}), ("getDetails", {}),
                                ("getInteraction", {"interaction_id": self.api.get("listInteractions", id=self.plan_id)["interactions"][0]["id"]}),
                                ("getReport", {}), ("getFallbackReport", {}), ("getAssembledDocument", {})):
            with self.subTest(operation=operation):
                tag = self.api.call(operation, id=self.plan_id, **path).header("ETag")
                for given in (tag, "W/" + tag, '"other", ' + tag, "*"):
                    again = self.api.call(operation, 304, id=self.plan_id, headers={"If-None-Match": given}, **path)
                    self.assertEqual(again.header("ETag"), tag)
                self.api.call(operation, 200, id=self.plan_id, headers={"If-None-Match": '"other"'}, **path)

    def test_stored_text_comes_back_as_it_was(self):
        prompt = "Ünïcödé 日本 \U0001f6b2 \"quoted\" \\ / </script> \t {{x}} '; DROP TABLE plans;--"
        plan = self.api.completed(prompt)
        self.assertEqual(self.api.get("getPlan", id=plan["plan_id"])["prompt"], prompt)
        self.assertEqual(self.api.get("getPlan", id=urllib.parse.unquote(plan["plan_id"]))["plan_id"], plan["plan_id"])


class States(ServerCase):
    def test_tasks_of_a_plan_in_work(self):
        plan_id = self.held_plan("project_plan")
        tasks = self.api.get("listTasks", id=plan_id)
        states = {t["task_key"]: t for t in tasks["tasks"]}
        self.assertEqual(tasks["counts"], {**dict.fromkeys(tasks["counts"], 0), **collections.Counter(t["state"] for t in tasks["tasks"])})
        self.assertEqual(set(tasks["counts"]), {"pending", "ready", "running", "completed", "failed", "skipped", "blocked", "cancelled"})
        mine = states["project_plan"]
        self.assertEqual((mine["state"], mine["finished_at"], mine["retryable"], mine["attempt"]), ("running", None, False, 1))
        self.assertTrue(mine["started_at"])
        self.assertEqual([(o["filename"], o["available"], o["stale"]) for o in mine["outputs"]],
                         [("005-1-project_plan_raw.json", False, False), ("005-2-project_plan.md", False, False)])
        self.assertEqual([(a["attempt"], a["state"], a["finished_at"]) for a in mine["attempts"]], [(1, "running", None)])
        self.assertEqual((states["report"]["state"], states["report"]["started_at"], states["report"]["duration_ms"]), ("pending", None, None))
        plan = self.api.get("getPlan", id=plan_id)
        self.assertEqual((plan["progress"]["running"], plan["progress"]["completed"]), (tasks["counts"]["running"], tasks["counts"]["completed"]))
        # The share of the finished weight; what is being worked on counts by its finished units.
        total = sum(t["weight"] for t in tasks["tasks"])
        done = sum(t["weight"] * (1 if t["state"] == "completed" else t["units"]["done"] / t["units"]["total"] if t["units"] else 0) for t in tasks["tasks"])
        self.assertAlmostEqual(plan["progress"]["weight_done"], done, delta=0.01)
        self.assertEqual(plan["progress_percentage"], int(100 * done / total))
        self.assertRegex(plan["progress_message"], r"^%d/%d tasks completed" % (tasks["counts"]["completed"], TASKS))
        self.assertIn("project_plan", plan["progress_message"].replace(" ", "_").lower())
        self.assertEqual(self.api.get("getStreamStatus", id=plan_id), {"status": "ready", "ready": True, "plan_status": "running", "last_seq": plan["last_seq"]})
        (call,) = self.api.get("listInteractions", id=plan_id, query={"task_key": "project_plan"})["interactions"]
        self.assertEqual((call["status"], call["completed_at"], call["duration_seconds"], call["response_preview"]), ("running", None, None, None))

    def test_tasks_of_a_failed_plan(self):
        plan = self.failed_plan("find_team_members")
        tasks = {t["task_key"]: t for t in self.api.get("listTasks", id=plan["plan_id"])["tasks"]}
        failed, blocked = tasks["find_team_members"], tasks["team_markdown"]
        self.assertEqual((failed["state"], failed["retryable"], plan["failed_task_key"]), ("failed", True, "find_team_members"))
        self.assertEqual([(a["state"], a["error"]) for a in failed["attempts"]], [("failed", failed["error"])])
        self.assertIn("out of order", failed["error"]["message"])
        self.assertEqual((blocked["state"], blocked["retryable"], blocked["attempts"], blocked["outputs"][0]["available"]), ("blocked", True, [], False))
        self.assertTrue(blocked["state_reason"])
        calls = self.api.get("listInteractions", id=plan["plan_id"], query={"task_key": "find_team_members", "status": "failed"})["interactions"]
        self.assertEqual({c["error_code"] for c in calls} & {failed["error"]["code"]}, {failed["error"]["code"]})
        self.assertEqual(self.api.get("getStreamStatus", id=plan["plan_id"])["plan_status"], "failed")

    def test_a_task_is_named_as_older_clients_do(self):
        plan_id = self.api.completed()["plan_id"]
        by = lambda key: [e["id"] for e in self.api.get("listInteractions", id=plan_id, query={"task_key": key})["interactions"]]
        self.assertTrue(by("focus_on_vital_few_levers"))
        self.assertEqual(by("vital_few_levers"), by("focus_on_vital_few_levers"))


class Ledger(ServerCase):
    """Calls that cost something, and some that have to be repeated."""

    key = "sk-test-0123456789abcdefghij"

    def priced(self):
        model = {"provider": "openai", "model": "gpt-test", "base_url": self.rehearsal.url + "/v1", "context_window": 400000, "max_output_tokens": 32000,
                 "cost": {"input": 2.0, "cached_input": 0.5, "output": 10.0}}
        return Api(self.own_server(PLANEXE_REHEARSAL_URL=None, PLANEXE_LLM_CONFIG_JSON=json.dumps({"mine": model}), OPENAI_API_KEY=self.key))

    def calls(self, api, plan_id, **query):
        found, cursor = [], {}
        while cursor is not None:
            page = api.get("listInteractions", id=plan_id, query={"limit": 200, **query, **cursor})
            found += page["interactions"]
            cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
        return found

    def test_every_request_is_in_the_ledger_once(self):
        api = self.priced()
        self.script({"status": 500}, repeat=1, task="swot_analysis")
        self.script({"answer": "missing_key"}, repeat=1, task="identify_risks")
        plan = api.completed()
        calls, usage = self.calls(api, plan["plan_id"]), plan["usage"]
        tasks = {t["task_key"]: t for t in api.get("listTasks", id=plan["plan_id"])["tasks"]}
        self.assertEqual((plan["rehearsal"], plan["llm_model"], usage["estimated"], usage["unpriced_calls"]), (False, "mine", False, 0))
        self.assertEqual((len(calls), sum(t["llm_calls"] for t in tasks.values())), (usage["llm_calls"], usage["llm_calls"]))
        self.assertEqual(len(calls), len([b for b in self.rehearsal.bodies()]))
        self.assertGreater(usage["cost_micros"], 0)
        for field in (*TOKENS, "cost_micros"):
            self.assertEqual(sum(c[field] or 0 for c in calls), usage[field], field)
            self.assertEqual(sum(t[field] or 0 for t in tasks.values()), usage[field], field)
        for call in calls:
            self.assertEqual((call["provider"], call["llm_model"], call["stage"]), ("openai", "mine", call["task_key"]))
            self.assertLessEqual(call["started_at"], call["completed_at"])
            self.assertEqual(call["total_tokens"], call["input_tokens"] + call["output_tokens"])
            if call["status"] == "completed":
                cost = 2.0 * (call["input_tokens"] - call["cached_input_tokens"]) + 0.5 * call["cached_input_tokens"] + 10.0 * call["output_tokens"]
                self.assertAlmostEqual(call["cost_micros"], cost, delta=1)
                self.assertIsNotNone(call["first_token_ms"])
        self.assertEqual([(tasks[k]["retries"], tasks[k]["repairs"], tasks[k]["llm_calls"]) for k in ("swot_analysis", "identify_risks", "create_pitch")],
                         [(1, 0, 2), (0, 1, 2), (0, 0, 1)])
        for key, reason, code in (("swot_analysis", "retry", "PROVIDER_UNAVAILABLE"), ("identify_risks", "repair", None)):
            first, second = [c for c in calls if c["task_key"] == key]
            self.assertEqual((first["attempt"], first["attempt_reason"], first["status"], second["attempt"], second["attempt_reason"], second["status"]),
                             (1, "first", "failed", 2, reason, "completed"))
            self.assertEqual((first["call_key"], second["error_code"], second["error_message"]), (second["call_key"], None, None))
            self.assertTrue(first["error_message"] and first["error_code"] == (code or first["error_code"]))
        self.assertEqual({c["task_key"] for c in self.calls(api, plan["plan_id"], status="failed")}, {"swot_analysis", "identify_risks"})
        self.expect_details(api, plan["plan_id"], calls)

    def expect_details(self, api, plan_id, calls):
        for call in calls[::9]:
            reply = api.call("getInteraction", id=plan_id, interaction_id=call["id"])
            detail = reply.json()
            self.assertEqual({k: detail[k] for k in call}, call)
            self.assertTrue(0 < len(call["prompt_preview"]) <= 400)
            self.assertIn(call["prompt_preview"], detail["prompt_text"])
            self.assertEqual((detail["response_text"] or "")[:400], call["response_preview"] or "")
            self.assertTrue(detail["response_id"] and detail["request"], detail)
            self.assertNotIn(self.key, reply.text)

    def test_the_budget_stops_new_calls(self):
        api = self.priced()
        whole = api.completed()["usage"]["cost_micros"] / 1e6
        budget = round(whole / 3, 4)
        self.rehearsal.reset()
        plan = api.wait(api.create(max_cost_usd=budget)["plan_id"])
        self.assertEqual((plan["status"], plan["error_code"], plan["max_cost_usd"]), ("failed", "BUDGET_EXCEEDED", budget))
        self.assertLess(plan["usage"]["cost_micros"] / 1e6, whole * 0.8)
        kept = {c["call_key"] for c in self.calls(api, plan["plan_id"], status="completed")}
        before = self.rehearsal.asked()
        resumed = api.call("resumePlan", 200, id=plan["plan_id"], body={"max_cost_usd": 100}).json()
        self.assertEqual((resumed["status"], resumed["max_cost_usd"]), ("pending", 100))
        done = api.wait(plan["plan_id"])
        self.assertEqual((done["status"], done["error_code"]), ("completed", None))
        after = self.rehearsal.asked()
        self.assertTrue(kept and set(after) > set(before))
        self.assertEqual({key: after[key] for key in kept}, {key: before[key] for key in kept}, "what was paid is not paid again")


if __name__ == "__main__":
    server_harness.main()
