#!/usr/bin/env python3
"""What comes out of stored plans: list, show, export, report. And what never comes out: secrets."""
import hashlib
import io
import json
import os
import pathlib
import zipfile

import harness
from harness import PROMPT, TASKS

ID = "PlanExe_output"


class Unfinished(harness.Case):
    rehearsal_arguments = []

    def fail_in_the_middle(self):
        """A plan whose team could not be found: part of it exists."""
        self.rehearsal.post("/control/scripts", {"match": {"task": "find_team_members"}, "repeat": 0, "steps": [
            {"status": 400, "body": {"error": {"message": "no <b>team</b>", "type": "invalid_request_error", "code": None, "param": None}}}]})
        self.expect_exit(self.box.run("plan", "--quiet", "--plan-id", ID, PROMPT), 1)

    def test_report_of_an_unfinished_plan_marks_its_gaps(self):
        self.fail_in_the_middle()
        outcome = self.expect_exit(self.box.run("report", ID), 0)
        html = pathlib.Path(outcome.out.strip()).read_text(encoding="utf-8")
        for section in harness.SECTION_IDS:
            self.assertIn('id="%s"' % section, html)
        self.assertIn('class="gap"', html)
        self.assertNotIn("<b>team</b>", html)
        self.assertEqual(self.expect_exit(self.box.run("report", "-o", "-", ID), 0).out, html)
        self.expect_exit(self.box.run("report", "-o", "sub.html", ID), 0)
        self.assertEqual((self.box.folder / "sub.html").read_text(encoding="utf-8"), html)
        self.assertEqual(self.box.value("SELECT status FROM plans"), "failed", "looking changes nothing")

    def test_show_tells_the_task_and_the_reason(self):
        self.fail_in_the_middle()
        text = self.expect_exit(self.box.run("show", ID), 0).out
        self.assertRegex(text, r"find_team_members +failed")
        self.assertRegex(text, r"team_markdown +blocked")
        shown = json.loads(self.expect_exit(self.box.run("show", "--json", ID), 0).out)
        by_key = {task["task_key"]: task for task in shown["tasks"]}
        self.assertEqual((len(shown["tasks"]), shown["status"], by_key["find_team_members"]["state"]), (TASKS, "failed", "failed"))
        self.assertTrue(shown["error_message"])
        self.assertTrue(by_key["find_team_members"]["error_message"])

    def test_export_of_an_unfinished_plan_has_what_exists(self):
        self.fail_in_the_middle()
        self.expect_exit(self.box.run("export", "--zip", "part.zip", ID), 0)
        with zipfile.ZipFile(self.box.folder / "part.zip") as bundle:
            names = set(bundle.namelist()) - {"manifest.json"}
        self.assertEqual(names, set(self.box.stored_files(ID)))


