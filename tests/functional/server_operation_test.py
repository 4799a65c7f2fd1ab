#!/usr/bin/env python3
"""What those who run the server look at: metrics, the log, prices, and how it ends."""
import json
import re
import socket as sockets
import threading
import time

import server_harness
from harness import PROMPT, eventually
from server_harness import Api, Server, ServerCase
from server_wire import Broken, Closed, Wire, exchange, request_bytes

UNKNOWN = "PlanExe_00000000-0000-4000-8000-000000000000"
TOKEN = "operator-0123456789abcdef"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)$")


class Exposition:
    """The text format 0.0.4, read strictly."""

    def __init__(self, text):
        assert text.endswith("\n"), "the last line has no end"
        self.kinds, self.samples, helped, family = {}, {}, set(), None
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                family = line.split(" ", 3)[2]
                assert family not in helped and len(line.split(" ", 3)) == 4, line
                helped.add(family)
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name == family and name not in self.kinds, line
                assert kind in ("counter", "gauge", "histogram"), line
                self.kinds[name] = kind
            else:
                self.take(line, family)
        assert helped == set(self.kinds)
        for name, kind in self.kinds.items():
            if kind == "histogram":
                self.check_histogram(name)
            elif kind == "counter":
                assert name.endswith("_total"), name

    def take(self, line, family):
        found = SAMPLE.match(line)
        assert found, "no sample: %r" % line
        name, text, value = found.groups()
        base = re.sub("_(bucket|sum|count)$", "", name) if self.kinds[family] == "histogram" else name
        assert base == family, "%s stands below %s" % (name, family)
        labels, rest = {}, text or ""
        while rest:
            label = LABEL.match(rest)
            assert label and label[1] not in labels, line
            labels[label[1]] = label[2]
            rest = rest[label.end():]
        key = (name, tuple(sorted(labels.items())))
        assert key not in self.samples, "twice: " + line
        self.samples[key] = float(value)
        assert self.kinds[family] != "counter" or self.samples[key] >= 0, line

    def check_histogram(self, name):
        series = {}
        for (sample, labels), value in self.samples.items():
            if sample == name + "_bucket":
                bound = dict(labels)["le"]
                series.setdefault(tuple(l for l in labels if l[0] != "le"), []).append((float(bound), value))
        for labels, buckets in series.items():
            counts = [value for _, value in sorted(buckets)]
            assert counts == sorted(counts) and sorted(buckets)[-1][0] == float("inf"), (name, labels)
            assert counts[-1] == self.samples[(name + "_count", labels)], (name, labels)
            assert (name + "_sum", labels) in self.samples

    def value(self, name, **labels):
        """The sum of all series with these labels."""
        return sum(value for (other, given), value in self.samples.items() if other == name and set(labels.items()) <= set(given))


def metrics(api):
    return Exposition(api.call("getMetrics").text)


