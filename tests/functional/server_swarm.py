"""Many watchers of plans in one thread, which come and go, and the check of what each of them was told against the stored log."""
import collections
import json
import random
import selectors
import sqlite3
import struct
import time

from server_contract import contract
from server_wire import Broken, EventStream, Socket, frame

UNNUMBERED = ("connection", "heartbeat", "error", "snapshot")
# Messages of a kind that takes no number are checked against the contract this often: each one differs, and snapshots are large.
CHECKED_MAX = 60


def stored_kind(message):
    return message["type"] not in UNNUMBERED and not (message["type"] == "llm_stream" and message["event"] in ("text_delta", "reasoning_delta"))


class Plan:
    """What all watchers together were told about one plan."""

    def __init__(self, plan_id):
        self.id, self.texts, self.known, self.problems = plan_id, {}, {}, []
        self.seen = collections.Counter()

    def read(self, text):
        """The message; the same number must always carry the same message, by whatever way it came."""
        if text in self.known:
            return self.known[text]
        message = json.loads(text)
        if message["type"] not in UNNUMBERED:
            self.known[text] = message
            same = self.texts.setdefault(message["seq"], (message["type"], json.dumps(message, sort_keys=True)))
            if same[0] == message["type"] and same[1] != json.dumps(message, sort_keys=True) and message["type"] not in ("status", "stream_end"):
                self.problems.append("two messages with number %d:\n  %s\n  %s" % (message["seq"], same[1][:400], text[:400]))
        self.seen[message["type"]] += 1
        if message["type"] in UNNUMBERED and self.seen[message["type"]] > CHECKED_MAX:
            return message
        try:
            contract().check_message(message)
        except AssertionError as error:
            if len(self.problems) < 20:
                self.problems.append(str(error))
        return message


