#!/usr/bin/env python3
"""Making, finding and reading plans over HTTP: fields, validation, idempotency, lists, tasks, interactions."""
import collections
import concurrent.futures
import json
import re
import urllib.parse

import server_harness
from harness import PROMPT, TASKS
from server_contract import contract
from server_harness import Api, ServerCase, form

UNKNOWN = "PlanExe_00000000-0000-4000-8000-000000000000"


class Service(ServerCase):
    def test_health_and_ping(self):
        health = self.api.get("getHealth")
        self.assertEqual((health["status"], health["database"]["status"], health["database"]["backend"]), ("healthy", "ok", "sqlite"))
        self.assertTrue(health["rehearsal"])
        self.assertGreaterEqual(health["available_models"], 1)
        self.assertTrue(self.api.get("ping")["api_routes_working"])

    def test_config_models_and_prompts(self):
        config = self.api.get("getConfig")
        self.assertEqual(config["reasoning_effort_streaming_default"], "medium")
        self.assertEqual(config["reasoning_effort_conversation_default"], "medium")
        self.assertEqual((config["max_prompt_chars"], config["auth_required"], config["streaming_enabled"]), (50000, False, True))
        self.assertEqual({mode["value"] for mode in config["speed_modes"]},
                         {"all_details_but_slow", "balanced_speed_and_detail", "fast_but_skip_details"})
        models = self.api.get("listModels")
        self.assertEqual(models, sorted(models, key=lambda m: (m["priority"], m["id"])))
        self.assertTrue(all("text" in m["capabilities"] for m in models))
        everything = self.api.get("listModels", query={"capability": "all"})
        self.assertLessEqual({m["id"] for m in models}, {m["id"] for m in everything})
        self.api.call("listModels", 422, "VALIDATION_FAILED", query={"capability": "sound"})
        prompts = self.api.get("listPrompts")
        self.assertTrue(prompts)
        self.assertEqual(len({p["uuid"] for p in prompts}), len(prompts))
        self.assertTrue(all(p["title"] != p["uuid"] for p in prompts))

    def test_metrics_are_prometheus_text_without_ids_and_prompts(self):
        plan = self.api.completed("Zanzibar marker prompt: a tea house")
        text = self.api.call("getMetrics").text
        samples = 0
        for line in text.splitlines():
            if line and not line.startswith("#"):
                self.assertRegex(line, r'^[a-zA-Z_:][\w:]*(\{([a-zA-Z_]\w*="(\\.|[^"\\])*",?)*\})? [-+]?([\d.]+([eE][-+]?\d+)?|Inf|NaN)$')
                samples += 1
        self.assertGreater(samples, 20)
        self.assertNotIn(plan["plan_id"], text)
        self.assertNotIn("Zanzibar", text)
        names = {re.match(r"\w+", line)[0] for line in text.splitlines() if line and not line.startswith("#")}
        for word in ("http_requests", "http_request_seconds", "streams", "dropped", "plan", "queue", "task", "llm", "retr", "token", "cost", "wait", "breaker", "database",
                     "build_info"):
            with self.subTest(word=word):
                self.assertTrue([n for n in names if word in n], "nothing about %s in %s" % (word, sorted(names)))
        self.assertTrue(re.search(r'planexe_http_requests_total\{[^}]*route="/api/plans"[^}]*\} [1-9]', text), "requests are counted by route")

    def test_the_contract_is_served_as_it_is_checked_against(self):
        served = self.api.get("getOpenapi")
        self.assertEqual(served, json.loads(json.dumps(contract().document, default=str)))
        page = self.api.call("getDocs").text
        self.assertNotRegex(page, r'(?:src|href)\s*=\s*["\']?(?:https?:)?//', "the page loads from other hosts")
        for operation in contract().operations.values():
            self.assertIn(operation.path.split("{")[0], page)


