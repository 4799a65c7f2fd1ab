"""What the functional tests share: the real programs in a folder of their own, stand-in servers, and a look at what they left behind.

A test program of this folder is called `NAME_test.py BIN_DIR`. With GTEST_OUTPUT=xml:FILE it writes its single results
there in the form of a gtest program, which is what the sum at the end of the test suite is made from.
"""
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
import xml.etree.ElementTree as ET

PROMPT = "Open a bicycle repair shop in Lyon, budget 80 000 EUR, opening within 9 months"
TASKS = 61
# A plan takes a second or two; a build with sanitizers on a busy machine many times that.
RUN_SECONDS = 180
SECTION_IDS = [
    "executive-summary", "gantt-overview", "gantt-interactive", "pitch", "project-plan", "strategic-decisions", "scenarios",
    "assumptions", "governance", "related-resources", "data-collection", "documents", "swot", "team", "expert-criticism",
    "wbs", "review-plan", "questions-answers", "premortem", "initial-prompt"]

bin_dir = pathlib.Path()


def program(name):
    return str(bin_dir / name)


class Outcome:
    """How a command ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __str__(self):
        return "exit %s\nstdout: %s\nstderr: %s" % (self.code, self.out[-1500:], self.err[-3000:])


class Rehearsal:
    """A rehearsal server of the test's own, so that its counters can be read."""

    def __init__(self, *arguments):
        self.child = subprocess.Popen([program("planexe-rehearsal"), "--port", "0", "--seed", "7", *arguments],
                                      stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]}, text=True)
        line = self.child.stdout.readline().strip()
        if not line.startswith("listening "):
            self.stop()
            raise RuntimeError("the rehearsal server did not start: " + line)
        self.url = line.split(" ", 1)[1]

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.child.stdout.close()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=20) as reply:
            return json.load(reply)

    def post(self, path, body=None):
        request = urllib.request.Request(self.url + path, data=json.dumps(body or {}).encode(), headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.read()

    def reset(self):
        self.post("/control/reset")

    def counters(self):
        return self.get("/control/counters")

    def asked(self):
        """Call key -> how often an answer to it was asked for, as this server counted it."""
        return {key: count["received"] for key, count in self.counters()["calls"].items() if count["received"]}

    def bodies(self):
        return [json.loads(r["body"]) for r in self.get("/control/requests")["data"] if r["method"] == "POST" and r["target"] == "/v1/responses"]


class Provider:
    """A provider that answers every request alike and keeps what it was sent."""

    def __init__(self, status, body):
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                outer.requests.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/v1" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Running:
    """A command that has been started and not yet waited for. Its output goes to files, so that no pipe can fill up."""

    def __init__(self, arguments, folder, env, user=None):
        self.streams = [tempfile.TemporaryFile(), tempfile.TemporaryFile()]
        self.child = subprocess.Popen([program("planexe"), *arguments], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                                      stdout=self.streams[0], stderr=self.streams[1], user=user, group=user,
                                      extra_groups=[] if user is not None else None)

    def wait(self, seconds=RUN_SECONDS):
        try:
            self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError("the command did not end within %d s" % seconds)
        texts = []
        for stream in self.streams:
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
            stream.close()
        return Outcome(self.child.returncode, *texts)

    def interrupt(self):
        self.child.send_signal(signal.SIGINT)

    @property
    def alive(self):
        return self.child.poll() is None


class Sandbox:
    """A folder with a database of its own. Nothing of the environment but PATH reaches the programs."""

    def __init__(self, **env):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="planexe-functional-"))
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **env}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LLVM_PROFILE_FILE"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def database(self):
        return self.folder / "planexe.db"

    @property
    def run_dir(self):
        return self.folder / "run"

    def start(self, *arguments, env=None, user=None):
        return Running([a if isinstance(a, bytes) else str(a) for a in arguments], self.folder, {**self.env, **(env or {})}, user)

    def run(self, *arguments, env=None, seconds=RUN_SECONDS, user=None):
        return self.start(*arguments, env=env, user=user).wait(seconds)

    def rows(self, sql, *values):
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as db:
            return db.execute(sql, values).fetchall()

    def value(self, sql, *values):
        rows = self.rows(sql, *values)
        return rows[0][0] if rows else None

    def plan_ids(self):
        """Ids of the plans; none when there is no database yet."""
        if not self.database.exists():
            return []
        try:
            return [row[0] for row in self.rows("SELECT plan_id FROM plans ORDER BY id")]
        except sqlite3.OperationalError:
            return []

    def stored_files(self, plan_id):
        rows = self.rows("SELECT filename, content, content_blob FROM plan_content WHERE plan_id = ? AND is_current", plan_id)
        return {name: blob if blob is not None else text.encode() for name, text, blob in rows}

    def files_on_disk(self, plan_id):
        return {path.name: path.read_bytes() for path in (self.run_dir / plan_id).iterdir()}

    def task_states(self, plan_id):
        return dict(self.rows("SELECT task_key, state FROM plan_tasks WHERE plan_id = ?", plan_id))

    def answered_calls(self, plan_id):
        return {row[0] for row in self.rows("SELECT call_key FROM llm_interactions WHERE owner_id = ? AND status = 'completed'", plan_id)}

    def all_bytes(self):
        """Everything that the programs wrote into the folder, for a search."""
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


