#!/usr/bin/env python3
"""What is put together from the files of a plan: report, fallback report, assembled document, details."""
import html.parser
import json
import time

import server_harness
from harness import SECTION_IDS, TASKS
from server_harness import ServerCase


class FileCase(ServerCase):
    """One finished plan for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plan = cls.api.completed()
        cls.plan_id = cls.plan["plan_id"]

    def file(self, name, status=200, operation="downloadFile", **more):
        return self.api.call(operation, status, id=self.plan_id, filename=name, **more)


class Documents(FileCase):
    def test_the_report_in_both_forms(self):
        page = self.api.call("getReport", 200, id=self.plan_id)
        self.assertEqual(page.header("Content-Type").split(";")[0], "text/html")
        self.assertEqual(page.header("Content-Disposition").split(";")[1].strip(), 'filename="%s-report.html"' % self.plan_id)
        self.expect_whole_report(page.text)
        self.assertRegex(page.header("Content-Security-Policy"), r"script-src '(sha256-|unsafe-inline)")
        report = self.api.get("getReport", id=self.plan_id, query={"format": "json"})
        self.assertEqual([s["id"] for s in report["sections"]], [s for s in SECTION_IDS if s in {x["id"] for x in report["sections"]}])
        self.assertEqual((report["complete"], report["stale"], report["plan_id"]), (True, False, self.plan_id))
        artefacts = {a["filename"] for a in self.api.get("listArtefacts", id=self.plan_id)["artefacts"]}
        self.assertLessEqual({s["filename"] for s in report["sections"]}, artefacts)

    def test_negotiation(self):
        cases = {None: "html", "*/*": "html", "text/html": "html", "application/json": "json", "text/*": "html", "application/*": "json",
                 "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "html", "application/json, text/html;q=0.5": "json",
                 "text/html;q=0.4, application/json;q=0.9": "json", "text/html;q=0, */*": "json", "application/json;q=0, */*;q=0.1": "html",
                 "APPLICATION/JSON": "json", "image/png": None, "text/html;q=0": None, "text/plain": None}
        for accept, form in cases.items():
            with self.subTest(accept=accept):
                reply = self.api.call("getReport", 200 if form else 406, None if form else "NOT_ACCEPTABLE", id=self.plan_id, headers={"Accept": accept})
                if form:
                    self.assertIn(form, reply.header("Content-Type"))
        self.assertIn("json", self.api.call("getReport", id=self.plan_id, query={"format": "json"}, headers={"Accept": "text/html"}).header("Content-Type"))
        self.assertIn("html", self.api.call("getReport", id=self.plan_id, query={"format": "html"}, headers={"Accept": "application/json"}).header("Content-Type"))
        self.api.call("getReport", 422, "VALIDATION_FAILED", id=self.plan_id, query={"format": "pdf"})

    def test_of_a_plan_in_work(self):
        plan_id = self.held_plan("project_plan")
        report = self.api.get("getReport", id=plan_id, query={"format": "json"})
        self.assertFalse(report["complete"])
        self.api.call("getReport", 404, "REPORT_NOT_FOUND", id=plan_id)
        fallback = self.api.get("getFallbackReport", id=plan_id)
        self.assertTrue(0 < fallback["completion_percentage"] < 100)
        self.assertEqual(fallback["completion_percentage"], round(fallback["completion_percentage"], 2))
        missing = {m["filename"]: m["reason"] for m in fallback["missing_sections"]}
        self.assertIn("005-2-project_plan.md", missing)
        self.assertNotIn("029-report.html", missing)
        self.assertIn("running", missing["005-2-project_plan.md"].lower())
        self.assertFalse({s["filename"] for s in fallback["sections"]} & set(missing))
        document = self.api.get("getAssembledDocument", id=plan_id)
        self.assertGreater(document["section_count"], 0)

    def test_of_a_plan_with_nothing(self):
        server = self.own_server(PLANEXE_MAX_CONCURRENT_PLANS="1")
        api = server_harness.Api(server)
        self.held_plan(api=api)
        plan_id = api.create("waits")["plan_id"]
        self.assertEqual(api.get("listArtefacts", id=plan_id)["artefacts"], [])
        api.call("downloadBundle", 404, "CONTENT_NOT_FOUND", id=plan_id)
        api.call("getFallbackReport", 404, "CONTENT_NOT_FOUND", id=plan_id)
        api.call("getReport", 404, "REPORT_NOT_FOUND", id=plan_id)
        api.call("getReport", 404, "REPORT_NOT_FOUND", id=plan_id, query={"format": "json"})
        document = api.get("getAssembledDocument", id=plan_id)
        self.assertEqual((document["sections"], document["markdown"], document["word_count"], document["last_updated"]), ([], "", 0, None))
        self.assertEqual(api.get("getDetails", id=plan_id)["generated_files"], [])

    def test_fallback_report_of_a_finished_and_of_a_failed_plan(self):
        whole = self.api.get("getFallbackReport", id=self.plan_id)
        self.assertEqual((whole["completion_percentage"], whole["missing_sections"]), (100, []))
        self.assertIn("<", whole["assembled_html"])
        html.parser.HTMLParser().feed(whole["assembled_html"])
        failed = self.failed_plan("find_team_members")
        part = self.api.get("getFallbackReport", id=failed["plan_id"])
        reasons = {m["filename"]: m["reason"] for m in part["missing_sections"]}
        self.assertIn("013-team.md", reasons)
        self.assertEqual(self.api.get("listFiles", id=failed["plan_id"])["has_report"], failed["has_report"])

    def test_the_assembled_document(self):
        document = self.api.get("getAssembledDocument", id=self.plan_id)
        self.assertEqual(len(document["sections"]), document["section_count"])
        self.assertEqual(len({s["id"] for s in document["sections"]}), document["section_count"])
        for section in document["sections"]:
            self.assertIn(section["content"].strip(), document["markdown"])
        self.assertAlmostEqual(document["word_count"], len(document["markdown"].split()), delta=document["word_count"] * 0.1)

    def test_details(self):
        details = self.api.get("getDetails", id=self.plan_id)
        self.assertEqual((details["run_directory"], details["total_files"]), (self.plan_id, len(details["generated_files"])))
        self.assertGreaterEqual(len(details["pipeline_stages"]), TASKS)
        for stage in details["pipeline_stages"]:
            data = stage["data"]
            if isinstance(data, dict) and data.get("truncated"):
                self.assertGreater(data["size_bytes"], 32 * 1024)
                self.assertEqual(self.send("GET", data["href"]).status, 200)
            else:
                self.assertLess(len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()), 64 * 1024)
        log = self.file("log.txt").body
        self.assertEqual(details["log_total_bytes"], len(log))
        self.assertEqual(details["pipeline_log"], log.decode()[-len(details["pipeline_log"]):])
        for parts in ("log", "files,log", "stages"):
            keys = set(self.api.get("getDetails", id=self.plan_id, query={"include": parts}))
            self.assertEqual(keys, set(self.send("GET", "/api/plans/%s/details?include=%s" % (self.plan_id, parts)).json()), "a comma means the same when it is escaped")
            self.assertEqual("pipeline_log" in keys, "log" in parts)
            self.assertEqual("generated_files" in keys, "files" in parts)
            self.assertEqual("pipeline_stages" in keys, "stages" in parts)
        self.api.call("getDetails", 422, "VALIDATION_FAILED", id=self.plan_id, query={"include": "all,log"})
        before = time.monotonic()
        for _ in range(20):
            self.api.call("getDetails", id=self.plan_id)
        self.assertLess(time.monotonic() - before, 10)


if __name__ == "__main__":
    server_harness.main()
