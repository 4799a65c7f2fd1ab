#!/usr/bin/env python3
"""Progress of plans over WebSocket and event stream."""
import json
import threading
import time

import harness
import server_harness
from harness import eventually
from server_contract import contract
from server_harness import Api, Server, ServerCase, Stream, expect_in_order, read_messages
from server_swarm import stored_kind, stored_log
from server_wire import Broken, Closed, exchange, handshake, request_bytes

UNKNOWN = "PlanExe_00000000-0000-4000-8000-000000000000"


def plain(messages):
    """Messages of the stored kinds, without those that only repeat the state."""
    found, last = [], 0
    for message in messages:
        if stored_kind(message) and message["seq"] > last:
            found.append((message["seq"], message["type"]))
            last = message["seq"]
    return found


class EventCase(ServerCase):
    def watch(self, plan_id, after=None, kind="socket", seconds=60, api=None):
        """All messages until the server ends the stream."""
        api = api or self.api
        if kind == "socket":
            with api.socket(plan_id, "" if after is None else "?after=%d" % after) as socket:
                messages, code = read_messages(socket, seconds)
                self.assertEqual(code, 1000)
                return messages
        with api.stream(id=plan_id, query={} if after is None else {"after": after}) as stream:
            return stream.values()

    def log_of(self, plan_id):
        return stored_log(self.box.database, plan_id)


class Following(EventCase):
    def test_from_the_first_moment_to_the_end(self):
        for kind in ("socket", "stream"):
            with self.subTest(kind=kind):
                self.hold()
                plan_id = self.api.create()["plan_id"]
                self.api.wait_task(plan_id, "redline_gate", "running")
                found = {}
                thread = threading.Thread(target=lambda: found.update(messages=self.watch(plan_id, None, kind, api=Api(self.server))))
                thread.start()
                time.sleep(0.2)
                self.api.call("cancelPlan", id=plan_id)
                thread.join(30)
                messages = found["messages"]
                self.assertEqual([m["type"] for m in messages[:3]], ["connection", "snapshot", "status"])
                self.assertEqual((messages[0]["resume"], messages[1]["reason"], messages[1]["dropped"]), ("snapshot", "connect", 0))
                self.assertEqual(messages[0]["heartbeat_seconds"], 30)
                self.assertEqual(messages[1]["plan"]["plan_id"], plan_id)
                self.assertEqual((messages[2]["status"], messages[2]["seq"]), (messages[1]["plan"]["status"], messages[1]["seq"]))
                self.assertEqual([i["stage"] for i in messages[1]["interactions"]], ["redline_gate"])
                self.assertEqual((messages[-1]["type"], messages[-1]["reason"]), ("stream_end", "cancelled"))
                expect_in_order(messages)
                log = [entry for entry in self.log_of(plan_id) if entry[0] > messages[1]["seq"]]
                self.assertEqual(plain(messages[3:]), log)

    def test_a_whole_run(self):
        self.rehearsal.post("/control/scripts", {"match": {"task": "redline_gate"}, "repeat": 1, "steps": [{"delay": {"first_event": 500}}]})
        plan_id = self.api.create()["plan_id"]
        messages = self.watch(plan_id, 0)
        expect_in_order(messages)
        self.assertEqual(plain(messages), self.log_of(plan_id))
        seen = {m["type"] for m in messages}
        self.assertLessEqual({"connection", "status", "task", "artefact", "llm_stream", "log", "stream_end"}, seen)
        self.assertEqual([m["status"] for m in messages if m["type"] == "status"][-1], "completed")
        self.calls_are_whole(messages)
        self.tasks_change_as_they_may(messages)
        artefacts = {(m["filename"], m["size_bytes"]) for m in messages if m["type"] == "artefact"}
        self.assertEqual(artefacts, {(a["filename"], a["size_bytes"]) for a in self.api.get("listArtefacts", id=plan_id)["artefacts"]})
        lines = [m["message"] for m in messages if m["type"] == "log"]
        self.assertIn("Running task StartTimeTask", lines)
        self.assertIn("ReportTask is complete", lines)

    def calls_are_whole(self, messages):
        """start, deltas, final at most once, end exactly once; the final text is the deltas'."""
        calls = {}
        for message in messages:
            if message["type"] == "llm_stream":
                calls.setdefault(message["interaction_id"], []).append(message)
        self.assertGreater(len(calls), 50)
        with_text = 0
        for parts in calls.values():
            names = [p["event"] for p in parts]
            self.assertEqual((names[0], names[-1], names.count("start"), names.count("end")), ("start", "end", 1, 1), names)
            self.assertEqual([p["sequence"] for p in parts], sorted({p["sequence"] for p in parts}))
            self.assertEqual(parts[0]["sequence"], 0)
            self.assertEqual(names.count("final"), 1 if parts[-1]["data"]["status"] == "completed" else 0)
            text = "".join(p["data"]["delta"] for p in parts if p["event"] == "text_delta")
            final = next((p for p in parts if p["event"] == "final"), None)
            if final and text:
                with_text += 1
                self.assertEqual(text, final["data"]["text"])
        self.assertGreater(with_text, 10, "deltas are sent")

    def tasks_change_as_they_may(self, messages):
        state = {}
        for message in messages:
            if message["type"] == "task":
                key = message["task_key"]
                if key in state:
                    self.assertEqual(message["previous_state"], state[key], key)
                state[key] = message["state"]
        self.assertEqual(set(state.values()), {"completed"})
        self.assertEqual(len(state), harness.TASKS)
        progress = [m["progress_percentage"] for m in messages if m["type"] in ("task", "status")]
        self.assertEqual(progress, sorted(progress))

    def test_who_reads_on_completed_sees_completed(self):
        for _ in range(2):
            plan_id = self.api.create()["plan_id"]
            with self.api.socket(plan_id, "?after=0") as socket:
                while (message := socket.next(60))["type"] != "status" or message["status"] != "completed":
                    if message["type"] == "artefact":
                        self.api.call("downloadFile", 200, method="HEAD", id=plan_id, filename=message["filename"])
                plan = self.api.get("getPlan", id=plan_id)
                self.assertEqual((plan["status"], plan["has_report"]), ("completed", True))



