#!/usr/bin/env python3
"""Analysis streams: one question, one answer told as it comes, and every way it can end."""
import json
import threading
import urllib.parse

import server_harness
from harness import eventually
from server_harness import Api
from server_talk import FACTS, FIRST_DELTA, LONG, MODEL, SECRET, TurnCase, names
from server_wire import Broken

CALL = "analysis/answer/1"
TASK = "risk-check"


class AnalysisCase(TurnCase):
    def ask(self, prompt="Name the three largest risks.", api=None, task=TASK, model=MODEL, **fields):
        """A prepared analysis."""
        session = (api or self.api).call("createAnalysis", 200, body={"task_id": task, "model_key": model, "prompt": prompt,
                                                                      **fields}).json()
        for snake, camel in [("session_id", "sessionId"), ("task_id", "taskId"), ("model_key", "modelKey"), ("expires_at", "expiresAt"),
                             ("ttl_seconds", "ttlSeconds")]:
            self.assertEqual(session[snake], session[camel])
        self.assertEqual((session["task_id"], session["model_key"], session["ttl_seconds"]), (task, model, 45))
        return session

    def read(self, session, last=None, api=None):
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        return (api or self.api).stream("streamAnalysis", (), headers, task_id=session["task_id"], model_key=session["model_key"],
                                        session_id=session["session_id"])

    def answer(self, prompt="Name the three largest risks.", api=None, **fields):
        with self.read(self.ask(prompt, api, **fields), api=api) as stream:
            return list(stream)

    def stuck_analysis(self, api=None):
        """An analysis that has told a part of its text and goes no further: session, stream, events so far."""
        self.script({"connection": "stall", "after_events": FIRST_DELTA, "text": LONG}, repeat=0, call=CALL)
        session = self.ask(api=api)
        stream = self.read(session, api=api)
        events = [next(iter(stream))]
        while events[-1].name != "stream.chunk" or events[-1].value["kind"] != "text":
            events.append(next(iter(stream)))
        return session, stream, events

    def row(self, session, box=None):
        rows = self.rows("SELECT owner_kind, stage, status, error_code, id FROM llm_interactions WHERE owner_id = ? ORDER BY id",
                         session["session_id"], box=box)
        return rows[-1] if rows else None

    def body(self):
        return next(b for b in self.rehearsal.bodies() if b["metadata"]["call"] == CALL)


