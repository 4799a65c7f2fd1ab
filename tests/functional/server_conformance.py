"""Exchanges over raw sockets for the tests of HTTP/1.1.

Every exchange ends with a sentinel request. Where a connection goes on, the sentinel is answered next; where it ends, it is not.
Whatever a server takes for a request that was not one shows as an answer too many.
"""
import concurrent.futures

from server_contract import contract
from server_harness import ServerCase
from server_wire import Broken, Wire, request_bytes

HOST = b"Host: 127.0.0.1\r\n"
LOGIN = b"POST /api/auth/login HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
BODY = b'{"token":"x"}'
OK, GOOD = (200,), (204,)
# A status that refuses a request which could not be read.
BAD = (400,)
KEEP, CLOSE, EITHER = "keep", "close", "either"


class Received(Wire):
    """Answers out of bytes that were read to the end."""

    def __init__(self, data):
        self.timeout, self.buffer = 1, data

    def more(self, deadline=None):
        raise Broken("the answers end after %r" % self.buffer[-200:])

    def rest(self, seconds=0):
        data, self.buffer = self.buffer, b""
        return data


class ConformanceCase(ServerCase):
    WAIT = 15

    def tearDown(self):
        self.assertEqual(self.send("GET", "/ping").status, 200)

    def talk(self, data, methods=(), half_close=False, sentinel=True):
        """All answers on a connection of its own, up to its end; `methods` of the requests, where they are not GET."""
        with Wire(self.server.port, self.WAIT) as wire:
            try:
                wire.send(data + (request_bytes(self.server.port, "GET", "/ping", {"X-Request-Id": "sentinel", "Connection": "close"}) if sentinel else b""))
                if half_close:
                    wire.socket.shutdown(1)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was refused before all of it was sent
            received = Received(wire.rest(self.WAIT))
        replies = []
        while received.buffer:
            replies.append(received.reply(methods[len(replies)] if len(replies) < len(methods) else "GET"))
        return replies

    def expect(self, data, statuses, end, methods=("POST",), what=None):
        """One request, its status, and whether the connection goes on after it."""
        replies = self.talk(data, methods)
        shown = "%s %r -> %s" % (what or "", data[:160], [str(r)[:200] for r in replies])
        self.assertTrue(replies, "no answer: " + shown)
        self.assertIn(replies[0].status, statuses, shown)
        self.sound(replies[0], shown, methods[0] if methods else "GET")
        ids = [reply.header("X-Request-Id") for reply in replies]
        self.assertIn(len(replies), (1, 2), shown)
        goes_on = ids[1:] == ["sentinel"]
        self.assertTrue(goes_on or len(replies) == 1, shown)
        if end != EITHER:
            self.assertEqual(goes_on, end == KEEP, shown)
        self.assertEqual((replies[0].header("Connection") or "").lower() == "close", not goes_on, "the answer tells whether the connection goes on: " + shown)
        return replies[0]

    def sound(self, reply, shown, method="GET"):
        """What holds for every answer: no failure of the server, its common headers, errors in the contract's form."""
        self.assertLess(reply.status, 500, shown)
        self.assertTrue(reply.header("X-Request-Id"), shown)
        self.assertEqual(reply.header("X-Content-Type-Options"), "nosniff", shown)
        # Pages for people are HTML, whatever their status.
        if reply.status >= 400 and method != "HEAD" and not (reply.header("Content-Type") or "").startswith("text/html"):
            contract().check(reply.json(), contract().schemas["Error"], "error body")
            self.assertEqual(reply.json()["request_id"], reply.header("X-Request-Id"), shown)

    def table(self, cases, methods=("POST",)):
        """Rows of (bytes, statuses, end), side by side. Everything that is wrong is told at once."""
        def one(case):
            try:
                self.expect(*case, methods=methods)
                return None
            except (AssertionError, Broken, OSError) as error:
                return "%r: %s" % (case[0][:90], error)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            wrong = [text for text in pool.map(one, cases) if text]
        self.assertEqual(wrong, [], "\n".join(wrong))


def line(text, *headers):
    return text + b"\r\n" + HOST + b"".join(h + b"\r\n" for h in headers) + b"\r\n"


def ping(*headers):
    return line(b"GET /ping HTTP/1.1", *headers)
