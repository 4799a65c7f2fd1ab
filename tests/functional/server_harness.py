"""What the tests of `planexe serve` share: the real server in a folder of its own, a client that checks every answer against
the contract, and ways to hold, fail and watch plans.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest

import harness
from harness import PROMPT, eventually
from server_contract import contract
from server_wire import Closed, EventStream, Http, Socket, exchange, request_bytes

START_SECONDS = 60
NOTHING = object()
# What a SIGKILL or a restart may take before the server answers again.
RESTART_SECONDS = 60


class Server:
    """`planexe serve` on a free port. Nothing of the environment but what is given reaches it."""

    def __init__(self, box, *arguments, **env):
        self.box, self.arguments, self.env = box, [str(a) for a in arguments], env
        self.errors = box.folder / "server.err"
        self.start()

    def start(self):
        env = {**self.box.env, "PLANEXE_DATA_DIR": str(self.box.folder), "PLANEXE_LOG_LEVEL": "info", "PLANEXE_RATE_LIMITS": "off", **self.env}
        with open(self.errors, "ab") as errors:
            self.child = subprocess.Popen([harness.program("planexe"), "serve", "--port", "0", *self.arguments], cwd=self.box.folder,
                                          env={k: v for k, v in env.items() if v is not None}, stdin=subprocess.DEVNULL,
                                          stdout=subprocess.PIPE, stderr=errors, text=True)
        watchdog = threading.Timer(START_SECONDS, self.child.kill)
        watchdog.start()
        line = self.child.stdout.readline().strip()
        watchdog.cancel()
        if not line.startswith("listening http://"):
            self.kill()
            raise AssertionError("the server did not start: %r\n%s" % (line, self.log()[-3000:]))
        self.url = line.split(" ", 1)[1]
        self.port = int(self.url.rstrip("/").rsplit(":", 1)[1])
        self.said = [line]
        self.reader = threading.Thread(target=self._read, args=(self.child.stdout,), daemon=True)
        self.reader.start()

    def _read(self, stream):
        self.said += [line.rstrip("\n") for line in stream]
        stream.close()

    def log(self):
        return self.errors.read_text(errors="replace") if self.errors.exists() else ""

    def stop(self, seconds=40):
        """Asks it to end; its exit status."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the server did not end within %d s" % seconds) from None
        return self.child.returncode

    def kill(self):
        self.child.kill()
        self.child.wait()

    @property
    def alive(self):
        return self.child.poll() is None


class Api:
    """Operations by their id in the contract. Each answer is checked against it."""

    def __init__(self, server, token=None, headers=None):
        self.server, self.http = server, Http(server.port)
        self.headers = dict(headers or {})
        if token:
            self.headers["Authorization"] = "Bearer " + token

    def call(self, operation, status=None, code=None, query=(), body=NOTHING, data=None, headers=None, method=None, **path):
        """One request; the reply. `status` is what must come (default: success), `code` the error code."""
        operation = contract().operations[operation]
        headers = {**self.headers, **(headers or {})}
        if body is not NOTHING:
            data = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        elif operation.method in ("POST", "PUT", "PATCH"):
            data = b""
        reply = self.http.request(method or operation.method, operation.target(path, query), headers, data)
        contract().check_reply(operation, reply, method)
        if status is None and reply.status >= 400 or status is not None and reply.status != status:
            raise AssertionError("%s: expected %s, got %s" % (operation.id, status or "success", reply))
        if code is not None and method != "HEAD" and reply.json()["code"] != code:
            raise AssertionError("%s: expected %s, got %s" % (operation.id, code, reply))
        return reply

    def get(self, operation, **arguments):
        return self.call(operation, **arguments).json()

    def create(self, prompt=PROMPT, headers=None, **fields):
        return self.call("createPlan", 200, body={"prompt": prompt, **fields}, headers=headers).json()

    def wait(self, plan_id, *states, seconds=120):
        """The plan, once it is in one of these states (default: any end)."""
        states = states or ("completed", "failed", "cancelled")
        deadline = time.monotonic() + seconds
        while True:
            plan = self.get("getPlan", id=plan_id)
            if plan["status"] in states:
                return plan
            if time.monotonic() > deadline:
                raise AssertionError("the plan is still %s: %s" % (plan["status"], plan["progress_message"]))
            time.sleep(0.05)

    def completed(self, prompt=PROMPT, **fields):
        plan = self.wait(self.create(prompt, **fields)["plan_id"])
        if plan["status"] != "completed":
            raise AssertionError("the plan is %s: %s" % (plan["status"], plan["error_message"]))
        return plan

    def task(self, plan_id, key):
        return {task["task_key"]: task for task in self.get("listTasks", id=plan_id)["tasks"]}[key]

    def wait_task(self, plan_id, key, *states, seconds=60):
        if not eventually(lambda: self.task(plan_id, key)["state"] in states, seconds, 0.05):
            raise AssertionError("%s is %s" % (key, self.task(plan_id, key)["state"]))
        return self.task(plan_id, key)

    def stream(self, operation="streamProgress", query=(), headers=None, **path):
        """An event stream; iterate over its checked events."""
        return Stream(self, contract().operations[operation], query, {**self.headers, **(headers or {})}, path)

    def socket(self, plan_id, query="", headers=None, **options):
        return Socket(self.server.port, "/ws/plans/%s/progress%s" % (plan_id, query), {**self.headers, **(headers or {})}, **options)