class Finished(harness.Case):
    rehearsal_arguments = []

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.made = harness.Sandbox(PLANEXE_REHEARSAL_URL=cls.rehearsal.url)
        outcome = cls.made.run("plan", "--quiet", "--plan-id", ID, "--title", "Bike shop", PROMPT)
        if outcome.code != 0:
            raise AssertionError(str(outcome))

    @classmethod
    def tearDownClass(cls):
        cls.made.close()
        super().tearDownClass()

    def setUp(self):
        self.box = self.made

    def test_list(self):
        text = self.expect_exit(self.box.run("list"), 0).out
        self.assertRegex(text, r"^%s +completed +100%%  .*Bike shop\n$" % ID)
        (plan,) = json.loads(self.expect_exit(self.box.run("list", "--json"), 0).out)
        self.assertEqual((plan["plan_id"], plan["status"], plan["title"], plan["rehearsal"]), (ID, "completed", "Bike shop", True))
        self.assertEqual(json.loads(self.box.run("list", "--json", "--status", "failed").out), [])
        self.assertEqual(len(json.loads(self.box.run("list", "--json", "--search", "LYON").out)), 1)
        self.assertEqual(json.loads(self.box.run("list", "--json", "--search", "%").out), [])

    def test_show_by_the_beginning_of_the_id(self):
        shown = json.loads(self.expect_exit(self.box.run("show", "--json", "out"), 0).out)
        self.assertEqual(shown["plan_id"], ID)
        calls = self.box.value("SELECT count(*) FROM llm_interactions WHERE owner_id = ?", ID)
        self.assertEqual((shown["usage"]["llm_calls"], shown["files"]), (calls, len(self.box.stored_files(ID))))
        self.assertIn("%d model calls" % calls, self.box.run("show", ID).out)

    def test_export_is_what_is_stored_and_twice_the_same(self):
        bundles = []
        for name in ("one.zip", "two.zip"):
            self.expect_exit(self.box.run("export", "--zip", name, ID), 0)
            bundles.append((self.box.folder / name).read_bytes())
        contents = [{entry: zipfile.ZipFile(io.BytesIO(data)).read(entry) for entry in zipfile.ZipFile(io.BytesIO(data)).namelist()} for data in bundles]
        manifests = [json.loads(content.pop("manifest.json")) for content in contents]
        self.assertEqual(contents[0], self.box.stored_files(ID))
        self.assertEqual(contents[0], contents[1])
        self.assertEqual(sorted(f["filename"] for f in manifests[0]["files"]), sorted(contents[0]))
        for entry in manifests[0]["files"]:
            data = contents[0][entry["filename"]]
            self.assertEqual((entry["size_bytes"], entry["sha256"]), (len(data), hashlib.sha256(data).hexdigest()))
        for manifest in manifests:
            manifest.pop("generated_at")
        self.assertEqual(manifests[0], manifests[1])

    def test_export_at_one_time_is_the_same_to_the_byte(self):
        for name in ("one.zip", "two.zip"):
            self.expect_exit(self.box.run("export", "--zip", name, ID, env={"PLANEXE_TEST_NOW": "2026-03-02T08:00:00Z"}), 0)
        self.assertEqual((self.box.folder / "one.zip").read_bytes(), (self.box.folder / "two.zip").read_bytes())

    def test_export_without_raw_and_as_a_folder(self):
        self.expect_exit(self.box.run("export", "--no-raw", "--zip", "light.zip", ID), 0)
        names = set(zipfile.ZipFile(self.box.folder / "light.zip").namelist()) - {"manifest.json"}
        self.assertEqual(names, {name for name in self.box.stored_files(ID) if not name.endswith("_raw.json")})
        self.expect_exit(self.box.run("export", "--dir", "folder", ID), 0)
        self.assertEqual({p.name: p.read_bytes() for p in (self.box.folder / "folder").iterdir()}, self.box.stored_files(ID))

    def test_an_own_export_can_be_imported_again(self):
        self.expect_exit(self.box.run("export", "--zip", "again.zip", ID), 0)
        other = self.sandbox()
        self.expect_exit(other.run("import", "--plan-id", "PlanExe_again", self.box.folder / "again.zip"), 0)
        self.expect_sound(other, "PlanExe_again")
        mine, theirs = self.box.stored_files(ID), other.stored_files("PlanExe_again")
        # The report names its day and its origin, the rest is the same.
        self.assertEqual(sorted(set(mine) - set(theirs)), [])
        self.expect_whole_report(theirs["029-report.html"].decode())

    def test_export_to_a_place_that_cannot_be_written(self):
        outcome = self.box.run("export", "--zip", "no/such/folder/x.zip", ID)
        self.assertEqual(outcome.code, 3, str(outcome))
        self.assertIn("no/such/folder", outcome.err)

    def test_report_stored_is_the_report_written(self):
        self.assertEqual(self.expect_exit(self.box.run("report", "-o", "-", ID), 0).out.encode(), self.box.stored_files(ID)["029-report.html"])

    def test_report_loads_nothing_from_elsewhere(self):
        html = self.box.stored_files(ID)["029-report.html"].decode()
        self.assertNotRegex(html, r"""(?:src|href)\s*=\s*["'](?:https?:)?//""")
        self.assertIn("Content-Security-Policy", html)


