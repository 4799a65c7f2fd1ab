#!/usr/bin/env python3
"""Conversations: turns as event streams and whole, what is refused, and their ends of every kind."""
import json
import threading

import server_harness
from harness import eventually
from server_contract import contract
from server_harness import Api, form
from server_talk import FACTS, FIRST_DELTA, MODEL, SECRET, UNKNOWN, TurnCase, names, texts
from server_wire import Broken


class Turns(TurnCase):
    def test_from_a_message_to_the_form(self):
        id_ = self.conversation()
        self.assertRegex(id_, r"^conv_[0-9a-f-]{36}$")
        fresh = self.view(id_)
        self.assertEqual((fresh["status"], fresh["turns"], fresh["draft_intake"], fresh["plan_id"], fresh["last_error"]),
                         ("idle", [], None, None, None))
        session = self.prepare(id_)
        self.assertEqual((session["conversation_id"], session["model_key"], session["ttl_seconds"]), (id_, MODEL, 60))
        self.assertEqual([(t["role"], t["text"]) for t in self.view(id_)["turns"]], [("user", FACTS)])
        self.assertEqual(self.rehearsal.asked(), {}, "nothing is asked before the stream is opened")
        with self.open(id_, session["token"], modelKey=MODEL) as stream:
            self.assertEqual(stream.reply.header("X-Accel-Buffering"), "no")
            events = list(stream)
        self.expect_good_turn(id_, session["token"], events)
        view = self.view(id_)
        final = events[-1].value
        self.assertEqual((view["status"], view["last_error"]), ("idle", None))
        answer = view["turns"][1]
        self.assertEqual((answer["turn"], answer["role"], answer["status"], answer["error"]), (2, "assistant", "completed", None))
        self.assertEqual(answer["text"], final["summary"]["text"])
        self.assertEqual(answer["usage"], final["summary"]["usage"])
        self.assertEqual(view["draft_intake"], final["summary"]["json"][-1])
        self.assertEqual(view["draft_intake"]["budget"]["currency"], "EUR")
        self.assertEqual(view["draft_intake"]["original_prompt"], FACTS)
        self.assertEqual(self.calls_of(id_), [("intake_reply", "completed", None), ("intake_form", "completed", None)])

    def expect_good_turn(self, id_, token, events):
        found = names(events)
        self.assertEqual([found[0], *found[-2:]], ["response.created", "response.completed", "final"], found)
        self.assertEqual([event.id for event in events], [str(n + 1) for n in range(len(events))])
        self.assertEqual(found.count("response.output_json.delta"), 1)
        told = ""
        for event in events:
            self.assertEqual((event.value["conversation_id"], event.value["model_key"], event.value["session_id"]), (id_, MODEL, token))
            if event.name == "response.output_text.delta":
                told += event.value["delta"]
                self.assertEqual(event.value["aggregated"], told)
        final = events[-1].value
        self.assertEqual(told, final["summary"]["text"])
        self.assertEqual(final["response"]["status"], "completed")
        self.assertEqual(final["response"]["id"], events[0].value["response_id"])
        self.assertEqual(events[-2].value["usage"], final["summary"]["usage"])
        self.assertGreater(final["summary"]["usage"]["total_tokens"], 0)
        draft = next(event for event in events if event.name == "response.output_json.delta")
        self.assertEqual(draft.value["delta"], final["summary"]["json"][-1])

    def test_without_the_text_so_far(self):
        id_ = self.conversation()
        with self.open(id_, self.prepare(id_)["token"], aggregated="false") as stream:
            events = list(stream)
        deltas = [event.value for event in events if event.name == "response.output_text.delta"]
        self.assertTrue(deltas)
        self.assertEqual([delta for delta in deltas if "aggregated" in delta], [])
        self.assertEqual("".join(texts(events)), events[-1].value["summary"]["text"])

    def test_who_comes_back_misses_nothing_and_a_second_reader_sees_the_same(self):
        self.slow()
        id_ = self.conversation()
        token = self.prepare(id_)["token"]
        second = []
        with self.open(id_, token) as first:
            begun = []
            for event in first:
                begun.append(event)
                if len(begun) == 1:
                    other = self.open(id_, token, api=Api(self.server))
                    reader = threading.Thread(target=lambda: second.extend(other))
                    reader.start()
                if names(begun).count("response.output_text.delta") == 2:
                    break
        running = self.view(id_)
        self.assertEqual(running["status"], "running")
        self.assertTrue(running["turns"][-1]["text"].startswith("".join(texts(begun))))
        self.assertEqual(running["turns"][-1]["status"], "running")
        with self.open(id_, token, last=begun[-1].id) as again:
            rest = list(again)
        reader.join(30)
        other.close()
        self.expect_good_turn(id_, token, begun + rest)
        self.assertGreater(len(texts(rest)), 1, "the rest came while the turn went on")
        with self.open(id_, token) as replay:
            whole = list(replay)
        as_sent = lambda events: [(e.id, e.name, e.data) for e in events]
        self.assertEqual(as_sent(begun + rest), as_sent(whole))
        self.assertEqual(as_sent(second), as_sent(whole))
        self.assertEqual(self.rehearsal.asked()["intake/reply/2"], 1)
        with self.open(id_, token, last=whole[-1].id) as nothing:
            self.assertEqual(nothing.reply.status, 204, "this stops an EventSource")

    def test_a_turn_goes_on_without_its_reader(self):
        self.slow(60)
        id_ = self.conversation()
        token = self.prepare(id_)["token"]
        with self.open(id_, token) as stream:
            next(iter(stream))
        self.assertTrue(eventually(lambda: self.view(id_)["status"] == "idle", 30))
        self.assertEqual(self.view(id_)["turns"][-1]["status"], "completed")
        with self.open(id_, token) as stream:
            self.expect_good_turn(id_, token, list(stream))

    def test_later_turns_go_on_with_what_was_said(self):
        id_ = self.conversation()
        self.turn(id_, "Open a bicycle repair shop in Lyon")
        first = self.view(id_)["draft_intake"]
        events = self.turn(id_, "80 000 EUR, by June 2027. That is all.")
        self.assertEqual(names(events)[-1], "final")
        draft = self.view(id_)["draft_intake"]
        self.assertNotEqual(first["budget"], draft["budget"])
        self.assertEqual(draft["original_prompt"], "Open a bicycle repair shop in Lyon")
        reply = [b for b in self.rehearsal.bodies() if b["metadata"]["call"] == "intake/reply/4"][0]
        self.assertRegex(reply["previous_response_id"], "^resp_")
        self.assertEqual([item["role"] for item in reply["input"]], ["user"], "the provider has the rest")
        self.assertEqual(self.rehearsal.counters()["assertions"], [])

    def test_a_turn_without_a_stream(self):
        id_ = self.conversation()
        result = self.follow_up(id_)
        self.assertEqual((result["conversation_id"], result["model_key"], result["missing_fields"]), (id_, MODEL, []))
        self.assertEqual(result["aggregated_text"], self.view(id_)["turns"][-1]["text"])
        self.assertRegex(result["response_id"], "^resp_")
        self.assertEqual(result["json_chunks"][-1], self.view(id_)["draft_intake"])
        contract().check(result["enriched_intake"], contract().schemas["IntakeForm"], "the form")
        self.assertTrue(result["enriched_prompt"].startswith(FACTS))

    def test_finalize_asks_only_when_it_must(self):
        id_ = self.conversation()
        empty = self.api.get("finalizeConversation", id=id_)
        self.assertEqual((empty["aggregated_text"], empty["enriched_intake"], empty["json_chunks"]), ("", None, []))
        self.turn(id_)
        asked = sum(self.rehearsal.asked().values())
        result = self.api.get("finalizeConversation", id=id_)
        self.assertEqual(sum(self.rehearsal.asked().values()), asked, "the draft of the turn is current")
        self.assertEqual(result["enriched_intake"]["scale"], "local")
        self.prepare(id_, "There will be a café, too. That is all.")
        result = self.api.get("finalizeConversation", id=id_)
        self.assertEqual(sum(self.rehearsal.asked().values()), asked + 1, "the form alone is asked for")
        self.assertIn("There will be a café", result["enriched_intake"]["conversation_summary"])

    def test_what_nobody_said_is_missing(self):
        id_ = self.conversation()
        result = self.follow_up(id_, "A shop")
        self.assertIsNone(result["enriched_intake"])
        self.assertIn("scale", result["missing_fields"])
        self.assertEqual(result["missing_fields"], self.view(id_)["missing_fields"])


