#!/usr/bin/env python3
"""Whatever people and models write stays text: pages and files of a plan that is full of hostile markup, in a real browser."""
import http.server
import json
import pathlib
import tempfile
import threading
import unittest

import harness
import server_browser
import server_harness
from harness import PROMPT
from server_browser import Browser
from server_harness import Api, Server, form
from server_poison import MARK, payloads, poisoned_recipe

# What may not come out of foreign text. `own` is what a page may have of its own.
INSPECTION = """(() => {
  const found = [];
  const schemes = ["http:", "https:", "mailto:", "data:"];
  const foreign = ["iframe", "object", "embed", "base", "frame", "frameset", "applet", "portal", "video", "audio", "math"];
  const addresses = ["href", "src", "action", "formaction", "xlink:href", "data", "poster", "srcset", "background", "ping", "cite"];
  for (const element of document.querySelectorAll("*")) {
    const name = element.localName;
    for (const attribute of element.attributes) {
      const value = attribute.value.trim().toLowerCase();
      if (/^on/.test(attribute.name)) found.push(`${name} with ${attribute.name}`);
      if (attribute.name === "style" && /url\\(|expression|@import|position/.test(value)) found.push(`${name} with style ${value}`);
      if (addresses.includes(attribute.name)) {
        const local = value === "" || /^[#?\\/]/.test(value);
        if (!local && !schemes.some((scheme) => value.startsWith(scheme))) found.push(`${name} with ${attribute.name}=${value}`);
        if (name !== "a" && !local && !value.startsWith("data:image/")) found.push(`${name} that loads ${value}`);
        if (name === "a" && value.startsWith("data:") && !element.hasAttribute("download")) found.push(`a link to ${value}`);
        if (attribute.name === "ping") found.push("a link that tells somebody");
      }
    }
    if (foreign.includes(name)) found.push(name);
    if (name === "meta" && (element.httpEquiv || "").toLowerCase() === "refresh") found.push("meta refresh");
  }
  return found;
})()"""
# Whoever moves the mouse over everything, and tabs through it.
TOUCH = """(() => {
  for (const element of document.querySelectorAll("*")) {
    for (const kind of ["mouseover", "mouseenter", "mousemove", "pointerover", "focusin", "animationstart", "toggle", "error", "load"])
      element.dispatchEvent(new Event(kind, {bubbles: false}));
    if (element.localName === "details") element.open = true;
    if (element.tabIndex >= 0 && element.focus) element.focus();
  }
})()"""


# A page with a script of its own, shown as a mere file: the sandbox keeps all scripts from running, its own as well.
SANDBOXED = "Blocked script execution"


