"""HTTP, event streams and WebSockets from the socket up: what a library would refuse to send or would hide can be sent and seen here."""
import base64
import hashlib
import json
import os
import socket
import struct
import time

WAIT = 20
SOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Broken(Exception):
    """The other side ended the connection, or what it sent is not the protocol."""


class Closed(Exception):
    """A WebSocket was closed with a close frame."""

    def __init__(self, code, reason):
        super().__init__("closed with %d %r" % (code, reason))
        self.code, self.reason = code, reason


class Reply:
    def __init__(self, status, headers, body=b"", interim=()):
        self.status, self.headers, self.body, self.interim = status, headers, body, list(interim)

    def all(self, name):
        return [value for other, value in self.headers if other.lower() == name.lower()]

    def header(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    def __str__(self):
        return "%d %s %r" % (self.status, dict(self.headers), self.body[:600])


class Wire:
    """One connection, with a buffer of what was read and not yet used."""

    def __init__(self, port, timeout=WAIT, host="127.0.0.1", small_buffer=False):
        self.port, self.timeout, self.buffer = port, timeout, b""
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if small_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection as a crashed client does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def more(self, deadline=None):
        left = self.timeout if deadline is None else deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing came in time")
        self.socket.settimeout(left)
        data = self.socket.recv(262144)
        if not data:
            raise Broken("the connection ended after %r" % self.buffer[-200:])
        self.buffer += data

    def exactly(self, count, deadline=None):
        while len(self.buffer) < count:
            self.more(deadline)
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def line(self, deadline=None):
        while b"\n" not in self.buffer:
            if len(self.buffer) > 1 << 24:
                raise Broken("a line without end")
            self.more(deadline)
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8")

    def rest(self, seconds=WAIT):
        """All bytes until the other side ends the connection."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.more(deadline)
            except (Broken, ConnectionResetError, BrokenPipeError):
                data, self.buffer = self.buffer, b""
                return data

    def ended(self, seconds=WAIT):
        """True when the other side ends the connection in time without sending more."""
        try:
            return self.rest(seconds) == b""
        except TimeoutError:
            return False

    def head(self, deadline=None):
        start = self.line(deadline)
        parts = start.split(" ", 2)
        if len(parts) < 2 or parts[0] not in ("HTTP/1.1", "HTTP/1.0") or not parts[1].isdigit():
            raise Broken("no status line: %r" % start[:200])
        headers = []
        while True:
            line = self.line(deadline)
            if not line:
                return Reply(int(parts[1]), headers)
            name, colon, value = line.partition(":")
            if not colon or name != name.strip():
                raise Broken("no header: %r" % line[:200])
            headers.append((name, value.strip()))

    def reply(self, method="GET", seconds=None):
        deadline = None if seconds is None else time.monotonic() + seconds
        reply = self.head(deadline)
        interim = []
        while 100 <= reply.status < 200 and reply.status != 101:
            interim.append(reply.status)
            reply = self.head(deadline)
        reply.interim = interim
        lengths, codings = reply.all("Content-Length"), reply.all("Transfer-Encoding")
        if lengths and codings or len(lengths) > 1:
            raise Broken("the end of the body is said twice: " + str(reply))
        if method == "HEAD" or reply.status in (101, 204, 304):
            return reply
        if codings:
            reply.body = b"".join(self.chunks(deadline))
        elif lengths:
            reply.body = self.exactly(int(lengths[0]), deadline)
        else:
            reply.body = self.rest()
        return reply

    def chunks(self, deadline=None):
        while True:
            size = int(self.line(deadline).split(";")[0], 16)
            if size == 0:
                while self.line(deadline):
                    pass
                return
            yield self.exactly(size, deadline)
            if self.exactly(2, deadline) != b"\r\n":
                raise Broken("a chunk without its end")


def request_bytes(port, method, target, headers=(), body=None):
    """A request as text; a header given as None is left out, also Host and Content-Length."""
    given = list(headers.items() if isinstance(headers, dict) else headers)
    names = {name.lower() for name, _ in given}
    lines = ["%s %s HTTP/1.1" % (method, target)]
    if "host" not in names:
        lines.append("Host: 127.0.0.1:%d" % port)
    if body is not None and "content-length" not in names and "transfer-encoding" not in names:
        lines.append("Content-Length: %d" % len(body))
    lines += ["%s: %s" % (name, value) for name, value in given if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + (body or b"")


class Http:
    """Requests over one kept connection, which is opened again when it was closed."""

    def __init__(self, port, timeout=WAIT):
        self.port, self.timeout, self.wire = port, timeout, None

    def close(self):
        if self.wire:
            self.wire.close()
            self.wire = None

    def request(self, method, target, headers=(), body=None):
        data = request_bytes(self.port, method, target, headers, body)
        for fresh in (self.wire is None, True):
            if self.wire is None:
                self.wire = Wire(self.port, self.timeout)
            try:
                self.wire.send(data)
                reply = self.wire.reply(method)
                break
            except (Broken, ConnectionError):
                self.close()
                if fresh:
                    raise
            except Exception:
                self.close()
                raise
        if (reply.header("Connection") or "").lower() == "close" or not (
                reply.header("Content-Length") or reply.header("Transfer-Encoding") or reply.status in (204, 304)):
            self.close()
        return reply


def exchange(port, data, seconds=WAIT, method="GET"):
    """Sends bytes on a connection of its own; the first reply."""
    with Wire(port, seconds) as wire:
        wire.send(data)
        return wire.reply(method)


class Event:
    def __init__(self, name, id_, data, id_line):
        self.name, self.id, self.data, self.id_line = name, id_, data, id_line

    def json(self):
        return json.loads(self.data)


class EventStream:
    """An EventSource by the WHATWG's rules, without its reconnects."""

    def __init__(self, port, target, headers=(), timeout=WAIT, small_buffer=False):
        self.wire = Wire(port, timeout, small_buffer=small_buffer)
        self.wire.send(request_bytes(port, "GET", target, [("Accept", "text/event-stream"), *dict(headers).items()]))
        self.reply = self.wire.head()
        self.comments, self.retry, self.last_id, self.text = [], None, "", b""
        self.open = self.reply.status == 200 and (self.reply.header("Content-Type") or "").startswith("text/event-stream")
        self.chunked = (self.reply.header("Transfer-Encoding") or "").lower() == "chunked"
        if not self.open:
            if self.chunked:
                self.reply.body = b"".join(self.wire.chunks())
            elif int(self.reply.header("Content-Length") or 0):
                self.reply.body = self.wire.exactly(int(self.reply.header("Content-Length")))
            self.wire.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.wire.close()

    def _line(self, deadline):
        while b"\n" not in self.text:
            if not self.chunked:
                # What came with the head is used first: after it there may be nothing but the end.
                if not self.wire.buffer:
                    self.wire.more(deadline)
                self.text, self.wire.buffer = self.text + self.wire.buffer, b""
                continue
            size = int(self.wire.line(deadline).split(";")[0], 16)
            if size == 0:
                self.open = False
                return None
            self.text += self.wire.exactly(size, deadline)
            self.wire.exactly(2, deadline)
        line, self.text = self.text.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8")

    def next(self, seconds=WAIT):
        """The next event; None when the server has ended the stream."""
        deadline = time.monotonic() + seconds
        name, data, id_line = "message", [], None
        while True:
            try:
                line = self._line(deadline) if self.open else None
            except Broken:
                if self.chunked:
                    raise
                line = None
            if line is None:
                self.open = False
                return None
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line and data:
                return Event(name, self.last_id, "\n".join(data), id_line)
            if not line:
                name = "message"
            elif not field:
                self.comments.append(value)
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                self.last_id = id_line = value
            elif field == "retry":
                self.retry = int(value)

    def __iter__(self):
        while (event := self.next()) is not None:
            yield event


def frame(opcode, payload, fin=True, masked=True, reserved=0):
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    mark = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mark | len(payload)])
    elif len(payload) < 65536:
        head += bytes([mark | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([mark | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


def handshake(port, target, headers=()):
    key = base64.b64encode(os.urandom(16)).decode()
    return key, request_bytes(port, "GET", target, [
        ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", key), *dict(headers).items()])


class Socket:
    """A WebSocket. `refused` is the HTTP answer when the server did not change the protocol."""

    def __init__(self, port, target, headers=(), timeout=WAIT, small_buffer=False):
        self.wire = Wire(port, timeout, small_buffer=small_buffer)
        key, data = handshake(port, target, headers)
        self.wire.send(data)
        self.reply = self.wire.reply()
        self.refused = None if self.reply.status == 101 else self.reply
        self.pongs, self.pings, self.answer_pings = [], 0, True
        if not self.refused:
            expected = base64.b64encode(hashlib.sha1((key + SOCKET_GUID).encode()).digest()).decode()
            if self.reply.header("Sec-WebSocket-Accept") != expected:
                raise Broken("wrong Sec-WebSocket-Accept")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def close(self):
        self.wire.close()

    def send(self, value):
        self.wire.send(frame(1, value.encode() if isinstance(value, str) else json.dumps(value).encode()))

    def send_frame(self, *arguments, **options):
        self.wire.send(frame(*arguments, **options))

    def _frame(self, deadline):
        first, second = self.wire.exactly(2, deadline)
        if second & 0x80:
            raise Broken("the server masks its frames")
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self.wire.exactly(2, deadline))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.wire.exactly(8, deadline))[0]
        return first & 0x0F, bool(first & 0x80), self.wire.exactly(size, deadline)

    def next_text(self, seconds=WAIT):
        """The next message as text. Raises Closed, Broken or TimeoutError."""
        deadline, parts = time.monotonic() + seconds, []
        while True:
            opcode, fin, payload = self._frame(deadline)
            if opcode == 8:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                try:
                    self.wire.send(frame(8, payload[:2]))
                    self.wire.rest(2)
                except OSError:
                    pass
                self.wire.close()
                raise Closed(code, payload[2:].decode())
            if opcode == 9:
                self.pings += 1
                if self.answer_pings:
                    self.wire.send(frame(10, payload))
            elif opcode == 10:
                self.pongs.append(payload)
            elif opcode in (0, 1):
                parts.append(payload)
                if fin:
                    return b"".join(parts).decode("utf-8")
            else:
                raise Broken("a frame with opcode %d" % opcode)

    def next(self, seconds=WAIT):
        return json.loads(self.next_text(seconds))

    def close_code(self, seconds=WAIT):
        """Reads on until the close frame; the messages before it, and its code."""
        deadline, messages = time.monotonic() + seconds, []
        while True:
            try:
                messages.append(self.next(deadline - time.monotonic()))
            except Closed as closed:
                return messages, closed.code
