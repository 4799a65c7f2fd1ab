#!/usr/bin/env python3
"""Where a request's body ends (RFC 9112, 6 and 7): lengths, chunks, requests hidden in others, expectations, and bodies that are not read."""
import time

import server_harness
from server_conformance import BAD, BODY, CLOSE, EITHER, GOOD, HOST, KEEP, LOGIN, OK, ConformanceCase, line, ping
from server_wire import Wire, request_bytes


class Length(ConformanceCase):
    def test_values_that_are_none(self):
        # Leading zeros and equal repeats are numbers by the grammar; everything else must never be guessed at.
        self.table([(LOGIN + b"Content-Length: " + value + b"\r\n\r\n" + BODY, BAD, CLOSE) for value in (
            b"-1", b"-13", b"+13", b"0x0d", b"0xd", b"13a", b"a13", b"1 3", b"13;x", b"13.0", b"1e1", b"1_3", b"\"13\"", b"'13'", b"13,", b",13", b"13, 14", b"14, 13", b"13 14", b"\xef\xbc\x91\xef\xbc\x93",
            b"18446744073709551629", b"36893488147419103245", b"99999999999999999999999999", b"13\x0b", b"\x0b13", b"13\x00", b"chunked", b"", b"NaN", b"1,3", b"013 ,")])

    def test_values_beyond_every_body(self):
        for value in (b"1048577", b"4294967309", b"9223372036854775807", b"9223372036854775808", b"18446744073709551615"):
            reply = self.expect(LOGIN + b"Content-Length: " + value + b"\r\n\r\n" + BODY, (400, 413), CLOSE)
            self.assertIn(reply.json()["code"], ("INVALID_REQUEST", "PAYLOAD_TOO_LARGE"))
        self.expect(LOGIN + b"Content-Length: 1048577\r\n\r\n", (413,), CLOSE)

    def test_several(self):
        def lengths(*values):
            return LOGIN + b"".join(b"Content-Length: " + v + b"\r\n" for v in values) + b"\r\n" + BODY
        self.table([(lengths(b"13", b"14"), BAD, CLOSE), (lengths(b"14", b"13"), BAD, CLOSE), (lengths(b"0", b"13"), BAD, CLOSE), (lengths(b"13", b"0"), BAD, CLOSE), (lengths(b"13", b""), BAD, CLOSE),
                    (lengths(b"13", b"+13"), BAD, CLOSE), (lengths(b"13", b"13"), (204, 400), EITHER), (lengths(b"13, 13"), (204, 400), EITHER), (lengths(b"0000000000000013"), (204, 400), EITHER)])

    def test_the_body_ends_where_it_says(self):
        self.expect(LOGIN + b"Content-Length: 13\r\n\r\n" + BODY, GOOD, KEEP)
        self.expect(LOGIN + b"Content-Length:13 \t\r\n\r\n" + BODY, GOOD, KEEP)
        # Shorter than what is sent: the rest is the beginning of the next request, which is none.
        replies = self.talk(LOGIN + b"Content-Length: 11\r\n\r\n" + BODY, ("POST",))
        self.assertEqual([r.status for r in replies], [400, 400])
        # A request with a method that has no use for a body may have one.
        self.expect(line(b"GET /ping HTTP/1.1", b"Content-Length: 13") + BODY, OK, KEEP, ("GET",))
        self.expect(line(b"DELETE /api/plans/x HTTP/1.1", b"Content-Length: 13") + BODY, (404,), EITHER, ("DELETE",))

    def test_a_body_that_does_not_come_to_its_end(self):
        for data in (LOGIN + b"Content-Length: 13\r\n\r\n{", LOGIN + b"Transfer-Encoding: chunked\r\n\r\nd\r\n{", LOGIN + b"Transfer-Encoding: chunked\r\n\r\n"):
            replies = self.talk(data, ("POST",), half_close=True, sentinel=False)
            self.assertIn([r.status for r in replies], ([], [400]), str(data))

    def test_no_length_is_no_body(self):
        # Without either field a request has no body, so what follows is the next request.
        self.expect(LOGIN + b"\r\n", (400, 411, 415, 422), KEEP)
        self.expect(line(b"POST /api/plans/x/cancel HTTP/1.1"), (404,), KEEP)


