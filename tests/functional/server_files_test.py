#!/usr/bin/env python3
"""Files and archives of plans over HTTP."""
import contextlib
import csv
import hashlib
import io
import json
import os
import pathlib
import re
import sqlite3
import zipfile

import server_harness
from server_contract import contract
from server_harness import ServerCase
from server_wire import Broken, Wire, request_bytes

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
MEDIA = {"json": "application/json", "markdown": "text/markdown", "html": "text/html", "csv": "text/csv", "txt": "text/plain", "unknown": "application/octet-stream"}


def order_of(name):
    parts = re.match(r"(\d+)(?:-(\d+))?(?:-(\d+))?-", name)
    if not parts:
        return None
    numbers = [int(n or 0) for n in parts.groups()]
    return numbers[0] * 10 ** 6 + numbers[1] * 10 ** 3 + numbers[2]


class FileCase(ServerCase):
    """One finished plan for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plan = cls.api.completed()
        cls.plan_id = cls.plan["plan_id"]

    def file(self, name, status=200, operation="downloadFile", **more):
        return self.api.call(operation, status, id=self.plan_id, filename=name, **more)


class Listed(FileCase):
    def test_artefacts_are_what_is_stored(self):
        listed = self.api.get("listArtefacts", id=self.plan_id)["artefacts"]
        stored = dict(self.box.rows("SELECT filename, sha256 FROM plan_content WHERE plan_id = ? AND is_current", self.plan_id))
        self.assertEqual({a["filename"]: a["sha256"] for a in listed}, stored)
        self.assertEqual(len(listed), len(stored))
        self.assertEqual([a["order"] for a in listed], sorted(a["order"] for a in listed))
        names = [a["filename"] for a in listed]
        self.assertLess(names.index("002-2-redline_gate.md"), names.index("002-10-potential_levers.json"))
        for entry in listed:
            self.assertRegex(entry["filename"], NAME)
            if order_of(entry["filename"]) is not None:
                self.assertEqual(entry["order"], order_of(entry["filename"]), entry["filename"])
            self.assertTrue(entry["description"], entry)
            self.assertTrue(entry["task_key"] and entry["task_name"] or entry["stage"] == "completion", entry)
            self.assertEqual((entry["stale"], entry["version"]), (False, 1))

    def test_files_are_the_artefacts_and_the_log(self):
        files = self.api.get("listFiles", id=self.plan_id)
        artefacts = self.api.get("listArtefacts", id=self.plan_id)["artefacts"]
        self.assertTrue(files["has_report"])
        names = [f["filename"] for f in files["files"]]
        self.assertEqual(len(names), len(set(names)))
        self.assertLessEqual({a["filename"] for a in artefacts}, set(names))
        for extra in set(names) - {a["filename"] for a in artefacts}:
            self.file(extra)
        self.assertIn("log.txt", names)
        log = self.file("log.txt").text
        self.assertIn("Running task StartTimeTask", log)
        self.assertIn("ReportTask is complete", log)

    def test_pages(self):
        for operation, key in (("listArtefacts", "artefacts"), ("listFiles", "files")):
            whole = self.api.get(operation, id=self.plan_id)
            self.assertIsNone(whole["next_cursor"])
            found, cursor = [], None
            while True:
                page = self.api.call(operation, id=self.plan_id, query={"limit": 37, **({"cursor": cursor} if cursor else {})})
                found += page.json()[key]
                cursor = page.json()["next_cursor"]
                self.assertEqual(page.header("X-Next-Cursor"), cursor)
                if not cursor:
                    break
            self.assertEqual(found, whole[key])
            self.api.call(operation, 422, "CURSOR_INVALID", id=self.plan_id, query={"cursor": "no cursor"})
            self.api.call(operation, 422, "VALIDATION_FAILED", id=self.plan_id, query={"limit": 0})

    def test_pages_while_files_arrive(self):
        for operation, key in (("listArtefacts", "artefacts"), ("listFiles", "files")):
            plan_id = self.held_plan("project_plan")
            found, cursor = [], None
            while cursor or not found:
                page = self.api.get(operation, id=plan_id, query={"limit": 5, **({"cursor": cursor} if cursor else {})})
                found += page[key]
                cursor = page["next_cursor"]
                if len(found) == 15:
                    reached = found[-1]["order"]
                    self.rehearsal.reset()
                    self.api.call("cancelPlan", 200, id=plan_id)
                    self.api.call("resumePlan", 200, id=plan_id)
                    self.assertEqual(self.api.wait(plan_id)["status"], "completed")
            whole = [f["filename"] for f in self.api.get(operation, id=plan_id)[key] if f["order"] > reached]
            self.assertEqual([f["filename"] for f in found[15:]], whole)
            self.assertGreater(len(whole), 60)

    def test_a_file_that_is_only_in_the_run_directory(self):
        folder = self.box.run_dir / self.plan_id
        (folder / "notes.txt").write_text("written by hand")
        (folder / "secret.txt").symlink_to("/etc/passwd")
        (folder / "029-report.html").write_text("changed on disk")
        self.addCleanup(lambda: [(folder / name).unlink() for name in ("notes.txt", "secret.txt")])
        entry = {f["filename"]: f for f in self.api.get("listFiles", id=self.plan_id)["files"]}["notes.txt"]
        self.assertEqual((entry["content_type"], entry["size_bytes"], entry["version"], entry["task_key"], entry["sha256"], entry["stale"]),
                         ("txt", 15, 1, None, None, False))
        self.assertEqual(self.file("notes.txt").body, b"written by hand")
        self.assertEqual(self.file("notes.txt", 206, headers={"Range": "bytes=-4"}).body, b"hand")
        self.assertNotIn("notes.txt", {a["filename"] for a in self.api.get("listArtefacts", id=self.plan_id)["artefacts"]})
        for operation in ("downloadFile", "viewContent"):
            self.file("secret.txt", 404, operation, code="FILE_NOT_FOUND")
            self.assertNotIn(b"changed on disk", self.file("029-report.html", operation=operation).body, "the database wins over the disk")

    def test_a_plan_without_results_yet(self):
        plan_id = self.held_plan()
        names = [a["filename"] for a in self.api.get("listArtefacts", id=plan_id)["artefacts"]]
        self.assertNotIn("029-report.html", names)
        self.assertFalse(self.api.get("listFiles", id=plan_id)["has_report"])
        self.api.call("getReport", 404, "REPORT_NOT_FOUND", id=plan_id)


class Download(FileCase):
    def test_every_file_is_what_the_list_says(self):
        stored = self.box.stored_files(self.plan_id)
        for entry in self.api.get("listFiles", id=self.plan_id)["files"]:
            with self.subTest(file=entry["filename"]):
                reply = self.file(entry["filename"])
                self.assertEqual(len(reply.body), entry["size_bytes"])
                if entry["sha256"]:
                    self.assertEqual(hashlib.sha256(reply.body).hexdigest(), entry["sha256"])
                    self.assertEqual(reply.body, stored[entry["filename"]])
                kind = reply.header("Content-Type").replace(" ", "").lower()
                self.assertEqual(kind, MEDIA[entry["content_type"]] + ("" if entry["content_type"] == "unknown" else ";charset=utf-8"))
                self.assertEqual(reply.header("Content-Disposition"),
                                 "attachment; filename=\"%s\"; filename*=UTF-8''%s" % (entry["filename"], entry["filename"]))
                self.assertEqual(reply.header("Content-Security-Policy"), "sandbox" if entry["content_type"] == "html" else None)
                shown = self.file(entry["filename"], operation="viewContent")
                self.assertEqual(shown.body, reply.body)
                self.assertTrue(shown.header("Content-Disposition").startswith("inline; "))
        list(csv.reader(io.StringIO(next(v for k, v in stored.items() if k.endswith(".csv")).decode())))

    def test_ranges(self):
        name = "029-report.html"
        whole = self.file(name)
        size, tag = len(whole.body), whole.header("ETag")
        good = {"bytes=0-0": (0, 1), "bytes=0-99": (0, 100), "bytes=100-": (100, size), "bytes=-100": (size - 100, size), "bytes=-%d" % (size * 2): (0, size),
                "bytes=%d-%d" % (size - 5, size * 2): (size - 5, size), "bytes=7-7": (7, 8)}
        for operation in ("downloadFile", "viewContent"):
            for value, (start, end) in good.items():
                with self.subTest(range=value, operation=operation):
                    part = self.file(name, 206, operation, headers={"Range": value})
                    self.assertEqual(part.body, whole.body[start:end])
                    self.assertEqual(part.header("Content-Range"), "bytes %d-%d/%d" % (start, end - 1, size))
            for value in ("bytes=%d-" % size, "bytes=%d-%d" % (size, size + 5), "bytes=-0", "bytes=99999999999999999999-"):
                with self.subTest(range=value, operation=operation):
                    reply = self.file(name, 416, operation, code="RANGE_NOT_SATISFIABLE", headers={"Range": value})
                    self.assertEqual(reply.header("Content-Range"), "bytes */%d" % size)
            for value in ("bytes=0-1,5-6", "bytes=5-2", "bytes=", "bytes=a-b", "lines=0-1", "0-1", "bytes=-", "bytes=1-2-3"):
                with self.subTest(range=value, operation=operation):
                    self.assertEqual(self.file(name, 200, operation, headers={"Range": value}).body, whole.body)
        self.file(name, 206, headers={"Range": "bytes=0-1", "If-Range": tag})
        self.file(name, 200, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
        self.file(name, 200, headers={"Range": "bytes=0-1", "If-Range": "W/" + tag})
        self.file(name, 304, headers={"Range": "bytes=0-1", "If-None-Match": tag})
        head = self.file(name, 200, method="HEAD")
        self.assertEqual((head.body, head.header("Content-Length"), head.header("ETag")), (b"", str(size), tag))

    def test_names_that_no_plan_has(self):
        for name in ("no-such.md", "..", "../" + self.plan_id, "..%2f..%2fplanexe.db", "..\\planexe.db", "029-report.html/..", "/etc/passwd", ".env", "-x", "a..md",
                     "029-report.html\0", "029-report.html%00", "x" * 256, "029-REPORT.html", "ünï.md", "029-report.html ", "a b", "run/" + self.plan_id, "planexe.db"):
            for operation in ("downloadFile", "viewContent"):
                with self.subTest(name=name, operation=operation):
                    reply = self.send("GET", contract().operations[operation].target({"id": self.plan_id, "filename": name}))
                    contract().check_reply(operation, reply)
                    if "\0" in name:
                        self.assertIn(reply.status, (400, 404))
                    else:
                        self.expect_error(reply, 404, "FILE_NOT_FOUND")
        for target in ("/api/plans/%s/files/../../%s" % (self.plan_id, self.plan_id), "/api/plans/%s/files/..%%2f..%%2fx" % self.plan_id,
                       "/api/plans/%s/files/%%2e%%2e/%%2e%%2e/planexe.db" % self.plan_id, "/api/plans/%s/files//etc/passwd" % self.plan_id):
            with self.subTest(target=target):
                self.assertEqual(self.send("GET", target).status, 404)

    def test_a_foreign_plans_file(self):
        other = self.held_plan()
        self.api.call("downloadFile", 404, "FILE_NOT_FOUND", id=other, filename="029-report.html")
        self.api.call("viewContent", 404, "PLAN_NOT_FOUND", id="PlanExe_x", filename="029-report.html")

    def test_versions(self):
        name = "014-2-swot_analysis.md"
        first = self.file(name).body
        answer = json.loads(self.api.get("getInteraction", id=self.plan_id, interaction_id=self.api.get(
            "listInteractions", id=self.plan_id, query={"task_key": "swot_analysis", "status": "completed"})["interactions"][-1]["id"])["response_text"])
        self.script({"text": json.dumps(self.marked(answer))}, task="swot_analysis")
        self.api.call("retryTask", id=self.plan_id, task_key="swot_analysis", body={"items": "all"})
        self.assertEqual(self.api.wait(self.plan_id)["status"], "completed")
        entry = next(a for a in self.api.get("listArtefacts", id=self.plan_id)["artefacts"] if a["filename"] == name)
        self.assertEqual(entry["version"], 2)
        self.assertIn(b"Marked once", self.file(name).body)
        self.assertEqual(self.file(name, query={"version": 1}).body, first)
        self.assertEqual(self.file(name, query={"version": 2}).body, self.file(name).body)
        self.file(name, 404, code="FILE_NOT_FOUND", query={"version": 3})
        for value in ("0", "x", "1.5", "-1", ""):
            self.file(name, 422, code="VALIDATION_FAILED", query={"version": value})

    def marked(self, value):
        """The answer with a mark in its first long text."""
        done = []

        def walk(part):
            if isinstance(part, str) and len(part) > 30 and not done:
                done.append(part)
                return "Marked once. " + part
            if isinstance(part, list):
                return [walk(p) for p in part]
            if isinstance(part, dict):
                return {k: walk(p) for k, p in part.items()}
            return part
        return walk(value)


class Bundle(FileCase):
    def archive(self, plan_id=None, **query):
        reply = self.api.call("downloadBundle", 200, id=plan_id or self.plan_id, query=query)
        return zipfile.ZipFile(io.BytesIO(reply.body)), reply

    def test_all_files_with_a_manifest(self):
        archive, reply = self.archive()
        self.assertIsNone(archive.testzip())
        stored, names = self.box.stored_files(self.plan_id), archive.namelist()
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual([n for n in names if n != "manifest.json"], sorted(n for n in names if n != "manifest.json"))
        self.assertLessEqual(set(stored), set(names))
        self.assertEqual({n: archive.read(n) for n in stored}, stored)
        manifest = json.loads(archive.read("manifest.json"))
        contract().check(manifest, contract().schemas["BundleManifest"], "manifest")
        self.assertEqual({f["filename"] for f in manifest["files"]}, set(names) - {"manifest.json"})
        for entry in manifest["files"]:
            data = archive.read(entry["filename"])
            self.assertEqual((entry["sha256"], entry["size_bytes"]), (hashlib.sha256(data).hexdigest(), len(data)))
        self.assertIn(self.plan_id, reply.header("Content-Disposition"))
        for info in archive.infolist():
            self.assertRegex(info.filename, NAME)

    def test_the_same_contents_give_the_same_bytes(self):
        first, second = self.archive()[0], self.archive()[0]
        self.assertEqual([(i.filename, i.CRC, i.date_time, i.compress_size) for i in first.infolist() if i.filename != "manifest.json"],
                         [(i.filename, i.CRC, i.date_time, i.compress_size) for i in second.infolist() if i.filename != "manifest.json"])
        one, two = (json.loads(a.read("manifest.json")) for a in (first, second))
        self.assertEqual({**one, "generated_at": ""}, {**two, "generated_at": ""})

    def test_without_raw_answers(self):
        names = self.archive(raw="false")[0].namelist()
        self.assertIn("029-report.html", names)
        self.assertEqual([n for n in names if n.endswith("_raw.json")], [])
        self.assertTrue([n for n in self.archive(raw="true")[0].namelist() if n.endswith("_raw.json")])
        self.api.call("downloadBundle", 422, "VALIDATION_FAILED", id=self.plan_id, query={"raw": "perhaps"})

    def test_how_it_is_sent(self):
        reply = self.archive()[1]
        self.assertEqual((reply.header("Transfer-Encoding"), reply.header("Content-Length"), reply.header("ETag"), reply.header("Cache-Control")),
                         ("chunked", None, None, "no-store"))
        head = self.api.call("downloadBundle", 200, id=self.plan_id, method="HEAD")
        self.assertEqual((head.body, head.header("Content-Type")), (b"", "application/zip"))
        # Without chunks the archive goes on to the connection's end.
        target = contract().operations["downloadBundle"].target({"id": self.plan_id})
        with Wire(self.server.port) as wire:
            wire.send(request_bytes(self.server.port, "GET", target, {"Connection": "keep-alive"}).replace(b" HTTP/1.1", b" HTTP/1.0"))
            old = wire.reply()
        self.assertEqual((old.header("Transfer-Encoding"), old.header("Content-Length"), old.header("Connection")), (None, None, "close"))
        self.assertEqual(sorted(zipfile.ZipFile(io.BytesIO(old.body)).namelist()), sorted(self.archive()[0].namelist()))

    def large_plan(self):
        """A finished plan with 48 MiB that cannot be compressed."""
        plan_id = self.api.completed("large")["plan_id"]
        self.addCleanup(self.forget, self.api, plan_id)
        with contextlib.closing(sqlite3.connect(self.box.database, timeout=30)) as db, db:
            for at in range(48):
                data = os.urandom(1 << 20)
                db.execute("INSERT INTO plan_content (plan_id, filename, stage, content_type, content, content_blob, content_size_bytes, created_at, task_key, version,"
                           " is_current, stale, sha256, fencing) SELECT plan_id, ?, stage, 'unknown', '', ?, ?, created_at, task_key, 1, 1, 0, ?, fencing"
                           " FROM plan_content WHERE plan_id = ? AND filename = '029-report.html'",
                           ("040-%d-large.bin" % at, data, len(data), hashlib.sha256(data).hexdigest(), plan_id))
        return plan_id

    def test_memory_stays_small_whatever_its_size(self):
        plan_id = self.large_plan()
        process = pathlib.Path("/proc/%d" % self.server.child.pid)
        (process / "clear_refs").write_text("5")
        kilobytes = lambda name: int(re.search(name + r":\s+(\d+) kB", (process / "status").read_text())[1])
        before = kilobytes("VmRSS")
        reply = self.archive(plan_id)[1]
        self.assertGreater(len(reply.body), 48 << 20)
        self.assertEqual(len([n for n in zipfile.ZipFile(io.BytesIO(reply.body)).namelist() if n.endswith("-large.bin")]), 48)
        self.assertLess(kilobytes("VmHWM") - before, 36 << 10, "the archive was gathered in memory")

    def test_a_deletion_in_the_middle_does_not_look_like_an_end(self):
        plan_id = self.large_plan()
        with Wire(self.server.port, small_buffer=True) as wire:
            wire.send(request_bytes(self.server.port, "GET", contract().operations["downloadBundle"].target({"id": plan_id})))
            self.assertEqual(wire.head().status, 200)
            self.api.call("deletePlan", 200, id=plan_id)
            with self.assertRaises((Broken, ConnectionResetError)):
                for _ in wire.chunks():
                    pass

    def test_a_plan_in_work(self):
        plan_id = self.held_plan("project_plan")
        names = self.archive(plan_id)[0].namelist()
        self.assertIn("003-2-identify_risks.md", names)
        self.assertNotIn("029-report.html", names)


if __name__ == "__main__":
    server_harness.main()
