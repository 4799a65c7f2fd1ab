#!/usr/bin/env python3
"""HTTP/1.1 as RFC 9110 and RFC 9112 ask it of an origin server: request lines, hosts, headers, answers, and who ends the connection."""
import concurrent.futures
import time

import server_harness
from server_conformance import BAD, BODY, CLOSE, EITHER, GOOD, HOST, KEEP, LOGIN, OK, ConformanceCase, line, ping
from server_wire import Wire, request_bytes


class RequestLine(ConformanceCase):
    def test_forms_of_the_target(self):
        own = b"127.0.0.1:%d" % self.server.port
        self.table([
            (ping(), OK, KEEP),
            (line(b"GET /ping?x=1&y=%20 HTTP/1.1"), OK, KEEP),
            (line(b"GET http://127.0.0.1/ping HTTP/1.1"), OK, KEEP),
            (line(b"GET HTTP://" + own + b"/ping HTTP/1.1"), OK, KEEP),
            (line(b"GET http://" + own + b" HTTP/1.1"), OK, KEEP),
            (line(b"GET http://" + own + b"?x=1 HTTP/1.1"), OK, KEEP),
            # The target's host counts, not that of the header.
            (line(b"GET http://evil.example/ping HTTP/1.1"), (400, 403), EITHER),
            (b"GET http://127.0.0.1/ping HTTP/1.1\r\nHost: evil.example\r\n\r\n", (200, 400, 403), EITHER),
            (line(b"GET http:///ping HTTP/1.1"), (400, 403), EITHER),
            (line(b"GET http://user:secret@127.0.0.1/ping HTTP/1.1"), (400, 403), EITHER),
            (line(b"GET ftp://127.0.0.1/ping HTTP/1.1"), BAD, EITHER),
            (line(b"GET ping HTTP/1.1"), BAD, EITHER),
            (line(b"GET 127.0.0.1:80 HTTP/1.1"), BAD, EITHER),
            (line(b"GET * HTTP/1.1"), BAD, EITHER),
            (line(b"GET ?x=1 HTTP/1.1"), BAD, EITHER),
            (line(b"GET #x HTTP/1.1"), BAD, EITHER),
            (line(b"GET /ping#x HTTP/1.1"), (400, 404), EITHER),
            (line(b"GET //ping HTTP/1.1"), (404,), KEEP),
            (line(b"GET /%70ing HTTP/1.1"), (200, 404), KEEP),
            (line(b"GET /ping\xff HTTP/1.1"), (400, 404), EITHER),
            (line(b"GET /ping\xc3\xa4 HTTP/1.1"), (400, 404), EITHER),
            (line(b"GET /\" HTTP/1.1"), (400, 404), EITHER),
            (line(b"GET /%00 HTTP/1.1"), BAD, EITHER)], ("GET",))

    def test_the_server_as_a_whole(self):
        reply = self.expect(line(b"OPTIONS * HTTP/1.1"), (200, 204), KEEP, ("OPTIONS",))
        self.assertEqual(reply.body, b"")
        self.expect(line(b"POST * HTTP/1.1", b"Content-Length: 0"), (400, 405), EITHER)

    def test_a_tunnel_is_refused(self):
        for target in (b"127.0.0.1:80", b"evil.example:443", b"/", b"http://127.0.0.1/"):
            replies = self.talk(line(b"CONNECT " + target + b" HTTP/1.1"))
            self.assertIn(replies[0].status, (400, 404, 405), str(replies[0]))

    def test_versions(self):
        def with_version(version):
            return line(b"GET /ping " + version)
        self.table([(with_version(v), BAD, CLOSE) for v in (
            b"HTTP/0.9", b"HTTP/2.0", b"HTTP/2", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/11", b"HTTP/1.1.1", b"HTTP/1,1", b"HTTP/01.1",
            b"HTTP/1.01", b"HTTP/1.10", b"HTTP/-1.1", b"HTTP/1.1x", b"HTTP/1.\xb1", b"http/1.1", b"Http/1.1", b"HTTPS/1.1", b"HTP/1.1", b"HTTP1.1", b"HTTP /1.1", b"HTTP/ 1.1",
            b"ICY/1.1", b"/1.1", b"1.1", b"")], ("GET",))
        # A later minor version is spoken as the latest one that is known, or refused.
        self.table([(with_version(b"HTTP/1.2"), (200, 400), EITHER), (with_version(b"HTTP/1.9"), (200, 400), EITHER)], ("GET",))

    def test_what_is_no_request_line(self):
        self.table([(data + b"\r\n" + HOST + b"\r\n", BAD, CLOSE) for data in (
            b"GET /ping", b"GET", b"/ping HTTP/1.1", b" GET /ping HTTP/1.1", b"\tGET /ping HTTP/1.1", b"GET\t/ping\tHTTP/1.1", b"GET  /ping HTTP/1.1", b"GET /ping  HTTP/1.1",
            b"GET /ping HTTP/1.1 ", b"GET /ping HTTP/1.1\t", b"GET /ping x HTTP/1.1", b"GET /pi\x00ng HTTP/1.1", b"GET /pi\x7fng HTTP/1.1", b"GET /pi\x0bng HTTP/1.1",
            b"GE(T /ping HTTP/1.1", b"GE:T /ping HTTP/1.1", b"G\xc3\x84T /ping HTTP/1.1", b"G\x00T /ping HTTP/1.1", b"GET /ping\rHTTP/1.1", b"GET\r/ping HTTP/1.1", b"\"GET\" /ping HTTP/1.1",
            b"{\"a\":1}", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-OpenSSH_9.2", b"\x00\x00\x00\x00", b"\xff" * 40, b"<?xml?>", b"PRI * HTTP/2.0\r\n\r\nSM")], ("GET",))

    def test_empty_lines_before_a_request(self):
        # One is to be ignored (RFC 9112, 2.2); many are refused.
        self.expect(b"\r\n" + ping(), OK, KEEP, ("GET",))
        with Wire(self.server.port, self.WAIT) as wire:
            wire.send(LOGIN + b"Content-Length: 13\r\n\r\n" + BODY + b"\r\n" + ping())
            self.assertEqual([wire.reply().status for _ in range(2)], [204, 200], "an empty line after a body")
        self.expect(b"\r\n" * 40000, (400, 431), CLOSE, ("GET",))

    def test_methods(self):
        self.table([(line(m + b" /ping HTTP/1.1", b"Content-Length: 0"), (405,), KEEP) for m in (
            b"POST", b"PUT", b"PATCH", b"DELETE", b"TRACE", b"PROPFIND", b"LOCK", b"M-SEARCH", b"FOO", b"get", b"Get", b"GETT", b"GE", b"A", b"X" * 32, b"!#$%&'*+-.^_`|~09")])
        for method in (b"X" * 60, b"X" * 9000, b"X" * 40000):
            self.expect(line(method + b" /ping HTTP/1.1"), (400, 405, 414, 431), EITHER, ("GET",))

    def test_long_targets(self):
        fits = b"/ping?" + b"x" * (8192 - 6)
        self.table([(line(b"GET " + fits + b" HTTP/1.1"), OK, KEEP), (line(b"GET " + fits + b"x HTTP/1.1"), (414,), EITHER), (line(b"GET /" + b"a" * 9000 + b" HTTP/1.1"), (414,), EITHER),
                    (line(b"GET /" + b"a" * 40000 + b" HTTP/1.1"), (414, 431), EITHER), (line(b"GET /" + b"a" * 300000 + b" HTTP/1.1"), (414, 431), CLOSE),
                    (line(b"POST /" + b"%41" * 4000 + b" HTTP/1.1", b"Content-Length: 0"), (414,), EITHER)], ("GET",))


class Host(ConformanceCase):
    def test_exactly_one(self):
        def with_hosts(*hosts):
            return b"GET /ping HTTP/1.1\r\n" + b"".join(h + b"\r\n" for h in hosts) + b"\r\n"
        self.table([
            (with_hosts(), BAD, CLOSE),
            (with_hosts(b"X: y"), BAD, CLOSE),
            (with_hosts(b"Host: 127.0.0.1", b"Host: 127.0.0.1"), BAD, CLOSE),
            (with_hosts(b"Host: 127.0.0.1", b"host: evil.example"), BAD, CLOSE),
            (with_hosts(b"Host: evil.example", b"X: y", b"HOST: 127.0.0.1"), BAD, CLOSE),
            (with_hosts(b"hOsT: 127.0.0.1"), OK, KEEP),
            (with_hosts(b"Host:127.0.0.1"), OK, KEEP),
            (with_hosts(b"Host:  \t 127.0.0.1:%d \t" % self.server.port), OK, KEEP),
            (with_hosts(b"Host: LOCALHOST"), OK, KEEP),
            (with_hosts(b"Host: [::1]"), OK, KEEP),
            (with_hosts(b"Host : 127.0.0.1"), BAD, CLOSE)], ("GET",))

    def test_values_that_are_none_of_ours(self):
        self.table([(b"GET /ping HTTP/1.1\r\nHost: " + value + b"\r\n\r\n", (400, 403), EITHER) for value in (
            b"", b" ", b"evil.example", b"127.0.0.1.evil.example", b"127.0.0.1@evil.example", b"evil.example@127.0.0.1", b"127.0.0.1/", b"127.0.0.1/ping", b"http://127.0.0.1", b"127.0.0.1, evil.example",
            b"127.0.0.1 evil.example", b"127.0.0.1:", b"127.0.0.1:x", b"127.0.0.1:99999", b"127.0.0.1:-1", b"127.0.0.1:80:80", b"[::1", b"::1", b"[::1]x", b"[127.0.0.1]x", b"127.0.0.1\xff", b"127.0.0.1%00",
            b"localhost.", b"127.1", b"0x7f.0.0.1", b"2130706433", b"*", b"a" * 300)], ("GET",))

    def test_an_older_client_may_leave_it_out(self):
        replies = self.talk(b"GET /ping HTTP/1.0\r\n\r\n")
        self.assertIn(replies[0].status, (200, 400, 403), str(replies[0]))
        self.assertEqual(len(replies), 1, "it does not expect the connection to go on")


class Fields(ConformanceCase):
    def test_what_is_refused(self):
        self.table([(ping(field), BAD, CLOSE) for field in (
            b"X : y", b"X\t: y", b"X y: z", b": y", b"no colon", b"X", b"X\x00: y", b"X(: y", b"X\xe4: y", b"X@Y: z", b"[X]: y", b"{X}: y", b"X\"Y: z", b"X=Y: z", b"X: a\x00b", b"X: \x00",
            b"X: a\x01b", b"X: a\x1bb", b"X: a\x7fb", b"X: a\rb", b"X: a\r\rb", b"X\rY: z", b"Content-Length : 0", b"Transfer-Encoding : chunked", b"Content-Length\x0b: 0", b"\x0bX: y")], ("GET",))

    def test_white_space_before_the_first_field(self):
        for start in (b" ", b"\t"):
            self.expect(b"GET /ping HTTP/1.1\r\n" + start + b"X: y\r\n" + HOST + b"\r\n", BAD, CLOSE, ("GET",))

    def test_folded_lines_are_refused(self):
        for fold in (b" ", b"\t", b"  \t "):
            self.table([(ping(b"X: a\r\n" + fold + more), BAD, CLOSE) for more in (b"b", b"", b"Content-Length: 5", b"Transfer-Encoding: chunked")], ("GET",))
        self.expect(LOGIN + b"Content-Length: 13\r\n 0\r\n\r\n" + BODY, BAD, CLOSE)
        self.expect(LOGIN + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", BAD, CLOSE)

    def test_line_ends(self):
        # A lone LF could be taken for a line end (RFC 9112, 2.2), but others on the way may not do so.
        self.expect(b"GET /ping HTTP/1.1\nHost: 127.0.0.1\n\n", BAD, CLOSE, ("GET",))
        self.expect(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\nX: y\r\n\r\n", BAD, CLOSE, ("GET",))
        self.expect(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\n", BAD, CLOSE, ("GET",))
        self.expect(b"GET /ping HTTP/1.1\rHost: 127.0.0.1\r\r", BAD, CLOSE, ("GET",))
        self.expect(b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\rX: y\r\n\r\n", BAD, CLOSE, ("GET",))
        self.expect(b"GET /ping HTTP/1.1\r\r\nHost: 127.0.0.1\r\n\r\n", BAD, CLOSE, ("GET",))

    def test_what_is_taken(self):
        self.table([(ping(field), OK, KEEP) for field in (
            b"X:", b"X: ", b"X:\t \t", b"X:y", b"X: \t y \t ", b"X: \xe4\xf6\xfc", b"X: \"a, b\"", b"X: a\tb", b"!#$%&'*+-.^_`|~9: y", b"x" * 1000 + b": y", b"X: " + b"y" * 8000,
            b"X: y\r\nX: z\r\nX: y", b"Content-Length: 0", b"Accept: \xff", b"Cookie: ;;;=", b"Authorization: Bearer", b"Range: bytes=0-0", b"Date: x", b"Connection: x, y, keep-alive",
            b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", b"Upgrade: websocket\r\nConnection: Upgrade",
            b"X-HTTP-Method-Override: DELETE", b"TE: trailers, deflate", b"Max-Forwards: 0", b"Via: 1.1 x", b"Forwarded: for=1.2.3.4")], ("GET",))

    def test_many_and_large_ones(self):
        many = [b"X-%d: y" % n for n in range(1000)]
        self.expect(ping(*many), OK, KEEP, ("GET",))
        for headers in ([b"X-%d: y" % n for n in range(5000)], [b"X: " + b"y" * 33000], [b"n" * 33000 + b": y"], [b"a:b"] * 20000, [b"X: " + b"y" * 300000]):
            reply = self.expect(ping(*headers), (431,), CLOSE, ("GET",))
            self.assertEqual(reply.json()["code"], "HEADERS_TOO_LARGE")


class Connections(ConformanceCase):
    def test_pipelined_requests_of_every_kind_are_answered_in_order(self):
        kinds = [("GET", "/ping", 200, None), ("HEAD", "/ping", 200, None), ("POST", "/api/auth/login", 204, BODY), ("GET", "/api/nothing", 404, None), ("GET", "/no/page", 404, None),
                 ("POST", "/api/auth/login", 400, b"{"), ("GET", "/api/models", 200, None), ("HEAD", "/api/nothing", 404, None), ("DELETE", "/ping", 405, None), ("GET", "/api/plans/x", 404, None),
                 ("POST", "/api/plans", 422, b"{}"), ("GET", "/openapi.json", 200, None)]
        data, wanted = b"", []
        for n in range(60):
            method, target, status, body = kinds[n % len(kinds)]
            data += request_bytes(self.server.port, method, target, {"X-Request-Id": "n%d" % n, **({"Content-Type": "application/json"} if body else {})}, body)
            wanted.append((status, "n%d" % n, method))
        replies = self.talk(data, [method for _, _, method in wanted])
        self.assertEqual([(r.status, r.header("X-Request-Id")) for r in replies], [w[:2] for w in wanted] + [(200, "sentinel")])

    def test_pieces_of_every_size(self):
        data = b"".join(request_bytes(self.server.port, "POST", "/api/auth/login", {"Content-Type": "application/json", "X-Request-Id": "p%d" % n}, BODY) for n in range(4))
        for size in (1, 2, 3, 7, 64, 211):
            with Wire(self.server.port, self.WAIT) as wire:
                for at in range(0, len(data), size):
                    wire.send(data[at:at + size])
                self.assertEqual([(r.status, r.header("X-Request-Id")) for r in (wire.reply("POST") for _ in range(4))], [(204, "p%d" % n) for n in range(4)])

    def test_who_ends_the_connection(self):
        def version(text, *fields):
            return b"GET /ping HTTP/" + text + b"\r\n" + HOST + b"".join(f + b"\r\n" for f in fields) + b"\r\n"
        for data, goes_on in ((version(b"1.1"), True), (version(b"1.1", b"Connection: close"), False), (version(b"1.1", b"Connection: Close"), False), (version(b"1.1", b"Connection: x, close"), False),
                              (version(b"1.1", b"Connection: keep-alive"), True), (version(b"1.1", b"Connection: keep-alive", b"Connection: close"), False), (version(b"1.1", b"Connection:"), True),
                              (version(b"1.0"), False), (version(b"1.0", b"Connection: close"), False), (version(b"1.0", b"Connection: keep-alive"), True), (version(b"1.0", b"Connection: Keep-Alive"), True)):
            replies = self.talk(data)
            self.assertEqual([r.header("X-Request-Id") for r in replies[1:]], ["sentinel"] if goes_on else [], data)
            self.assertEqual(replies[0].header("Connection"), "keep-alive" if goes_on else "close", data)

    def test_an_older_client_gets_a_body_with_a_length(self):
        for target in ("/ping", "/api/models", "/openapi.json", "/api/nothing"):
            replies = self.talk(b"GET %s HTTP/1.0\r\n" % target.encode() + HOST + b"\r\n", sentinel=False)
            self.assertIsNone(replies[0].header("Transfer-Encoding"))
            self.assertEqual(len(replies[0].body), int(replies[0].header("Content-Length")))

    def test_a_client_that_has_said_all_is_still_answered(self):
        for data in (ping(), ping() * 5, LOGIN + b"Content-Length: 13\r\n\r\n" + BODY, line(b"GET /openapi.json HTTP/1.1")):
            replies = self.talk(data, ("POST",), half_close=True, sentinel=False)
            self.assertEqual(len(replies), data.count(b" HTTP/1.1\r\n"))
            self.assertLess(max(r.status for r in replies), 300)

    def test_a_request_without_its_end(self):
        for data in (b"G", b"GET /ping", b"GET /ping HTTP/1.1", b"GET /ping HTTP/1.1\r\n" + HOST, b"\r"):
            self.assertIn([r.status for r in self.talk(data, half_close=True, sentinel=False)], ([], [400]), data)
        self.assertEqual(self.talk(b"", half_close=True, sentinel=False), [])

    def test_garbage_is_answered_or_ended_in_time(self):
        def one(data):
            began = time.monotonic()
            replies = self.talk(data, sentinel=False)
            return [r.status for r in replies], time.monotonic() - began
        garbage = [b"\x00", b"\xff" * 10, b"A" * 100, b" " * 50, b"GET", b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1", b"\x80\x00\x00\x00\x01\x03\x01", b"\x16\x03\x01\x00\xa5", b"HELO x\r\n", b"\n" * 3, b"0\r\n\r\n",
                   b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nX", LOGIN.rstrip()]
        with concurrent.futures.ThreadPoolExecutor(len(garbage)) as pool:
            for data, (statuses, took) in zip(garbage, pool.map(one, garbage)):
                self.assertIn(statuses, ([], [400]), data)
                self.assertLess(took, 13, data)


class Answers(ConformanceCase):
    def test_head_has_the_headers_of_get_and_no_body(self):
        for target in ("/ping", "/api/models", "/openapi.json", "/docs", "/", "/api/nothing", "/no/page", "/api/plans/x", "/api/plans?limit=0"):
            get = self.expect(request_bytes(self.server.port, "GET", target), (200, 404, 422), KEEP, ("GET",))
            head = self.expect(request_bytes(self.server.port, "HEAD", target), (get.status,), KEEP, ("HEAD",))
            self.assertEqual(head.header("Content-Type"), get.header("Content-Type"), target)
            self.assertGreater(int(head.header("Content-Length")), 0, target)

    def test_204_has_neither_body_nor_length(self):
        reply = self.expect(LOGIN + b"Content-Length: 13\r\n\r\n" + BODY, GOOD, KEEP)
        self.assertEqual((reply.header("Content-Length"), reply.header("Transfer-Encoding"), reply.header("Content-Type")), (None, None, None))

    def test_304_has_its_tag_and_no_body(self):
        for target in ("/openapi.json", "/docs", "/"):
            full = self.send("GET", target)
            tag = full.header("ETag")
            if tag is None:
                continue
            for match in (tag, "W/" + tag, '"x", %s' % tag, '%s , "y"' % tag, "*", '"a","b",W/%s' % tag):
                for method in ("GET", "HEAD"):
                    reply = self.expect(request_bytes(self.server.port, method, target, {"If-None-Match": match}), (304,), KEEP, (method,))
                    self.assertEqual((reply.header("ETag"), reply.header("Content-Type"), reply.body), (tag, None, b""), "%s %s" % (target, match))
                    self.assertEqual(reply.header("Cache-Control"), full.header("Cache-Control"))
                    self.assertIn(reply.header("Content-Length"), (None, full.header("Content-Length")))
            for other in ('"x"', tag.strip('"'), tag[:-1], "W/", '""', ",", tag.upper() if tag.upper() != tag else '"z"'):
                self.assertEqual(self.send("GET", target, {"If-None-Match": other}).status, 200, "%s %s" % (target, other))

    def test_405_names_what_is_allowed(self):
        for method, target, allowed in (("POST", "/ping", {"GET", "HEAD"}), ("GET", "/api/auth/login", {"POST"}), ("PUT", "/api/plans", {"GET", "HEAD", "POST"}), ("POST", "/api/plans/x", {"GET", "HEAD", "DELETE"})):
            reply = self.send(method, target)
            self.expect_error(reply, 405, "METHOD_NOT_ALLOWED")
            self.assertEqual({m.strip() for m in reply.header("Allow").split(",")} - {"OPTIONS"}, allowed)

    def test_every_answer_has_an_id_of_its_own(self):
        ids = [self.send("GET", "/ping").header("X-Request-Id") for _ in range(20)]
        self.assertEqual(len(set(ids)), 20)
        broken = [self.talk(b"BROKEN\r\n\r\n")[0].header("X-Request-Id") for _ in range(3)]
        self.assertEqual(len(set(broken)), 3, "refusals of what is no request, too")

    def test_the_head_is_well_formed(self):
        for data in (ping(), b"X\r\n\r\n", line(b"GET /openapi.json HTTP/1.1"), line(b"GET /no HTTP/1.1"), line(b"GET /api/no HTTP/1.1")):
            with Wire(self.server.port, self.WAIT) as wire:
                wire.send(data)
                wire.socket.shutdown(1)
                head = wire.rest(self.WAIT).split(b"\r\n\r\n")[0]
            self.assertNotIn(b"\n", head.replace(b"\r\n", b""))
            self.assertRegex(head, rb"^HTTP/1\.1 \d{3} [A-Z][A-Za-z ]*\r\n")
            for field in head.split(b"\r\n")[1:]:
                self.assertRegex(field, rb"^[A-Za-z-]+: [\x20-\x7e]+$")


if __name__ == "__main__":
    server_harness.main()