def eventually(condition, seconds=60, pause=0.01):
    """Waits for a condition that another process makes true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(pause)
    return False


class Case(unittest.TestCase):
    """A test with a sandbox and, where a class wants one, a rehearsal server for all of its tests."""

    rehearsal_arguments = None
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.rehearsal = Rehearsal(*cls.rehearsal_arguments) if cls.rehearsal_arguments is not None else None

    @classmethod
    def tearDownClass(cls):
        if cls.rehearsal:
            cls.rehearsal.stop()

    def setUp(self):
        self.box = self.sandbox()
        if self.rehearsal:
            self.rehearsal.reset()

    def sandbox(self, **env):
        if self.rehearsal:
            env.setdefault("PLANEXE_REHEARSAL_URL", self.rehearsal.url)
        box = Sandbox(**env)
        self.addCleanup(box.close)
        return box

    # A report that lacks a word is not to be printed whole.
    def assertIn(self, member, container, msg=None):
        if isinstance(container, (str, bytes)) and len(container) > 4000 and member not in container:
            self.fail(msg or "%r is not in a text of %d characters that begins %r" % (member, len(container), container[:200]))
        super().assertIn(member, container, msg)

    def assertNotIn(self, member, container, msg=None):
        if isinstance(container, (str, bytes)) and len(container) > 4000 and member in container:
            at = container.index(member)
            self.fail("%s: unexpected %r in %r" % (msg or "found", member, container[max(0, at - 100):at + 100]))
        super().assertNotIn(member, container, msg)

    def expect_exit(self, outcome, code):
        self.assertEqual(outcome.code, code, str(outcome))
        return outcome

    def make_plan(self, box=None, *arguments, prompt=PROMPT):
        """A completed plan; gives its id."""
        box = box or self.box
        before = set(box.plan_ids())
        self.expect_exit(box.run("plan", "--quiet", *arguments, prompt), 0)
        (plan_id,) = set(box.plan_ids()) - before
        return plan_id

    def expect_sound(self, box, plan_id, status="completed"):
        """What must hold for every stored plan, finished or not."""
        row = box.rows("SELECT status, error_code, error_message FROM plans WHERE plan_id = ?", plan_id)
        self.assertEqual(row[0][0], status, str(row))
        self.assertEqual(box.value("PRAGMA integrity_check"), "ok")
        self.assertEqual(box.rows("PRAGMA foreign_key_check"), [])
        self.assertEqual(box.rows("SELECT filename FROM plan_content WHERE plan_id = ? AND is_current GROUP BY filename HAVING count(*) > 1", plan_id), [])
        self.assertEqual(box.rows("SELECT call_key FROM llm_interactions WHERE owner_id = ? AND status IN ('pending', 'running')", plan_id), [])
        numbers = [row[0] for row in box.rows("SELECT seq FROM plan_events WHERE plan_id = ? ORDER BY seq", plan_id)]
        self.assertEqual(len(numbers), len(set(numbers)))
        if status != "completed":
            return
        self.assertEqual(box.rows("SELECT task_key, state FROM plan_tasks WHERE plan_id = ? AND state NOT IN ('completed', 'skipped')", plan_id), [])
        self.assertEqual(box.value("SELECT progress_percentage FROM plans WHERE plan_id = ?", plan_id), 100)
        self.assertEqual(box.rows("SELECT task_key, item_key FROM plan_task_items WHERE plan_id = ? AND state NOT IN ('done', 'skipped')", plan_id), [])

    def expect_copies_agree(self, box, plan_id):
        stored, copies = box.stored_files(plan_id), box.files_on_disk(plan_id)
        self.assertEqual(sorted(stored), sorted(copies))
        self.assertEqual([name for name in stored if stored[name] != copies[name]], [])

    def expect_whole_report(self, html):
        for section in SECTION_IDS:
            self.assertIn('id="%s"' % section, html)
        self.assertNotIn('class="gap"', html)


class _Results(unittest.TextTestResult):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cases = []
        self.began = {}

    def startTest(self, test):
        self.began[test.id()] = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        mine = lambda list_: [text for other, text in list_ if other.id().startswith(test.id())]
        self.cases.append((test.id(), time.monotonic() - self.began[test.id()], mine(self.failures + self.errors), mine(self.skipped)))


def _write_xml(path, result):
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", name="functional")
    for test_id, seconds, failures, skips in result.cases:
        classname, name = test_id.rsplit(".", 1)
        case = ET.SubElement(suite, "testcase", name=name, classname=classname.rsplit(".", 1)[-1], time="%.3f" % seconds,
                             status="notrun" if skips and not failures else "run")
        for text in failures:
            ET.SubElement(case, "failure", message=text.strip().splitlines()[-1]).text = text
        for text in skips:
            ET.SubElement(case, "skipped", message=text)
    # Not one test ran: a class could not be set up.
    for test, text in result.errors:
        if not hasattr(test, "_testMethodName"):
            case = ET.SubElement(suite, "testcase", name=str(test), classname="setup", status="run")
            ET.SubElement(case, "failure", message=text.strip().splitlines()[-1]).text = text
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def main():
    """Runs the tests of the calling program: BIN_DIR [TEST...]."""
    global bin_dir
    if len(sys.argv) < 2:
        sys.exit("usage: %s BIN_DIR [TEST...]" % sys.argv[0])
    bin_dir = pathlib.Path(sys.argv[1]).resolve()
    module = sys.modules["__main__"]
    loader = unittest.defaultTestLoader
    tests = loader.loadTestsFromNames(sys.argv[2:], module) if sys.argv[2:] else loader.loadTestsFromModule(module)
    runner = unittest.TextTestRunner(verbosity=2, resultclass=_Results)
    result = runner.run(tests)
    output = os.environ.get("GTEST_OUTPUT", "")
    if output.startswith("xml:"):
        _write_xml(output[4:], result)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
