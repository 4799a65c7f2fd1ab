#!/usr/bin/env python3
"""RFC 6455 against the progress socket, along the list of cases that WebSocket test suites share: framing, pings, reserved bits and
opcodes, fragments, UTF-8, closing, limits and the handshake. There is no echo here: that the connection lives is shown by
{"type": "ping"}, which is answered with a heartbeat.
"""
import base64
import concurrent.futures
import json
import os
import socket as sockets
import struct
import time

import harness
import server_harness
from server_contract import contract
from server_harness import ServerCase
from server_wire import Broken, Closed, Wire, exchange, frame, handshake, request_bytes

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
LIMIT = 4096
ASK = b'{"type":"ping"}'


def ask(size=None, text="x"):
    """A question of exactly so many bytes."""
    if size is None:
        return ASK
    empty = b'{"type":"ping","pad":""}'
    return empty[:-2] + text.encode() * (size - len(empty)) + empty[-2:]


def close_payload(code, reason=b""):
    return struct.pack(">H", code) + reason


class SocketCase(ServerCase):
    WAIT = 20

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # One plan that waits for all of the tests, so that its sockets stay open.
        cls.rehearsal.post("/control/scripts", {"match": {"task": "redline_gate"}, "repeat": 0, "steps": [{"delay": {"first_event": 600000}}]})
        cls.plan_id = cls.api.create()["plan_id"]
        cls.api.wait_task(cls.plan_id, "redline_gate", "running")

    def setUp(self):
        self.box = self.shared_box

    @classmethod
    def tearDownClass(cls):
        if cls.server.alive:
            cls.api.call("deletePlan", id=cls.plan_id)
        super().tearDownClass()

    def tearDown(self):
        self.assertEqual(self.send("GET", "/ping").status, 200)

    def opened(self):
        """A socket after its greeting."""
        socket = self.api.socket(self.plan_id, timeout=self.WAIT)
        self.addCleanup(socket.close)
        self.assertIsNone(socket.refused)
        while socket.next(self.WAIT)["type"] != "status":
            pass
        return socket

    def message(self, socket, kind):
        """The next message of this kind; the plan's own news is passed over."""
        deadline = time.monotonic() + self.WAIT
        while True:
            message = socket.next(max(0.01, deadline - time.monotonic()))
            contract().check_message(message)
            if message["type"] == kind:
                return message
            self.assertNotIn(message["type"], ("heartbeat", "error"), message)

    def lives(self, socket):
        socket.wire.send(frame(TEXT, ASK))
        self.message(socket, "heartbeat")

    def answered(self, data):
        """These bytes are a question, or contain one."""
        socket = self.opened()
        socket.wire.send(data)
        self.message(socket, "heartbeat")
        self.lives(socket)
        return socket

    def closed(self, data, echo=True):
        """Sends bytes; the close frame that comes: its code (1005 for none), and what came before it. Then the connection ends."""
        socket = self.opened()
        try:
            socket.wire.send(data)
        except ConnectionError:
            pass
        return self.end_of(socket, echo)

    def end_of(self, socket, echo=True):
        deadline, before = time.monotonic() + self.WAIT, []
        while True:
            opcode, fin, payload = socket._frame(deadline)
            if opcode == CLOSE:
                break
            if (opcode, payload) != (PING, b""):
                before.append((opcode, payload))
        self.assertTrue(fin)
        self.assertNotEqual(len(payload), 1)
        payload[2:].decode()
        began = time.monotonic()
        try:
            if echo:
                socket.wire.send(frame(CLOSE, payload[:2]))
            rest = socket.wire.rest(self.WAIT)
        except ConnectionError:
            rest = b""
        self.assertEqual(rest, b"", "nothing follows a close frame")
        self.assertLess(time.monotonic() - began, 14, "the connection ends soon after")
        return struct.unpack(">H", payload[:2])[0] if payload else 1005, before

    def fails(self, code, *cases):
        """Each of these frames fails the connection with this code; side by side. Everything that is wrong is told at once."""
        codes = code if isinstance(code, tuple) else (code,)

        def one(data):
            try:
                found, _ = self.closed(data)
                return None if found in codes else "%r: closed with %d" % (data[:60], found)
            except (AssertionError, Broken, OSError, TimeoutError) as error:
                return "%r: %r" % (data[:60], error)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            wrong = [text for text in pool.map(one, cases) if text]
        self.assertEqual(wrong, [], "\n".join(wrong))


