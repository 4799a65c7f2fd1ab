#!/usr/bin/env python3
"""The calls that the web client of the reference makes, in the order it makes them, and what it does with the answers: what
it reads must be there, with the type it expects, and its state must come out right."""
import datetime
import json
import re
import threading
import urllib.parse

import harness
import server_harness
from harness import PROMPT
from server_harness import ServerCase
from server_wire import Closed, EventStream, Http, Socket

PAGE = "http://localhost:3000"
STATUSES = ("pending", "running", "completed", "failed", "cancelled")
GROUPS = ("setup", "initial_analysis", "strategic_planning", "scenario_planning", "contextual_analysis", "assumption_management",
          "project_planning",
          "governance", "resource_planning", "documentation", "work_breakdown", "scheduling", "reporting", "completion")
# What a value must be: a type, several types, values, a list of one kind, or fields.
TEXT, NUMBER, OPTIONAL_TEXT = str, (int, float), (str, type(None))
PLAN = {"plan_id": TEXT, "status": STATUSES, "created_at": "time", "prompt": TEXT, "llm_model": OPTIONAL_TEXT,
        "speed_vs_detail": ("all_details_but_slow", "balanced_speed_and_detail", "fast_but_skip_details"),
        "reasoning_effort": ("minimal", "low", "medium", "high"),
        "progress_percentage": NUMBER, "progress_message": TEXT, "error_message": OPTIONAL_TEXT, "output_dir": TEXT,
        "enriched_intake": (dict, type(None))}
ENTRY = {"filename": TEXT, "content_type": TEXT, "stage": (*GROUPS, None), "size_bytes": int, "created_at": "time", "description": TEXT,
         "task_name": OPTIONAL_TEXT, "order": int}
USAGE = {"input_tokens": int, "output_tokens": int, "total_tokens": int}
FINALIZED = {"conversation_id": TEXT, "response_id": OPTIONAL_TEXT, "model_key": TEXT, "aggregated_text": TEXT, "reasoning_text": TEXT,
             "json_chunks": [dict],
             "usage": USAGE, "completed_at": "time"}


class ClientError(Exception):
    """What the client shows: the field `error` of the answer."""