class Metrics(ServerCase):
    def read(self):
        return metrics(self.api)

    def expect(self, wanted, name, seconds=20, **labels):
        """The series comes to this value."""
        if not eventually(lambda: self.read().value(name, **labels) == wanted, seconds, 0.05):
            self.fail("%s%s is %s, not %s" % (name, labels, self.read().value(name, **labels), wanted))

    def test_a_plan_counts_where_it_should(self):
        before = self.read()
        plan = self.api.completed()
        after = self.read()
        grown = lambda name, **labels: after.value(name, **labels) - before.value(name, **labels)
        self.assertEqual(grown("planexe_plans", state="completed"), 1)
        self.assertEqual(grown("planexe_plan_transitions_total", state="completed"), 1)
        self.assertEqual(grown("planexe_queue_wait_seconds_count"), 1)
        self.assertEqual(grown("planexe_tasks_total", task="swot_analysis", state="completed"), 1)
        self.assertEqual(grown("planexe_task_seconds_count", task="swot_analysis"), 1)
        usage = plan["usage"]
        self.assertEqual(grown("planexe_llm_attempts_total", provider="rehearsal", status="completed"), usage["llm_calls"])
        self.assertEqual(grown("planexe_llm_limit_wait_seconds_count", provider="rehearsal"), usage["llm_calls"])
        self.assertEqual(grown("planexe_llm_attempt_seconds_count"), usage["llm_calls"])
        for kind in ("input", "cached_input", "output", "reasoning"):
            self.assertEqual(grown("planexe_llm_tokens_total", kind=kind), usage[kind + "_tokens"], kind)
        self.assertAlmostEqual(grown("planexe_llm_cost_dollars_total"), usage["cost_micros"] / 1e6, 6)
        self.assertGreater(after.value("planexe_database_seconds_count", operation="read"), 0)
        self.assertEqual(after.value("planexe_database_up"), 1)
        self.assertEqual(after.value("planexe_build_info"), 1)
        self.assertAlmostEqual(after.value("planexe_start_time_seconds"), time.time(), delta=600)

    def test_plans_by_state(self):
        held = self.held_plan()
        cancelled = self.held_plan()
        self.api.call("cancelPlan", id=cancelled)
        self.api.wait(cancelled, "cancelled")
        found = self.read()
        for state in ("pending", "running", "completed", "failed", "cancelled"):
            listed = self.api.get("listPlans", query={"status": state, "limit": 200})
            self.assertEqual(found.value("planexe_plans", state=state), len(listed), state)
        self.assertEqual(found.value("planexe_plans", state="running"), 1)
        self.assertEqual(found.value("planexe_queue_plans", state="running"), 1)
        self.api.call("deletePlan", id=held)
        self.expect(0, "planexe_plans", state="running")

    def test_failed_tasks_and_retried_calls(self):
        self.script({"status": 503, "headers": {"retry-after": "0"}}, {"answer": "missing_key"}, repeat=1, task="swot_analysis")
        before = self.read()
        self.api.completed()
        after = self.read()
        grown = lambda name, **labels: after.value(name, **labels) - before.value(name, **labels)
        self.assertEqual(grown("planexe_llm_retries_total", reason="retry"), 1)
        self.assertEqual(grown("planexe_llm_retries_total", reason="repair"), 1)
        self.assertGreaterEqual(grown("planexe_llm_attempts_total", status="failed"), 1)
        self.failed_plan()
        self.assertEqual(self.read().value("planexe_tasks_total", task="swot_analysis", state="failed"), 1)
        self.assertGreater(self.read().value("planexe_tasks_total", state="blocked"), 0)
        self.assertEqual(self.read().value("planexe_llm_breaker_state", provider="rehearsal"), 0)

    def test_a_refused_key_opens_the_breaker(self):
        server = self.own_server()
        api = Api(server)
        self.script({"status": 401, "body": {"error": {"message": "wrong key", "type": "authentication_error", "code": "invalid_api_key", "param": None}}}, repeat=0)
        plan = api.wait(api.create()["plan_id"])
        self.assertEqual((plan["status"], plan["error_code"]), ("failed", "PROVIDER_AUTH"))
        self.assertEqual(metrics(api).value("planexe_llm_breaker_state", provider="rehearsal"), 2)

    def test_streams(self):
        before = self.read()
        plan_id = self.held_plan()
        with self.api.socket(plan_id) as one, self.api.socket(plan_id) as two, self.api.stream(id=plan_id) as events:
            one.next(), two.next(), next(iter(events))
            self.expect(2, "planexe_streams", kind="socket")
            self.expect(1, "planexe_streams", kind="events")
            self.assertTrue(eventually(lambda: self.read().value("planexe_http_connections") >= 3, 20))
        self.expect(0, "planexe_streams", kind="socket")
        self.expect(0, "planexe_streams", kind="events")
        for route, status, count in (("/ws/plans/{plan_id}/progress", "101", 2), ("/api/plans/{id}/stream", "200", 1)):
            labels = {"route": route, "status": status}
            self.expect(before.value("planexe_http_requests_total", **labels) + count, "planexe_http_requests_total", **labels)

    def test_streams_of_turns_and_analyses(self):
        self.script({"connection": "stall", "after_events": 3}, repeat=0)
        model = self.api.get("listModels")[0]["id"]
        conversation = self.api.call("createConversation", body={"model_key": model}).json()["conversation_id"]
        token = self.api.call("prepareTurn", id=conversation, body={"model_key": model, "user_message": PROMPT}).json()["token"]
        analysis = self.api.call("createAnalysis", body={"task_id": "t", "model_key": model, "prompt": "Say something."}).json()
        with self.api.stream("streamTurn", {"token": token, "modelKey": model}, id=conversation), \
                self.api.stream("streamAnalysis", task_id="t", model_key=model, session_id=analysis["session_id"]):
            self.expect(1, "planexe_streams", kind="turn")
            self.expect(1, "planexe_streams", kind="analysis")
        self.expect(0, "planexe_streams", kind="turn")
        self.expect(0, "planexe_streams", kind="analysis")
        self.api.call("deleteConversation", id=conversation)

    def test_messages_that_a_slow_client_did_not_get(self):
        """More than its queue and the buffers of the system hold."""
        created = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_loud", "status": "in_progress", "output": []}}
        delta = {"type": "response.reasoning_summary_text.delta", "delta": "x" * 299999 + "\n", "item_id": "rs_1", "output_index": 0, "summary_index": 0}
        loud = [created] + [{**delta, "sequence_number": at} for at in range(1, 41)]
        self.script({"events": loud, "delay": {"between": 52}, "connection": "stall"}, repeat=0, task="redline_gate")
        plan_id = self.api.create()["plan_id"]
        self.addCleanup(self.forget, self.api, plan_id)
        with self.api.socket(plan_id, small_buffer=True) as lazy, self.api.socket(plan_id) as eager:
            lazy.next()
            came = 0
            while came < 35 * 300000:
                message = eager.next(30)
                came += len(message.get("data", {}).get("delta", ""))
            # Now it reads again, and learns by a snapshot how much it missed.
            missed = 0
            while not missed:
                message = lazy.next(30)
                missed = message.get("dropped", 0)
            self.expect(missed, "planexe_stream_messages_dropped_total", kind="socket")

    def test_requests_that_matched_nothing_or_were_not_read(self):
        before = self.read()
        self.send("GET", "/api/nothing")
        self.send("GET", "/no-page")
        self.send("BREW", "/api/plans")
        self.send("GET", "/api/plans/" + UNKNOWN)
        exchange(self.server.port, b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        exchange(self.server.port, request_bytes(self.server.port, "GET", "/ping", {"X": "y" * 40000}))
        after = self.read()
        grown = lambda **labels: after.value("planexe_http_requests_total", **labels) - before.value("planexe_http_requests_total", **labels)
        self.assertEqual(grown(route="none", method="GET", status="404"), 1)
        self.assertEqual(grown(route="static", method="GET", status="404"), 1)
        self.assertEqual(grown(method="other", status="405"), 1)
        self.assertEqual(grown(route="/api/plans/{id}", status="404"), 1)
        self.assertEqual(grown(route="/ping", status="403"), 1)
        self.assertEqual(grown(status="431"), 1)
        self.assertEqual(after.value("planexe_http_request_seconds_count"), after.value("planexe_http_requests_total"))

    def test_no_ids_and_no_texts(self):
        plan = self.api.completed("A workshop for zither strings")
        self.send("GET", "/api/plans/zither-id/tasks")
        self.send("ZITHER", "/zither?zither=zither", {"X-Request-Id": "zither"})
        text = self.api.call("getMetrics").text
        for word in (plan["plan_id"], "zither", "ZITHER"):
            self.assertNotIn(word, text)


class Prices(ServerCase):
    def test_the_users_table_counts(self):
        box = self.sandbox()
        entries = [{"provider": "openai", "model": "*", "input": 1250000, "cached_input": 125000, "output": 7500000}]
        (box.folder / "prices.json").write_text(json.dumps({"version": "2031-01-01", "currency": "USD", "entries": entries}))
        for price in ({"input": 1.25, "cached_input": 0.125, "output": 7.5}, None):
            server = Server(box, PLANEXE_REHEARSAL_URL=None, OPENAI_API_KEY="sk-test-0123456789")
            try:
                models = {m["id"]: m for m in Api(server).get("listModels") if m["provider"] == "openai"}
                self.assertTrue(models)
                for model in models.values():
                    if price:
                        self.assertEqual(model["price"], price, model["id"])
                    else:
                        self.assertNotEqual(model["price"], {"input": 1.25, "cached_input": 0.125, "output": 7.5})
            finally:
                server.stop()
            (box.folder / "prices.json").unlink(missing_ok=True)


class Log(ServerCase):
    """JSON, since that is what machines read; the plain form has the same fields."""

    server_env = {"PLANEXE_CLOUD_MODE": "true", "PLANEXE_BIND": "127.0.0.1", "PLANEXE_LOG_LEVEL": None, "PLANEXE_API_TOKENS": "op:" + TOKEN, "PLANEXE_TRUSTED_PROXIES": "127.0.0.1"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = Api(cls.server, TOKEN)

    def lines(self, server=None):
        """The log as objects; a line that is none fails."""
        def read(line):
            try:
                return json.loads(line)
            except ValueError:
                raise AssertionError("no JSON: %r" % line) from None
        return [read(line) for line in (server or self.server).log().split("\n") if line and not line.startswith(("REHEARSAL:", "           For real"))]

    def requests(self):
        return [line for line in self.lines() if line["message"] == "request"]

    def one(self, data, **fields):
        """The one line that this request makes."""
        before = len(self.requests())
        with Wire(self.server.port) as wire:
            wire.send(data)
            raw = wire.rest(5) if b"Connection: close" in data else None
            if raw is None:
                wire.reply()
        self.assertTrue(eventually(lambda: len(self.requests()) > before, 10), "no line")
        found = self.requests()[before:]
        self.assertEqual(len(found), 1, found)
        for name, value in fields.items():
            self.assertEqual(found[0].get(name), value, found[0])
        return found[0], raw

    def ask(self, method, target, headers=(), body=None):
        return request_bytes(self.server.port, method, target, [("Connection", "close"), *dict(headers).items()], body)

    def test_one_line_for_each_request(self):
        auth = {"Authorization": "Bearer " + TOKEN, "X-Request-Id": "mine-1", "X-Forwarded-For": "10.1.2.3"}
        line, raw = self.one(self.ask("GET", "/api/plans/%s?limit=5" % UNKNOWN, auth), level="info", method="GET", route="/api/plans/{id}", status=404, request_id="mine-1", peer="10.1.2.3")
        self.assertEqual(line["bytes"], len(raw))
        self.assertTrue(0 <= line["duration_ms"] < 60000)
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(set(line), {"time", "level", "message", "method", "route", "status", "duration_ms", "bytes", "request_id", "peer"})
        self.one(self.ask("GET", "/api/plans"), route="/api/plans", status=401, peer="127.0.0.1")
        self.one(self.ask("GET", "/api/no-such-thing?x=y"), route="none", path="/api/no-such-thing", status=404)
        self.one(self.ask("GET", "/no-page"), route="static", status=404)
        self.one(self.ask("OPTIONS", "/ping"), route="/ping", status=204)
        self.one(self.ask("POST", "/api/plans", {**auth, "Content-Type": "application/json"}, b"{}"), route="/api/plans", status=422)
        self.one(self.ask("GET", "/ping", {"X": "y" * 40000}), status=431)
        self.one(self.ask("GET", "/%zz"), status=400)

    def test_nobody_writes_lines_of_his_own(self):
        forged = 'x\n2031-01-01T00:00:00.000Z info  request status=200'
        quote = lambda text: "".join("%%%02X" % byte for byte in text.encode())
        for target in ("/api/" + quote(forged), '/api/","status":200,"x":"', "/api/\u2028\u202e\u0085", "/api/" + quote("\x1b[31m\x9b31m\r\n"), "/api/" + "a" * 4000):
            data = self.ask("GET", target)
            line, _ = self.one(data, route="none", status=404)
            self.assertEqual([c for c in json.dumps(line, ensure_ascii=False) if ord(c) < 32 or ord(c) == 127], [])
            self.assertLess(len(line["path"]), 400)
        self.one(self.ask("GET", "/ping", {"X-Request-Id": 'a" level="error'}), status=200)
        self.one(self.ask("GET", "/ping", {"X-Forwarded-For": 'no address" level="error'}), status=200, peer="127.0.0.1")
        self.one(self.ask("X'$`|~", "/api/nothing"), status=404, method="X'$`|~")

    def test_plain_lines_are_one_line_each(self):
        server = self.own_server(PLANEXE_LOG_LEVEL=None)
        targets = ["/api/%0a2031-01-01T00:00:00.000Z%20info%20forged", "/api/a%20status=200", '/api/"quoted"', "/api/%1b[31m", "/ping"]
        for target in targets:
            self.send("GET", target, port=server.port)
        self.assertTrue(eventually(lambda: server.log().count(" request method=") == len(targets), 10), server.log())
        for line in server.log().splitlines():
            self.assertFalse(line.startswith("2031"), line)
            self.assertNotIn("\x1b", line)
        statuses = [re.findall(r" status=(\d+) ", line) for line in server.log().splitlines() if " request method=" in line]
        self.assertEqual(statuses, [["404"]] * 4 + [["200"]])

    def test_streams_and_sockets_end_with_their_line(self):
        plan_id = self.api.completed()["plan_id"]
        before = len(self.requests())
        with self.api.stream(id=plan_id) as stream:
            list(stream)
        with self.api.socket(plan_id) as socket:
            socket.close_code()
        wanted = {("/api/plans/{id}/stream", 200), ("/ws/plans/{plan_id}/progress", 101)}
        self.assertTrue(eventually(lambda: wanted <= {(l["route"], l["status"]) for l in self.requests()[before:]}, 10), self.requests()[before:])
        (line,) = [l for l in self.requests()[before:] if l["status"] == 200 and l["route"].endswith("/stream")]
        self.assertGreater(line["bytes"], 10000)

    def test_settings_are_told_masked(self):
        told = {line["name"]: line["value"] for line in self.lines() if line["message"] == "setting"}
        self.assertEqual((told["PLANEXE_CLOUD_MODE"], told["PLANEXE_API_TOKENS"]), ("true", "***"))

    def test_levels(self):
        for level, expected in (("warn", 0), ("off", 0), ("info", 3), ("debug", 3)):
            server = self.own_server(PLANEXE_LOG_LEVEL=level)
            for _ in range(3):
                self.send("GET", "/ping", port=server.port)
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.log().count(" request method="), expected, level)


class Stop(ServerCase):
    """SIGTERM: what runs is told or finished, and the process is gone soon."""

    SOON = 5

    def setUp(self):
        super().setUp()
        self.target = self.own_server()
        self.client = Api(self.target)

    def expect_soon(self, seconds=SOON):
        before = time.monotonic()
        self.assertEqual(self.target.stop(), 0)
        took = time.monotonic() - before
        self.assertLess(took, seconds)
        self.assertNotIn("still runs", self.target.log())

    def test_with_nothing_to_do(self):
        self.expect_soon()

    def test_with_connections_that_wait(self):
        self.client.call("ping")
        wires = [Wire(self.target.port) for _ in range(3)]
        wires[1].send(b"GET /pi")
        wires[2].send(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        self.assertTrue(eventually(lambda: metrics(self.client).value("planexe_http_connections") >= 4, 10))
        self.expect_soon()
        for wire in wires:
            self.assertTrue(wire.ended(5))

    def test_with_streams_and_sockets(self):
        plan_id = self.held_plan(api=self.client)
        with self.client.stream(id=plan_id) as events, self.client.socket(plan_id) as watched, self.client.socket(plan_id) as deaf:
            next(iter(events)), watched.next(), deaf.next()
            codes = []

            def read():
                try:
                    while True:
                        watched.next()
                except Closed as closed:
                    codes.append(closed.code)
            reader = threading.Thread(target=read)
            reader.start()
            self.expect_soon()
            reader.join(10)
            self.assertEqual(codes, [1001])
            list(events)
        self.assertEqual(self.box_of(self.target).value("SELECT status FROM plans WHERE plan_id = ?", plan_id) in ("pending", "running"), True)
        self.assertIsNone(self.box_of(self.target).value("SELECT lease_owner FROM plans WHERE plan_id = ?", plan_id))
        self.rehearsal.reset()
        self.target.start()
        self.client = Api(self.target)
        self.assertEqual(self.client.wait(plan_id)["status"], "completed", "the next start goes on")

    def box_of(self, server):
        return server.box

    def test_a_request_that_is_being_sent_gets_its_answer(self):
        with Wire(self.target.port) as wire:
            body = b'{"token":"x"}'
            wire.send(b"POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
            self.assertEqual(wire.head().status, 100)
            ended = threading.Thread(target=self.target.stop)
            ended.start()
            self.assertTrue(eventually(self.refuses, 10))
            self.assertTrue(self.target.alive, "a request is under way")
            wire.send(body)
            reply = wire.reply()
            self.assertEqual((reply.status, reply.header("Connection")), (204, "close"))
            self.assertTrue(wire.ended(5))
            ended.join(10)
        self.assertEqual(self.target.child.returncode, 0)

    def refuses(self):
        try:
            with Wire(self.target.port, 2):
                return False
        except OSError:
            return True

    def test_a_turn_under_way_is_told_why_it_ends(self):
        model = self.client.get("listModels")[0]["id"]
        conversation = self.client.call("createConversation", body={"model_key": model}).json()["conversation_id"]
        self.script({"delay": {"first_event": 120000}}, repeat=0)
        replies = []

        def follow():
            with Wire(self.target.port, 40) as wire:
                body = json.dumps({"model_key": model, "user_message": PROMPT}).encode()
                wire.send(request_bytes(self.target.port, "POST", "/api/conversations/%s/followups" % conversation, {"Content-Type": "application/json"}, body))
                replies.append(wire.reply())
        asking = threading.Thread(target=follow)
        asking.start()
        self.assertTrue(eventually(lambda: self.client.get("getConversation", id=conversation)["status"] == "running", 20))
        self.expect_soon(10)
        asking.join(10)
        self.assertEqual((replies[0].status, replies[0].json()["code"]), (503, "SHUTTING_DOWN"))

    def test_a_second_signal_ends_at_once(self):
        with Wire(self.target.port) as wire:
            wire.send(b"POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 13\r\n\r\n")
            self.assertEqual(wire.head().status, 100)
            self.target.child.terminate()
            self.assertTrue(eventually(self.refuses, 10))
            self.target.child.terminate()
            self.target.child.wait(10)
            self.assertNotEqual(self.target.child.returncode, 0)


if __name__ == "__main__":
    server_harness.main()
