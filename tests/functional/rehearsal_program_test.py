#!/usr/bin/env python3
"""planexe-rehearsal as a program: how it starts and ends, what it refuses, many connections at once, stored runs."""
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import unittest

import harness

CONNECTIONS = 1000


def run(*arguments):
    return subprocess.run([harness.program("planexe-rehearsal"), *arguments], capture_output=True, text=True, timeout=30)


def request(path, body):
    data = json.dumps(body).encode()
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(data)) + data


class StartAndEnd(unittest.TestCase):
    def test_it_ends_cleanly_on_sigterm_and_sigint_also_with_open_streams(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = harness.Rehearsal("--latency-ms", "60000")
            host, port = server.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), 10) as stream:
                stream.sendall(request("/v1/responses", {"model": "m", "input": "x", "stream": True}))
                self.assertIn(b"200 OK", stream.recv(65536))
                server.child.send_signal(number)
                self.assertEqual(server.child.wait(10), 0)
            server.stop()

    def test_what_it_refuses(self):
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder, "script.json")
            script.write_text('{"steps":[{"stauts":500}]}')
            broken = pathlib.Path(folder, "broken.json")
            broken.write_text("{")
            for code, words, arguments in [
                    (3, "loopback", ["--host", "0.0.0.0"]),
                    (3, "loopback", ["--host", "example.com"]),
                    (3, "stauts", ["--script", str(script)]),
                    (3, "line 1", ["--script", str(broken)]),
                    (3, "", ["--script", folder + "/none.json"]),
                    (3, "", ["--answers", folder + "/none.zip"]),
                    (3, "", ["--recipe", folder + "/none"]),
                    (2, "", ["--profile", "slow"]),
                    (2, "", ["--fault-rate", "7"]),
                    (2, "", ["--no-such-option"])]:
                outcome = run(*arguments)
                self.assertEqual(outcome.returncode, code, arguments)
                self.assertNotIn("listening", outcome.stdout, arguments)
                self.assertIn(words, outcome.stderr, arguments)
                self.assertTrue(outcome.stderr.strip(), arguments)

    def test_a_port_that_is_taken_is_said(self):
        server = harness.Rehearsal()
        try:
            outcome = run("--port", server.url.rsplit(":", 1)[1])
            self.assertEqual(outcome.returncode, 3)
            self.assertIn("Cannot listen", outcome.stderr)
        finally:
            server.stop()

    def test_help_says_what_it_is(self):
        outcome = run("--help")
        self.assertEqual(outcome.returncode, 0)
        self.assertIn("model server without a model", outcome.stdout)

    def test_scripts_of_a_file_and_the_log(self):
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder, "script.json")
            script.write_text('[{"match":{"call":"a/main/1"},"steps":[{"status":503}]}]')
            log = pathlib.Path(folder, "log")
            server = harness.Rehearsal("--script", str(script), "--log", str(log))
            try:
                body = {"model": "m", "input": "x", "metadata": {"call": "a/main/1"}}
                with self.assertRaises(Exception) as failure:
                    server.post("/v1/responses", body)
                self.assertEqual(failure.exception.code, 503)
                server.post("/v1/responses", body)
            finally:
                server.stop()
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            self.assertEqual([line["path"] for line in lines], ["/v1/responses"] * 2)


class Load(unittest.TestCase):
    def test_a_thousand_streams_at_once(self):
        server = harness.Rehearsal("--latency-ms", "1500")
        host, port = server.url.removeprefix("http://").split(":")
        streams = {}
        try:
            poll = select.epoll()
            for number in range(CONNECTIONS):
                stream = socket.create_connection((host, int(port)), 20)
                stream.sendall(request("/v1/responses", {"model": "m", "input": "x", "stream": True, "metadata": {"call": "load/main/%d" % number}}))
                streams[stream.fileno()] = [stream, b""]
                poll.register(stream, select.EPOLLIN)
            complete = 0
            while complete < CONNECTIONS:
                ready = poll.poll(30)
                self.assertTrue(ready, "no bytes for 30 s")
                for descriptor, _ in ready:
                    part = streams[descriptor][0].recv(65536)
                    self.assertTrue(part, "a stream broke off")
                    streams[descriptor][1] += part
                    if streams[descriptor][1].endswith(b"0\r\n\r\n"):
                        complete += 1
            for _, data in streams.values():
                self.assertEqual(data.count(b"event: response.completed"), 1)
            counters = server.counters()
            self.assertGreater(counters["running_max"], CONNECTIONS // 2)
            self.assertEqual(counters["answers"]["completed"], CONNECTIONS)
            self.assertEqual(counters["running"], 0)
        finally:
            for stream, _ in streams.values():
                stream.close()
            server.stop()

    def test_the_same_seed_gives_the_same_ids(self):
        ids = []
        for _ in range(2):
            server = harness.Rehearsal()
            try:
                ids.append(json.loads(server.post("/v1/responses", {"model": "m", "input": "x"}))["id"])
            finally:
                server.stop()
        self.assertEqual(*ids)


class StoredRuns(unittest.TestCase):
    def test_answers_of_a_real_run(self):
        folder = os.environ.get("PLANEXE_REAL_RUNS")
        if not folder:
            self.skipTest("PLANEXE_REAL_RUNS is not set to a folder of finished runs")
        for run_zip in sorted(pathlib.Path(folder).glob("*.zip")):
            server = harness.Rehearsal("--answers", str(run_zip))
            try:
                body = {"model": "m", "input": "x", "metadata": {"call": "project_plan/main/1", "attempt": "1", "item": "1"}}
                text = json.loads(server.post("/v1/responses", body))["output"][0]["content"][0]["text"]
                self.assertNotIn("ehearsal", text, run_zip.name)
                self.assertGreater(len(text), 1000, run_zip.name)
            finally:
                server.stop()


if __name__ == "__main__":
    harness.main()