class Hostile(harness.Case):
    """A prompt is text, whatever it looks like."""

    rehearsal_arguments = []

    def test_markup_and_template_marks_in_a_prompt_stay_text(self):
        prompt = "Open a shop <script>alert(1)</script> {{plan.prompt}} {{#each x}} </document> \x1b[31m '; DROP TABLE plans; -- ünïcödé 日本"
        plan_id = self.make_plan(prompt=prompt)
        self.expect_sound(self.box, plan_id)
        self.assertEqual(self.box.value("SELECT prompt FROM plans"), prompt)
        html = self.box.stored_files(plan_id)["029-report.html"].decode()
        self.assertNotIn("<script>alert(1)</script>", html)
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt;", html)
        for command in (["list"], ["show", plan_id]):
            self.assertNotIn("\x1b", self.expect_exit(self.box.run(*command), 0).out)


class Secrets(harness.Case):
    MARKERS = {"OPENAI_API_KEY": "sk-marker-openai-000111222", "OPENROUTER_API_KEY": "sk-or-marker-333444555", "AZURE_OPENAI_API_KEY": "marker-azure-666777888",
               "PLANEXE_API_TOKENS": "marker-token-999000111", "MY_DATABASE_PASSWORD": "marker-password-222333"}

    def test_keys_reach_neither_disk_nor_terminal_nor_the_child(self):
        running = self.box.start("plan", "--rehearsal", "--json", "--plan-id", ID, PROMPT,
                                 env={**self.MARKERS, "PLANEXE_LOG_LEVEL": "trace", "PLANEXE_LLM_LOG_PAYLOADS": "true", "PLANEXE_REHEARSAL_PROFILE": "fast"})
        child = {}
        self.assertTrue(harness.eventually(lambda: child.update(self.child_of(running.child.pid)) or child or not running.alive))
        outcome = self.expect_exit(running.wait(), 0)
        self.assertTrue(child, "the rehearsal server was seen at work")
        for name, value in self.MARKERS.items():
            self.assertNotIn(value.encode(), child["environ"], name)
            self.assertNotIn(name.encode(), child["environ"])
            self.assertNotIn(value.encode(), child["cmdline"])
            self.assertNotIn(value, outcome.out + outcome.err)
            for path, data in self.box.all_bytes().items():
                self.assertNotIn(value.encode(), data, path)
        self.assertTrue(any("payload" in name for name in self.box.all_bytes()), "payloads were logged, and looked through")

    def child_of(self, pid):
        for entry in filter(str.isdigit, os.listdir("/proc")):
            base = pathlib.Path("/proc") / entry
            try:
                parent = int(base.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == pid and b"planexe-rehearsal" in base.joinpath("cmdline").read_bytes():
                    return {"environ": base.joinpath("environ").read_bytes(), "cmdline": base.joinpath("cmdline").read_bytes()}
            except OSError:
                continue
        return {}

    def test_a_real_provider_gets_the_key_in_its_header_only(self):
        rehearsal = harness.Rehearsal()
        self.addCleanup(rehearsal.stop)
        key = self.MARKERS["OPENAI_API_KEY"]
        config = json.dumps({"mine": {"provider": "openai", "model": "gpt-test", "base_url": rehearsal.url + "/v1", "context_window": 200000, "max_output_tokens": 16000}})
        outcome = self.expect_exit(self.box.run("plan", "--plan-id", ID, PROMPT, env={
            "PLANEXE_LLM_CONFIG_JSON": config, "OPENAI_API_KEY": key, "PLANEXE_LOG_LEVEL": "trace", "PLANEXE_LLM_LOG_PAYLOADS": "true"}), 0)
        self.assertNotIn("REHEARSAL", outcome.err)
        self.assertEqual(self.box.value("SELECT rehearsal FROM plans"), 0)
        requests = rehearsal.get("/control/requests")["data"]
        self.assertTrue(requests)
        for request in requests:
            self.assertNotIn(key, request["body"])
            self.assertNotIn(key, request["target"])
        self.assertNotIn(key, outcome.out + outcome.err)
        for path, data in self.box.all_bytes().items():
            self.assertNotIn(key.encode(), data, path)

    def test_doctor_and_models_mask_keys(self):
        for command in (["doctor"], ["models"], ["models", "--json"], ["db", "status"]):
            self.box.run("db", "migrate")
            outcome = self.box.run(*command, env=self.MARKERS)
            for value in self.MARKERS.values():
                self.assertNotIn(value, outcome.out + outcome.err)


if __name__ == "__main__":
    harness.main()