def parse_time(text):
    """As a browser reads it: without a zone it would be taken for local time."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text):
        raise AssertionError("a browser would misread the time %r" % text)
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def expect(value, shape, place="answer"):
    """The value can be used as the client uses it; more fields may be there."""
    if shape == "time":
        expect(value, str, place)
        parse_time(value)
    elif isinstance(shape, dict):
        expect(value, dict, place)
        for name, part in shape.items():
            if name not in value:
                raise AssertionError("%s lacks %s" % (place, name))
            expect(value[name], part, place + "." + name)
    elif isinstance(shape, list):
        expect(value, list, place)
        for at, member in enumerate(value):
            expect(member, shape[0], "%s[%d]" % (place, at))
    elif isinstance(shape, tuple) and not isinstance(shape[0], type):
        if value not in shape:
            raise AssertionError("%s is %r, none of %s" % (place, value, shape))
    elif not isinstance(value, shape) or isinstance(value, bool) and shape is not bool:
        raise AssertionError("%s is %r, expected %s" % (place, value, shape))
    return value


class ReferenceClient:
    """The client file, call by call. It runs in a page of another origin, as in development."""

    def __init__(self, port):
        self.port, self.http = port, Http(port)

    def fetch(self, method, path, body=None, as_json=True):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Origin": PAGE, "Accept": "*/*", **({"Content-Type": "application/json"} if body is not None else {})}
        reply = self.http.request(method, path, headers, data if data is not None or method == "GET" or method == "DELETE" else b"")
        if reply.header("Access-Control-Allow-Origin") != PAGE:
            raise AssertionError("a browser would keep this answer from the page: " + str(reply))
        if reply.status >= 400:
            raise ClientError(expect(reply.json()["error"], TEXT))
        return reply.json() if as_json else reply

    def get_health(self):
        return expect(self.fetch("GET", "/health"), {"status": ("healthy", "degraded", "unhealthy"), "version": TEXT,
                                                     "planexe_version": TEXT, "available_models": int})

    def get_models(self):
        return expect(self.fetch("GET", "/api/models"), [{"id": TEXT, "label": TEXT, "comment": TEXT, "priority": int,
                                                          "requires_api_key": bool}])

    def get_prompts(self):
        return expect(self.fetch("GET", "/api/prompts"), [{"uuid": TEXT, "prompt": TEXT, "title": TEXT}])

    def get_config(self):
        return expect(self.fetch("GET", "/api/config"),
                      {"reasoning_effort_streaming_default": TEXT, "reasoning_effort_conversation_default": TEXT,
                                                         "reasoning_summary_default": TEXT, "text_verbosity_default": TEXT,
                                                         "max_output_tokens_default": (int, type(None)), "streaming_enabled": bool})

    def create_plan(self, **request):
        return expect(self.fetch("POST", "/api/plans", request), PLAN)

    def get_plans(self):
        return expect(self.fetch("GET", "/api/plans"), [PLAN])

    def get_plan(self, plan_id):
        return expect(self.fetch("GET", "/api/plans/" + plan_id), PLAN)

    def get_plan_artefacts(self, plan_id):
        return expect(self.fetch("GET", "/api/plans/%s/artefacts" % plan_id), {"plan_id": TEXT, "artefacts": [ENTRY]})["artefacts"]

    def get_plan_files(self, plan_id):
        return expect(self.fetch("GET", "/api/plans/%s/files" % plan_id), {"plan_id": TEXT, "files": [ENTRY], "has_report": bool})

    def download_file(self, plan_id, filename):
        return self.fetch("GET", "/api/plans/%s/files/%s" % (plan_id, filename), as_json=False)  # the name goes in as it is

    def download_report(self, plan_id):
        return self.fetch("GET", "/api/plans/%s/report" % plan_id, as_json=False)

    def get_fallback_report(self, plan_id):
        return expect(self.fetch("GET", "/api/plans/%s/fallback-report" % plan_id), {
            "plan_id": TEXT, "generated_at": "time", "completion_percentage": NUMBER, "assembled_html": TEXT,
            "sections": [{"filename": TEXT, "stage": OPTIONAL_TEXT, "content_type": TEXT, "content": TEXT}],
            "missing_sections": [{"filename": TEXT, "stage": OPTIONAL_TEXT, "reason": TEXT}]})

    def get_assembled_document(self, plan_id):
        return expect(self.fetch("GET", "/api/plans/%s/assembled-document" % plan_id), {
            "plan_id": TEXT, "markdown": TEXT, "word_count": int, "section_count": int, "last_updated": OPTIONAL_TEXT,
            "sections": [{"id": TEXT, "task_name": TEXT, "stage": TEXT, "content": TEXT, "created_at": "time", "is_final": bool}]})

    def cancel_plan(self, plan_id):
        return expect(self.fetch("DELETE", "/api/plans/" + plan_id), {"message": TEXT})

    # ---- conversations
    def create_conversation(self, **request):
        return expect(self.fetch("POST", "/api/conversations", request), {"conversation_id": TEXT, "model_key": TEXT, "created": bool})

    def create_conversation_request(self, id_, **request):
        return expect(self.fetch("POST", "/api/conversations/%s/requests" % id_, request),
                      {"token": TEXT, "conversation_id": TEXT, "model_key": TEXT, "expires_at": "time", "ttl_seconds": int})

    def stream_conversation(self, id_, token, model_key):
        query = urllib.parse.urlencode({"token": token, "modelKey": model_key})
        return EventStream(self.port, "/api/conversations/%s/stream?%s" % (id_, query), {"Origin": PAGE})

    def finalize_conversation(self, id_):
        return expect(self.fetch("POST", "/api/conversations/%s/finalize" % id_), FINALIZED)

    def conversation_followup(self, id_, **request):
        return expect(self.fetch("POST", "/api/conversations/%s/followups" % id_, request), FINALIZED)

    # ---- analysis
    def create_analysis(self, **request):
        return expect(self.fetch("POST", "/api/stream/analyze", request),
                      {"sessionId": TEXT, "taskId": TEXT, "modelKey": TEXT, "expiresAt": "time", "ttlSeconds": int})

    def stream_analysis(self, session):
        parts = [urllib.parse.quote(session[name], safe="") for name in ("taskId", "modelKey", "sessionId")]
        return EventStream(self.port, "/api/stream/analyze/" + "/".join(parts), {"Origin": PAGE})

    def open_progress(self, plan_id):
        return Socket(self.port, "/ws/plans/%s/progress" % plan_id, {"Origin": PAGE})


class Monitor:
    """The page of one plan: what it makes of the messages of the socket."""

    def __init__(self):
        self.status, self.percentage, self.message, self.ended = None, None, "", None
        self.streams, self.tasks, self.unknown, self.dropped, self.progress = {}, {}, set(), 0, []

    def take(self, message):
        if not message.get("timestamp"):
            self.dropped += 1
            return
        parse_time(message["timestamp"])
        kind = message.get("type")
        if kind == "status":
            self.status = expect(message["status"], STATUSES, "status")
            self.message = expect(message["message"], TEXT)
            self.percentage = expect(message["progress_percentage"], NUMBER)
            self.progress.append(self.percentage)
        elif kind == "log":
            self.read_log_line(expect(message["message"], TEXT))
        elif kind == "llm_stream":
            self.take_stream(message)
        elif kind == "stream_end":
            self.ended = expect(message["message"], TEXT)
        elif kind not in ("connection", "heartbeat", "error"):
            self.unknown.add(kind)

    def read_log_line(self, line):
        for pattern, state in [(r"Running task (\w+?)Task\b", "running"), (r"(\w+?)Task is complete", "completed"),
                               (r"(\w+?)Task FAILED: (.+)", "failed")]:
            if found := re.search(pattern, line):
                self.tasks[found[1]] = state
                return

    def take_stream(self, message):
        expect(message, {"stage": TEXT, "interaction_id": int, "event": TEXT, "sequence": int, "data": dict}, "llm_stream")
        one = self.streams.setdefault(message["interaction_id"], {"stage": message["stage"], "text": "", "reasoning": [],
                                                                  "status": "running",
                                                                  "prompt": None, "usage": None, "deltas": "", "streamed": []})
        data, event = message["data"], message["event"]
        if event == "start":
            one["prompt"] = expect(data["prompt_preview"], TEXT)
        elif event == "text_delta":
            one["text"] += expect(data["delta"], TEXT)
        elif event == "reasoning_delta":
            one["reasoning"].append(expect(data["delta"], TEXT))
        elif event == "final":
            one["deltas"], one["streamed"] = one["text"], "\n".join(one["reasoning"])
            one["text"], one["reasoning"] = expect(data["text"], TEXT), expect(data["reasoning"], TEXT)
            one["usage"] = expect(data["usage"], USAGE)
            expect(data["raw_payload"], dict)
        elif event == "end":
            one["status"] = expect(data["status"], ("completed", "failed", "cancelled"))
            expect(data["error"], OPTIONAL_TEXT)


class ReferenceCase(ServerCase):
    def setUp(self):
        super().setUp()
        self.client = ReferenceClient(self.server.port)

    def begin_slowly(self):
        """The first call of a plan takes a moment, so that the socket is open in time."""
        self.script({"delay": {"first_event": 700}}, repeat=1, task="redline_gate")

    def watch(self, plan_id, monitor, until=None):
        """Reads the socket until it is closed, or a condition holds; the close code."""
        with self.client.open_progress(plan_id) as socket:
            while not (until and until(monitor)):
                try:
                    monitor.take(socket.next(60))
                except Closed as closed:
                    return closed.code
        return None


class APlan(ReferenceCase):
    def test_from_the_front_page_to_the_report(self):
        self.assertIn(self.client.get_health()["status"], ("healthy", "degraded"))
        models = self.client.get_models()
        self.assertEqual(models, sorted(models, key=lambda m: (m["priority"], m["id"])))
        self.assertTrue(self.client.get_prompts())
        self.assertTrue(self.client.get_config()["streaming_enabled"])
        self.begin_slowly()
        made = self.client.create_plan(prompt=PROMPT, llm_model=models[0]["id"], speed_vs_detail="all_details_but_slow",
                                       reasoning_effort="medium")
        monitor = Monitor()
        self.assertEqual(self.watch(made["plan_id"], monitor), 1000, "no other code keeps this client from coming back")
        self.check_monitor(monitor, made["plan_id"])
        self.check_results(made["plan_id"])

    def check_monitor(self, monitor, plan_id):
        plan = self.client.get_plan(plan_id)
        self.assertEqual((monitor.status, monitor.percentage, plan["status"], plan["progress_percentage"]),
                         ("completed", 100, "completed", 100))
        self.assertTrue(monitor.ended)
        self.assertEqual(monitor.dropped, 0, "messages without a time are lost to it")
        self.assertEqual(monitor.progress, sorted(monitor.progress))
        self.assertEqual(set(monitor.tasks.values()), {"completed"})
        self.assertGreaterEqual(len(monitor.tasks), harness.TASKS - 2, "two are over at once, before a socket is open")
        self.assertGreater(len(monitor.streams), 50)
        for number, one in monitor.streams.items():
            stored = self.api.get("getInteraction", id=plan_id, interaction_id=number)
            self.assertEqual((one["status"], one["stage"]), (stored["status"], stored["task_key"]))
            if one["status"] != "completed":
                continue
            self.assertEqual((one["text"], one["reasoning"]), (stored["response_text"], stored["reasoning_text"] or ""))
            self.assertTrue(stored["prompt_text"].startswith(one["prompt"][:50]) or one["prompt"][:50] in stored["prompt_text"])
            self.assertIn(one["deltas"], ("", one["text"]))
            # The client puts a line break between two deltas: none may fall into a word.
            self.assertIn(one["streamed"].split(), ([], one["reasoning"].split()))

    def check_results(self, plan_id):
        artefacts = self.client.get_plan_artefacts(plan_id)
        groups = {}
        for one in sorted(artefacts, key=lambda a: a["order"]):
            groups.setdefault(one["stage"], []).append(one["filename"])
        self.assertEqual(set(groups) - {"completion"}, set(GROUPS) - {"completion"},
                         "each group of the page has its files, and none is left over")
        self.assertEqual([a["filename"] for a in artefacts], list(dict.fromkeys(a["filename"] for a in artefacts)))
        files = self.client.get_plan_files(plan_id)
        self.assertTrue(files["has_report"])
        self.assertLessEqual({a["filename"] for a in artefacts}, {f["filename"] for f in files["files"]})
        for one in files["files"]:
            reply = self.client.download_file(plan_id, one["filename"])
            self.assertIn("attachment", reply.header("Content-Disposition"))
            if one["filename"] != "log.txt":
                self.assertEqual(len(reply.body), one["size_bytes"], one["filename"])
        report = self.client.download_report(plan_id)
        self.assertTrue(report.header("Content-Type").startswith("text/html"), "it asks for nothing special")
        self.assertIn("</html>", report.text)
        fallback = self.client.get_fallback_report(plan_id)
        self.assertEqual((fallback["completion_percentage"], fallback["missing_sections"]), (100, []))
        document = self.client.get_assembled_document(plan_id)
        self.assertEqual(document["section_count"], len(document["sections"]))
        self.assertGreater(document["word_count"], 1000)
        self.assertTrue(any(plan["plan_id"] == plan_id for plan in self.client.get_plans()))

    def test_a_page_loaded_again_in_the_middle(self):
        self.hold("swot_analysis")
        made = self.client.create_plan(prompt=PROMPT)
        self.addCleanup(self.forget, self.api, made["plan_id"])
        self.api.wait_task(made["plan_id"], "swot_analysis", "running")
        monitor = Monitor()
        self.watch(made["plan_id"], monitor, until=lambda m: m.status)
        self.assertEqual(monitor.status, "running", "it ignores snapshots and needs the status once more")
        self.assertGreater(monitor.percentage, 0)

    def test_a_failed_plan_says_why(self):
        self.begin_slowly()
        self.refuse(task="swot_analysis")
        made = self.client.create_plan(prompt=PROMPT)
        monitor = Monitor()
        self.assertEqual(self.watch(made["plan_id"], monitor), 1000)
        plan = self.client.get_plan(made["plan_id"])
        self.assertEqual((monitor.status, plan["status"]), ("failed", "failed"))
        self.assertTrue(plan["error_message"])
        self.assertEqual([name for name, state in monitor.tasks.items() if state == "failed"], ["SwotAnalysis"])
        fallback = self.client.get_fallback_report(made["plan_id"])
        self.assertTrue(fallback["missing_sections"])
        self.assertLess(fallback["completion_percentage"], 100)
        self.assertIn("<", fallback["assembled_html"])
        self.assertGreater(self.client.get_assembled_document(made["plan_id"])["section_count"], 0)

    def test_stop_is_delete(self):
        self.hold()
        made = self.client.create_plan(prompt=PROMPT)
        monitor, codes = Monitor(), []
        thread = threading.Thread(target=lambda: codes.append(self.watch(made["plan_id"], monitor)))
        thread.start()
        self.assertTrue(harness.eventually(lambda: monitor.status))
        self.client.cancel_plan(made["plan_id"])
        thread.join(30)
        self.assertEqual((codes, bool(monitor.ended)), ([1000], True))
        with self.assertRaisesRegex(ClientError, "plan"):
            self.client.get_plan(made["plan_id"])
        with self.assertRaises(ClientError):
            self.client.cancel_plan(made["plan_id"])

    def test_a_plan_that_is_not_there(self):
        for _ in range(3):  # it does not take the code for an answer and comes again
            with self.client.open_progress("PlanExe_00000000-0000-4000-8000-000000000000") as socket:
                with self.assertRaises(Closed) as closed:
                    while True:
                        socket.next(20)
                self.assertEqual(closed.exception.code, 4404)

    def test_what_is_wrong_is_said_in_the_field_it_reads(self):
        for request in ({"prompt": ""}, {"prompt": "x" * 50001}, {"prompt": PROMPT, "llm_model": "no-such-model"},
                        {"prompt": PROMPT, "speed_vs_detail": "warp"}):
            with self.assertRaises(ClientError) as failure:
                self.client.create_plan(**request)
            self.assertGreater(len(str(failure.exception)), 10)

    def test_a_plan_that_has_not_begun(self):
        client = ReferenceClient(self.own_server(PLANEXE_MAX_CONCURRENT_PLANS="1").port)
        self.hold()
        client.create_plan(prompt=PROMPT)
        plan_id = client.create_plan(prompt=PROMPT)["plan_id"]  # it waits for the other one
        self.assertEqual(client.get_plan(plan_id)["status"], "pending")
        self.assertEqual((client.get_plan_artefacts(plan_id), client.get_plan_files(plan_id)["files"]), ([], []))
        self.assertEqual(client.get_assembled_document(plan_id)["sections"], [])
        for missing in (client.download_report, client.get_fallback_report):
            with self.assertRaises(ClientError):
                missing(plan_id)


class AConversation(ReferenceCase):
    INSTRUCTIONS = "You are a friendly intake agent. Never fill in a form."

    def read_turn(self, stream):
        """What the page holds after a turn: text, reasoning, JSON chunks, the final summary or the error."""
        state = {"text": "", "reasoning": "", "json": [], "final": None, "error": None, "events": []}
        with stream:
            self.assertTrue(stream.open, str(stream.reply))
            for event in stream:
                data = json.loads(event.data)
                expect(data, {"conversation_id": TEXT, "model_key": TEXT, "session_id": TEXT}, event.name)
                state["events"].append(event.name)
                if event.name == "response.output_text.delta":
                    state["text"] = expect(data["aggregated"], TEXT)
                elif event.name == "response.reasoning_summary_text.delta":
                    state["reasoning"] = expect(data["aggregated"], TEXT)
                elif event.name == "response.output_json.delta":
                    state["json"].append(expect(data["delta"], dict))
                elif event.name == "response.error":
                    state["error"] = expect(data["message"], TEXT)
                elif event.name == "final":
                    state["final"] = expect(data, {"response": dict, "summary": {"response_id": OPTIONAL_TEXT, "text": TEXT,
                                                                                 "reasoning": TEXT, "json": [dict],
                                                                                 "usage": USAGE}})["summary"]
                    break  # it closes its EventSource here
        return state

    def test_an_intake_and_its_plan(self):
        model = self.client.get_models()[0]["id"]
        id_ = self.client.create_conversation(model_key=model)["conversation_id"]
        turn = {"model_key": model, "instructions": self.INSTRUCTIONS, "metadata": {"source": "landing"}, "store": True,
                "reasoning_effort": self.client.get_config()["reasoning_effort_conversation_default"], "reasoning_summary": "detailed",
                "text_verbosity": "high",
                "schema_name": "EnrichedPlanIntake", "schema_model": "planexe.intake.enriched_plan_intake.EnrichedPlanIntake"}
        session = self.client.create_conversation_request(id_, user_message=PROMPT, **turn)
        state = self.read_turn(self.client.stream_conversation(id_, session["token"], model))
        self.assertEqual((state["error"], state["text"]), (None, state["final"]["text"]))
        again = self.client.create_conversation(model_key=model, conversation_id=id_)
        self.assertEqual((again["created"], again["conversation_id"]), (False, id_))
        session = self.client.create_conversation_request(id_, user_message="We are 3 people. That is all.",
                                                          previous_response_id=state["final"]["response_id"], **turn)
        state = self.read_turn(self.client.stream_conversation(id_, session["token"], model))
        form = state["final"]["json"][-1]
        self.assertEqual(form["original_prompt"], PROMPT, "the last chunk opens the review")
        result = self.client.finalize_conversation(id_)
        self.assertEqual(result["json_chunks"][-1], form)
        plan = self.client.create_plan(prompt=PROMPT, llm_model=model, enriched_intake=result["json_chunks"][-1])
        self.addCleanup(self.forget, self.api, plan["plan_id"])
        self.assertEqual(plan["enriched_intake"]["project_title"], form["project_title"])

    def test_a_turn_that_fails_and_is_tried_again(self):
        model = self.client.get_models()[0]["id"]
        id_ = self.client.create_conversation(model_key=model)["conversation_id"]
        self.script({"status": 400, "body": {"error": {"message": "no"}}}, repeat=1, call="intake/reply/2")
        session = self.client.create_conversation_request(id_, model_key=model, user_message=PROMPT)
        state = self.read_turn(self.client.stream_conversation(id_, session["token"], model))
        self.assertTrue(state["error"])
        self.assertEqual(state["events"][-1], "response.error", "nothing follows an error")
        self.assertIsNone(state["final"])
        result = self.client.conversation_followup(id_, model_key=model, user_message=PROMPT)
        self.assertTrue(result["aggregated_text"])
        state = self.read_turn(self.client.stream_conversation(id_, "t_wrong", model))
        self.assertTrue(state["error"], "the body of an HTTP error cannot be read by an EventSource")

    def test_an_analysis(self):
        model = self.client.get_models()[0]["id"]
        session = self.client.create_analysis(task_id="plan-review", model_key=model, prompt="Name the risks.", context=PROMPT,
                                              metadata={"view": "risks"},
                                              reasoning_effort="high", stage="review")
        chunks, end = {"text": [], "reasoning": [], "json": []}, None
        with self.client.stream_analysis(session) as stream:
            for event in stream:
                data = json.loads(event.data)
                expect(data, {"taskId": TEXT, "modelKey": TEXT}, event.name)
                if event.name == "stream.init":
                    expect(data, {"sessionId": TEXT, "connectedAt": "time", "expiresAt": "time"})
                elif event.name == "stream.status":
                    expect(data, {"status": TEXT})
                elif event.name == "stream.chunk":
                    chunks[expect(data["kind"], ("text", "reasoning", "json"))].append(expect(data["delta"], TEXT))
                elif event.name == "stream.complete":
                    end = expect(data, {"sessionId": TEXT, "responseSummary": {"analysis": TEXT, "reasoning": TEXT, "tokenUsage": USAGE,
                                                                               "responseId": OPTIONAL_TEXT},
                                        "deltas": {"text": [TEXT], "reasoning": [TEXT], "json": [(str, dict)]}, "metadata": dict})
        self.assertEqual("".join(chunks["text"]), end["responseSummary"]["analysis"])
        self.assertEqual(end["deltas"]["text"], chunks["text"])


if __name__ == "__main__":
    server_harness.main()