class Canary:
    """An address that nobody may ask for."""

    def __init__(self):
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
            do_POST = do_HEAD = do_OPTIONS = do_GET

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@unittest.skipUnless(server_browser.available(), "needs %s (Debian package chromium)" % server_browser.PROGRAM)
class HtmlSafety(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.ends = []
        try:
            cls.begin()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def begin(cls):
        cls.canary = Canary()
        cls.ends.append(cls.canary.stop)
        folder = tempfile.TemporaryDirectory(prefix="planexe-poison-")
        cls.ends.append(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.poisoned = poisoned_recipe(cls.folder / "recipe", cls.canary.url)
        cls.model = harness.Rehearsal("--recipe", str(cls.folder / "recipe"))
        cls.ends.append(cls.model.stop)
        cls.box_of_all = harness.Sandbox(PLANEXE_REHEARSAL_URL=cls.model.url)
        cls.ends.append(cls.box_of_all.close)
        cls.server = Server(cls.box_of_all)
        cls.ends.append(cls.server.stop)
        cls.api = Api(cls.server)
        cls.browser = Browser()
        cls.ends.append(cls.browser.close)
        cls.payloads = payloads(cls.canary.url)
        all_of_them = "\n\n".join(cls.payloads)
        intake = form(hard_constraints=cls.payloads[:50], success_criteria=cls.payloads[50:100], key_stakeholders=cls.payloads[100:],
                      project_title=cls.payloads[14], domain=cls.payloads[15], team_size=cls.payloads[21],
                      regulatory_context=all_of_them[:2000])
        cls.plan = cls.api.wait(cls.api.create(PROMPT + "\n\n" + all_of_them, title=cls.payloads[14], enriched_intake=intake)["plan_id"])
        cls.plan_id = cls.plan["plan_id"]

    @classmethod
    def tearDownClass(cls):
        while cls.ends:
            cls.ends.pop()()

    def setUp(self):
        self.box = self.box_of_all
        self.canary.asked.clear()

    def expect_harmless(self, page, *allowed, but=()):
        """Nothing has run, nothing was asked for but the page itself and what is allowed, no complaint but what is known."""
        page.quiet(0.05)
        allowed = (*allowed, self.server.url + "/favicon.ico")  # the browser's own wish
        self.assertEqual(page.dialogs, [])
        self.assertEqual([kind for kind in page.run_everywhere("typeof %s" % MARK) if kind != "undefined"], [], "a script has run")
        foreign = [url for url in page.requests if not url.startswith(("data:image/", "blob:")) and not any(fits(url,
                                                                                                                 one) for one in allowed)]
        self.assertEqual(foreign, [])
        self.assertEqual([text for text in page.complaints if not any(known in text for known in (*but, "/favicon.ico"))], [])
        self.assertEqual(page.opened, [])
        self.assertEqual(self.canary.asked, [], "somebody outside was asked")

    def expect_clean(self, page):
        """And the document holds nothing that only waits for a click or a movement."""
        self.assertEqual(page.run(INSPECTION), [])
        page.run(TOUCH)
        self.assertEqual([kind for kind in page.run_everywhere("typeof %s" % MARK) if kind != "undefined"], [])

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path.as_uri()

    # ------------------------------------------------------------------ the test itself
    def test_harm_would_be_noticed(self):
        """One by one: what these payloads do in a page that does not defend itself is seen here."""
        seen = {"script": 0, "request": 0, "dialog": 0, "inspection": 0}
        with self.browser.page() as page:
            for payload in [p for p in self.payloads if p.startswith("<")][:60:2]:
                page.forget()
                page.open(self.file("raw.html", "<!doctype html><meta charset=utf-8><body>" + payload), limit=0.7)
                seen["script"] += any(kind != "undefined" for kind in page.run_everywhere("typeof %s" % MARK))
                seen["request"] += any(url.startswith(self.canary.url) for url in page.requests)
                seen["dialog"] += bool(page.dialogs)
                seen["inspection"] += bool(page.run(INSPECTION))
        self.assertGreaterEqual(seen["script"], 8, seen)
        self.assertGreaterEqual(seen["request"], 3, seen)
        self.assertGreaterEqual(seen["dialog"], 1, seen)
        self.assertGreaterEqual(seen["inspection"], 12, seen)

    def test_the_plan_is_full_of_it(self):
        self.assertEqual(self.plan["status"], "completed", self.plan)
        self.assertGreaterEqual(len(self.poisoned), 45, "tasks with a poisoned answer")
        self.assertGreater(sum(self.poisoned.values()), 2000)
        states = {task["task_key"]: task["state"] for task in self.api.get("listTasks", id=self.plan_id)["tasks"]}
        self.assertEqual([key for key, state in states.items() if state == "failed"], [])
        answers = "".join(text or "" for (text,
                ) in self.box.rows("SELECT response_text FROM llm_interactions WHERE owner_id = ? AND status = 'completed'", self.plan_id))
        stored = [one for one in self.payloads if json.dumps(one, ensure_ascii=False)[1:-1] in answers]
        self.assertGreater(len(stored), 100, "payloads in accepted answers")

    # ------------------------------------------------------------------ what people open
    def test_the_report_as_a_file(self):
        """Downloaded and opened from the disk there are no headers that help."""
        url = self.file("report.html", self.api.call("getReport", 200, id=self.plan_id, headers={"Accept": "text/html"}).text)
        with self.browser.page() as page:
            self.assertTrue(page.open(url))
            self.expect_harmless(page, url)
            self.expect_clean(page)
            self.assertGreater(page.run("document.body.textContent.length"), 50000, "the text is all there")
            self.assertIn("onerror", page.run("document.body.textContent"), "as text")
            # Its own script works.
            self.assertGreater(page.run("document.scripts.length"), 0)
            self.expect_harmless(page, url)

    def test_the_report_on_the_server(self):
        name = next(f["filename"] for f in self.api.get("listFiles", id=self.plan_id)["files"] if f["filename"].endswith("report.html"))
        url = self.server.url + "/api/plans/%s/content/%s" % (self.plan_id, name)
        with self.browser.page() as page:
            self.assertTrue(page.open(url))
            self.expect_harmless(page, url, but=[SANDBOXED])
            page.forget()
            report = self.server.url + "/api/plans/%s/report" % self.plan_id
            self.assertFalse(page.open(report), "an attachment is not shown")

    def test_the_fallback_report(self):
        html = self.api.get("getFallbackReport", id=self.plan_id)["assembled_html"]
        url = self.file("fallback.html", html)
        with self.browser.page() as page:
            self.assertTrue(page.open(url))
            self.expect_harmless(page, url)
            self.expect_clean(page)
            self.expect_harmless(page, url)
        # The reference's page puts it into its own document.
        host = self.file("host.html", "<!doctype html><meta charset=utf-8><div id=here></div>")
        with self.browser.page() as page:
            page.open(host)
            page.run("document.getElementById('here').innerHTML = " + json.dumps(html))
            own_policy = "delivered via a <meta> element outside"  # there it is ignored, and must not be needed
            self.expect_harmless(page, host, but=[own_policy])
            page.run(TOUCH)
            self.expect_harmless(page, host, but=[own_policy])

    def test_every_file_in_the_browser(self):
        names = [f["filename"] for f in self.api.get("listFiles", id=self.plan_id)["files"] if f["filename"].endswith((".html", ".md"))]
        self.assertGreater(len(names), 30)
        with self.browser.page() as page:
            for name in names:
                with self.subTest(file=name):
                    page.forget()
                    url = self.server.url + "/api/plans/%s/content/%s" % (self.plan_id, name)
                    shown = page.open(url)
                    self.assertTrue(shown or not name.endswith(".html"), "pages are shown")
                    self.expect_harmless(page, url, but=[SANDBOXED] if name.endswith(".html") else [])

    def test_every_page_of_the_plan_as_a_file(self):
        names = [f["filename"] for f in self.api.get("listFiles", id=self.plan_id)["files"] if f["filename"].endswith(".html")]
        self.assertGreater(len(names), 1)
        with self.browser.page() as page:
            for name in names:
                with self.subTest(file=name):
                    page.forget()
                    url = self.file(name, self.api.call("downloadFile", 200, id=self.plan_id, filename=name).text)
                    self.assertTrue(page.open(url))
                    self.expect_harmless(page, url)
                    self.expect_clean(page)

    def test_answers_of_the_interface_are_no_pages(self):
        with self.browser.page() as page:
            for path in ("", "/assembled-document", "/fallback-report", "/details", "/tasks", "/artefacts", "/interactions",
                         "/report?format=json"):
                with self.subTest(path=path):
                    page.forget()
                    url = self.server.url + "/api/plans/%s%s" % (self.plan_id, path)
                    page.open(url)
                    self.assertEqual(page.run("document.querySelectorAll('script, img, svg, iframe, a').length"), 0)
                    self.expect_harmless(page, url)
            for path in ("/api/plans/<script>%s=1</script>" % MARK, "/<img src=x onerror=%s=1>" % MARK,
                         "/api/conversations/\"><svg onload=%s=1>" % MARK,
                         "/api/plans?cursor=<script>%s=1</script>" % MARK):
                with self.subTest(path=path):
                    page.forget()
                    page.open(self.server.url + path)
                    self.assertEqual([k for k in page.run_everywhere("typeof %s" % MARK) if k != "undefined"], [])
                    self.assertEqual((page.dialogs, self.canary.asked), ([], []))

    def test_the_page_of_the_server(self):
        failed = self.failed_plan()
        with self.browser.page() as page:
            self.assertTrue(page.open(self.server.url + "/"))
            self.assertTrue(page.until(lambda: page.run("document.querySelectorAll('#plans > li').length") >= 2), "the plans are shown")
            text = page.run("document.getElementById('plans').innerText")
            self.assertIn(self.payloads[14], text, "the title stands there as it was written")
            self.assertIn("onerror", failed["error_message"] + text)
            self.assertEqual(page.run("document.querySelectorAll('#plans script, #plans img, #plans svg, #plans iframe').length"), 0)
            self.expect_harmless(page, self.server.url + "/", self.server.url + "/*")
            self.expect_clean(page)
            self.expect_harmless(page, self.server.url + "/*")

    def failed_plan(self):
        """A plan whose cause, as it is shown, quotes a model and a provider."""
        words = "".join(self.payloads[14:24])
        self.model.post("/control/scripts", {"match": {"task": "redline_gate"}, "repeat": 0, "steps": [
            {"status": 400, "body": {"error": {"message": words, "type": "invalid_request_error", "code": "invalid_json_schema",
                                               "param": words}}}]})
        plan = self.api.wait(self.api.create(self.payloads[21] + " " + PROMPT)["plan_id"])
        self.model.reset()
        self.assertEqual(plan["status"], "failed")
        return plan

    def test_the_description_of_the_interface(self):
        with self.browser.page() as page:
            url = self.server.url + "/docs"
            self.assertTrue(page.open(url + "#%3Cimg%20src=x%20onerror=" + MARK + "=1%3E"))
            self.expect_harmless(page, url + "*")
            self.expect_clean(page)


def fits(url, pattern):
    return url.startswith(pattern[:-1]) if pattern.endswith("*") else url.split("#")[0] == pattern


if __name__ == "__main__":
    server_harness.main()
