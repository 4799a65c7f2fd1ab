#!/usr/bin/env python3
"""Making and finding plans over HTTP: fields, validation, idempotency, lists; and the endpoints of the service itself."""
import concurrent.futures
import contextlib
import json
import pathlib
import re
import sqlite3
import tomllib

import server_harness
from harness import PROMPT, TASKS
from server_contract import contract
from server_harness import Api, ServerCase, form


def own_efforts(mode):
    """Efforts that the steps of each task set for themselves in this mode; None stands for that of the plan."""
    found = {}
    for file in (pathlib.Path(__file__).parents[2] / "recipe/tasks").glob("*/task.toml"):
        task = tomllib.loads(file.read_text(encoding="utf-8"))
        efforts = [step.get("effort", task.get("effort")) for step in task.get("step", [{}]) if "builtin" not in step]
        found[file.parent.name] = {effort.get(mode) if isinstance(effort, dict) else effort for effort in efforts}
    return found


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
        self.script({"status": 500}, repeat=1, task="swot_analysis")
        plan = self.api.completed("Zanzibar marker prompt: a tea house")
        with self.api.socket(plan["plan_id"]) as socket:
            socket.next()
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
        for word in ("http_requests", "http_request_seconds", "streams", "plan", "queue", "task", "llm", "retr", "token", "cost", "wait", "breaker", "database",
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
        # A task that needs little thought in this mode says so in the recipe; all others follow the plan.
        own = own_efforts("fast")
        asked = {(body["metadata"]["call"].split("/")[0], body["reasoning"]["effort"]) for body in self.rehearsal.bodies()}
        self.assertEqual({(task, effort) for task, effort in asked if (None if effort == "high" else effort) not in own[task]}, set())
        self.assertGreater(len([effort for _, effort in asked if effort == "high"]), 20)
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


    def test_a_conversation_is_named(self):
        conversation = self.api.call("createConversation", body={"model_key": self.api.get("listModels")[0]["id"]}).json()["conversation_id"]
        self.hold()
        plan = self.api.create(conversation_id=conversation)
        self.addCleanup(self.forget, self.api, plan["plan_id"])
        self.assertEqual((plan["conversation_id"], self.api.get("getPlan", id=plan["plan_id"])["conversation_id"]), (conversation, conversation))


class Surroundings(ServerCase):
    """What the server was started with, and what happens to its database."""

    def test_defaults_come_from_the_settings(self):
        api = Api(self.own_server(FAST_BUT_SKIP_DETAILS="true", REASONING_EFFORT_DEFAULT="low"))
        self.hold()
        plan = api.create()
        self.assertEqual((plan["speed_vs_detail"], plan["reasoning_effort"]), ("fast_but_skip_details", "low"))
        plan = api.create(speed_vs_detail="balanced_speed_and_detail", reasoning_effort="minimal")
        self.assertEqual((plan["speed_vs_detail"], plan["reasoning_effort"]), ("balanced_speed_and_detail", "minimal"))

    def test_without_a_provider_plans_can_be_read_but_not_made(self):
        server = self.own_server()
        api = Api(server)
        plan_id = self.held_plan(api=api)
        api.call("cancelPlan", 200, id=plan_id)
        server.stop()
        server.env.update(PLANEXE_REHEARSAL_URL=None, PLANEXE_CLOUD_MODE="true", PLANEXE_BIND="127.0.0.1")
        server.start()
        api = Api(server)
        for operation, path in (("createPlan", {}), ("resumePlan", {"id": plan_id}), ("retryTask", {"id": plan_id, "task_key": "report"})):
            with self.subTest(operation=operation):
                reply = api.call(operation, 503, "PROVIDER_NOT_CONFIGURED", body={"prompt": "x"}, **path)
                self.assertEqual(reply.header("Retry-After"), str(reply.json()["retry_after_seconds"]))
        self.assertEqual(api.get("getHealth")["status"], "degraded")
        self.assertEqual([p["status"] for p in api.get("listPlans")], ["cancelled"])

    def test_while_the_database_is_locked(self):
        server = self.own_server()
        self.hold()

        def create(key, *_):
            return Api(server).http.request("POST", "/api/plans", {"Content-Type": "application/json", "Idempotency-Key": key}, b'{"prompt":"locked"}')
        with contextlib.closing(sqlite3.connect(server.box.database, timeout=30, isolation_level=None)) as other, \
                concurrent.futures.ThreadPoolExecutor(3) as pool:
            other.execute("BEGIN IMMEDIATE")
            both = [pool.submit(create, "same") for _ in range(2)]
            refused, waits = concurrent.futures.wait(both, 20, concurrent.futures.FIRST_COMPLETED)
            self.assertEqual((len(refused), len(waits)), (1, 1))
            reply = refused.pop().result()
            contract().check_reply("createPlan", reply)
            self.expect_error(reply, 409, "IDEMPOTENCY_IN_PROGRESS")
            self.assertEqual(Api(server).get("listPlans"), [], "reading goes on")
            other.execute("ROLLBACK")
            made = waits.pop().result().json()["plan_id"]
            other.execute("BEGIN IMMEDIATE")
            reply = pool.submit(create, "another").result()
            contract().check_reply("createPlan", reply)
            self.expect_error(reply, 503, "DATABASE_UNAVAILABLE")
            other.execute("ROLLBACK")
        self.assertEqual([p["plan_id"] for p in Api(server).get("listPlans")], [made])
        self.assertEqual(create("another").status, 200)

    def test_a_plan_that_waits_is_stored_whole_and_nothing_is_done_for_it(self):
        server = self.own_server(PLANEXE_MAX_CONCURRENT_PLANS="1")
        api = Api(server)
        self.held_plan(api=api)
        asked = self.rehearsal.asked()
        plan = api.create("waits", headers={"Idempotency-Key": "k"})
        self.assertEqual((plan["status"], plan["queue_position"], plan["progress"]["total"], plan["last_seq"]), ("pending", 1, TASKS, 1))
        self.assertEqual({k: v for k, v in api.get("getPlan", id=plan["plan_id"]).items() if k not in ("updated_at",)},
                         {k: v for k, v in plan.items() if k not in ("updated_at",)})
        count = lambda table, column="plan_id": server.box.value("SELECT count(*) FROM %s WHERE %s = ?" % (table, column), plan["plan_id"])
        self.assertEqual((count("plan_tasks"), count("plan_events"), count("idempotency_keys")), (TASKS, 1, 1))
        self.assertGreater(count("plan_task_edges"), TASKS)
        self.assertFalse((server.box.run_dir / plan["plan_id"]).exists())
        self.assertEqual(self.rehearsal.asked(), asked)


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

    def test_keys_belong_to_identities_and_keep_the_first_reply(self):
        server = self.own_server(PLANEXE_API_TOKENS="alice:%s,bob:%s" % ("a" * 16, "b" * 16))
        alice, bob = Api(server, token="a" * 16), Api(server, token="b" * 16)
        self.hold()
        mine = alice.create("one", headers={"Idempotency-Key": "k"})
        self.assertNotEqual(bob.create("one", headers={"Idempotency-Key": "k"})["plan_id"], mine["plan_id"])
        alice.call("cancelPlan", 200, id=mine["plan_id"])
        again = alice.call("createPlan", 200, body={"prompt": "one"}, headers={"Idempotency-Key": "k"})
        self.assertEqual((again.json(), again.header("Idempotent-Replay")), (mine, "true"))
        # The same JSON in another spelling is the same body.
        again = alice.call("createPlan", 200, data=b'{ "prompt" : "\\u006fne" }', headers={"Idempotency-Key": "k"})
        self.assertEqual(again.header("Idempotent-Replay"), "true")

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


if __name__ == "__main__":
    server_harness.main()