class Stream(EventStream):
    def __init__(self, api, operation, query, headers, path):
        self.operation = operation
        super().__init__(api.server.port, operation.target(path, query), headers)
        contract().check_reply(operation, self.reply)

    def __iter__(self):
        while (event := self.next()) is not None:
            event.value = contract().check_event(self.operation.id, event)
            yield event

    def values(self):
        return [event.value for event in self]


def read_messages(socket, seconds=60):
    """All messages of a socket until it is closed, checked; and the close code."""
    deadline, messages = time.monotonic() + seconds, []
    while True:
        try:
            message = socket.next(max(0.01, deadline - time.monotonic()))
        except Closed as closed:
            return messages, closed.code
        contract().check_message(message)
        messages.append(message)


def expect_in_order(messages, start=0):
    """Numbers grow strictly, apart from messages that take none; gives the last number."""
    last, fresh = start, True
    for message in messages:
        kind, seq = message["type"], message["seq"]
        if kind in ("connection", "heartbeat", "error"):
            continue
        if kind == "snapshot":
            if seq < last:
                raise AssertionError("a snapshot of %d after message %d" % (seq, last))
            last, fresh = seq, True
        elif kind in ("status", "stream_end") and seq == last and fresh:
            continue  # the state once more, for clients that ignore snapshots
        else:
            if seq <= last:
                raise AssertionError("message %d (%s) after %d" % (seq, kind, last))
            last, fresh = seq, kind in ("status", "stream_end")
    return last


def form(**changes):
    """A filled intake form."""
    return {**json.loads(json.dumps(contract().document["components"]["schemas"]["IntakeForm"]["examples"][0])), **changes}


class ServerCase(harness.Case):
    """Tests that share one server and one rehearsal server. A test leaves no plan running."""

    rehearsal_arguments = []
    server_env = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared_box = harness.Sandbox(PLANEXE_REHEARSAL_URL=cls.rehearsal.url)
        try:
            cls.server = Server(cls.shared_box, **cls.server_env)
        except BaseException:
            cls.shared_box.close()
            super().tearDownClass()
            raise
        cls.api = Api(cls.server)

    @classmethod
    def tearDownClass(cls):
        try:
            code = cls.server.stop() if cls.server.alive else cls.server.child.returncode
            if code != 0:
                raise AssertionError("the server ended with %s\n%s" % (code, cls.server.log()[-4000:]))
        finally:
            contract().record(pathlib.Path(sys.argv[0]).stem + "-" + cls.__name__)
            cls.shared_box.close()
            super().tearDownClass()

    def setUp(self):
        self.rehearsal.reset()
        self.box = self.shared_box

    def own_server(self, *arguments, **env):
        """A server of this test's own, with the shared rehearsal server."""
        box = self.sandbox()
        server = Server(box, *arguments, **env)

        def end():
            if server.alive:
                server.stop()
        self.addCleanup(end)
        return server

    def script(self, *steps, repeat=0, **match):
        self.rehearsal.post("/control/scripts", {"match": match, "repeat": repeat, "steps": list(steps)})

    def hold(self, task="redline_gate"):
        """Answers to this task do not come, so a plan stays where it is."""
        self.script({"delay": {"first_event": 120000}}, task=task)

    def refuse(self, repeat=0, **match):
        self.script({"status": 400, "body": {"error": {"message": "this model is out of order", "type": "invalid_request_error", "code": None,
                                                       "param": None}}}, repeat=repeat, **match)

    def held_plan(self, task="redline_gate", api=None, **fields):
        """A plan that runs and waits for this task."""
        api = api or self.api
        self.hold(task)
        plan_id = api.create(**fields)["plan_id"]
        self.addCleanup(self.forget, api, plan_id)
        api.wait_task(plan_id, task, "running")
        return plan_id

    def failed_plan(self, task="swot_analysis", api=None, **fields):
        api = api or self.api
        self.refuse(task=task)
        plan = api.wait(api.create(**fields)["plan_id"])
        self.assertEqual(plan["status"], "failed", plan)
        self.rehearsal.reset()
        return plan

    def forget(self, api, plan_id):
        if api.server.alive:
            reply = Http(api.server.port).request("DELETE", "/api/plans/" + plan_id, api.headers)
            self.assertIn(reply.status, (200, 404), str(reply))

    def send(self, method, target, headers=(), body=None, port=None):
        return exchange(port or self.server.port, request_bytes(port or self.server.port, method, target, headers, body), method=method)

    def expect_error(self, reply, status, code):
        self.assertEqual(reply.status, status, str(reply))
        self.assertEqual(reply.json()["code"], code, str(reply))


def main():
    """Runs the tests of the calling program: BIN_DIR [TEST...]; the last line is the sum."""
    if len(sys.argv) < 2:
        sys.exit("usage: %s BIN_DIR [TEST...]" % sys.argv[0])
    harness.bin_dir = pathlib.Path(sys.argv[1]).resolve()
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    tests = loader.loadTestsFromNames(sys.argv[2:], module) if sys.argv[2:] else loader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(verbosity=2, resultclass=harness._Results).run(tests)
    output = os.environ.get("GTEST_OUTPUT", "")
    if output.startswith("xml:"):
        harness._write_xml(output[4:], result)
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (result.testsRun - min(bad, result.testsRun) - len(result.skipped), bad))
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