class Framing(SocketCase):
    def test_lengths(self):
        socket = self.opened()
        for size in (24, 60, 125, 126, 127, 128, 255, 256, 1000, 4000, LIMIT - 1, LIMIT):
            socket.wire.send(frame(TEXT, ask(size)))
            self.message(socket, "heartbeat")
        for size in (0, 1):
            socket.wire.send(frame(TEXT, b" " * size))
            self.assertEqual(self.message(socket, "error")["code"], "INVALID_JSON")
        self.lives(socket)

    def test_in_pieces_of_every_size(self):
        data = frame(TEXT, ask(200)) + frame(PING, b"hello") + frame(TEXT, ask(300))
        for size in (1, 2, 5, 13, 97):
            socket = self.opened()
            for at in range(0, len(data), size):
                socket.wire.send(data[at:at + size])
            self.message(socket, "heartbeat")
            self.message(socket, "heartbeat")
            self.assertEqual(socket.pongs, [b"hello"])

    def test_a_mask_of_zeros_is_one(self):
        self.answered(bytes([0x81, 0x80 | len(ASK)]) + b"\0\0\0\0" + ASK)

    def test_frames_without_a_mask_fail(self):
        self.fails(1002, frame(TEXT, ASK, masked=False), frame(PING, b"", masked=False), frame(TEXT, b"", masked=False), frame(CLOSE, close_payload(1000), masked=False), frame(PONG, b"x", masked=False),
                   frame(TEXT, b"x" * 200, masked=False), frame(CONTINUATION, b"x", masked=False))

    def test_lengths_that_are_not_the_shortest_fail(self):
        # RFC 6455, 5.2: the minimal number of bytes must be used.
        self.fails(1002, b"\x81\xfe\x00\x05" + b"\0\0\0\0hello", b"\x81\xfe\x00\x7d" + b"\0\0\0\0" + b"x" * 125, b"\x81\xff\x00\x00\x00\x00\x00\x00\x00\x7e" + b"\0\0\0\0" + b"x" * 126,
                   b"\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff" + b"\0\0\0\0", b"\x89\xfe\x00\x05" + b"\0\0\0\0hello")


class Pings(SocketCase):
    def pongs(self, *payloads):
        socket = self.opened()
        for payload in payloads:
            socket.wire.send(frame(PING, payload))
        self.lives(socket)
        return socket.pongs

    def test_each_is_answered_with_its_payload(self):
        for payload in (b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125):
            self.assertEqual(self.pongs(payload), [payload])

    def test_many_in_order(self):
        payloads = [b"payload-%d" % n for n in range(100)]
        self.assertEqual(self.pongs(*payloads), payloads)

    def test_larger_ones_fail(self):
        self.fails(1002, frame(PING, b"x" * 126), frame(PING, b"x" * 5000), frame(PONG, b"x" * 126), b"\x89\xff\x00\x00\x00\x00\x00\x01\x00\x00\0\0\0\0")

    def test_pongs_that_nobody_asked_for_are_passed_over(self):
        socket = self.opened()
        for payload in (b"", b"unsolicited", b"x" * 125):
            socket.wire.send(frame(PONG, payload))
        socket.wire.send(frame(PING, b"ping"))
        self.lives(socket)
        self.assertEqual(socket.pongs, [b"ping"])


class Reserved(SocketCase):
    def test_bits(self):
        self.fails(1002, *(frame(opcode, payload, reserved=bits) for bits in range(1, 8) for opcode, payload in ((TEXT, ASK), (PING, b"x"))),
                   *(frame(CLOSE, close_payload(1000), reserved=bits) for bits in (1, 2, 4)), frame(TEXT, b"", reserved=4), frame(PONG, b"", reserved=1),
                   frame(TEXT, ASK[:4], fin=False) + frame(CONTINUATION, ASK[4:], reserved=4))

    def test_bits_after_a_good_message(self):
        code, before = self.closed(frame(TEXT, ASK) + frame(PING, b"p") + frame(TEXT, ASK, reserved=2))
        self.assertEqual(code, 1002)
        self.assertIn((PONG, b"p"), before)

    def test_opcodes(self):
        self.fails(1002, *(frame(opcode, payload) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15) for payload in (b"", b"reserved opcode payload")),
                   *(frame(opcode, b"x", fin=False) for opcode in (3, 11)))

    def test_binary_messages_are_refused(self):
        self.fails(1003, frame(BINARY, b""), frame(BINARY, ASK), frame(BINARY, b"\x00\xff" * 60), frame(BINARY, b"ab", fin=False) + frame(CONTINUATION, b"cd"))