def events_of_a_call(deltas):
    """What a provider sends that thinks aloud in these pieces."""
    place = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    events = [{"type": "response.created", "response": {"id": "resp_slow", "status": "in_progress", "output": []}}]
    events += [{"type": "response.reasoning_summary_text.delta", "delta": delta, **place} for delta in deltas]
    return [{**event, "sequence_number": at} for at, event in enumerate(events)]


class Deltas(EventCase):
    def slow_call(self, pieces, between):
        """A plan that waits for redline_gate, which thinks for long."""
        self.script({"events": events_of_a_call(pieces), "delay": {"between": between}, "connection": "stall"}, task="redline_gate")
        plan_id = self.api.create()["plan_id"]
        self.addCleanup(self.forget, self.api, plan_id)
        return plan_id

    def test_deltas_are_gathered_and_a_newcomer_gets_the_text_so_far(self):
        pieces = ["thought %d\n" % n for n in range(400)]
        plan_id = self.slow_call(pieces, 10)
        with self.api.socket(plan_id, "?after=0") as socket:
            deltas = []
            while len(deltas) < 20:
                message = socket.next(30)
                if message["type"] == "llm_stream" and message["event"] == "reasoning_delta":
                    deltas.append((time.monotonic(), message))
            texts = [message["data"]["delta"] for _, message in deltas]
            self.assertGreater(deltas[-1][0] - deltas[0][0], 19 * 0.04, "a delta of a call is sent every 50 ms at most")
            self.assertGreater(sum(text.count("\n") for text in texts), 40, "those between are merged")
            self.assertEqual([text[-1] for text in texts], ["\n"] * 20, "whole lines")
            self.assertEqual([m["sequence"] for _, m in deltas], list(range(1, 21)))
            with self.api.socket(plan_id) as late:
                late.next()
                snapshot = late.next()
                (running,) = snapshot["interactions"]
                self.assertTrue(running["reasoning"].startswith("".join(texts)), running)
                self.assertEqual(late.next()["type"], "status")
                more = late.next(30)
                self.assertEqual((more["event"], more["sequence"]), ("reasoning_delta", running["sequence"] + 1), "nothing twice, nothing lost")
                self.assertTrue("".join(pieces).startswith(running["reasoning"] + more["data"]["delta"]))

    def test_other_calls_do_not_send_the_deltas_of_one_early(self):
        """While one call thinks slowly, others begin and end all the time."""
        self.script({"delay": {"first_event": 300}}, task="redline_gate")
        self.script({"events": events_of_a_call(["t%d\n" % n for n in range(500)]), "delay": {"between": 4}, "connection": "close"}, repeat=1, task="premise_attack")
        plan_id = self.api.create()["plan_id"]
        messages = self.watch(plan_id, 0)
        expect_in_order(messages)
        deltas = [m for m in messages if m["type"] == "llm_stream" and m["event"] == "reasoning_delta" and m["data"]["delta"][0] == "t"]
        self.assertEqual("".join(d["data"]["delta"] for d in deltas), "".join("t%d\n" % n for n in range(500)))
        between = [b["seq"] - a["seq"] for a, b in zip(deltas, deltas[1:])]
        self.assertGreater(max(between), 1, "other messages come between")
        self.assertLess(len(deltas), 60, "2 s of deltas in steps of 50 ms")


