#!/usr/bin/env python3
"""Clients that send slowly or nothing, and connections up to the limit: the server drops them in time, serves others meanwhile, and
gets its memory and its descriptors back.

The deadlines are the server's own (10 s for headers, 30 s for a body), so all slow cases run side by side.
"""
import socket as sockets
import time

import harness
import server_harness
from server_harness import Api
from server_slow import BODY_WAIT, HEADER_WAIT, LATE, Meanwhile, Process, SlowCase
from server_wire import Broken, Http, Wire, handshake, request_bytes


class Senders(SlowCase):
    """Slow headers and bodies, and connections that say nothing."""

    EACH = 20

    def test_senders_are_dropped_at_their_deadlines_and_others_do_not_wait(self):
        self.api.call("ping")
        before, memory = self.process.descriptors(), self.process.memory()
        with Meanwhile(self.server.port) as other:
            self.together([part for part in (self.silent, self.headers_begun, self.headers_dripping, self.half_a_second_request) for _ in range(self.EACH)] +
                          [part for part in (self.body_missing, self.body_dripping, self.chunks_dripping) for _ in range(self.EACH)] + [self.half_open] * self.EACH)
        self.expect_prompt(other)
        self.expect_back(before, memory)

    def ends(self, wire, seconds, drip=b""):
        took, data = self.until_closed(wire, seconds + LATE, drip)
        self.assertGreater(took, seconds - 2, "too early: %r" % data[:200])
        return data

    def silent(self):
        with Wire(self.server.port) as wire:
            self.assertEqual(self.ends(wire, HEADER_WAIT), b"")

    def headers_begun(self):
        with Wire(self.server.port) as wire:
            wire.send(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            self.ends(wire, HEADER_WAIT)

    def headers_dripping(self):
        with Wire(self.server.port) as wire:
            wire.send(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            self.ends(wire, HEADER_WAIT, b"X: y\r\n")

    def half_a_second_request(self):
        with Wire(self.server.port) as wire:
            wire.send(request_bytes(self.server.port, "GET", "/ping"))
            self.assertEqual(wire.reply().status, 200)
            wire.send(b"GET /pi")
            self.ends(wire, HEADER_WAIT)

    def too_slow(self, fields, drip):
        with Wire(self.server.port) as wire:
            wire.send(b"POST /api/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" + fields)
            wire.buffer = self.ends(wire, BODY_WAIT, drip)
            reply = wire.reply("POST") if wire.buffer else None
            self.assertIsNotNone(reply, "408 is an answer")
            self.expect_error(reply, 408, "REQUEST_TIMEOUT")

    def body_missing(self):
        self.too_slow(b"Content-Length: 1000\r\n\r\n", b"")

    def body_dripping(self):
        self.too_slow(b"Content-Length: 100000\r\n\r\n{", b" ")

    def chunks_dripping(self):
        self.too_slow(b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"1\r\n \r\n")

    def half_open(self):
        """The client has said that nothing more comes, within a request: there is nothing to wait for."""
        with Wire(self.server.port) as wire:
            wire.send(b"POST /api/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
            wire.socket.shutdown(sockets.SHUT_WR)
            took, _ = self.until_closed(wire, 10)
            self.assertLess(took, 5)


class Connections(SlowCase):
    """Up to the limit of connections, and over it."""

    LIMIT = 60

    def test_connections_that_say_nothing_up_to_the_limit(self):
        server = self.own_server(PLANEXE_MAX_CONNECTIONS=str(self.LIMIT))
        process = Process(server)
        Api(server).call("ping")
        before, memory = process.descriptors(), process.memory()
        kept = Http(server.port)
        self.assertEqual(kept.request("GET", "/ping").status, 200)
        silent = [Wire(server.port) for _ in range(self.LIMIT * 2)]
        began = time.monotonic()
        # Those beyond the limit are ended at once; who is in is served on.
        refused = 0
        for wire in silent:
            wire.socket.setblocking(False)

        def ended(wire):
            try:
                return wire.socket.recv(1) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True
        self.assertTrue(harness.eventually(lambda: sum(ended(wire) for wire in silent) >= self.LIMIT, 5))
        refused = sum(ended(wire) for wire in silent)
        self.assertLess(time.monotonic() - began, HEADER_WAIT - 2, "these were refused, not timed out")
        self.assertLessEqual(refused, self.LIMIT + 2)
        self.assertEqual(kept.request("GET", "/ping").status, 200, "a connection that is in use stays")
        # The silent ones are dropped at their deadline, and there is room again while they are still held by their client.
        self.assertTrue(harness.eventually(lambda: self.works(server), HEADER_WAIT + LATE, 0.2))
        self.assertTrue(harness.eventually(lambda: all(ended(wire) for wire in silent), LATE))
        for wire in silent:
            wire.close()
        kept.close()
        self.expect_back(before, memory, process=process)

    def works(self, server):
        try:
            with Wire(server.port, 2) as wire:
                wire.send(request_bytes(server.port, "GET", "/ping", {"Connection": "close"}))
                return wire.reply().status == 200
        except (Broken, OSError):
            return False

    def test_clients_that_vanish_leave_nothing(self):
        self.api.call("ping")
        plan_id = self.held_plan()
        before, memory = self.process.descriptors(), self.process.memory()
        beginnings = [b"", b"G", b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n", request_bytes(self.server.port, "GET", "/openapi.json") * 30,
                      b"POST /api/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n" + b"x" * 300000,
                      request_bytes(self.server.port, "GET", "/api/plans/%s/stream" % plan_id), handshake(self.server.port, "/ws/plans/%s/progress" % plan_id)[1],
                      handshake(self.server.port, "/ws/plans/%s/progress" % plan_id)[1].replace(b"13", b"12", 1)]
        for round_ in range(25):
            wires = []
            for data in beginnings:
                wire = Wire(self.server.port)
                wire.send(data)
                wires.append(wire)
            for n, wire in enumerate(wires):
                if (round_ + n) % 3 == 0:
                    wire.close()
                elif (round_ + n) % 3 == 1:
                    wire.reset()
                else:
                    wire.socket.shutdown(sockets.SHUT_WR)
                    wire.close()
        self.assertTrue(self.api.get("ping"))
        self.expect_back(before, memory)


if __name__ == "__main__":
    server_harness.main()