class Fragments(SocketCase):
    def test_control_frames_cannot_be_split(self):
        self.fails(1002, frame(PING, b"frag", fin=False) + frame(CONTINUATION, b"ment"), frame(PONG, b"frag", fin=False) + frame(CONTINUATION, b"ment"), frame(CLOSE, close_payload(1000), fin=False))

    def test_a_message_in_parts(self):
        for cuts in ((5,), (1, 2, 3), (0, 5), (len(ASK),), tuple(range(1, len(ASK)))):
            places = [0, *cuts, len(ASK)]
            parts = [ASK[a:b] for a, b in zip(places, places[1:])]
            data = frame(TEXT, parts[0], fin=False) + b"".join(frame(CONTINUATION, p, fin=False) for p in parts[1:-1]) + frame(CONTINUATION, parts[-1])
            self.answered(data)
            socket = self.opened()
            for byte in data:
                socket.wire.send(bytes([byte]))
            self.message(socket, "heartbeat")

    def test_control_frames_between_the_parts(self):
        socket = self.answered(frame(TEXT, ASK[:3], fin=False) + frame(PING, b"one") + frame(CONTINUATION, ASK[3:7], fin=False) + frame(PONG, b"x") + frame(PING, b"two") + frame(CONTINUATION, b"", fin=False) + frame(PING, b"") +
                               frame(CONTINUATION, ASK[7:]))
        self.assertEqual(socket.pongs, [b"one", b"two", b""])

    def test_a_part_without_a_beginning_fails(self):
        self.fails(1002, frame(CONTINUATION, ASK), frame(CONTINUATION, b""), frame(CONTINUATION, ASK, fin=False), frame(CONTINUATION, b"x", fin=False) + frame(TEXT, ASK),
                   frame(TEXT, ASK) + frame(CONTINUATION, ASK), frame(TEXT, ASK[:3], fin=False) + frame(CONTINUATION, ASK[3:]) + frame(CONTINUATION, b"x"))

    def test_a_beginning_within_a_message_fails(self):
        self.fails(1002, frame(TEXT, ASK[:3], fin=False) + frame(TEXT, ASK[3:]), frame(TEXT, ASK[:3], fin=False) + frame(TEXT, ASK[3:], fin=False), frame(TEXT, b"", fin=False) + frame(BINARY, b""),
                   frame(BINARY, b"a", fin=False) + frame(TEXT, ASK), frame(TEXT, ASK[:3], fin=False) + frame(PING, b"") + frame(TEXT, ASK))

    def test_a_close_within_a_message(self):
        self.fails(1000, frame(TEXT, ASK[:3], fin=False) + frame(CLOSE, close_payload(1000)), frame(TEXT, ASK[:3], fin=False) + frame(CLOSE, close_payload(1000)) + frame(CONTINUATION, ASK[3:]))