class Resuming(EventCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plan_id = cls.api.completed()["plan_id"]
        cls.log = stored_log(cls.shared_box.database, cls.plan_id)

    def test_of_a_finished_plan_with_and_without_a_number(self):
        middle = self.log[len(self.log) // 2][0]
        for kind in ("socket", "stream"):
            for after in (None, 0, 1, middle, self.log[-3][0]):
                with self.subTest(kind=kind, after=after):
                    messages = self.watch(self.plan_id, after, kind)
                    expect_in_order(messages, 0 if after is None else after)
                    self.assertEqual(messages[0]["type"], "connection")
                    self.assertEqual((messages[-1]["type"], messages[-1]["reason"]), ("stream_end", "completed"))
                    self.assertEqual([m["status"] for m in messages if m["type"] == "status"][-1], "completed")
                    if after is None:
                        self.assertEqual([m["type"] for m in messages], ["connection", "snapshot", "status", "stream_end"])
                    else:
                        self.assertIn(messages[0]["resume"], ("ring", "stored"))
                        self.assertEqual(plain(messages), [e for e in self.log if e[0] > after])

    def test_stored_events_after_a_restart(self):
        server = Server(self.sandbox())
        self.addCleanup(lambda: server.alive and server.stop())
        api = Api(server)
        plan_id = api.completed()["plan_id"]
        first = self.watch(plan_id, 0, api=api)
        server.stop()
        server.start()
        api, log = Api(server), stored_log(server.box.database, plan_id)
        for kind in ("socket", "stream"):
            again = self.watch(plan_id, 0, kind, api=api)
            self.assertEqual(again[0]["resume"], "stored")
            self.assertEqual(plain(again), log)
            same = {m["seq"]: m for m in first if stored_kind(m)}
            for message in again:
                if stored_kind(message) and message["type"] not in ("status", "stream_end"):
                    self.assertEqual(message, same[message["seq"]], "by whatever way it comes")

    def test_a_number_beyond_the_last_one_gives_a_snapshot(self):
        for after in (self.log[-1][0] + 1, 10 ** 9, 9223372036854775807):
            messages = self.watch(self.plan_id, after)
            self.assertEqual([m["type"] for m in messages], ["connection", "snapshot", "status", "stream_end"])
            self.assertEqual(messages[0]["resume"], "snapshot")

    def test_a_number_that_is_none(self):
        for text in ("-1", "x", "1.5", "", "%20", "1e3", "9" * 30, "0x10", "+1"):
            with self.subTest(after=text):
                with self.api.socket(self.plan_id, "?after=" + text) as socket:
                    contract().check_reply("openProgressSocket", socket.refused or socket.reply)
                    self.expect_error(socket.refused or socket.reply, 422, "VALIDATION_FAILED")
                reply = self.send("GET", "/api/plans/%s/stream?after=%s" % (self.plan_id, text))
                contract().check_reply("streamProgress", reply)
                self.assertEqual(reply.status, 422)

    def test_last_event_id(self):
        with self.api.stream(id=self.plan_id, query={"after": 1}, headers={"Last-Event-ID": str(self.log[-4][0])}) as stream:
            messages = stream.values()
            self.assertEqual(plain(messages), self.log[-3:])
            self.assertEqual((stream.retry, stream.last_id), (2000, str(self.log[-1][0])))
        last = str(self.log[-1][0])
        for headers, query in (({"Last-Event-ID": last}, {}), ({}, {"after": last})):
            with self.api.stream(id=self.plan_id, headers=headers, query=query) as stream:
                self.assertEqual(stream.reply.status, 204)
        self.api.call("streamProgress", 422, "VALIDATION_FAILED", id=self.plan_id, headers={"Last-Event-ID": "x"})

    def test_over_a_resume_of_the_plan_numbers_go_on(self):
        failed = self.failed_plan("find_team_members")
        first = self.watch(failed["plan_id"], 0)
        self.assertEqual(first[-1]["reason"], "failed")
        self.api.call("resumePlan", id=failed["plan_id"])
        second = self.watch(failed["plan_id"], first[-1]["seq"])
        expect_in_order(second, first[-1]["seq"])
        self.assertEqual(second[-1]["reason"], "completed")
        self.assertEqual(plain(first) + plain(second), self.log_of(failed["plan_id"]))


class Socket(EventCase):
    def test_who_is_refused(self):
        with self.api.socket(UNKNOWN) as socket:
            messages, code = read_messages(socket)
            self.assertEqual(([(m["type"], m["code"]) for m in messages], code), ([("error", "PLAN_NOT_FOUND")], 4404))
        for plan_id in ("x" * 129, "a.b", "PlanExe_", "%2e%2e"):
            with self.subTest(plan_id=plan_id), self.api.socket(plan_id) as socket:
                self.assertIsNone(socket.refused, "an id that cannot be one is answered like an unknown id")
                self.assertEqual(read_messages(socket)[1], 4404)
        reply = self.send("GET", "/ws/plans/%s/progress" % UNKNOWN)
        contract().check_reply("openProgressSocket", reply)
        self.expect_error(reply, 426, "UPGRADE_REQUIRED")
        self.api.call("streamProgress", 404, "PLAN_NOT_FOUND", id=UNKNOWN)

    def test_upgrades_that_are_none(self):
        plan_id = self.held_plan()
        target = "/ws/plans/%s/progress" % plan_id
        good = dict(handshake_headers(self.server.port, target))
        for change in ({"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Key": None}, {"Upgrade": "h2c"}, {"Connection": "keep-alive"}, {"Sec-WebSocket-Version": None}):
            with self.subTest(change=change):
                reply = exchange(self.server.port, request_bytes(self.server.port, "GET", target, {**good, **change}))
                contract().check_reply("openProgressSocket", reply)
                self.assertIn(reply.status, (400, 426))
        reply = self.send("POST", target)
        contract().check_unrouted(reply, "POST")
        self.assertEqual(reply.status, 405)

    def test_what_a_client_may_say(self):
        with self.api.socket(self.held_plan()) as socket:
            for _ in range(3):
                socket.next()
            socket.send({"type": "heartbeat_response", "timestamp": "x", "more": 1})
            socket.send({"type": "command", "command": "anything"})
            socket.send({"type": "ping"})
            self.assertEqual(self.checked(socket)["type"], "heartbeat")
            socket.send({"type": "snapshot"})
            snapshot = self.checked(socket)
            self.assertEqual((snapshot["type"], snapshot["reason"]), ("snapshot", "requested"))
            text = json.dumps({"type": "ping"}).encode()
            socket.send_frame(1, text[:5], fin=False)
            socket.send_frame(9, b"in between")
            socket.send_frame(0, text[5:])
            self.assertEqual(self.checked(socket)["type"], "heartbeat")
            self.assertEqual(socket.pongs, [b"in between"])
            socket.send('{"type":"ping","pad":"%s"}' % ("x" * (4096 - 24)))
            self.assertEqual(self.checked(socket)["type"], "heartbeat", "4096 bytes are allowed")
            socket.send_frame(8, b"\x03\xe8bye")
            with self.assertRaises((Closed, Broken)):
                socket.next(5)

    def checked(self, socket):
        message = socket.next(10)
        contract().check_message(message)
        return message

    def test_malformed_messages_get_an_error_each_and_the_tenth_closes(self):
        bad = ["{", "[]", '"x"', "null", '{"type":"fly"}', '{"type":7}', "{}", '{"type":"ping","type":"ping"}', "7", ""]
        with self.api.socket(self.held_plan()) as socket:
            for _ in range(3):
                socket.next()
            for at, text in enumerate(bad):
                socket.send(text)
                if at < 9:
                    message = self.checked(socket)
                    self.assertEqual(message["type"], "error", text)
                    self.assertIn(message["code"], ("INVALID_JSON", "INVALID_REQUEST"))
            messages, code = read_messages(socket, 10)
            self.assertEqual(code, 1008)
            self.assertLessEqual(len(messages), 1)

    def test_frames_that_close(self):
        plan_id = self.held_plan()
        for code, opcode, payload, options in ((1003, 2, b"binary", {}), (1009, 1, b"x" * 4097, {}), (1009, 1, b"x" * 100000, {}), (None, 1, b"\xff\xfe", {}),
                                               (None, 3, b"x", {}), (None, 1, b"x", {"reserved": 4}), (None, 1, b"x", {"masked": False}), (None, 9, b"x" * 126, {})):
            with self.subTest(code=code, opcode=opcode, options=options):
                with self.api.socket(plan_id) as socket:
                    for _ in range(3):
                        socket.next()
                    socket.send_frame(opcode, payload, **options)
                    try:
                        found = socket.close_code(10)[1]
                        self.assertIn(found, (code,) if code else (1002, 1007))
                    except (Broken, ConnectionError):
                        self.assertIsNone(code, "the close code is missing")
        self.assertEqual(self.api.get("getPlan", id=plan_id)["status"], "running")

    def test_a_client_that_reads_nothing_does_not_hold_up_the_plan(self):
        """15 MB of deltas: more than its queue and the buffers of the system hold."""
        loud = {"events": events_of_a_call(["x" * 299999 + "\n" for _ in range(10)]), "delay": {"between": 52}, "connection": "close"}
        self.script(loud, repeat=5, task="premise_attack")
        plan_id = self.api.create()["plan_id"]
        with self.api.socket(plan_id, small_buffer=True) as lazy:
            self.assertEqual(lazy.next()["resume"], "snapshot")
            begun = lazy.next()["seq"]
            self.api.wait(plan_id, "completed", seconds=90)
            messages, code = read_messages(lazy, 45)
        replaced = [m for m in messages if m["type"] == "snapshot"]
        self.assertEqual({m["reason"] for m in replaced}, {"slow_client"}, code)
        self.assertGreater(min(m["dropped"] for m in replaced), 3)
        self.assertIn(code, (1000, 4408))
        log, at, told = self.log_of(plan_id), begun, []
        for message in [*messages, {"type": "snapshot", "seq": begun}]:
            if message["type"] != "snapshot":
                told.append(message)
                continue
            stored = plain([m for m in told if m["seq"] > at])
            self.assertEqual(stored, [entry for entry in log if at < entry[0] <= max([seq for seq, _ in stored], default=at)], "nothing missing between snapshots")
            at, told = message["seq"], []

    def test_a_socket_and_a_stream_that_vanish_are_forgotten(self):
        plan_id = self.held_plan()
        before = self.open_streams()
        links = [self.api.socket(plan_id) for _ in range(10)] + [Stream(self.api, contract().operations["streamProgress"], {}, {}, {"id": plan_id}) for _ in range(10)]
        self.assertTrue(eventually(lambda: self.open_streams() == before + 20, 5))
        for link in links:
            link.wire.reset()
        self.assertTrue(eventually(lambda: self.open_streams() == before, 10), "streams of clients that are gone stay open")

    def open_streams(self):
        text = self.api.call("getMetrics").text
        self.assertIn("\n# TYPE planexe_streams gauge\n", text)
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("planexe_streams{"))


def handshake_headers(port, target):
    lines = handshake(port, target)[1].decode().split("\r\n")[1:]
    return [line.split(": ", 1) for line in lines if line and not line.startswith("Host")]


class StreamLimit(EventCase):
    server_env = {"PLANEXE_MAX_STREAMS": "3"}

    def test_too_many_streams(self):
        plan_id = self.held_plan()
        open_ones = [self.api.socket(plan_id) for _ in range(3)]
        for socket in open_ones:
            socket.next()
        with self.api.socket(plan_id) as socket:
            messages, code = read_messages(socket)
            self.assertEqual(([m.get("code") for m in messages], code), (["RATE_LIMITED"], 4429))
            self.assertGreaterEqual(messages[0]["retry_after_seconds"], 1)
        self.api.call("streamProgress", 429, "RATE_LIMITED", id=plan_id)
        for socket in open_ones:
            socket.wire.reset()
        self.assertTrue(eventually(self.again(plan_id), 10), "a place becomes free")

    def again(self, plan_id):
        def possible():
            with self.api.socket(plan_id) as socket:
                try:
                    return socket.next()["type"] == "connection"
                except Closed:
                    return False
        return possible


if __name__ == "__main__":
    server_harness.main()
