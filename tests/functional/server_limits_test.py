#!/usr/bin/env python3
"""HTTP from below: malformed requests, smuggling, sizes, slow clients, pipelining, methods, unknown paths, connections."""
import concurrent.futures
import re
import socket
import struct
import time

import server_harness
from harness import eventually
from server_contract import contract
from server_harness import Api, Server, ServerCase
from server_wire import Broken, Wire, exchange, request_bytes

UNKNOWN = "PlanExe_00000000-0000-4000-8000-000000000000"


class LimitCase(ServerCase):
    def raw(self, data, seconds=10):
        """What a connection of its own answers to these bytes: the reply, and whether the connection was closed after it."""
        with Wire(self.server.port, seconds) as wire:
            try:
                wire.send(data)
                reply = wire.reply()
            except (Broken, ConnectionError):
                return None, True
            return reply, wire.ended(1)

    def closed_or(self, data, *statuses):
        reply, closed = self.raw(data)
        if reply is not None:
            self.assertIn(reply.status, statuses, "%r -> %s" % (data[:120], reply))
            if reply.status >= 400:
                contract().check(reply.json(), contract().schemas["Error"], "error body")
        self.assertTrue(closed or reply.status in (200, 403), "%r: the connection is still used after a request whose end is not certain" % data[:120])
        return reply