VALID = ["Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff", "\ud7ff", "\ue000", "\ufffd", "\ufdd0", "\ufffe", "\ufeffx", "\U0001fffe", "𝄞" * 50, "\u2028\u2029"]
INVALID = [b"\x80", b"\xbf", b"\x80\xbf\x80\xbf", b"\xc0 ", b"\xe0 \xe1 ", b"\xf0 ", b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfe", b"\xff",
           b"\xfe\xfe\xff\xff", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xc0\x80", b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xbf\xbf",
           b"\xed\xa0\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]


class Utf8(SocketCase):
    def test_valid_text_however_it_is_split(self):
        for text in VALID:
            data = json.dumps({"type": "ping", "pad": text}, ensure_ascii=False).encode()
            socket = self.answered(frame(TEXT, data))
            for size in (1, 2, 3):
                parts = [data[at:at + size] for at in range(0, len(data), size)]
                socket.wire.send(frame(TEXT, parts[0], fin=False) + b"".join(frame(CONTINUATION, p, fin=False) for p in parts[1:]) + frame(CONTINUATION, b""))
                self.message(socket, "heartbeat")

    def test_invalid_text(self):
        self.fails(1007, *(frame(TEXT, b'{"type":"ping","pad":"' + bad + b'"}') for bad in INVALID), *(frame(TEXT, bad) for bad in INVALID))

    def test_invalid_text_in_parts(self):
        def split(data):
            return frame(TEXT, data[:1], fin=False) + b"".join(frame(CONTINUATION, data[at:at + 1], fin=False) for at in range(1, len(data))) + frame(CONTINUATION, b"")
        self.fails(1007, *(split(bad) for bad in INVALID))

    def test_text_that_ends_within_a_character(self):
        self.fails(1007, *(frame(TEXT, "κόσμε𝄞".encode()[:cut]) for cut in (1, 3, 11, 12, 13)), frame(TEXT, "κ".encode()[:1], fin=False) + frame(CONTINUATION, b""))

    def test_the_other_half_of_a_character_may_come_with_the_next_part(self):
        data = '{"type":"ping","pad":"κ𝄞"}'.encode()
        for cut in range(1, len(data)):
            self.answered(frame(TEXT, data[:cut], fin=False) + frame(PING, b"\xff") + frame(CONTINUATION, data[cut:]))

    def test_characters_that_json_forbids_are_no_fault_of_the_protocol(self):
        socket = self.opened()
        for text in (b"\x00", b'{"type":"ping","pad":"\x00"}', b'{"type":"ping","pad":"\\u0000"}', b"\x7f"):
            socket.wire.send(frame(TEXT, text))
            self.message(socket, "error")
        self.lives(socket)


class Closing(SocketCase):
    def test_the_code_is_given_back(self):
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
            self.fails(code, frame(CLOSE, close_payload(code)), frame(CLOSE, close_payload(code, b"reason")))
        self.fails(1000, frame(CLOSE, close_payload(1000, b"x" * 123)), frame(CLOSE, close_payload(1000, "κόσμε".encode())), frame(TEXT, ASK) + frame(CLOSE, close_payload(1000)))

    def test_without_a_code(self):
        self.fails((1000, 1005), frame(CLOSE, b""))

    def test_codes_that_must_not_be_sent(self):
        self.fails(1002, *(frame(CLOSE, close_payload(code)) for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999)), *(frame(CLOSE, close_payload(code, b"reason")) for code in (999, 1005, 2000)))
        # Beyond what the RFC speaks of.
        for code in (5000, 65535):
            self.fails((1002, code), frame(CLOSE, close_payload(code)))

    def test_payloads_that_are_none(self):
        self.fails(1002, frame(CLOSE, b"\x03"), frame(CLOSE, close_payload(1000, b"x" * 124)))
        # 1007 speaks of messages; a reason is none, so a plain protocol error is right, too.
        self.fails((1002, 1007), *(frame(CLOSE, close_payload(1000, bad)) for bad in INVALID), frame(CLOSE, close_payload(1000, "κ".encode()[:1])))

    def test_nothing_is_answered_after_a_close(self):
        for more in (frame(PING, b"late"), frame(TEXT, ASK), frame(CLOSE, close_payload(1001)), frame(TEXT, b"\xff"), frame(3, b""), b"garbage that is no frame"):
            socket = self.opened()
            socket.wire.send(frame(CLOSE, close_payload(1000)) + more)
            code, before = self.end_of(socket, echo=False)
            self.assertEqual((code, before), (1000, []), more)

    def test_the_connection_ends_without_the_clients_close(self):
        # The server ends the connection first; a client that does not answer its close frame is not waited for long.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            codes = list(pool.map(lambda data: self.closed(data, echo=False)[0], (frame(TEXT, b"\xff"), frame(BINARY, b"x"))))
        self.assertEqual(codes, [1007, 1003])

    def test_a_client_that_ends_the_connection_without_a_word(self):
        for data in (b"", frame(TEXT, ASK)[:5], frame(TEXT, ASK[:4], fin=False)):
            socket = self.opened()
            socket.wire.send(data)
            socket.wire.socket.shutdown(sockets.SHUT_WR)
            socket.wire.rest(10)
        for data in (b"", frame(TEXT, ASK)[:5]):
            socket = self.opened()
            socket.wire.send(data)
            socket.wire.reset()
        self.assertTrue(harness.eventually(lambda: self.open_streams() == 0, 10), "its place is free again")

    def open_streams(self):
        lines = [line for line in self.send("GET", "/metrics").text.splitlines() if line.startswith("planexe_streams")]
        self.assertTrue(lines)
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


