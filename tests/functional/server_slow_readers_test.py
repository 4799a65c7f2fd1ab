#!/usr/bin/env python3
"""Clients that read slowly or not at all: the server drops who takes nothing for 30 s, plans and other clients do not wait for them, and
memory and descriptors come back.
"""
import time

import harness
import server_harness
from server_slow import LATE, MIB, WRITE_WAIT, Meanwhile, SlowCase
from server_wire import Http, Wire, handshake, request_bytes


class Readers(SlowCase):
    """Answers larger than every buffer of the system, and streams, to clients that take nothing."""

    EACH = 8

    def asking(self, data):
        """A client with the smallest buffer that asks and then reads nothing."""
        wire = Wire(self.server.port, small_buffer=True)
        self.addCleanup(wire.close)
        wire.send(data)
        return wire

    def test_readers_that_take_nothing(self):
        port = self.server.port
        plan_id = self.api.completed()["plan_id"]  # the connections to the provider that a run keeps are open now, too
        files = self.api.get("listFiles", id=plan_id)["files"]
        largest = max(files, key=lambda entry: entry["size_bytes"])["filename"]
        Http(port).request("GET", "/api/plans/%s/bundle" % plan_id)
        before, memory = self.process.descriptors(), self.process.memory()
        targets = ["/api/plans/%s/bundle" % plan_id, "/api/plans/%s/files/%s" % (plan_id, largest), "/openapi.json"]
        with Meanwhile(port) as other:
            # Many requests in one go, so that every kind of answer outgrows the buffers and stops in the middle.
            stuck = [self.asking(request_bytes(port, "GET", target) * 200) for target in targets for _ in range(self.EACH)]
            watched = self.api.create()["plan_id"]
            stuck += [self.asking(request_bytes(port, "GET", "/api/plans/%s/stream" % watched, {"Accept": "text/event-stream"})) for _ in range(self.EACH)]
            stuck += [self.asking(handshake(port, "/ws/plans/%s/progress" % watched)[1]) for _ in range(self.EACH)]
            self.assertTrue(harness.eventually(lambda: self.process.descriptors() >= before + len(targets) * self.EACH, 20))
            self.assertEqual(self.api.wait(watched)["status"], "completed", "a plan does not wait for its watchers")
            self.assertEqual(self.api.completed()["status"], "completed")
            self.assertLess(self.process.memory(), memory + 200 * MIB, "what waits for slow readers is bounded")
            # Nobody reads, and still the server ends the connections: its descriptors come back while all clients stay.
            self.assertTrue(harness.eventually(lambda: self.process.descriptors() <= before + 2, WRITE_WAIT + 3 * LATE, 0.2),
                            "%d descriptors, before %d" % (self.process.descriptors(), before))
        self.expect_prompt(other)
        self.expect_back(before, memory)
        self.assertEqual(len(stuck), len(targets) * self.EACH + 2 * self.EACH)

    def test_a_reader_that_takes_a_little_gets_everything(self):
        """Slow is not gone: as long as bytes are taken within the deadline, the answer goes on."""
        plan_id = self.api.completed()["plan_id"]
        target = "/api/plans/%s/bundle" % plan_id
        whole = Http(self.server.port).request("GET", target)
        with Wire(self.server.port, small_buffer=True) as wire:
            wire.send(request_bytes(self.server.port, "GET", target, {"Connection": "close"}))
            data, deadline = b"", time.monotonic() + 60
            while time.monotonic() < deadline:
                part = wire.socket.recv(8192)
                if not part:
                    break
                data += part
                time.sleep(0.002)  # the subject of this test: a line that is slow, not dead
            wire.buffer = data
            wire.rest = lambda seconds=0: b""
            self.assertGreater(len(data), len(whole.body) // 2)
            self.assertEqual(wire.reply().status, 200)


if __name__ == "__main__":
    server_harness.main()