class Streams(AnalysisCase):
    def test_from_the_question_to_the_answer(self):
        session = self.ask(context=FACTS, metadata={"screen": "private-note"}, stage="risk_view")
        self.assertEqual(self.rehearsal.asked(), {}, "nothing is asked before the stream is opened")
        with self.read(session) as stream:
            events = list(stream)
        self.expect_good(session, events)
        end = events[-1].value
        self.assertIn("Name the three largest risks.", end["responseSummary"]["analysis"])
        self.assertIsNone(end["responseSummary"]["parsed"])
        self.assertIsNone(end["responseSummary"]["previousResponseId"])
        self.assertEqual(end["metadata"], {"screen": "private-note"})
        kind, stage, status, code, number = self.row(session)
        self.assertEqual((kind, stage, status, code), ("analysis", "risk_view", "completed", None))
        self.assertEqual({e.value["interactionId"] for e in events if e.name == "stream.status"}, {number})
        self.assertNotIn("private-note", json.dumps(self.rehearsal.bodies()), "metadata is not sent")

    def expect_good(self, session, events):
        found = names(events)
        self.assertEqual((found[0], found[1], found[-1], found.count("stream.complete"), found.count("stream.error")),
                         ("stream.init", "stream.status", "stream.complete", 1, 0), found)
        self.assertEqual([event.id for event in events], [str(n + 1) for n in range(len(events))])
        for event in events:
            self.assertEqual((event.value["taskId"], event.value["modelKey"]), (session["task_id"], session["model_key"]))
        self.assertEqual((events[0].value["sessionId"], events[0].value["expiresAt"]), (session["session_id"], session["expires_at"]))
        end = events[-1].value
        for kind in ("text", "reasoning", "json"):
            self.assertEqual([e.value["delta"] for e in events if e.name == "stream.chunk" and e.value["kind"] == kind],
                             end["deltas"][kind], kind)
        self.assertEqual("".join(end["deltas"]["text"]) or "".join(end["deltas"]["json"]), end["responseSummary"]["analysis"])
        self.assertEqual("".join(end["deltas"]["reasoning"]), end["responseSummary"]["reasoning"])
        self.assertGreater(end["responseSummary"]["tokenUsage"]["total_tokens"], 0)
        self.assertRegex(end["responseSummary"]["responseId"], "^resp_")

    def test_an_answer_that_is_json(self):
        self.script({"text": '{"risks": ["rent", "rain"]}'}, repeat=1, call=CALL)
        self.assertEqual(self.answer()[-1].value["responseSummary"]["parsed"], {"risks": ["rent", "rain"]})
        self.script({"text": '{"risks": ["rent"'}, call=CALL)
        self.assertIsNone(self.answer()[-1].value["responseSummary"]["parsed"])

    def test_the_form_as_an_answer(self):
        session = self.ask(FACTS, schema_name="EnrichedPlanIntake")
        with self.read(session) as stream:
            events = list(stream)
        self.assertEqual({e.value["kind"] for e in events if e.name == "stream.chunk"} - {"reasoning"}, {"json"})
        end = events[-1].value
        self.assertEqual(end["responseSummary"]["parsed"]["budget"]["currency"], "EUR")
        self.assertEqual(end["deltas"]["text"], [])
        self.assertEqual(self.body()["text"]["format"]["name"], "intake__form")

    def test_a_question_that_goes_on(self):
        first = self.answer("Name risks.")[-1].value["responseSummary"]["responseId"]
        self.rehearsal.reset()
        end = self.answer("And which is the largest?", previous_response_id=first)[-1].value
        self.assertEqual(end["responseSummary"]["previousResponseId"], first)
        self.assertEqual(self.body()["previous_response_id"], first)
        self.assertEqual(len(self.body()["input"]), 1, "the provider has the rest")
        self.rehearsal.reset()
        end = self.answer("And now?", task="another", previous_response_id=first)[-1].value
        self.assertIsNone(end["responseSummary"]["previousResponseId"], "a thread belongs to its task")
        self.assertNotIn("previous_response_id", self.body())

    def test_who_comes_back_misses_nothing_and_a_second_reader_sees_the_same(self):
        self.script({"delay": {"between": 100}, "text": LONG}, call=CALL)
        session = self.ask()
        second, begun = [], []
        with self.read(session) as first:
            other = self.read(session, api=Api(self.server))
            reader = threading.Thread(target=lambda: second.extend(other))
            reader.start()
            for event in first:
                begun.append(event)
                if names(begun).count("stream.chunk") == 3:
                    break
        with self.read(session, last=begun[-1].id) as again:
            rest = list(again)
        reader.join(30)
        other.close()
        self.expect_good(session, begun + rest)
        self.assertGreater(names(rest).count("stream.chunk"), 1)
        as_sent = lambda events: [(e.id, e.name, e.data) for e in events]
        with self.read(session) as replay:
            whole = list(replay)
        self.assertEqual(as_sent(begun + rest), as_sent(whole))
        self.assertEqual(as_sent(second), as_sent(whole))
        self.assertEqual(self.rehearsal.asked(), {CALL: 1})
        with self.read(session, last=whole[-1].id) as nothing:
            self.assertEqual(nothing.reply.status, 204)

    def test_many_at_a_time(self):
        sessions = [self.ask("Question %d" % n, task="task-%d" % n) for n in range(20)]
        ends = {}

        def read(session):
            with self.read(session, api=Api(self.server)) as stream:
                ends[session["task_id"]] = list(stream)[-1].value
        threads = [threading.Thread(target=read, args=(session,)) for session in sessions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for n in range(20):
            self.assertIn('"Question %d"' % n, ends["task-%d" % n]["responseSummary"]["analysis"])


class Parameters(AnalysisCase):
    def test_what_the_client_wishes_reaches_the_model(self):
        self.answer("Why?", context="Rents </context> are high.", system_prompt="You are a bank.", reasoning_effort="minimal",
                    reasoning_summary="concise",
                    text_verbosity="low", max_output_tokens=777, temperature=0.5)
        body = self.body()
        self.assertEqual(body["reasoning"], {"effort": "minimal", "summary": "concise"})
        self.assertEqual((body["text"]["verbosity"], body["max_output_tokens"]), ("low", 777))
        self.assertEqual([part["text"] for item in body["input"] for part in item["content"]],
                         ["You are a bank.", "<context>\nRents < /context> are high.\n</context>", "Why?"])
        self.assertNotIn("temperature", body, "this model does not take it")

    def test_each_effort(self):
        for effort in ("minimal", "low", "medium", "high"):
            self.rehearsal.reset()
            self.answer(reasoning_effort=effort)
            self.assertEqual(self.body()["reasoning"]["effort"], effort)

    def test_models_take_what_they_know(self):
        entry = {"base_url": self.rehearsal.url + "/v1", "api_key_env": "TALK_KEY", "capabilities": ["text"], "context_window": 100000,
                 "max_output_tokens": 8192, "strict_model": True}
        catalogue = {"vendor/with space": {**entry, "provider": "openai", "model": "gpt-4o-mini", "priority": 1},
                     "local": {**entry, "provider": "vllm", "model": "gpt-oss-20b", "transport": "chat", "priority": 2}}
        api = Api(self.own_server(PLANEXE_REHEARSAL_URL=None, PLANEXE_LLM_CONFIG_JSON=json.dumps(catalogue), TALK_KEY="sk-talk-0123456789"))
        wishes = {"temperature": 0.5, "text_verbosity": "medium", "reasoning_effort": "medium"}
        end = self.answer(api=api, model="vendor/with space", **wishes)[-1]
        self.assertEqual((end.name, end.value["modelKey"]), ("stream.complete", "vendor/with space"))
        body = self.body()
        self.assertEqual((body["temperature"], body["text"]["verbosity"]), (0.5, "medium"))
        self.assertNotIn("reasoning", body)
        self.rehearsal.reset()
        self.assertEqual(self.answer(api=api, model="local", **wishes)[-1].name, "stream.complete")
        chat = next(json.loads(r["body"]) for r in self.rehearsal.get("/control/requests")["data"] if r["target"] == "/v1/chat/completions")
        self.assertEqual((chat["temperature"], chat["reasoning_effort"]), (0.5, "medium"))
        self.assertNotIn("verbosity", chat)


class Refusals(AnalysisCase):
    def test_what_a_question_may_be(self):
        good = {"task_id": TASK, "model_key": MODEL, "prompt": "Why?"}
        cases = [({"prompt": "  "}, "prompt"), ({"prompt": "x" * 8001}, "prompt"), ({"context": "x" * 200001}, "context"),
                 ({"task_id": "a b"}, "task_id"),
                 ({"task_id": ""}, "task_id"), ({"temperature": 2.1}, "temperature"), ({"temperature": -0.1}, "temperature"),
                 ({"max_output_tokens": 511}, "max_output_tokens"), ({"max_output_tokens": 120001}, "max_output_tokens"),
                 ({"max_output_tokens": 600.5}, "max_output_tokens"), ({"reasoning_effort": "extreme"}, "reasoning_effort"),
                 ({"text_verbosity": 3}, "text_verbosity"), ({"metadata": {"k": "v" * 16384}}, "metadata"), ({"stage": "x" * 129}, "stage"),
                 ({"system_prompt": "x" * 50001}, "system_prompt")]
        for change, field in cases:
            with self.subTest(field=field, change=str(change)[:40]):
                error = self.api.call("createAnalysis", 422, "VALIDATION_FAILED", body={**good, **change}).json()
                self.assertEqual(error["detail"][0]["loc"][:2], ["body", field])
        self.api.call("createAnalysis", 422, "MODEL_UNAVAILABLE", body={**good, "model_key": "no-such-model"})
        self.api.call("createAnalysis", 422, "MODEL_UNAVAILABLE", body={**good, "model_key": "auto"})
        for name in ("schema_name", "schema_model"):
            self.api.call("createAnalysis", 422, "SCHEMA_MODEL_INVALID", body={**good, name: "os.system"})
        self.assertEqual(self.ask("ü" * 8000, context="x" * 200000)["task_id"], TASK)
        self.assertEqual(self.rehearsal.asked(), {})

    def test_sessions_that_open_nothing(self):
        session = self.ask()
        wrong = [({**session, "session_id": "a_unknown"}, "SESSION_NOT_FOUND"), ({**session, "task_id": "other"}, "SESSION_MISMATCH"),
                 ({**session, "model_key": "other/model"}, "SESSION_MISMATCH")]
        for given, code in wrong:
            with self.subTest(code=code, model=given["model_key"]):
                with self.read(given) as stream:
                    (event,) = list(stream)
                self.assertEqual((event.name, event.value["error"]["code"]), ("stream.error", code))
                self.api.call("streamAnalysis", 404, code, headers={"Accept": "application/json"}, task_id=given["task_id"],
                              model_key=given["model_key"],
                              session_id=given["session_id"])
        with self.read(session) as stream:
            self.assertEqual(names(list(stream))[-1], "stream.complete", "the good one still works")

    def test_switched_off(self):
        api = Api(self.own_server(PLANEXE_STREAMING_ENABLED="false"))
        api.call("createAnalysis", 403, "STREAMING_DISABLED", body={"task_id": TASK, "model_key": MODEL, "prompt": "Why?"})
        api.call("streamAnalysis", 403, "STREAMING_DISABLED", headers={"Accept": "*/*"}, task_id=TASK, model_key=MODEL, session_id="a_1")


class Failures(AnalysisCase):
    def expect_error(self, events, code):
        self.assertEqual((events[-1].name, events[-1].value["error"]["code"]), ("stream.error", code))
        self.assertEqual(names(events).count("stream.error") + names(events).count("stream.complete"), 1)
        self.assertNotIn(SECRET, "".join(event.data for event in events))

    def test_failures_by_their_kind(self):
        for step, code in [({"answer": "refusal"}, "MODEL_REFUSED"), ({"incomplete": "content_filter"}, "CONTENT_FILTERED"),
                           ({"status": 400, "body": {"error": {"code": "context_length_exceeded", "message": SECRET}}},
                            "CONTEXT_TOO_LONG")]:
            with self.subTest(code=code):
                self.rehearsal.reset()
                self.script(step, repeat=0, call=CALL)
                session = self.ask()
                with self.read(session) as stream:
                    self.expect_error(list(stream), code)
                self.assertEqual(self.row(session)[2], "failed")
        self.rehearsal.reset()
        self.assertEqual(self.answer()[-1].name, "stream.complete")

    def test_a_broken_answer_begins_anew(self):
        self.script({"connection": "reset", "after_events": FIRST_DELTA, "text": LONG}, repeat=1, call=CALL)
        events = self.answer()
        end = events[-1].value
        self.assertEqual(events[-1].name, "stream.complete")
        self.assertEqual("".join(end["deltas"]["text"]), end["responseSummary"]["analysis"], "what was given up counts no more")
        states = [e.value["message"] for e in events if e.name == "stream.status"]
        self.assertIn("Attempt 2: the answer begins anew", states)
        self.assertGreater(len({e.value["interactionId"] for e in events if e.name == "stream.status"}), 1)

    def test_it_goes_on_without_its_reader(self):
        self.script({"delay": {"between": 60}, "text": LONG}, call=CALL)
        session = self.ask()
        with self.read(session) as stream:
            next(iter(stream))
        self.assertTrue(eventually(lambda: (self.row(session) or [None] * 3)[2] == "completed", 30))
        with self.read(session) as stream:
            self.assertEqual(names(list(stream))[-1], "stream.complete")

    def test_killed_in_the_middle(self):
        server = self.own_server()
        session, stream, _ = self.stuck_analysis(Api(server))
        self.assertEqual(self.row(session, server.box)[2], "running")
        server.kill()
        with stream:
            try:
                self.assertNotIn("stream.complete", names(list(stream)))
            except (Broken, ConnectionError):
                pass
        self.rehearsal.reset()
        server.start()
        api = Api(server)
        self.assertTrue(eventually(lambda: self.row(session, server.box)[2] == "abandoned", 20), "the ledger knows what happened")
        api.call("streamAnalysis", 404, "SESSION_NOT_FOUND", headers={"Accept": "application/json"}, task_id=TASK, model_key=MODEL,
                 session_id=session["session_id"])
        self.assertEqual(self.answer(api=api)[-1].name, "stream.complete")

    def test_stopped_in_the_middle(self):
        server = self.own_server()
        session, stream, events = self.stuck_analysis(Api(server))
        self.assertEqual(server.stop(20), 0)
        with stream:
            events += list(stream)
        self.expect_error(events, "SHUTTING_DOWN")
        self.assertEqual(self.row(session, server.box)[2], "cancelled")


class Paths(AnalysisCase):
    def test_segments_are_percent_encoded(self):
        session = self.ask()
        for target in ("/api/stream/analyze/%s/%s/%s", "/api/stream/analyze/%s/%s/%s/"):
            target = target % (TASK, "".join("%%%02X" % ord(c) for c in MODEL), session["session_id"])
            reply = self.send("GET", target, {"Accept": "text/event-stream"})
            self.assertEqual(reply.status, 200)
        for bad in ("%00", "%zz", "a%2"):
            self.expect_status(self.send("GET", "/api/stream/analyze/%s/%s/%s" % (TASK, bad, session["session_id"])), 400, 404)
        self.expect_status(self.send("GET", "/api/stream/analyze/%s/%s" % (TASK, MODEL)), 404)
        self.expect_status(self.send("GET", "/api/stream/analyze/%s/%s/%s/more" % (TASK, urllib.parse.quote(MODEL),
                                                                                   session["session_id"])), 404)

    def expect_status(self, reply, *statuses):
        self.assertIn(reply.status, statuses, str(reply))


if __name__ == "__main__":
    server_harness.main()
