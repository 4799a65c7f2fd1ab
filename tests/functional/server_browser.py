"""A headless Chromium, driven over a pipe by the DevTools protocol: opens pages and tells everything that happened in them."""
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

PROGRAM = "/usr/bin/chromium"
SWITCHES = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync", "--disable-extensions", "--disable-default-apps", "--metrics-recording-only", "--mute-audio",
            "--disable-dev-shm-usage",
            "--remote-debugging-pipe"]
WAIT = 60


def available():
    return os.access(PROGRAM, os.X_OK)


class Broken(Exception):
    """The browser ended, or refused a command."""


class Browser:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="planexe-browser-"))
        here_in, there_out = os.pipe()
        there_in, here_out = os.pipe()
        # Away from the numbers 3 and 4, which the browser uses.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (here_in, here_out, there_in, there_out)]
        for fd in (here_in, here_out, there_in, there_out):
            os.close(fd)
        self.reading, self.writing, there_in, there_out = high

        def place():
            os.dup2(there_in, 3)
            os.dup2(there_out, 4)
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "TZ": "UTC"}
        self.child = subprocess.Popen([PROGRAM, *SWITCHES, "--user-data-dir=%s" % (self.folder / "profile"), "about:blank"],
                                      env=environment,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=place,
                                      pass_fds=(3, 4),
                                      start_new_session=True)
        os.close(there_in)
        os.close(there_out)
        self.buffer, self.number, self.events = b"", 0, []
        self.command("Browser.getVersion")
        self.command("Browser.setDownloadBehavior", behavior="deny")

    def close(self):
        try:
            self.command("Browser.close")
            self.child.wait(10)
        except (Broken, subprocess.TimeoutExpired):
            self.child.kill()
            self.child.wait()
        os.close(self.reading)
        os.close(self.writing)
        shutil.rmtree(self.folder, ignore_errors=True)

    def read(self, seconds):
        """Takes what the browser says within this time; True when there was something."""
        ready, _, _ = select.select([self.reading], [], [], max(0, seconds))
        if not ready:
            return False
        data = os.read(self.reading, 1 << 20)
        if not data:
            raise Broken("the browser ended")
        *messages, self.buffer = (self.buffer + data).split(b"\0")
        self.events += [json.loads(message) for message in messages]
        return True

    def command(self, method, session=None, **parameters):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        data = json.dumps(message).encode() + b"\0"
        try:
            while data:
                data = data[os.write(self.writing, data):]
        except BrokenPipeError:
            raise Broken("the browser ended") from None
        deadline = time.monotonic() + WAIT
        while True:
            for event in self.events:
                if event.get("id") == number:
                    self.events.remove(event)
                    if "error" in event:
                        raise Broken("%s: %s" % (method, event["error"]["message"]))
                    return event["result"]
            if time.monotonic() > deadline:
                raise Broken("%s was not answered" % method)
            self.read(deadline - time.monotonic())

    def page(self):
        return Page(self)


class Page:
    """A tab in a profile of its own. What happens in it is gathered until it is closed."""

    def __init__(self, browser):
        self.browser = browser
        self.context = browser.command("Target.createBrowserContext")["browserContextId"]
        self.target = browser.command("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = browser.command("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        self.dialogs, self.requests, self.complaints, self.contexts, self.opened, self.busy = [], [], [], {}, [], set()
        browser.command("Target.setDiscoverTargets", discover=True)
        for domain in ("Page", "Runtime", "Network", "Log", "Security"):
            self.do(domain + ".enable")
        self.do("Page.setLifecycleEventsEnabled", enabled=True)
        self.forget()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.browser.command("Target.disposeBrowserContext", browserContextId=self.context)
        self.browser.events.clear()

    def do(self, method, **parameters):
        return self.browser.command(method, self.session, **parameters)

    def forget(self):
        """What happened so far is of no interest."""
        self.take()
        self.dialogs, self.requests, self.complaints, self.opened, self.loads = [], [], [], [], 0

    def take(self):
        events, self.browser.events = self.browser.events, []
        for event in events:
            if event.get("sessionId") == self.session:
                self.happened(event["method"], event["params"])
            elif event.get("method") == "Target.targetCreated" and event["params"]["targetInfo"].get("openerId") == self.target:
                self.opened.append(event["params"]["targetInfo"]["url"])

    def happened(self, what, data):
        if what == "Page.javascriptDialogOpening":
            self.dialogs.append("%s: %s" % (data["type"], data["message"]))
            self.do("Page.handleJavaScriptDialog", accept=False)
        elif what == "Network.requestWillBeSent":
            self.requests.append(data["request"]["url"])
            self.busy.add(data["requestId"])
        elif what in ("Network.loadingFinished", "Network.loadingFailed"):
            self.busy.discard(data["requestId"])
        elif what == "Runtime.exceptionThrown":
            details = data["exceptionDetails"]
            self.complaints.append("exception: %s" % (details.get("exception", {}).get("description") or details["text"]))
        elif what == "Runtime.consoleAPICalled" and data["type"] in ("error", "warning", "assert"):
            self.complaints.append("console: %s" % [a.get("value", a.get("description")) for a in data["args"]])
        elif what == "Log.entryAdded" and data["entry"]["level"] in ("error", "warning"):
            self.complaints.append("log: %s %s" % (data["entry"]["text"], data["entry"].get("url", "")))
        elif what == "Runtime.executionContextCreated":
            self.contexts[data["context"]["id"]] = data["context"]
        elif what == "Runtime.executionContextDestroyed":
            self.contexts.pop(data["executionContextId"], None)
        elif what == "Runtime.executionContextsCleared":
            self.contexts.clear()
        elif what == "Page.loadEventFired":
            self.loads += 1
        elif what == "Page.downloadWillBegin":
            self.opened.append("download of " + data["url"])

    def until(self, condition, seconds=WAIT):
        deadline = time.monotonic() + seconds
        while True:
            self.take()
            if condition():
                return True
            if time.monotonic() > deadline:
                return False
            self.browser.read(min(0.5, deadline - time.monotonic()))

    def quiet(self, seconds=0.1, limit=WAIT):
        """Waits until nothing is loaded and nothing has happened for a moment; False when it does not come to rest."""
        begin = last = time.monotonic()
        while time.monotonic() - last < seconds or self.busy:
            if self.browser.read(0.05):
                last = time.monotonic()
            self.take()
            if time.monotonic() - begin > limit:
                return False
        return True

    def open(self, url, limit=WAIT):
        """Goes there and waits until it is at rest; False when the browser takes it for a download."""
        self.busy.clear()
        loads = self.loads
        answer = self.do("Page.navigate", url=url)
        if answer.get("errorText") == "net::ERR_ABORTED" or answer.get("isDownload"):
            self.quiet()
            return False
        if answer.get("errorText"):
            raise Broken("%s: %s" % (url, answer["errorText"]))
        if not self.until(lambda: self.loads > loads, limit) and limit == WAIT:
            raise Broken("%s does not load" % url)
        if not self.quiet(limit=limit) and limit == WAIT:
            raise Broken("%s does not come to rest" % url)
        return True

    def run(self, script, context=None):
        """The value of an expression in the page, or in another execution context of it."""
        answer = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True,
                         **({} if context is None else {"contextId": context}))
        if "exceptionDetails" in answer:
            raise Broken(answer["exceptionDetails"].get("exception", {}).get("description") or answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def run_everywhere(self, script):
        """The values in all frames."""
        self.take()
        values = []
        for number in list(self.contexts):
            try:
                values.append(self.run(script, number))
            except Broken:  # it went away meanwhile
                continue
        return values