class Limits(SocketCase):
    def test_messages_beyond_the_limit(self):
        self.fails(1009, frame(TEXT, ask(LIMIT + 1)), frame(TEXT, b"x" * 65535), frame(TEXT, b"x" * 65536), frame(TEXT, b"x" * 200000), frame(BINARY, b"x" * (LIMIT + 1)))

    def test_lengths_are_refused_before_the_bytes_come(self):
        mask = b"\0\0\0\0"
        self.fails(1009, b"\x81\xfe\xff\xff" + mask, b"\x81\xff\x00\x00\x00\x00\x80\x00\x00\x00" + mask, b"\x81\xff\x00\x00\x00\xff\xff\xff\xff\xff" + mask, b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + mask)
        # The highest bit must be zero.
        self.fails((1002, 1009), b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" + mask, b"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00" + mask)

    def test_the_sum_of_the_parts_counts(self):
        whole = ask(LIMIT)
        parts = [whole[at:at + 64] for at in range(0, LIMIT, 64)]
        self.answered(frame(TEXT, parts[0], fin=False) + b"".join(frame(CONTINUATION, p, fin=False) for p in parts[1:-1]) + frame(CONTINUATION, parts[-1]))
        self.fails(1009, frame(TEXT, whole, fin=False) + frame(CONTINUATION, b"x"), frame(TEXT, b"x" * 64, fin=False) + frame(CONTINUATION, b"x" * 64, fin=False) * 64,
                   frame(TEXT, b"x" * 4000, fin=False) + frame(PING, b"") + frame(CONTINUATION, b"x" * 97, fin=False), frame(TEXT, b"x", fin=False) + b"\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0")

    def test_parts_without_content_do_not_pile_up(self):
        socket = self.opened()
        socket.wire.send(frame(TEXT, ASK[:5], fin=False) + frame(CONTINUATION, b"", fin=False) * 20000 + frame(CONTINUATION, ASK[5:]))
        self.message(socket, "heartbeat")

    def test_ten_malformed_messages_close(self):
        socket = self.opened()
        for _ in range(9):
            socket.wire.send(frame(TEXT, b"["))
            self.assertEqual(self.message(socket, "error")["code"], "INVALID_JSON")
        self.lives(socket)
        socket.wire.send(frame(TEXT, b"["))
        with self.assertRaises(Closed) as closed:
            while True:
                self.assertIn(socket.next(self.WAIT)["type"], ("error", "heartbeat"))
        self.assertEqual(closed.exception.code, 1008)


class Handshake(SocketCase):
    def shake(self, change=(), drop=(), target=None, start=None, body=b""):
        """The answer to a handshake with headers changed or left out."""
        fields = {"Host": "127.0.0.1:%d" % self.server.port, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), **dict(change)}
        head = (start or "GET %s HTTP/1.1") % (target or "/ws/plans/%s/progress" % self.plan_id)
        data = "\r\n".join([head] + ["%s: %s" % (k, v) for k, v in fields.items() if k not in drop]) + "\r\n\r\n"
        with Wire(self.server.port, self.WAIT) as wire:
            wire.send(data.encode() + body)
            return wire.reply()

    def expect_refused(self, statuses, **changes):
        reply = self.shake(**changes)
        self.assertIn(reply.status, statuses, "%s -> %s" % (changes, reply))
        contract().check(reply.json(), contract().schemas["Error"], "error body of %s" % changes)
        self.assertEqual(reply.json()["request_id"], reply.header("X-Request-Id"))
        return reply

    def test_good_ones(self):
        for change in ({}, {"Connection": "upgrade"}, {"Connection": "keep-alive, Upgrade"}, {"Connection": "Upgrade, keep-alive"}, {"Upgrade": "WebSocket"}, {"Upgrade": "WEBSOCKET"}, {"X-Other": "y"},
                       {"Origin": "http://127.0.0.1:%d" % self.server.port}, {"Content-Length": "0"}):
            reply = self.shake(change)
            self.assertEqual(reply.status, 101, "%s -> %s" % (change, reply))
            self.assertEqual((reply.header("Upgrade") or "").lower(), "websocket")
            self.assertEqual((reply.header("Connection") or "").lower(), "upgrade")
            self.assertIsNone(reply.header("Content-Length"))
            self.assertNotIn("/", reply.header("Server") or "", "no version is told")

    def test_the_example_of_the_rfc(self):
        reply = self.shake({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        self.assertEqual(reply.header("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")

    def test_versions(self):
        for version in ("0", "7", "8", "12", "14", "255", "13.0", "x", "", "-1"):
            reply = self.expect_refused((400, 426), change={"Sec-WebSocket-Version": version})
            if reply.status == 426:
                self.assertEqual(reply.header("Sec-WebSocket-Version"), "13", "the client is told what is spoken")
        self.expect_refused((400, 426), drop=("Sec-WebSocket-Version",))

    def test_keys(self):
        for key in ("", "x", "short", base64.b64encode(b"x" * 15).decode(), base64.b64encode(b"x" * 17).decode(), "!" * 24, "A" * 300):
            self.expect_refused((400, 426), change={"Sec-WebSocket-Key": key})
        self.expect_refused((400, 426), drop=("Sec-WebSocket-Key",))

    def test_what_is_no_request_for_an_upgrade(self):
        for drop in (("Upgrade",), ("Connection",), ("Upgrade", "Connection")):
            self.assertEqual(self.expect_refused((426,), drop=drop).header("Upgrade"), "websocket")
        for change in ({"Upgrade": "h2c"}, {"Upgrade": "websockets"}, {"Upgrade": ""}, {"Connection": "close"}, {"Connection": "keep-alive"}, {"Connection": "upgraded"}, {"Connection": ""}):
            self.expect_refused((400, 426), change=change)
        self.expect_refused((400, 426), start="GET %s HTTP/1.0")
        for method in ("POST", "PUT", "DELETE"):
            self.expect_refused((405,), start=method + " %s HTTP/1.1")

    def test_paths(self):
        self.expect_refused((404,), target="/ws/nothing")
        self.expect_refused((404,), target="/ws/plans/%s" % self.plan_id)
        reply = self.shake(target="/ping")
        self.assertEqual((reply.status, reply.json()["ping"]), (200, "pong"), "what is no socket ignores the upgrade")

    def test_foreign_pages(self):
        for origin in ("http://evil.example", "null", "https://127.0.0.1:%d" % self.server.port, "file://"):
            self.expect_refused((403,), change={"Origin": origin})
        self.expect_refused((403,), change={"Host": "evil.example"})

    def test_extensions_and_subprotocols_that_were_not_offered_are_not_named(self):
        for offer in ("permessage-deflate", "permessage-deflate; client_max_window_bits", "x-webkit-deflate-frame", "permessage-deflate; server_no_context_takeover; client_max_window_bits=9, foo; bar=1", "permessage-deflate; unknown=1", ",,,", "foo"):
            reply = self.shake({"Sec-WebSocket-Extensions": offer})
            self.assertEqual(reply.status, 101)
            self.assertIsNone(reply.header("Sec-WebSocket-Extensions"), "compression is not offered")
        self.assertIsNone(self.shake().header("Sec-WebSocket-Protocol"))
        for offer, selected in (("planexe.v1", "planexe.v1"), ("other, planexe.v1", "planexe.v1"), ("planexe.v1, bearer.x", "planexe.v1"), ("other", None), ("xplanexe.v1", None), ("planexe.v10", None), ("PLANEXE.V1", None)):
            reply = self.shake({"Sec-WebSocket-Protocol": offer})
            self.assertEqual((reply.status, reply.header("Sec-WebSocket-Protocol")), (101, selected), offer)

    def test_frames_before_the_answer_are_not_lost_halfway(self):
        # They are taken, or the handshake is refused; a connection that swallowed them would be out of step.
        key, data = handshake(self.server.port, "/ws/plans/%s/progress" % self.plan_id)
        reply = exchange(self.server.port, data + frame(TEXT, ASK))
        self.assertIn(reply.status, (101, 400))

    def test_a_request_may_come_before_it_on_the_same_connection(self):
        with Wire(self.server.port, self.WAIT) as wire:
            wire.send(request_bytes(self.server.port, "GET", "/ping"))
            self.assertEqual(wire.reply().status, 200)
            wire.send(handshake(self.server.port, "/ws/plans/%s/progress" % self.plan_id)[1])
            self.assertEqual(wire.reply().status, 101)

    def test_of_an_unknown_plan_the_close_code_tells(self):
        for plan_id in ("PlanExe_00000000-0000-4000-8000-000000000000", "nothing"):
            with self.api.socket(plan_id) as socket:
                self.assertIsNone(socket.refused)
                messages, code = socket.close_code()
                self.assertEqual(([m["type"] for m in messages], code), (["error"], 4404))


if __name__ == "__main__":
    server_harness.main()