class Refusals(TurnCase):
    def test_one_turn_at_a_time(self):
        id_, token, stream, _ = self.stuck_turn()
        with stream:
            for operation in ("prepareTurn", "runFollowup"):
                self.api.call(operation, 409, "CONVERSATION_BUSY", id=id_, body={"model_key": MODEL, "user_message": "Me too"})
            self.api.call("finalizeConversation", 409, "CONVERSATION_BUSY", id=id_)
            self.assertEqual(len(self.view(id_)["turns"]), 2, "a refused message is not stored")
        self.api.call("deleteConversation", 204, id=id_)

    def test_only_one_of_many_messages_wins(self):
        id_ = self.conversation()
        statuses = []
        lock = threading.Lock()

        def send():
            reply = Api(self.server).http.request("POST", "/api/conversations/%s/followups" % id_, {"Content-Type": "application/json"},
                                                  json.dumps({"model_key": MODEL, "user_message": FACTS}).encode())
            with lock:
                statuses.append(reply.status)
        self.slow(60)
        threads = [threading.Thread(target=send) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(sorted(statuses), [200] + [409] * 11)
        self.assertEqual([t["role"] for t in self.view(id_)["turns"]], ["user", "assistant"])

    def test_tokens_that_open_nothing(self):
        id_, other = self.conversation(), self.conversation()
        old = self.prepare(id_, "First thought")["token"]
        token = self.prepare(id_, "Second thought")["token"]
        cases = [("t_unknown", id_, {}, 404, "SESSION_NOT_FOUND"), (token, other, {}, 404, "SESSION_MISMATCH"),
                 (token, id_, {"modelKey": "another"}, 404, "SESSION_MISMATCH"), (old, id_, {}, 410, "SESSION_EXPIRED")]
        for wrong, conversation, query, status, code in cases:
            with self.subTest(code=code, query=query):
                with self.open(conversation, wrong, **query) as stream:
                    self.assertEqual(stream.reply.status, 200, "an EventSource cannot read the body of an error")
                    (event,) = list(stream)
                self.assertEqual((event.name, event.value["code"], event.value["retryable"]), ("response.error", code, False))
                self.api.call("streamTurn", status, code, id=conversation, query={"token": wrong, **query},
                              headers={"Accept": "application/json"})
        self.api.call("streamTurn", 422, "VALIDATION_FAILED", id=id_)
        self.assertEqual(self.rehearsal.asked(), {}, "no model was asked")
        with self.open(id_, token) as stream:
            self.assertEqual(names(list(stream))[-1], "final", "the good token still works")

    def test_conversations_that_are_not_there(self):
        body = {"model_key": MODEL, "user_message": "Hello"}
        for id_ in (UNKNOWN, "x" * 128):
            self.api.call("getConversation", 404, "CONVERSATION_NOT_FOUND", id=id_)
            self.api.call("deleteConversation", 404, "CONVERSATION_NOT_FOUND", id=id_)
            self.api.call("prepareTurn", 404, "CONVERSATION_NOT_FOUND", id=id_, body=body)
            self.api.call("runFollowup", 404, "CONVERSATION_NOT_FOUND", id=id_, body=body)
            self.api.call("finalizeConversation", 404, "CONVERSATION_NOT_FOUND", id=id_)
            self.api.call("createConversation", 404, "CONVERSATION_NOT_FOUND", body={"model_key": MODEL, "conversation_id": id_})

    def test_what_a_message_may_be(self):
        id_ = self.conversation()
        good = {"model_key": MODEL, "user_message": "Hello"}
        cases = [({"user_message": "  \n\t "}, "user_message"), ({"user_message": "x" * 50001}, "user_message"),
                 ({"user_message": None}, "user_message"),
                 ({"reasoning_effort": "extreme"}, "reasoning_effort"), ({"reasoning_summary": "long"}, "reasoning_summary"),
                 ({"text_verbosity": "loud"}, "text_verbosity"), ({"store": "yes"}, "store"), ({"metadata": []}, "metadata"),
                 ({"metadata": {"k": "v" * 16384}}, "metadata"), ({"instructions": "x" * 50001}, "instructions"),
                 ({"context": "x" * 200001}, "context")]
        for change, field in cases:
            for operation in ("prepareTurn", "runFollowup"):
                with self.subTest(field=field, operation=operation):
                    error = self.api.call(operation, 422, "VALIDATION_FAILED", id=id_, body={**good, **change}).json()
                    self.assertEqual(error["detail"][0]["loc"][:2], ["body", field])
        for model in ("", "auto", "no-such-model"):
            reply = self.api.call("prepareTurn", 422, id=id_, body={**good, "model_key": model}).json()
            self.assertIn(reply["code"], ("MODEL_UNAVAILABLE", "VALIDATION_FAILED"))
        self.api.call("createConversation", 422, "MODEL_UNAVAILABLE", body={"model_key": "no-such-model"})
        for name in ("schema_name", "schema_model"):
            self.api.call("prepareTurn", 422, "SCHEMA_MODEL_INVALID", id=id_, body={**good, name: "os.system"})
        self.assertEqual(self.view(id_)["turns"], [])
        self.prepare(id_, " " + "ü" * 50000 + " ")
        self.assertEqual(self.view(id_)["turns"][0]["text"], "ü" * 50000)

    def test_a_conversation_has_an_end(self):
        id_ = self.conversation()
        for number in range(400):
            self.prepare(id_, "Message %d" % number)
        self.api.call("prepareTurn", 422, "VALIDATION_FAILED", id=id_, body={"model_key": MODEL, "user_message": "One too many"})
        self.assertEqual(len(self.view(id_)["turns"]), 400)

    def test_switched_off(self):
        server = self.own_server(STREAMING_ENABLED="false")
        api = Api(server)
        self.assertFalse(api.get("getConfig")["streaming_enabled"])
        body = {"model_key": MODEL, "user_message": "Hello"}
        for operation, arguments in [
                ("createConversation", {"body": {"model_key": MODEL}}), ("getConversation", {}), ("deleteConversation", {}),
                ("prepareTurn", {"body": body}),
                ("runFollowup", {"body": body}), ("finalizeConversation", {}),
                ("streamTurn", {"query": {"token": "t_1"}, "headers": {"Accept": "*/*"}})]:
            with self.subTest(operation=operation):
                api.call(operation, 403, "STREAMING_DISABLED", **({} if operation == "createConversation" else {"id": UNKNOWN}),
                         **arguments)
        self.assertEqual(api.create(enriched_intake=form())["status"], "pending", "a form can still be sent")

    def test_nobody_to_ask(self):
        server = self.own_server(PLANEXE_REHEARSAL_URL=None, PLANEXE_BIND="0.0.0.0", PLANEXE_API_TOKENS="ann:" + "a" * 20)
        api = Api(server, token="a" * 20)
        api.call("createConversation", 422, "MODEL_UNAVAILABLE", body={"model_key": "gpt-5-mini-2025-08-07"})


class Failures(TurnCase):
    def expect_failed(self, id_, code, api=None, text=None):
        view = self.view(id_, api)
        last = view["turns"][-1]
        self.assertEqual((view["status"], view["last_error"]["code"], last["status"], last["error"]["code"]),
                         ("idle", code, "failed", code), view)
        if text is not None:
            self.assertEqual(last["text"], text)
        self.assertNotIn(SECRET, json.dumps(view))
        return view

    def expect_usable(self, id_, api=None):
        events = self.turn(id_, FACTS, api)
        self.assertEqual(names(events)[-1], "final")
        view = self.view(id_, api)
        self.assertEqual((view["status"], view["last_error"]), ("idle", None))

    def test_a_failing_turn_says_why_and_can_be_repeated(self):
        self.script({"status": 400, "body": {"error": {"message": SECRET, "type": "invalid_request_error", "code": None}}}, repeat=1,
                    call="intake/reply/2")
        id_ = self.conversation()
        events = self.turn(id_, FACTS)
        self.assertEqual(names(events), ["response.error"])
        self.assertNotIn(SECRET, events[0].data)
        self.expect_failed(id_, events[0].value["code"])
        self.turn(id_, FACTS)
        view = self.view(id_)
        self.assertEqual([(t["role"], t["status"]) for t in view["turns"]],
                         [("user", "completed"), ("assistant", "failed"), ("user", "completed"), ("assistant", "completed")])
        reply = [b for b in self.rehearsal.bodies() if b["metadata"]["call"] == "intake/reply/4"][0]
        self.assertEqual(json.dumps(reply["input"]).count("bicycle repair shop"), 1, "the repeated message is sent once")

    def test_failures_by_their_kind(self):
        for step, code, retryable in [({"answer": "refusal"}, "MODEL_REFUSED", False),
                                      ({"status": 400, "body": {"error": {"code": "context_length_exceeded", "message": SECRET}}},
                                       "CONTEXT_TOO_LONG", False)]:
            with self.subTest(code=code):
                self.rehearsal.reset()
                self.script(step, repeat=0, call="intake/reply/2")
                id_ = self.conversation()
                events = self.turn(id_)
                self.assertEqual((events[-1].name, events[-1].value["code"], events[-1].value["retryable"]),
                                 ("response.error", code, retryable))
                self.expect_failed(id_, code)
                id_ = self.conversation()
                self.script(step, repeat=0, call="intake/reply/2")
                error = self.api.call("runFollowup", 502, "PROVIDER_ERROR", id=id_, body={"model_key": MODEL, "user_message": FACTS}).json()
                self.assertIn(code, error["detail"])
                self.assertNotIn(SECRET, json.dumps(error))

    def test_a_refused_key(self):
        api = Api(self.own_server())
        self.script({"status": 401, "body": {"error": {"code": "invalid_api_key", "message": SECRET}}}, repeat=0, task="intake")
        id_ = self.conversation(api)
        events = self.turn(id_, api=api)
        self.assertEqual((events[-1].name, events[-1].value["code"]), ("response.error", "PROVIDER_AUTH"))
        self.expect_failed(id_, "PROVIDER_AUTH", api)

    def test_a_broken_answer_begins_anew(self):
        self.script({"connection": "reset", "after_events": FIRST_DELTA}, repeat=1, call="intake/reply/2")
        id_ = self.conversation()
        events = self.turn(id_)
        found = names(events)
        self.assertEqual((found.count("response.created"), found[-1]), (2, "final"), found)
        at = len(found) - 1 - found[::-1].index("response.created")
        self.assertEqual("".join(texts(events[at:])), events[-1].value["summary"]["text"])
        deltas = [e.value for e in events[at:] if e.name == "response.output_text.delta"]
        self.assertEqual(deltas[0]["aggregated"], deltas[0]["delta"], "what was given up counts no more")
        self.assertNotEqual(events[0].value["response_id"], events[at].value["response_id"])
        self.assertEqual([c[:2] for c in self.calls_of(id_) if c[0] == "intake_reply"], [("intake_reply", "abandoned"), ("intake_reply",
                                                                                                                         "completed")])

    def test_a_form_that_fails_costs_only_the_draft(self):
        self.script({}, repeat=0, call="intake/reply/2")
        self.script({"answer": "refusal"}, repeat=0, task="intake")
        id_ = self.conversation()
        events = self.turn(id_)
        self.assertEqual((names(events)[-1], events[-1].value["summary"]["json"]), ("final", []))
        self.api.call("finalizeConversation", 502, "PROVIDER_ERROR", id=id_)
        self.rehearsal.reset()
        self.assertIsNotNone(self.api.get("finalizeConversation", id=id_)["enriched_intake"])

    def test_deletion_in_the_middle(self):
        before = self.rehearsal.counters()["running"]
        id_, token, stream, _ = self.stuck_turn()
        self.assertEqual(self.rehearsal.counters()["running"], before + 1)
        self.api.call("deleteConversation", 204, id=id_)
        with stream:
            rest = list(stream)
        self.assertEqual((rest[-1].name, rest[-1].value["code"]), ("response.error", "CANCELLED"))
        self.api.call("getConversation", 404, "CONVERSATION_NOT_FOUND", id=id_)
        self.api.call("deleteConversation", 404, "CONVERSATION_NOT_FOUND", id=id_)
        self.api.call("streamTurn", 404, "SESSION_NOT_FOUND", id=id_, query={"token": token}, headers={"Accept": "application/json"})
        self.assertTrue(eventually(lambda: self.rehearsal.counters()["running"] == before, 10), "the calls are cancelled")
        for table, column in [("conversations", "id"), ("conversation_turns", "conversation_id"), ("llm_interactions", "owner_id")]:
            self.assertEqual(self.rows("SELECT %s FROM %s WHERE %s = ?" % (column, table, column), id_), [], table)

    def test_killed_in_the_middle(self):
        server = self.own_server()
        api = Api(server)
        id_, token, stream, events = self.stuck_turn(api)
        server.kill()
        with stream:
            try:
                rest = list(stream)
            except (Broken, ConnectionError):
                rest = []
        self.assertNotIn("final", names(rest))
        self.rehearsal.reset()
        server.start()
        api = Api(server)
        self.expect_failed(id_, "SHUTTING_DOWN", api)
        api.call("streamTurn", 404, "SESSION_NOT_FOUND", id=id_, query={"token": token}, headers={"Accept": "application/json"})
        self.assertEqual({status for _, status, _ in self.calls_of(id_, server.box)} & {"pending", "running"}, set())
        self.expect_usable(id_, api)

    def test_a_killed_form_leaves_no_open_call(self):
        server = self.own_server()
        api = Api(server)
        id_ = self.conversation(api)
        self.prepare(id_, FACTS, api)
        self.script({"delay": {"first_event": 120000}}, repeat=0, task="intake")
        waiting = threading.Thread(target=lambda: self.assertRaises(Exception, Api(server).get, "finalizeConversation", id=id_))
        waiting.start()
        self.assertTrue(eventually(lambda: [c[1] for c in self.calls_of(id_, server.box)] == ["running"], 20))
        server.kill()
        waiting.join(20)
        self.rehearsal.reset()
        server.start()
        self.assertTrue(eventually(lambda: [c[1] for c in self.calls_of(id_, server.box)] == ["abandoned"], 20),
                        self.calls_of(id_, server.box))
        self.assertEqual(Api(server).get("finalizeConversation", id=id_)["enriched_intake"]["scale"], "local")

    def test_stopped_in_the_middle(self):
        server = self.own_server()
        api = Api(server)
        id_, _, stream, events = self.stuck_turn(api)
        other = self.conversation(api)
        answers = []

        def wait_for_a_whole_turn():
            answers.append(Api(server).call("runFollowup", 503, "SHUTTING_DOWN", id=other,
                                            body={"model_key": MODEL, "user_message": FACTS}))
        waiting = threading.Thread(target=wait_for_a_whole_turn)
        waiting.start()
        self.assertTrue(eventually(lambda: self.view(other, api)["status"] == "running", 20))
        self.assertEqual(server.stop(20), 0)
        with stream:
            events += list(stream)
        waiting.join(20)
        self.assertEqual(len(answers), 1, "who waits for a whole turn is told, too")
        self.assertEqual((events[-1].name, events[-1].value["code"], events[-1].value["retryable"]),
                         ("response.error", "SHUTTING_DOWN", True))
        self.assertIn(("intake_reply", "cancelled"), [call[:2] for call in self.calls_of(id_, server.box)])
        self.assertEqual({call[1] for call in self.calls_of(id_, server.box)} & {"pending", "running"}, set())
        self.rehearsal.reset()
        server.start()
        api = Api(server)
        self.expect_failed(id_, "SHUTTING_DOWN", api, "".join(texts(events)))
        self.expect_failed(other, "SHUTTING_DOWN", api)
        self.expect_usable(id_, api)


if __name__ == "__main__":
    server_harness.main()