class Create(ServerCase):
    def test_defaults_and_stored_fields(self):
        reply = self.api.call("createPlan", 200, body={"prompt": "  \n" + PROMPT + "\t ", "unknown": 1})
        plan = reply.json()
        self.assertEqual(reply.header("Location"), "/api/plans/" + plan["plan_id"])
        self.assertEqual((plan["prompt"], plan["output_dir"], plan["speed_vs_detail"], plan["reasoning_effort"]),
                         (PROMPT, plan["plan_id"], "all_details_but_slow", "medium"))
        self.assertEqual((plan["status"], plan["enriched_intake"], plan["rehearsal"]), ("pending", None, True))
        done = self.api.wait(plan["plan_id"])
        self.assertEqual((done["status"], done["progress_percentage"], done["progress"]["completed"], done["has_report"]), ("completed", 100, TASKS, True))
        self.assertGreater(done["usage"]["llm_calls"], 50)
        self.assertGreaterEqual(done["usage"]["total_tokens"], done["usage"]["input_tokens"])
        self.assertEqual((done["error_code"], done["queue_position"]), (None, None))

    def test_given_fields_are_kept_and_used(self):
        model = self.api.get("listModels")[0]["id"]
        plan = self.api.create(title="  A title ", speed_vs_detail="fast_but_skip_details", reasoning_effort="high", llm_model=model,
                               max_cost_usd=12.5, enriched_intake=form())
        stored = self.api.wait(plan["plan_id"])
        self.assertEqual(stored["status"], "completed", stored["error_message"])
        self.assertEqual((stored["title"], stored["speed_vs_detail"], stored["reasoning_effort"], stored["max_cost_usd"], stored["llm_model"]),
                         ("A title", "fast_but_skip_details", "high", 12.5, model))
        self.assertEqual(stored["enriched_intake"], form())
        asked = {body.get("reasoning", {}).get("effort") for body in self.rehearsal.bodies()}
        self.assertLessEqual(asked, {"high", None})
        state = {t["task_key"]: (t["state"], t["state_reason"]) for t in self.api.get("listTasks", id=plan["plan_id"])["tasks"]}
        self.assertEqual(state["currency_strategy"], ("skipped", "from_intake"))
        self.assertEqual(state["physical_locations"], ("skipped", "from_intake"))
        names = {a["filename"] for a in self.api.get("listArtefacts", id=plan["plan_id"])["artefacts"]}
        self.assertIn("enriched_intake.json", names)

    def test_defaults_of_the_form_are_filled_in(self):
        short = {k: v for k, v in form().items() if k not in ("team_size", "existing_resources", "captured_at", "areas_needing_clarification")}
        short["budget"] = {"estimated_total": None}
        self.hold()
        plan = self.api.create(enriched_intake=short)
        self.addCleanup(self.forget, self.api, plan["plan_id"])
        stored = self.api.get("getPlan", id=plan["plan_id"])["enriched_intake"]
        self.assertEqual((stored["team_size"], stored["existing_resources"], stored["budget"]["funding_sources"]), (None, [], []))

    def test_what_is_refused_and_where(self):
        wrong = [
            ({}, "missing", ["body", "prompt"]),
            ({"prompt": ""}, "string_too_short", ["body", "prompt"]),
            ({"prompt": " \n\t "}, "string_too_short", ["body", "prompt"]),
            ({"prompt": "x" * 50001}, "string_too_long", ["body", "prompt"]),
            ({"prompt": 7}, None, ["body", "prompt"]),
            ({"prompt": None}, None, ["body", "prompt"]),
            ({"prompt": "x", "speed_vs_detail": "quick"}, "enum", ["body", "speed_vs_detail"]),
            ({"prompt": "x", "reasoning_effort": "maximal"}, "enum", ["body", "reasoning_effort"]),
            ({"prompt": "x", "title": "t" * 121}, "string_too_long", ["body", "title"]),
            ({"prompt": "x", "max_cost_usd": 0}, None, ["body", "max_cost_usd"]),
            ({"prompt": "x", "max_cost_usd": "1"}, None, ["body", "max_cost_usd"]),
            ({"prompt": "x", "conversation_id": "conv_00000000-0000-4000-8000-000000000000"}, None, ["body", "conversation_id"]),
            ({"prompt": "x", "enriched_intake": {}}, "missing", ["body", "enriched_intake", "project_title"]),
            ({"prompt": "x", "enriched_intake": form(scale="galactic")}, "enum", ["body", "enriched_intake", "scale"]),
            ({"prompt": "x", "enriched_intake": form(confidence_score=11)}, None, ["body", "enriched_intake", "confidence_score"]),
            ({"prompt": "x", "enriched_intake": form(hard_constraints=["ok", ""])}, "string_too_short", ["body", "enriched_intake", "hard_constraints", 1]),
            ({"prompt": "x", "enriched_intake": form(success_criteria=["x"] * 51)}, None, ["body", "enriched_intake", "success_criteria"]),
            ({"prompt": "x", "enriched_intake": form(extra="y" * 262144)}, None, ["body", "enriched_intake"])]
        before = len(self.api.get("listPlans", query={"limit": 200}))
        for body, kind, place in wrong:
            with self.subTest(place=place, kind=kind):
                found = self.api.call("createPlan", 422, "VALIDATION_FAILED", body=body).json()["detail"]
                self.assertIn(place, [e["loc"] for e in found], found)
                if kind:
                    self.assertIn(kind, [e["type"] for e in found if e["loc"] == place], found)
        self.assertEqual(len(self.api.get("listPlans", query={"limit": 200})), before)

    def test_values_are_not_echoed(self):
        reply = self.api.call("createPlan", 422, body={"prompt": "x", "speed_vs_detail": "marker-value-91", "title": "marker-title-92" * 20})
        self.assertNotIn("marker", reply.text)

    def test_models(self):
        self.api.call("createPlan", 422, "MODEL_UNAVAILABLE", body={"prompt": "x", "llm_model": "no-such-model"})
        self.hold()
        for model in (None, "auto"):
            plan = self.api.create(llm_model=model)
            self.forget(self.api, plan["plan_id"])

    def test_lengths_count_characters(self):
        self.hold()
        for prompt in ("x" * 50000, "\U0001f6b2" * 50000, " " + "é" * 50000 + " "):
            plan = self.api.create(prompt)
            self.assertEqual(plan["prompt"], prompt.strip())
            self.forget(self.api, plan["plan_id"])
        self.api.call("createPlan", 422, "VALIDATION_FAILED", body={"prompt": "\U0001f6b2" * 50001})

    def test_bodies_that_are_no_json(self):
        deep = b'{"prompt":"x","a":' + b"[" * 65 + b"]" * 65 + b"}"
        for data in (b"", b"{", b'{"prompt":"x"} x', b'{"prompt":"\xff"}', b'{"prompt":"a\\u0000b"}', b'{"prompt":"a","prompt":"b"}', b"{'prompt':'x'}",
                     b'{"prompt":"x","n":NaN}', b'{"prompt":"x",}', b'{"prompt":"\\ud800"}', deep, b"[" * 200000, b"\xef\xbb\xbf{}x", b"\x00"):
            with self.subTest(data=data[:40]):
                self.api.call("createPlan", 400, "INVALID_JSON", data=data)
        for data in (b"[]", b'"text"', b"null", b"7"):
            with self.subTest(data=data):
                self.api.call("createPlan", 422, "VALIDATION_FAILED", data=data)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx"):
            with self.subTest(kind=kind):
                self.api.call("createPlan", 415, "UNSUPPORTED_MEDIA_TYPE", data=b'{"prompt":"x"}', headers={"Content-Type": kind})
        self.hold()
        plan = self.api.call("createPlan", 200, data=b'{"prompt":"x"}', headers={"Content-Type": 'Application/JSON; charset="utf-8"'}).json()
        self.forget(self.api, plan["plan_id"])