class Coding(ConformanceCase):
    def chunked(self, body, fields=b"Transfer-Encoding: chunked\r\n", head=LOGIN):
        return head + fields + b"\r\n" + body

    def test_chunks(self):
        one = b"d\r\n" + BODY + b"\r\n"
        self.table([(self.chunked(data), GOOD, KEEP) for data in (
            one + b"0\r\n\r\n", b"D\r\n" + BODY + b"\r\n0\r\n\r\n", b"0000d\r\n" + BODY + b"\r\n00000\r\n\r\n", b"".join(b"1\r\n%c\r\n" % c for c in BODY) + b"0\r\n\r\n",
            b"d;a=b\r\n" + BODY + b"\r\n0;last\r\n\r\n", b"d;a=\"b;c\"\r\n" + BODY + b"\r\n0\r\n\r\n", b"d;a;b;c=d\r\n" + BODY + b"\r\n0\r\n\r\n",
            one + b"0\r\nX-Trailer: y\r\n\r\n", one + b"0\r\nA: b\r\nC: d\r\nA: e\r\n\r\n")])
        for coding in (b"Transfer-Encoding: Chunked\r\n", b"transfer-encoding:CHUNKED\r\n", b"Transfer-Encoding: \t chunked \t\r\n", b"Trailer: X\r\nTransfer-Encoding: chunked\r\n"):
            self.expect(self.chunked(one + b"0\r\n\r\n", coding), GOOD, KEEP)

    def test_chunks_that_are_none(self):
        self.table([(self.chunked(data), BAD, CLOSE) for data in (
            b"-1\r\n\r\n", b"+d\r\n" + BODY + b"\r\n0\r\n\r\n", b"0xd\r\n" + BODY + b"\r\n0\r\n\r\n", b"zz\r\n\r\n", b"g\r\n", b"\r\n\r\n", b";a=b\r\n\r\n", b" d\r\n" + BODY + b"\r\n0\r\n\r\n",
            b"d\r\n" + BODY + b"0\r\n\r\n", b"d\r\n" + BODY + b"XX0\r\n\r\n", b"c\r\n" + BODY + b"\r\n0\r\n\r\n", b"d\r\n" + BODY + b"\rX0\r\n\r\n", b"d\rX" + BODY + b"\r\n0\r\n\r\n",
            b"10000000000000000\r\n", b"1000000000000000d\r\n" + BODY + b"\r\n0\r\n\r\n", b"\x00d\r\n" + BODY + b"\r\n0\r\n\r\n", b"1 d\r\n" + BODY + b"\r\n0\r\n\r\n", b"d,\r\n" + BODY + b"\r\n0\r\n\r\n",
            b"d\r\n" + BODY + b"\r\n0\r\nno trailer\r\n\r\n", b"d\r\n" + BODY + b"\r\n0\r\nX : y\r\n\r\n")])

    def test_chunks_that_are_too_much(self):
        for size in (b"fffffffffffffff0", b"ffffffffffffffff", b"7fffffffffffffff", b"100001", b"ffffffff"):
            self.expect(self.chunked(size + b"\r\n" + b"x" * 100), (400, 413), CLOSE)
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        self.expect(self.chunked(piece * 17 + b"0\r\n\r\n"), (413,), CLOSE)
        # Extensions and trailers are no way around the limits.
        self.expect(self.chunked(b"d;" + b"x" * 300000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"), (400, 413, 431), CLOSE)
        self.expect(self.chunked(b"d\r\n" + BODY + b"\r\n0\r\n" + b"X: y\r\n" * 60000 + b"\r\n"), (400, 413, 431), CLOSE)

    def test_trailers_change_nothing(self):
        for trailer in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: evil.example", b"Authorization: Bearer x", b"Content-Type: text/plain", b"Connection: close"):
            self.expect(self.chunked(b"d\r\n" + BODY + b"\r\n0\r\n" + trailer + b"\r\n\r\n"), (204, 400), EITHER)

    def test_codings_that_are_unknown_or_disguised(self):
        end = b"d\r\n" + BODY + b"\r\n0\r\n\r\n"
        self.table([(self.chunked(end, fields), BAD, CLOSE) for fields in (
            b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding: chunkedx\r\n", b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding: chunked, gzip\r\n", b"Transfer-Encoding: identity\r\n",
            b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity, chunked\r\n", b"Transfer-Encoding: chunked, chunked\r\n", b"Transfer-Encoding: chunked;q=1\r\n",
            b"Transfer-Encoding: \"chunked\"\r\n", b"Transfer-Encoding: 'chunked'\r\n", b"Transfer-Encoding: \x0bchunked\r\n", b"Transfer-Encoding: chunked\x0b\r\n", b"Transfer-Encoding: \x00chunked\r\n",
            b"Transfer-Encoding: chun ked\r\n", b"Transfer-Encoding: chunked chunked\r\n", b"Transfer-Encoding: ch\xfcnked\r\n", b"Transfer-Encoding:\r\n", b"Transfer-Encoding: \r\n", b"Transfer-Encoding: ,\r\n",
            b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding\t: chunked\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
            b"X: y\rTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\n , identity\r\n")])
        # An empty member of a list is no coding.
        for fields in (b"Transfer-Encoding: ,chunked\r\n", b"Transfer-Encoding: chunked,\r\n", b"Transfer-Encoding: , , chunked\r\n"):
            self.expect(self.chunked(end, fields), (204, 400), EITHER)

    def test_an_older_client_cannot_send_chunks(self):
        replies = self.talk(b"POST /api/auth/login HTTP/1.0\r\n" + HOST + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nd\r\n" + BODY + b"\r\n0\r\n\r\n", ("POST",))
        self.assertIn(replies[0].status, (204, 400), str(replies[0]))
        self.assertEqual(len(replies), 1, "the connection ends, since others may have read its length otherwise")


class Smuggling(ConformanceCase):
    """A second request hidden in the first: it must never be answered."""

    HIDDEN = b"GET /api/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: hidden\r\n\r\n"

    def never(self, data, methods=("POST",)):
        replies = self.talk(data, methods)
        shown = "%r -> %s" % (data[:200], [str(r)[:160] for r in replies])
        self.assertTrue(replies, shown)
        for reply in replies:
            self.sound(reply, shown, "HEAD" if reply is replies[0] and methods[0] == "HEAD" else "GET")
        self.assertNotIn("hidden", [r.header("X-Request-Id") for r in replies], shown)
        return replies

    def test_length_and_coding_together(self):
        chunk = b"0\r\n\r\n"
        for order in (0, 1):
            for length in (b"0", b"4", b"5", b"%d" % (5 + len(self.HIDDEN)), b"6"):
                for coding in (b"chunked", b"Chunked", b"xchunked", b"identity", b"chunked, identity", b"\tchunked", b"chunked,"):
                    fields = [b"Content-Length: " + length + b"\r\n", b"Transfer-Encoding: " + coding + b"\r\n"]
                    replies = self.never(LOGIN + b"".join(fields[::1 - 2 * order]) + b"\r\n" + chunk + self.HIDDEN)
                    self.assertEqual([r.status for r in replies], [400], "%r %r" % (length, coding))

    def test_disguised_lengths(self):
        for field in (b"Content-Length : %d", b"Content-Length\t: %d", b"Content_Length: %d\r\nContent-Length: 0x%x", b"Content-Length: %d, 0", b"Content-Length: 0\r\nContent-Length: %d", b"Content-Length: +%d",
                      b"X: y\rContent-Length: %d", b"\x0bContent-Length: %d", b" Content-Length: %d", b"Content-Length\xa0: %d", b"\"Content-Length\": %d"):
            text = field % ((len(self.HIDDEN),) * field.count(b"%"))
            replies = self.never(LOGIN + text + b"\r\n\r\n" + self.HIDDEN)
            self.assertEqual([r.status for r in replies], [400], field)

    def test_a_body_that_looks_like_a_request(self):
        n = b"Content-Length: %d" % len(self.HIDDEN)
        for data, method in ((line(b"GET /ping HTTP/1.1", n), "GET"), (line(b"GET /no/such/page HTTP/1.1", n), "GET"), (line(b"GET /api/nothing HTTP/1.1", n), "GET"),
                             (line(b"DELETE /ping HTTP/1.1", n), "DELETE"), (line(b"OPTIONS /ping HTTP/1.1", n), "OPTIONS"), (line(b"OPTIONS /ping HTTP/1.1", n, b"Origin: http://localhost:3000"), "OPTIONS"),
                             (line(b"POST /ping HTTP/1.1", n), "POST"), (line(b"POST /api/nothing HTTP/1.1", n), "POST"), (line(b"POST /api/plans HTTP/1.1", n, b"Origin: http://evil.example"), "POST"),
                             (line(b"POST /api/plans HTTP/1.1", n), "POST"), (LOGIN + n + b"\r\n\r\n", "POST"), (line(b"POST /api/plans/x/resume HTTP/1.1", n), "POST"), (line(b"HEAD /ping HTTP/1.1", n), "HEAD"),
                             (line(b"GET /ws/plans/x/progress HTTP/1.1", n), "GET"), (line(b"GET /api/plans/x/stream HTTP/1.1", n), "GET"), (line(b"TRACE /ping HTTP/1.1", n), "TRACE"),
                             (line(b"GET /" + b"a" * 8200 + b" HTTP/1.1", n), "GET"), (b"POST /ping HTTP/1.1\r\nHost: evil.example\r\n" + n + b"\r\n\r\n", "POST")):
            self.never(data + self.HIDDEN, (method,))
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(self.HIDDEN), self.HIDDEN)
        for data in (line(b"GET /ping HTTP/1.1", b"Transfer-Encoding: chunked"), line(b"POST /api/nothing HTTP/1.1", b"Transfer-Encoding: chunked"), LOGIN + b"Transfer-Encoding: chunked\r\n\r\n"):
            self.never(data + chunk)

    def test_after_a_request_that_ends_the_connection(self):
        self.never(ping(b"Connection: close") + self.HIDDEN, ("GET",))
        self.never(b"GET /ping HTTP/1.0\r\n" + HOST + b"\r\n" + self.HIDDEN, ("GET",))
        self.never(b"BROKEN\r\n\r\n" + self.HIDDEN)

    def test_in_the_chunks(self):
        for data in (b"0\r\n" + self.HIDDEN, b"0\r\n\r" + self.HIDDEN, b"0\n\n" + self.HIDDEN, b"3\r\nabc" + self.HIDDEN, b"3;\n" + self.HIDDEN, b"5\r\n0\r\n\r\n\r\n" + b"%x\r\n" % len(self.HIDDEN) + self.HIDDEN + b"\r\n0\r\n\r\n",
                     b"0;\n" + self.HIDDEN, b"2\rX\r\n0\r\n\r\n" + self.HIDDEN, b"000000000000000000000\r\n" + self.HIDDEN):
            replies = self.talk(LOGIN + b"Transfer-Encoding: chunked\r\n\r\n" + data, ("POST",))
            ids = [r.header("X-Request-Id") for r in replies]
            self.assertNotIn("hidden", ids, "%r -> %s" % (data[:80], [str(r)[:160] for r in replies]))

    def test_headers_that_end_a_line_in_an_answer(self):
        for value in (b"a\rSet-Cookie: x=y", b"a%0d%0aSet-Cookie:%20x=y", b"\xe5\x98\x8a\xe5\x98\x8dSet-Cookie: x"):
            for target in (b"/" + value.replace(b"\r", b"%0d").replace(b" ", b"%20"), b"/ping"):
                for reply in self.talk(line(b"GET " + target + b" HTTP/1.1", b"X-Request-Id: " + value, b"Origin: http://" + value)):
                    self.assertIsNone(reply.header("Set-Cookie"))


class Expectation(ConformanceCase):
    def test_the_body_is_asked_for_before_it_is_sent(self):
        for value in ("100-continue", "100-Continue"):
            with Wire(self.server.port, self.WAIT) as wire:
                wire.send(request_bytes(self.server.port, "POST", "/api/auth/login", {"Content-Type": "application/json", "Content-Length": "13", "Expect": value}))
                self.assertEqual(wire.head().status, 100, "nothing of the body was sent yet")
                wire.send(BODY + request_bytes(self.server.port, "GET", "/ping"))
                self.assertEqual([wire.reply("POST").status, wire.reply().status], [204, 200])

    def test_a_refusal_comes_before_the_body(self):
        for method, target, headers, status in (("POST", "/api/nothing", {}, 404), ("POST", "/ping", {}, 405), ("POST", "/api/plans", {"Origin": "http://evil.example"}, 403),
                                                ("POST", "/api/plans", {"Host": "evil.example"}, 403), ("POST", "/api/plans", {"Content-Length": "1048577"}, 413), ("POST", "/" + "a" * 9000, {}, 414)):
            with Wire(self.server.port, self.WAIT) as wire:
                wire.send(request_bytes(self.server.port, method, target, {"Content-Type": "application/json", "Content-Length": "13", "Expect": "100-continue", **headers}))
                reply = wire.reply(seconds=5)
                self.assertEqual((reply.status, reply.interim), (status, []), target)
                self.assertEqual(reply.header("Connection"), "close", "the body may come or not, so nothing can follow")
                self.assertTrue(wire.ended(5))

    def test_who_does_not_wait_loses_nothing(self):
        data = request_bytes(self.server.port, "POST", "/api/auth/login", {"Content-Type": "application/json", "Expect": "100-continue"}, BODY)
        replies = self.talk(data, ("POST", "POST"))
        self.assertEqual([r.status for r in replies], [204, 200])
        # Without a body there is nothing to go on with.
        replies = self.talk(ping(b"Expect: 100-continue"))
        self.assertEqual([(r.status, r.interim) for r in replies], [(200, []), (200, [])])

    def test_an_older_client_gets_no_interim_answer(self):
        with Wire(self.server.port, self.WAIT) as wire:
            wire.send(b"POST /api/auth/login HTTP/1.0\r\n" + HOST + b"Content-Type: application/json\r\nContent-Length: 13\r\nExpect: 100-continue\r\n\r\n" + BODY)
            reply = wire.reply("POST")
            self.assertEqual((reply.status, reply.interim), (204, []))

    def test_other_expectations(self):
        for value in (b"200-ok", b"100-continue, x", b"x=y"):
            replies = self.talk(LOGIN + b"Content-Length: 13\r\nExpect: " + value + b"\r\n\r\n" + BODY, ("POST",))
            self.assertIn(replies[0].status, (204, 400, 417))


class Unread(ConformanceCase):
    """An answer before the body has come: the client must be able to read it although it still sends."""

    def test_the_connection_is_not_reset_while_the_client_still_sends(self):
        for target, headers, status in (("/api/nothing", {}, 404), ("/ping", {}, 405), ("/api/plans", {"Origin": "http://evil.example"}, 403), ("/" + "a" * 9000, {}, 414), ("/ping", {"Content-Length": "x"}, 400)):
            with Wire(self.server.port, self.WAIT) as wire:
                wire.send(request_bytes(self.server.port, "POST", target, {"Content-Length": "600000", **headers}))
                self.assertEqual(wire.reply("POST").status, status)
                wire.send(b"x" * 600000)
                self.assertEqual(wire.socket.recv(1), b"", "an orderly end, no reset")

    def test_an_early_answer_is_not_lost(self):
        for target, headers, status in (("/api/nothing", {}, 404), ("/ping", {}, 405), ("/api/plans", {"Origin": "http://evil.example"}, 403), ("/api/plans", {"Host": "evil.example"}, 403),
                                        ("/" + "a" * 9000, {}, 414)):
            for _ in range(3):
                replies = self.talk(request_bytes(self.server.port, "POST", target, {"Content-Type": "application/json", **headers}, b"x" * 900000), ("POST",))
                self.assertEqual([r.status for r in replies], [status], target)
        for _ in range(3):
            replies = self.talk(request_bytes(self.server.port, "POST", "/api/plans", {"Content-Type": "application/json"}, b"x" * 3000000), ("POST",))
            self.assertEqual([r.status for r in replies], [413])

    def test_a_client_that_sends_for_ever_is_cut_off(self):
        with Wire(self.server.port, self.WAIT) as wire:
            wire.send(LOGIN.replace(b"login", b"nothing") + b"Content-Length: 100000000\r\n\r\n")
            began, sent = time.monotonic(), 0
            try:
                while time.monotonic() - began < 20 and sent < 90_000_000:
                    wire.send(b"x" * 65536)
                    sent += 65536
                cut = False
            except (ConnectionError, TimeoutError):
                cut = True
            self.assertTrue(cut, "after %d bytes in %.1f s" % (sent, time.monotonic() - began))


if __name__ == "__main__":
    server_harness.main()
