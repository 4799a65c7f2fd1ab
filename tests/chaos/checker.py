"""What the chaos tests share: the model server, one plan in a folder of its own, and the rules that must hold afterwards."""
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request

PROMPT = "Open a bicycle repair shop in Lyon, budget 80 000 EUR, opening within 9 months"
RUN_SECONDS_MAX = 120


def start_rehearsal(bin_dir, profile, seed, *more):
    child = subprocess.Popen([os.path.join(bin_dir, "planexe-rehearsal"), "--port", "0", "--profile", profile, "--seed", str(seed), *more],
                             stdout=subprocess.PIPE, text=True)
    line = child.stdout.readline().strip()
    if not line.startswith("listening "):
        sys.exit("the rehearsal server did not start: " + line)
    return child, line.split(" ", 1)[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return json.load(reply)


def post(url):
    urllib.request.urlopen(urllib.request.Request(url, data=b"{}", headers={"Content-Type": "application/json"}), timeout=10).read()


def violations(database, plan_id):
    """Everything in the stored rows that must never be."""
    db = sqlite3.connect(database)
    found = []

    def none(what, sql):
        for row in db.execute(sql, (plan_id,)):
            found.append(what + ": " + ", ".join(map(str, row)))

    none("task not ended", "SELECT task_key, state FROM plan_tasks WHERE plan_id = ? AND state NOT IN ('completed', 'skipped')")
    none("unit not accepted", "SELECT task_key, item_key, state FROM plan_task_items WHERE plan_id = ? AND state NOT IN ('done', 'skipped')")
    none("two current versions", "SELECT filename, count(*) FROM plan_content WHERE plan_id = ? AND is_current GROUP BY filename HAVING count(*) > 1")
    none("accepted twice", "SELECT filename, count(*) FROM plan_content WHERE plan_id = ? GROUP BY filename HAVING count(*) > 1")
    none("call still open", "SELECT call_key, status FROM llm_interactions WHERE owner_id = ? AND status IN ('pending', 'running')")
    none("two completed calls",
         "SELECT call_key, count(*) FROM llm_interactions WHERE owner_id = ? AND status = 'completed' GROUP BY call_key HAVING count(*) > 1")
    none("started before its input",
         "SELECT e.to_key, e.from_key FROM plan_task_edges e JOIN plan_tasks a ON a.plan_id = e.plan_id AND a.task_key = e.from_key "
         "JOIN plan_tasks b ON b.plan_id = e.plan_id AND b.task_key = e.to_key WHERE e.plan_id = ? AND b.started_at < a.finished_at AND b.attempt = 1")
    last = ""
    for seq, created in db.execute("SELECT seq, created_at FROM plan_events WHERE plan_id = ? ORDER BY seq", (plan_id,)):
        if created < last:
            found.append("event %d is older than the one before it" % seq)
        last = created
    status = db.execute("SELECT status, error_message FROM plans WHERE plan_id = ?", (plan_id,)).fetchone()
    if not status or status[0] != "completed":
        found.append("plan is %s" % (status,))
    return found


def lost_and_doubled(database, plans, keys):
    """What differs from `plans` plans, each created with its own idempotency key that begins with `keys`."""
    db = sqlite3.connect(database)
    found = []
    stored = db.execute("SELECT count(*) FROM plans").fetchone()[0]
    if stored != plans:
        found.append("%d plans were accepted, %d are stored" % (plans, stored))
    known = db.execute("SELECT count(*), count(DISTINCT key) FROM idempotency_keys WHERE key LIKE ?", (keys + "%",)).fetchone()
    if known != (plans, plans):
        found.append("%d plans, but idempotency keys %s" % (plans, known))
    for plan_id, kind in db.execute("SELECT plan_id, type FROM plan_events e WHERE seq = (SELECT max(seq) FROM plan_events m WHERE m.plan_id = e.plan_id)"):
        if kind != "stream_end":
            found.append("%s: the last event is %s" % (plan_id, kind))
    for (plan_id,) in db.execute("SELECT p.plan_id FROM plans p JOIN plan_events e USING (plan_id) GROUP BY p.plan_id HAVING max(e.seq) > p.seq_reserved"):
        found.append(plan_id + ": an event has a number that was not reserved")
    return found


def most_recoveries(database):
    """How often the unluckiest running plan broke off since its last new result."""
    if not os.path.exists(database):
        return 0
    try:
        return sqlite3.connect(database).execute("SELECT COALESCE(max(recovery_count), 0) FROM plans WHERE status = 'running'").fetchone()[0]
    except sqlite3.Error:
        return 0


def in_flight(database, plan_id):
    if not os.path.exists(database):
        return {}
    try:
        db = sqlite3.connect(database)
        rows = db.execute("SELECT call_key, response_id FROM llm_interactions WHERE owner_id = ? AND status IN ('pending', 'running')", (plan_id,))
        return dict(rows.fetchall())
    except sqlite3.Error:
        return {}


class Plan:
    """One plan of the real program, with its database in a folder of its own."""

    def __init__(self, bin_dir, url, number):
        self.bin_dir, self.url = bin_dir, url
        self.folder = tempfile.mkdtemp(prefix="planexe-kill-")
        self.id = "PlanExe_kill_%d" % number
        self.database = os.path.join(self.folder, "planexe.db")
        self.kills = 0
        self.may_repeat = {}  # call key -> kills while it was in flight and nothing told how its answer can be fetched

    def run(self, seconds=RUN_SECONDS_MAX, testpoints=""):
        """Makes the plan or goes on with it; the exit status, negative when it was killed, and what it said."""
        arguments = ["resume", "--quiet", self.id] if self.known() else ["plan", "--quiet", "--plan-id", self.id, PROMPT]
        env = {"PATH": os.environ["PATH"], "PLANEXE_REHEARSAL_URL": self.url, "PLANEXE_DATA_DIR": self.folder,
               "PLANEXE_TESTPOINTS": testpoints}
        child = subprocess.Popen([os.path.join(self.bin_dir, "planexe")] + arguments, env=env, cwd=self.folder,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        said = child.stderr.read().decode(errors="replace").strip()[-500:]
        if child.returncode < 0:
            self.kills += 1
            for key, response in in_flight(self.database, self.id).items():
                if not response:
                    self.may_repeat[key] = self.may_repeat.get(key, 0) + 1
        return child.returncode, said

    def known(self):
        if not os.path.exists(self.database):
            return False
        try:
            return sqlite3.connect(self.database).execute("SELECT 1 FROM plans WHERE plan_id = ?", (self.id,)).fetchone() is not None
        except sqlite3.Error:
            return False

    def forget(self):
        subprocess.run(["rm", "-rf", self.folder], check=False)


def repeated_calls(url, plan):
    """Calls that the server was asked for more often than kills explain at which their answer could not be fetched."""
    found = []
    calls = get(url + "/control/counters").get("calls", {})
    if not any(counts.get("received") for counts in calls.values()):
        found.append("the server counted no request at all: this check proves nothing")
    for key, counts in calls.items():
        extra = counts.get("received", 0) - 1
        if extra > plan.may_repeat.get(key, 0):
            found.append("%s was asked %d times, in flight at %d kills" % (key, counts["received"], plan.may_repeat.get(key, 0)))
    return found


def counts(url):
    """Calls that the server received more than once, and answers that were fetched from it."""
    calls = get(url + "/control/counters").get("calls", {}).values()
    return (sum(max(0, one.get("received", 0) - 1) for one in calls), sum(one.get("fetched", 0) for one in calls))