class Idempotency(ServerCase):
    def test_a_repeat_gets_the_first_reply(self):
        self.hold()
        first = self.api.call("createPlan", body={"prompt": "one"}, headers={"Idempotency-Key": "key one"})
        self.addCleanup(self.forget, self.api, first.json()["plan_id"])
        again = self.api.call("createPlan", body={"prompt": "one"}, headers={"Idempotency-Key": "key one"})
        self.assertEqual(again.json(), first.json())
        self.assertEqual((first.header("Idempotent-Replay"), again.header("Idempotent-Replay")), (None, "true"))
        self.assertEqual(again.header("Location"), first.header("Location"))
        self.api.call("createPlan", 422, "IDEMPOTENCY_KEY_REUSED", body={"prompt": "two"}, headers={"Idempotency-Key": "key one"})
        self.api.call("createPlan", 422, "VALIDATION_FAILED", body={"prompt": "two"}, headers={"Idempotency-Key": "k" * 256})

    def test_at_the_same_time_and_over_a_restart_there_is_one_plan(self):
        server = self.own_server()
        self.hold()

        def create(_):
            api = Api(server)
            reply = api.http.request("POST", "/api/plans", {"Content-Type": "application/json", "Idempotency-Key": "same"}, b'{"prompt":"together"}')
            contract().check_reply("createPlan", reply)
            return reply
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(create, range(16)))
        self.assertLessEqual({r.status for r in replies}, {200, 409})
        ids = {r.json()["plan_id"] for r in replies if r.status == 200}
        self.assertEqual(len(ids), 1, "all that got a plan got the same one")
        self.assertEqual(len(Api(server).get("listPlans")), 1)
        server.stop()
        server.start()
        again = create(0)
        self.assertEqual((again.status, again.json()["plan_id"]), (200, ids.pop()))