class Malformed(LimitCase):
    def test_what_is_no_request(self):
        host = b"Host: 127.0.0.1\r\n"
        for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"GET /ping\r\n\r\n", b"GET /ping HTTP/9.9\r\n" + host + b"\r\n", b"GET  /ping HTTP/1.1\r\n" + host + b"\r\n",
                     b"G\x00T /ping HTTP/1.1\r\n" + host + b"\r\n", b"GET /ping HTTP/1.1\r\n" + host + b"No colon\r\n\r\n", b"GET /ping HTTP/1.1\r\n" + host + b"A : b\r\n\r\n",
                     b"GET /ping HTTP/1.1\r\n" + host + b" folded: x\r\n\r\n", b"GET /ping HTTP/1.1\r\n" + host + b"X: a\r\n folded\r\n\r\n", b"GET /ping HTTP/1.1\r\n" + host + b"X: a\x00b\r\n\r\n",
                     b"GET /pi ng HTTP/1.1\r\n" + host + b"\r\n", b"GET /ping\x01 HTTP/1.1\r\n" + host + b"\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n" * 200, b"GET /ping HTTP/1.1\r\n" + host + b": x\r\n\r\n"):
            with self.subTest(data=data[:60]):
                self.closed_or(data, 400, 431, 505)
        self.api.get("ping")

    def test_smuggling(self):
        head = b"POST /api/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        inner = b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        for more in (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
                     b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}", b"Content-Length: 2, 40\r\n\r\n{}", b"Content-Length: +2\r\n\r\n{}", b"Content-Length: 0x2\r\n\r\n{}",
                     b"Content-Length: -2\r\n\r\n{}", b"Content-Length: 2 2\r\n\r\n{}", b"Content-Length: 99999999999999999999999\r\n\r\n{}", b"Content-Length:\r\n\r\n{}",
                     b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
                     b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
                     b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n", b"Transfer-Encoding: gzip\r\n\r\n{}", b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"):
            with self.subTest(more=more[:70]):
                with Wire(self.server.port, 10) as wire:
                    try:
                        wire.send(head + more + inner)
                        replies = wire.rest(4)
                    except (ConnectionError, TimeoutError):
                        replies = wire.buffer
                    self.assertNotIn(b'"pong"', replies, "a second request was read out of the first one's body")
                    self.assertNotIn(b"HTTP/1.1 2", replies)

    def test_bodies_in_chunks(self):
        body = b'{"prompt":"in chunks"}'
        self.hold()
        pieces = b"".join(b"%x;name=\"a;b\"\r\n%s\r\n" % (len(p), p) for p in (body[:5], body[5:6], body[6:]))
        head = b"POST /api/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        reply = exchange(self.server.port, head + pieces + b"0\r\nTrailer: x\r\n\r\n")
        contract().check_reply("createPlan", reply)
        self.assertEqual(reply.status, 200, str(reply))
        self.forget(self.api, reply.json()["plan_id"])
        tiny = b"".join(b"1;%s\r\nx\r\n" % (b"e" * 200) for _ in range(3000))
        reply, closed = self.raw(head + tiny + b"0\r\n\r\n")
        self.assertTrue(reply is None and closed or reply.status in (400, 413, 431), str(reply))
        reply, closed = self.raw(head + b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(17)) + b"0\r\n\r\n")
        self.assertTrue(reply is None or reply.status == 413, str(reply))

    def test_bare_line_feeds_and_repeated_hosts(self):
        for data in (b"GET /ping HTTP/1.1\nHost: 127.0.0.1\n\n", b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\nX: y\r\n\r\n"):
            reply, _ = self.raw(data)
            self.assertTrue(reply is None or reply.status in (400, 200), str(reply))
        for hosts in (b"", b"Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n", b"Host: 127.0.0.1\r\nHost: evil.example\r\n", b"Host: 127.0.0.1, evil.example\r\n"):
            with self.subTest(hosts=hosts):
                reply = exchange(self.server.port, b"GET /ping HTTP/1.1\r\n" + hosts + b"\r\n")
                contract().check_reply("ping", reply)
                self.assertIn(reply.status, (400, 403))

    def test_targets_that_are_not_decodable(self):
        for target in ("/api/plans/%", "/api/plans/%zz", "/api/plans/%f", "/api/plans/%ff", "/api/plans/%c0%af", "/api/plans/%ed%a0%80", "/api/plans?q=%", "/api/plans?q=%ff",
                       "/api/plans?%=1"):
            with self.subTest(target=target):
                reply = self.send("GET", target)
                contract().check_reply("listPlans", reply)
                self.expect_error(reply, 400, "INVALID_REQUEST")
        reply = exchange(self.server.port, b"GET /api/plans?q=\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self.assertEqual(reply.status, 400)
        for target in ("http://127.0.0.1:%d/ping" % self.server.port, "//ping", "*", "127.0.0.1:80", "http://evil.example/ping"):
            reply, _ = self.raw(request_bytes(self.server.port, "GET", target))
            self.assertTrue(reply is None or reply.status in (200, 400, 403, 404), "%s %s" % (target, reply))
        reply, _ = self.raw(request_bytes(self.server.port, "CONNECT", "127.0.0.1:22"))
        self.assertTrue(reply is None or reply.status in (400, 404, 405), str(reply))


class Sizes(LimitCase):
    def test_urls(self):
        fits = "/ping?x=" + "a" * (8192 - 8)
        self.assertEqual(self.send("GET", fits).status, 200)
        for target in (fits + "a", "/ping?" + "b" * 20000, "/" + "c" * 9000):
            reply, _ = self.raw(request_bytes(self.server.port, "GET", target))
            contract().check_reply("ping", reply)
            self.expect_error(reply, 414, "URI_TOO_LONG")

    def test_headers(self):
        def with_headers(size):
            return request_bytes(self.server.port, "GET", "/ping", [("X-Pad-%d" % n, "p" * 1000) for n in range(size // 1000)])
        def with_block(size):
            # Everything behind the request line, to the end of the blank line.
            rest = b"Host: 127.0.0.1\r\nX: " + b"\r\n\r\n"
            return b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"v" * (size - len(rest)) + b"\r\n\r\n"
        self.assertEqual(exchange(self.server.port, with_headers(28000)).status, 200)
        self.assertEqual(exchange(self.server.port, with_block(32768)).status, 200)
        for data in (with_block(32769), with_headers(34000), request_bytes(self.server.port, "GET", "/ping", {"X": "y" * 33000}), request_bytes(self.server.port, "GET", "/ping", {"n" * 33000: "y"}),
                     request_bytes(self.server.port, "GET", "/ping", [("a", "b")] * 20000)):
            reply, closed = self.raw(data)
            self.assertIsNotNone(reply, "431 is an answer, not a closed connection")
            contract().check_reply("ping", reply)
            self.expect_error(reply, 431, "HEADERS_TOO_LARGE")
            self.assertTrue(closed)

    def test_bodies(self):
        fits = b'{"prompt":"x","pad":"%s"}' % (b"y" * (1048576 - 23))
        self.assertEqual(len(fits), 1048576)
        self.hold()
        reply = self.send("POST", "/api/plans", {"Content-Type": "application/json"}, fits)
        self.assertEqual(reply.status, 200, str(reply))
        self.forget(self.api, reply.json()["plan_id"])
        reply, _ = self.raw(request_bytes(self.server.port, "POST", "/api/plans", {"Content-Type": "application/json"}, fits + b" "))
        contract().check_reply("createPlan", reply)
        self.expect_error(reply, 413, "PAYLOAD_TOO_LARGE")
        before = time.monotonic()
        reply, closed = self.raw(request_bytes(self.server.port, "POST", "/api/plans", {"Content-Type": "application/json", "Content-Length": "9000000000"}))
        self.expect_error(reply, 413, "PAYLOAD_TOO_LARGE")
        self.assertTrue(closed)
        self.assertLess(time.monotonic() - before, 5, "the answer does not wait for the body")

    def test_every_operation_with_a_body_keeps_the_limit(self):
        for operation in contract().operations.values():
            if not operation.body:
                continue
            target = operation.target({p["name"]: UNKNOWN for p in operation.places("path")})
            reply, _ = self.raw(request_bytes(self.server.port, operation.method, target, {"Content-Type": "application/json", "Content-Length": "1048577"}))
            contract().check_reply(operation, reply)
            self.assertIn(reply.status, (413, 404))

    def test_media_types_of_bodies(self):
        body = b'{"token":"x"}'
        for kind in ("application/json", "Application/JSON", "application/json;charset=utf-8", 'application/json; Charset="UTF-8"', "application/json ; x=y"):
            reply = self.send("POST", "/api/auth/login", {"Content-Type": kind}, body)
            self.assertEqual(reply.status, 204, "%s %s" % (kind, reply))
        for headers in ({}, {"Content-Type": ""}, {"Content-Type": "text/plain"}, {"Content-Type": "application/jsonp"}, {"Content-Type": "application/json-patch+json"},
                        {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "multipart/form-data; boundary=x"}, {"Content-Type": "*/*"},
                        {"Content-Type": "application/json; charset=latin1"}, {"Content-Type": "application/json, text/plain"},
                        [("Content-Type", "application/json"), ("Content-Type", "text/plain")], {"Content-Type": "application/json", "Content-Encoding": "gzip"}):
            with self.subTest(headers=headers):
                reply = self.send("POST", "/api/auth/login", headers, body)
                contract().check_reply("login", reply)
                self.expect_error(reply, 415, "UNSUPPORTED_MEDIA_TYPE")

    def test_lists_in_one_value_however_their_commas_are_written(self):
        plan_id = self.api.completed()["plan_id"]
        for include, parts in (("files%2Clog", {"generated_files", "pipeline_log"}), ("files,log", {"generated_files", "pipeline_log"}), ("stages", {"pipeline_stages"})):
            reply = self.send("GET", "/api/plans/%s/details?include=%s" % (plan_id, include))
            contract().check_reply("getDetails", reply)
            self.assertEqual({"generated_files", "pipeline_log", "pipeline_stages"} & set(reply.json()), parts, include)
        for include in ("files%2Cnothing", "", "files,,log", "Files"):
            reply = self.send("GET", "/api/plans/%s/details?include=%s" % (plan_id, include))
            contract().check_reply("getDetails", reply)
            self.expect_error(reply, 422, "VALIDATION_FAILED")

    def test_expect_100(self):
        with Wire(self.server.port) as wire:
            wire.send(request_bytes(self.server.port, "POST", "/api/auth/login", {"Content-Type": "application/json", "Content-Length": "13", "Expect": "100-continue"}))
            time.sleep(0.2)
            wire.send(b'{"token":"x"}')
            reply = wire.reply()
            self.assertEqual((reply.status, set(reply.interim) - {100}), (204, set()))


class Slow(LimitCase):
    """Each takes its time, so they run side by side."""

    def test_clients_that_send_slowly(self):
        parts = [self.headers_that_never_end, self.headers_byte_by_byte, self.body_that_never_ends, self.body_byte_by_byte, self.nothing_at_all, self.half_a_second_request]
        with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
            for future in [pool.submit(part) for part in parts]:
                future.result()
        self.assertTrue(self.api.get("ping"))

    def until_closed(self, wire, drip=None, limit=45):
        began = time.monotonic()
        data = b""
        wire.socket.settimeout(0.5)
        while time.monotonic() - began < limit:
            try:
                if drip:
                    wire.send(drip)
                part = wire.socket.recv(65536)
                if not part:
                    return time.monotonic() - began, data
                data += part
            except TimeoutError:
                continue
            except OSError:
                return time.monotonic() - began, data
        raise AssertionError("still open after %d s" % limit)

    def closes_in_time(self, wire, seconds, drip=None):
        took, data = self.until_closed(wire, drip)
        self.assertTrue(seconds - 2 < took < seconds + 4, "closed after %.1f s, expected %d" % (took, seconds))
        return data

    def headers_that_never_end(self):
        with Wire(self.server.port) as wire:
            wire.send(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            self.closes_in_time(wire, 10)

    def headers_byte_by_byte(self):
        with Wire(self.server.port) as wire:
            wire.send(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            self.closes_in_time(wire, 10, b"x")

    def nothing_at_all(self):
        with Wire(self.server.port) as wire:
            self.closes_in_time(wire, 10)

    def half_a_second_request(self):
        with Wire(self.server.port) as wire:
            wire.send(request_bytes(self.server.port, "GET", "/ping"))
            self.assertEqual(wire.reply().status, 200)
            wire.send(b"GET /pi")
            self.closes_in_time(wire, 10)

    def slow_body(self, drip):
        with Wire(self.server.port) as wire:
            wire.send(b"POST /api/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
            data = self.closes_in_time(wire, 30, drip)
            wire.buffer = data
            reply = wire.reply()
            contract().check_reply("createPlan", reply)
            self.expect_error(reply, 408, "REQUEST_TIMEOUT")

    def body_that_never_ends(self):
        self.slow_body(None)

    def body_byte_by_byte(self):
        self.slow_body(b" ")


class Connections(LimitCase):
    def test_pipelined_requests_are_answered_in_order(self):
        ids = ["r%d" % n for n in range(50)]
        with Wire(self.server.port) as wire:
            wire.send(b"".join(request_bytes(self.server.port, "GET", "/api/plans" if n % 3 else "/ping", {"X-Request-Id": i}) for n, i in enumerate(ids)))
            self.assertEqual([wire.reply().header("X-Request-Id") for _ in ids], ids)

    def test_requests_byte_by_byte_and_half_closed(self):
        with Wire(self.server.port) as wire:
            for byte in request_bytes(self.server.port, "GET", "/ping"):
                wire.send(bytes([byte]))
            self.assertEqual(wire.reply().status, 200)
            wire.send(request_bytes(self.server.port, "GET", "/ping"))
            wire.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(wire.reply().status, 200)
            self.assertTrue(wire.ended(5))

    def test_close_and_http_1_0(self):
        with Wire(self.server.port) as wire:
            wire.send(request_bytes(self.server.port, "GET", "/ping", {"Connection": "close"}))
            self.assertEqual(wire.reply().status, 200)
            self.assertTrue(wire.ended(5))
        with Wire(self.server.port) as wire:
            wire.send(b"GET /ping HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
            self.assertEqual(wire.reply().status, 200)
            self.assertTrue(wire.ended(5))

    def test_clients_that_vanish_in_the_middle(self):
        for data in (b"GET /pi", request_bytes(self.server.port, "GET", "/api/plans"), b"POST /api/plans HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{") * 30:
            wire = Wire(self.server.port)
            wire.send(data)
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.close()
        self.api.get("ping")

    def test_the_limit_of_connections(self):
        server = Server(self.sandbox(), PLANEXE_MAX_CONNECTIONS="8")
        self.addCleanup(lambda: server.alive and server.stop())
        wires = [Wire(server.port) for _ in range(8)]
        for wire in wires:
            wire.send(request_bytes(server.port, "GET", "/ping"))
            self.assertEqual(wire.reply().status, 200)
        with Wire(server.port, 3) as extra:
            try:
                extra.send(request_bytes(server.port, "GET", "/ping"))
                answered = extra.reply().status == 200
            except (Broken, OSError):
                answered = False
            self.assertFalse(answered, "a ninth connection is served")
        for wire in wires:
            wire.close()
        self.assertTrue(eventually(lambda: self.works(server), 10))

    def works(self, server):
        try:
            return Api(server).call("ping").status == 200
        except (Broken, OSError):
            return False


class Methods(LimitCase):
    def paths(self):
        found = {}
        for operation in contract().operations.values():
            found.setdefault(operation.path, set()).add(operation.method)
        return found

    def test_every_path_knows_its_methods_only(self):
        for path, methods in self.paths().items():
            target = re.sub(r"\{\w+\}", "x", path)
            allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
            with self.subTest(path=path):
                self.assertEqual(self.send("OPTIONS", target).status, 204)
                for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - allowed):
                    reply = self.send(method, target)
                    contract().check_unrouted(reply, method)
                    self.expect_error(reply, 405, "METHOD_NOT_ALLOWED")
                    self.assertEqual({m.strip() for m in reply.header("Allow").split(",")}, allowed)

    def test_head_is_get_without_the_body(self):
        plan_id = self.api.completed()["plan_id"]
        paths = ["/health", "/ping", "/api/plans", "/api/models", "/api/prompts", "/openapi.json", "/docs", "/api/plans/" + plan_id] + [
            "/api/plans/%s/%s" % (plan_id, part) for part in ("tasks", "artefacts", "files", "files/029-report.html", "report", "details", "fallback-report",
                                                             "assembled-document", "interactions", "stream-status", "bundle")]
        for path in paths:
            with self.subTest(path=path):
                get, head = self.send("GET", path), self.send("HEAD", path)
                self.assertEqual((head.status, head.header("Content-Type"), head.header("ETag")), (get.status, get.header("Content-Type"), get.header("ETag")))
                if get.header("Content-Length") and head.header("Content-Length") and path not in ("/health", "/ping"):
                    self.assertEqual(head.header("Content-Length"), get.header("Content-Length"))
        self.assertEqual(self.send("HEAD", "/api/plans/" + UNKNOWN).status, 404)

    def test_a_slash_at_the_end_changes_nothing(self):
        for path in ("/health/", "/api/plans/", "/api/models/", "/api/plans/%s/" % UNKNOWN, "/api/plans/%s/tasks/" % UNKNOWN):
            self.assertEqual(self.send("GET", path).status, self.send("GET", path[:-1]).status, path)
        self.assertEqual(self.send("POST", "/api/plans/", {"Content-Type": "application/json"}, b"{}").status, 422)

    def test_unknown_paths_below_api_are_json(self):
        for path in ("/api", "/api/", "/api/nothing", "/api/plans/x/y/z", "/ws", "/ws/x", "/ws/plans/x", "/api//plans", "/API/plans/", "/api/models/debug", "/api/images/generate",
                     "/api/plan", "/api/plans%2f", "/api/plans/x/files", "/api/plans/%2e%2e/%2e%2e/etc"):
            with self.subTest(path=path):
                reply = self.send("GET", path)
                if path.startswith("/API"):
                    self.assertEqual(reply.status, 404)
                elif path.endswith("/files"):
                    self.expect_error(reply, 404, "PLAN_NOT_FOUND")
                else:
                    contract().check_unrouted(reply)
                    self.expect_error(reply, 404, "NOT_FOUND")

    def test_request_ids(self):
        for given in ("a", "A.b_c-9", "x" * 64):
            self.assertEqual(self.send("GET", "/ping", {"X-Request-Id": given}).header("X-Request-Id"), given)
        found = [self.send("GET", "/ping", {"X-Request-Id": bad}).header("X-Request-Id") for bad in ("x" * 65, "a b", "ä", "a/b", "") for _ in range(3)]
        self.assertEqual(len(set(found)), len(found), "ids are made anew")
        self.assertFalse({"x" * 65, "a b", "a/b"} & set(found))
        reply = self.send("GET", "/api/plans/" + UNKNOWN, {"X-Request-Id": "mine"})
        self.assertEqual((reply.json()["request_id"], reply.header("X-Request-Id")), ("mine", "mine"))


class Interface(LimitCase):
    """The static files of the web interface."""

    def test_own_files(self):
        box = self.sandbox()
        ui = box.folder / "ui"
        files = {"index.html": "<!doctype html><p>home", "404.html": "<!doctype html><p>gone", "create/index.html": "<p>create", "_next/static/app-0123456789abcdef.js": "1", "robots.txt": "x"}
        for name, text in files.items():
            (ui / name).parent.mkdir(parents=True, exist_ok=True)
            (ui / name).write_text(text)
        (ui / "link").symlink_to("/etc/passwd")
        (box.folder / "secret.txt").write_text("secret")
        server = Server(box, PLANEXE_UI_DIR=str(ui))
        self.addCleanup(lambda: server.alive and server.stop())

        def get(path):
            return self.send("GET", path, port=server.port)
        self.assertEqual((get("/").status, get("/").text), (200, files["index.html"]))
        self.assertEqual(get("/").header("Cache-Control"), "no-cache")
        self.assertEqual((get("/create").status, get("/create").header("Location")), (308, "/create/"))
        self.assertEqual(get("/create/").text, files["create/index.html"])
        asset = get("/_next/static/app-0123456789abcdef.js")
        self.assertIn("immutable", asset.header("Cache-Control"))
        self.assertEqual(asset.header("X-Content-Type-Options"), "nosniff")
        self.assertEqual((get("/nothing").status, get("/nothing").text), (404, files["404.html"]))
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/create/../../secret.txt", "/link", "//etc/passwd", "/create/%00", "/.hidden", "/..\\secret.txt"):
            reply = get(path)
            self.assertNotIn(b"secret", reply.body, path)
            self.assertNotIn(b"root:", reply.body, path)
            self.assertIn(reply.status, (400, 404), path)
        self.assertEqual(get("/ping").json()["ping"], "pong", "API routes win")
        self.assertEqual(get("/api/nothing").json()["code"], "NOT_FOUND")

    def test_the_embedded_one(self):
        reply = self.send("GET", "/")
        self.assertEqual((reply.status, (reply.header("Content-Type") or "").split(";")[0]), (200, "text/html"))
        self.assertEqual(self.send("GET", "/no-such-page").status, 404)


if __name__ == "__main__":
    server_harness.main()
