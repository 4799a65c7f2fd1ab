"""What the tests of slow clients share: a look at the server's descriptors and memory, and another client that must not wait."""
import concurrent.futures
import pathlib
import threading
import time

import harness
from server_harness import ServerCase
from server_wire import Broken, Http

HEADER_WAIT, BODY_WAIT, WRITE_WAIT = 10, 30, 30
# How much later than its deadline a connection may end on a busy machine.
LATE = 8
# What another client may wait for /ping meanwhile.
PROMPT = 3
MIB = 1 << 20


class Process:
    """What the system says about the server."""

    def __init__(self, server):
        self.folder, self.port = pathlib.Path("/proc/%d" % server.child.pid), server.port

    def descriptors(self):
        """Open descriptors, without the connections to the provider, which come and go by rules of their own."""
        foreign = self._foreign()
        found = 0
        for link in (self.folder / "fd").iterdir():
            try:
                found += link.readlink().name not in foreign
            except OSError:
                pass  # closed meanwhile
        return found

    def _foreign(self):
        """Names of TCP sockets that are not on the server's own port."""
        names = set()
        for line in (self.folder / "net" / "tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].split(":")[1], 16) != self.port:
                names.add("socket:[%s]" % fields[9])
        return names

    def memory(self):
        for line in (self.folder / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the server is gone")


class Meanwhile:
    """Another client, which asks all the time and keeps the longest answer."""

    def __init__(self, port):
        self.port, self.longest, self.asked, self.errors = port, 0.0, 0, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._ask)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def _ask(self):
        http = Http(self.port)
        while not self.over.wait(0.05):
            began = time.monotonic()
            try:
                reply = http.request("GET", "/api/models" if self.asked % 5 else "/ping")
                if reply.status != 200:
                    self.errors.append(str(reply))
            except (Broken, OSError) as error:
                self.errors.append(repr(error))
                http.close()
            self.longest = max(self.longest, time.monotonic() - began)
            self.asked += 1
        http.close()


class SlowCase(ServerCase):
    def setUp(self):
        super().setUp()
        self.process = Process(self.server)

    def until_closed(self, wire, limit, drip=b"", pause=0.5):
        """Seconds until the server ends the connection, and what came before it. `drip` is sent again and again."""
        began, data = time.monotonic(), b""
        wire.socket.settimeout(pause)
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

    def expect_prompt(self, other):
        self.assertEqual(other.errors, [])
        self.assertGreater(other.asked, 20)
        self.assertLess(other.longest, PROMPT, "another client had to wait")

    def expect_back(self, before, memory, slack=48 * MIB, process=None):
        """Descriptors and memory are what they were, apart from what the allocator keeps."""
        process = process or self.process
        self.assertTrue(harness.eventually(lambda: process.descriptors() <= before + 2, 20), "%d descriptors, before %d" % (process.descriptors(), before))
        self.assertTrue(harness.eventually(lambda: process.memory() <= memory + slack, 10), "%d MiB, before %d" % (process.memory() // MIB, memory // MIB))

    def together(self, parts):
        with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
            problems = []
            for future in [pool.submit(part) for part in parts]:
                try:
                    future.result()
                except (AssertionError, Broken, OSError) as error:
                    problems.append(repr(error))
        self.assertEqual(problems, [])