class Lists(ServerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rehearsal.post("/control/scripts", {"match": {"task": "redline_gate"}, "repeat": 0, "steps": [{"delay": {"first_event": 120000}}]})
        cls.ids = [cls.api.create("plan number %d %s" % (n, "Éclair 50% _under" if n % 5 == 0 else "")[:60], title="title %d" % n)["plan_id"] for n in range(23)]
        for plan_id in cls.ids[:4]:
            cls.api.call("cancelPlan", id=plan_id)

    @classmethod
    def tearDownClass(cls):
        for plan_id in cls.ids:
            cls.api.call("deletePlan", id=plan_id)
        super().tearDownClass()

    def listed(self, **query):
        return [plan["plan_id"] for plan in self.api.get("listPlans", query=query)]

    def test_newest_first_and_oldest_first(self):
        self.assertEqual(self.listed(), self.ids[::-1])
        self.assertEqual(self.listed(sort="created_asc"), self.ids)

    def test_paging_repeats_and_hides_nothing_while_plans_are_made_and_deleted(self):
        for sort in ("created_desc", "created_asc"):
            found, cursor, extra = [], None, []
            while True:
                reply = self.api.call("listPlans", query={"limit": 5, "sort": sort, **({"cursor": cursor} if cursor else {})})
                found += [plan["plan_id"] for plan in reply.json()]
                cursor = reply.header("X-Next-Cursor")
                if not cursor:
                    break
                self.assertLessEqual(len(cursor), 256)
                extra.append(self.api.create("made in between")["plan_id"])
            for plan_id in extra:
                self.forget(self.api, plan_id)
            mine = [plan_id for plan_id in found if plan_id in self.ids]
            self.assertEqual(mine, self.ids[::-1] if sort == "created_desc" else self.ids)
            self.assertEqual(len(found), len(set(found)))

    def test_filters(self):
        self.assertEqual(self.listed(status="cancelled"), self.ids[:4][::-1])
        self.assertEqual(len(self.api.get("listPlans", query=[("status", "cancelled"), ("status", "running"), ("status", "pending")])), len(self.ids))
        self.assertEqual(self.listed(status="completed"), [])
        self.assertEqual(self.listed(q="NUMBER 7"), [self.ids[7]])
        self.assertEqual(self.listed(q="title 22"), [self.ids[22]])
        self.assertEqual(len(self.listed(q="50% _")), 5)
        self.assertEqual(self.listed(q="%"), self.listed(q="50%"), "a percent sign is text")
        self.assertEqual(self.listed(q="plan_number"), [], "an underscore is text")
        self.assertEqual(self.listed(q="' OR 1=1 --"), [])
        self.assertEqual(self.listed(nonsense="1", limit=2), self.ids[:-3:-1])

    def test_bad_parameters(self):
        for query in ({"limit": 0}, {"limit": 201}, {"limit": "x"}, {"limit": "1e1"}, {"limit": "-1"}, {"sort": "name"}, {"status": "lost"},
                      {"q": "x" * 201}, {"cursor": "x" * 257}, {"limit": ""}, {"limit": "9" * 40}):
            with self.subTest(query=query):
                detail = self.api.call("listPlans", 422, "VALIDATION_FAILED", query=query).json()["detail"]
                self.assertEqual(detail[0]["loc"][:2], ["query", next(iter(query))])
        good = self.api.call("listPlans", query={"limit": 3}).header("X-Next-Cursor")
        for cursor in ("x", "!!!", good[:-1], good + "A", good[::-1], "AAAA" * 10, "null", "{}"):
            with self.subTest(cursor=cursor):
                self.api.call("listPlans", 422, "CURSOR_INVALID", query={"cursor": cursor, "limit": 3})


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


if __name__ == "__main__":
    server_harness.main()