class Watcher:
    def __init__(self, plan, kind, headers=None):
        self.plan, self.kind, self.headers = plan, kind, headers or {}
        self.position, self.numbers, self.spans, self.problems = None, [], [], []
        self.link, self.ended, self.connects, self.resumes, self.snapshots = None, False, 0, [], []
        # Last `sequence` of each call under way; None while it cannot be known.
        self.sequences, self.replaying, self.messages = None, False, 0

    # --------------------------------------------------------------- connection
    def connect(self, port):
        after = "" if self.position is None else "?after=%d" % self.position
        headers = self.headers
        self.connects += 1
        self.buffer, self.text = b"", b""
        if self.kind == "socket":
            self.link = Socket(port, "/ws/plans/%s/progress%s" % (self.plan.id, after), self.headers)
            if self.link.refused:
                raise Broken("the socket was refused: %s" % self.link.refused)
        else:
            if after and self.connects % 3:
                # As a browser does: the address that it was opened with, and what it has seen since.
                after, headers = ("", "?after=0")[self.connects % 3 - 1], {**headers, "Last-Event-ID": str(self.position)}
            self.link = EventStream(port, "/api/plans/%s/stream%s" % (self.plan.id, after), headers)
            if self.link.reply.status == 204:
                self.ended, self.link = True, None
                return
            if not self.link.open:
                raise Broken("the stream was refused: %s" % self.link.reply)
        self.buffer, self.link.wire.buffer = self.link.wire.buffer, b""
        self.link.wire.socket.setblocking(False)
        self._use()

    @property
    def socket(self):
        return self.link.wire.socket

    def drop(self, hard):
        if self.link:
            self.link.wire.reset() if hard else self.link.close()
            self.link = None

    def feed(self):
        """Takes what has come; False when the connection has ended."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            self.drop(False)
            return False
        self.buffer += data
        try:
            return self._use()
        except OSError:  # a ping of a server that has gone meanwhile
            self.drop(False)
            return False

    def _use(self):
        for text in (self._frames() if self.kind == "socket" else self._events()):
            self.take(self.plan.read(text))
        if self.ended:
            self.drop(False)
        return self.link is not None

    def _frames(self):
        at = 0
        while len(self.buffer) >= at + 2:
            size, head = self.buffer[at + 1] & 0x7F, 2
            if size >= 126:
                head = 4 if size == 126 else 10
                if len(self.buffer) < at + head:
                    break
                size = struct.unpack_from(">H" if head == 4 else ">Q", self.buffer, at + 2)[0]
            if len(self.buffer) < at + head + size:
                break
            first, payload = self.buffer[at], self.buffer[at + head:at + head + size]
            opcode, at = first & 0x0F, at + head + size
            if opcode <= 1:
                self.text += payload
                if first & 0x80:
                    text, self.text = self.text.decode("utf-8"), b""
                    yield text
            elif opcode == 9:
                self.socket.send(frame(10, payload))
            elif opcode == 8:
                self.close_code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
        self.buffer = self.buffer[at:]

    def _events(self):
        while b"\r\n" in self.buffer and self.link.chunked:
            line, rest = self.buffer.split(b"\r\n", 1)
            size = int(line.split(b";")[0], 16)
            if len(rest) < size + 2:
                break
            self.text, self.buffer = self.text + rest[:size], rest[size + 2:]
        if not self.link.chunked:
            self.text, self.buffer = self.text + self.buffer, b""
        *blocks, self.text = self.text.split(b"\n\n")
        for block in blocks:
            lines = [line for line in block.decode("utf-8").split("\n") if line.startswith("data:")]
            if lines:
                yield "\n".join(line[5:].removeprefix(" ") for line in lines)

    # ----------------------------------------------------------------- messages
    def take(self, message):
        kind, seq = message["type"], message["seq"]
        self.messages += 1
        if kind == "connection":
            self.resumes.append(message["resume"])
            self.replaying = message["resume"] == "stored"
            if message["resume"] != "ring":
                self.sequences = None
        elif kind == "snapshot":
            self.sequences, self.replaying = {i["interaction_id"]: i["sequence"] for i in message["interactions"]}, False
            self.snapshots.append(message["reason"])
            if self.position is not None and seq < self.position:
                self.problems.append("a snapshot of %d after message %d" % (seq, self.position))
            if self.position is None or message["reason"] in ("gap", "slow_client"):
                self.spans.append([seq, seq])
            self._move(seq)
        elif kind not in UNNUMBERED:
            if self.position is not None and seq <= self.position:
                if not (seq == self.position and kind in ("status", "stream_end")):
                    self.problems.append("message %d (%s) after %d" % (seq, kind, self.position))
            else:
                if not self.spans:
                    self.problems.append("message %d came before a snapshot" % seq)
                    self.spans.append([seq - 1, seq])
                if stored_kind(message):
                    self.numbers.append(seq)
                if kind == "llm_stream":
                    self._follow_call(message)
                self._move(seq)
            self.ended = self.ended or kind == "stream_end"

    def _follow_call(self, message):
        """The parts of a call come without a gap and without a repeat; deltas come from memory only."""
        call, part, event = message["interaction_id"], message["sequence"], message["event"]
        delta = event.endswith("_delta")
        if self.replaying and delta:
            self.problems.append("delta %d in a replay of stored events" % message["seq"])
        if self.sequences is None:
            return
        expected = 0 if event == "start" else self.sequences.get(call, part - 1 if not delta else -2) + 1
        if part != expected:
            self.problems.append("part %d (%s) of call %d where %d was due, message %d" % (part, event, call, expected, message["seq"]))
        self.sequences[call] = part
        if event == "end":
            del self.sequences[call]

    def _move(self, seq):
        self.position = seq
        self.spans[-1][1] = max(self.spans[-1][1], seq)

    def check(self, log):
        """What differs from the stored log, a sorted list of (seq, type)."""
        found = list(self.problems)
        expected = [seq for start, end in self.spans for seq, _ in log if start < seq <= end]
        if self.numbers != expected:
            lost, surplus = sorted(set(expected) - set(self.numbers)), sorted(set(self.numbers) - set(expected))
            found.append("%s, %d connects %s, spans %s: lost %s, not stored %s" % (self.kind, self.connects, self.resumes, self.spans, lost[:8], surplus[:8]))
        if not self.ended:
            found.append("%s: no stream_end, last number %s" % (self.kind, self.position))
        elif log and self.spans and self.spans[-1][1] != log[-1][0]:
            found.append("%s: ended at %d, the log at %d" % (self.kind, self.spans[-1][1], log[-1][0]))
        return found


def stored_log(database, plan_id):
    db = sqlite3.connect(database, timeout=30)
    try:
        return db.execute("SELECT seq, type FROM plan_events WHERE plan_id = ? ORDER BY seq", (plan_id,)).fetchall()
    finally:
        db.close()


class Swarm:
    """Watchers that are cut off at random and come back. `port` is None while there is no server."""

    def __init__(self, port, seed):
        self.port, self.random = port, random.Random(seed)
        self.watchers, self.selector, self.waiting = [], selectors.DefaultSelector(), []
        self.cuts, self.refusals = 0, 0

    def add(self, plan, kind, headers=None, delay=0.0):
        watcher = Watcher(plan, kind, headers)
        self.watchers.append(watcher)
        self.waiting.append((time.monotonic() + delay, watcher))
        return watcher

    def _connect(self):
        now = time.monotonic()
        if self.port is None:
            return
        due = [w for at, w in self.waiting if at <= now]
        self.waiting = [(at, w) for at, w in self.waiting if at > now]
        for watcher in due[:64]:
            try:
                watcher.connect(self.port)
            except (Broken, OSError, AssertionError) as error:
                self.refusals += 1
                if isinstance(error, AssertionError):
                    watcher.problems.append(str(error))
                self.later(watcher, 0.2)
                continue
            if watcher.link:
                self.selector.register(watcher.socket, selectors.EVENT_READ, watcher)
        self.waiting += [(now, w) for w in due[64:]]

    def later(self, watcher, seconds):
        watcher.link = None
        self.waiting.append((time.monotonic() + seconds, watcher))

    def cut(self, watcher, hard=True, pause=0.05):
        """The watcher loses its connection and comes back after a while."""
        if watcher.link:
            self.selector.unregister(watcher.socket)
            watcher.drop(hard)
            self.cuts += 1
            self.later(watcher, pause)

    def step(self, seconds=0.05):
        self._connect()
        for key, _ in self.selector.select(seconds):
            watcher = key.data
            if watcher.link is None or watcher.socket is not key.fileobj:
                continue
            if not watcher.feed():
                self.selector.unregister(key.fileobj)
                if not watcher.ended:
                    self.later(watcher, self.random.uniform(0.02, 0.3))

    @property
    def open(self):
        return [w for w in self.watchers if not w.ended]

    def run(self, seconds, each_step=lambda: None):
        """Until every watcher has seen the end. True when all have."""
        deadline = time.monotonic() + seconds
        while self.open and time.monotonic() < deadline:
            self.step()
            each_step()
        return not self.open

    def close(self):
        for watcher in self.watchers:
            watcher.drop(False)
        self.selector.close()

    def problems(self, database):
        found = []
        for plan in {id(w.plan): w.plan for w in self.watchers}.values():
            found += ["%s: %s" % (plan.id, problem) for problem in plan.problems]
            log = stored_log(database, plan.id)
            for watcher in self.watchers:
                if watcher.plan is plan:
                    found += ["%s: %s" % (plan.id, problem) for problem in watcher.check(log)]
        return found
