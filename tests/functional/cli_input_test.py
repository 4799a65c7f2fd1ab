#!/usr/bin/env python3
"""Bad input, bad settings and a bad world: one clear message, the right exit code, and nothing lost."""
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import tempfile

import harness
from harness import PROMPT

NOBODY = 65534


class Refused(harness.Case):
    """What is told before anything is stored or asked. Every test of the matrix ends with this."""

    rehearsal_arguments = []

    def refused(self, code, words, *arguments, env=None, box=None, plans=0):
        box = box or self.box
        outcome = self.expect_exit(box.run(*arguments, env=env), code)
        lines = [line for line in outcome.err.splitlines() if line.startswith("planexe: ") and "warning" not in line]
        self.assertEqual(len(lines), 1, "one message, not none or several:\n" + str(outcome))
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, outcome.err)
        self.assertEqual(outcome.out, "")
        self.assertNotIn("\x1b", outcome.err)
        self.assertEqual(self.rehearsal.counters()["requests"], 0, "no model may have been asked")
        self.assertEqual(len(box.plan_ids()), plans)
        return outcome

    def write(self, name, data):
        path = self.box.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return name


class Prompts(Refused):
    def test_empty(self):
        for arguments in (["plan"], ["plan", ""], ["plan", " \t\n "], ["plan", "--file", self.write("empty", "")]):
            with self.subTest(arguments=arguments):
                self.refused(2, ["prompt is empty", "what is to be planned"], *arguments)

    def test_of_a_megabyte(self):
        self.refused(2, ["1000000 characters", "limit is 50000"], "plan", "--file", self.write("long", "x" * 1_000_000))

    def test_of_the_limit_and_one_more(self):
        self.refused(2, "50001 characters", "plan", "--file", self.write("more", "é" * 50_001))

    def test_file_of_many_megabytes_is_not_read(self):
        path = self.box.folder / "huge"
        with open(path, "wb") as out:
            out.truncate(3 << 30)
        self.refused(2, "huge is longer than the limit", "plan", "--file", "huge")

    def test_invalid_utf8(self):
        for arguments in (["plan", b"abc \xff\xfe"], ["plan", b"\xed\xa0\x80"], ["plan", "--file", self.write("bad", b"ok \xc0\xaf")]):
            with self.subTest(arguments=arguments):
                self.refused(2, "not valid UTF-8", *arguments)

    def test_nul(self):
        self.refused(2, "NUL", "plan", "--file", self.write("nul", b"abc\0def"))

    def test_file_that_is_none(self):
        self.refused(2, ["nowhere.txt", "No such file"], "plan", "--file", "nowhere.txt")
        self.refused(2, "not a file", "plan", "--file", "/")

    def test_two_prompts(self):
        self.refused(2, "not both", "plan", "--file", self.write("one", "one"), "two")

    def test_title_that_is_too_long(self):
        self.refused(2, "title", "plan", "--title", "t" * 121, PROMPT)


class Options(Refused):
    def test_unknown_values_name_what_is_known(self):
        cases = [(3, ["nope", "planexe models"], ["--model", "nope"]),
                 (2, ["quick", "all, balanced or fast"], ["--speed", "quick"]),
                 (2, ["huge", "minimal, low, medium or high"], ["--effort", "huge"]),
                 (2, ["maybe", "block or warn"], ["--redline", "maybe"]),
                 (2, "above 0", ["--max-cost-usd", "0"]),
                 (2, "above 0", ["--max-cost-usd", "nan"]),
                 (2, "A-Z", ["--plan-id", "../escape"])]
        for code, words, arguments in cases:
            with self.subTest(arguments=arguments):
                self.refused(code, words, "plan", *arguments, PROMPT)

    def test_control_characters_of_arguments_do_not_reach_the_terminal(self):
        self.refused(2, "use all, balanced or fast", "plan", "--speed", "\x1b[31mred", PROMPT)

    def test_intake(self):
        self.refused(2, ["form.json", "not valid JSON"], "plan", "--intake", self.write("form.json", "{"), PROMPT)
        self.refused(2, ["list.json", "object"], "plan", "--intake", self.write("list.json", "[]"), PROMPT)
        self.refused(2, "none.json", "plan", "--intake", "none.json", PROMPT)

    def test_wrong_usage_is_2_and_says_what(self):
        for word, arguments in (("subcommand", []), ("frobnicate", ["frobnicate"]), ("--frob", ["plan", "--frob", PROMPT]),
                                ("id", ["resume"]), ("abc", ["plan", "--max-cost-usd", "abc", PROMPT]), ("lost", ["list", "--status", "lost"])):
            with self.subTest(arguments=arguments):
                outcome = self.expect_exit(self.box.run(*arguments), 2)
                self.assertIn(word, outcome.err)
                self.assertLessEqual(len(outcome.err.splitlines()), 3, outcome.err)

    def test_help_and_version_are_no_failures(self):
        self.assertIn("resume", self.expect_exit(self.box.run("--help"), 0).out)
        self.assertIn("--speed", self.expect_exit(self.box.run("plan", "--help"), 0).out)
        self.assertRegex(self.expect_exit(self.box.run("--version"), 0).out, r"^\d+\.\d+\.\d+\n$")

    def test_ids_that_name_no_plan(self):
        self.refused(2, "no-such-plan", "show", "no-such-plan")
        self.refused(2, "no-such-plan", "resume", "no-such-plan")
        self.refused(2, "no-such-plan", "retry", "no-such-plan", "project_plan")
        self.refused(2, "empty", "delete", "--yes", "")

    def test_an_id_that_begins_two_plans_deletes_neither(self):
        with contextlib.ExitStack():
            for plan_id in ("PlanExe_aa1", "PlanExe_aa2"):
                self.rehearsal.post("/control/scripts", {"steps": [{"status": 400, "body": {"error": {"message": "no", "type": "invalid_request_error", "code": None, "param": None}}}]})
                self.expect_exit(self.box.run("plan", "--quiet", "--plan-id", plan_id, PROMPT), 1)
        self.rehearsal.reset()
        self.refused(2, "More than one", "delete", "--yes", "aa", plans=2)


class Settings(Refused):
    def test_each_names_the_setting(self):
        cases = [("PLANEXE_MAX_CONCURRENT_LLM", "0"), ("PLANEXE_MAX_CONCURRENT_LLM", "many"), ("PLANEXE_TEST_NOW", "yesterday"),
                 ("PLANEXE_RUN_TIMEOUT_MINUTES", "-1"), ("PLANEXE_LLM_STORE", "perhaps"), ("PLANEXE_LLM_CONFIG_JSON", "{bad")]
        for name, value in cases:
            with self.subTest(name=name, value=value):
                self.refused(3, name, "plan", PROMPT, env={name: value})

    def test_log_level(self):
        self.refused(3, ["loud", "warn"], "plan", PROMPT, env={"PLANEXE_LOG_LEVEL": "loud"})

    def test_env_file_with_a_broken_line(self):
        self.write(".env", "A=1\n\nthis is no setting\n")
        self.refused(3, [".env", "line 3"], "plan", PROMPT)

    def test_catalogue_names_the_entry(self):
        self.refused(3, ["PLANEXE_LLM_CONFIG_JSON", '"mine"', "provider"], "plan", PROMPT, env={"PLANEXE_LLM_CONFIG_JSON": '{"mine": {"model": "m"}}'})

    def test_cloud_mode_never_rehearses_by_itself(self):
        box = harness.Sandbox(PLANEXE_CLOUD_MODE="true")
        self.addCleanup(box.close)
        self.refused(3, ["OPENAI_API_KEY", "PLANEXE_CLOUD_MODE"], "plan", PROMPT, box=box)

    def test_broken_recipe_override(self):
        self.write("mine/tasks/setup/task.toml", 'title = "x"\nphase = = 3\n')
        self.refused(3, "tasks/setup/task.toml:2", "plan", PROMPT, env={"PLANEXE_RECIPE_DIR": "mine"})
        lint = self.expect_exit(self.box.run("recipe", "lint", env={"PLANEXE_RECIPE_DIR": "mine"}), 3)
        self.assertIn("tasks/setup/task.toml:2", lint.out + lint.err)

    def test_unknown_key_in_a_recipe_override(self):
        original = pathlib.Path(__file__).parents[2] / "recipe/tasks/setup/task.toml"
        text = original.read_text(encoding="utf-8") + "\nfrobnicate = 1\n"
        self.write("mine/tasks/setup/task.toml", text)
        self.refused(3, ["tasks/setup/task.toml:%d" % (text.count("\n")), "frobnicate"], "plan", "--recipe", "mine", PROMPT)

    def test_recipe_folder_that_is_none(self):
        self.refused(3, "nowhere", "plan", "--recipe", "nowhere", PROMPT)


class Databases(Refused):
    def test_that_are_none(self):
        (self.box.folder / "folder.db").mkdir()
        self.write("text.db", "hello, I am a letter\n" * 100)
        cases = [("folder.db", "sqlite:///folder.db"), ("text.db", "sqlite:///text.db"), ("missing", "sqlite:///missing/folder/x.db"),
                 ("mysql", "mysql://user:topsecret@host/db"), ("DATABASE_URL", "planexe.db")]
        for word, url in cases:
            for command in (["plan", PROMPT], ["list"], ["db", "check"]):
                with self.subTest(url=url, command=command):
                    outcome = self.refused(3, word, *command, "--db", url)
                    self.assertNotIn("topsecret", outcome.err)
        self.assertEqual((self.box.folder / "text.db").read_text(), "hello, I am a letter\n" * 100)

    def test_of_another_program(self):
        with contextlib.closing(sqlite3.connect(self.box.folder / "other.db")) as db:
            db.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT)")
            db.commit()
        before = hashlib.sha256((self.box.folder / "other.db").read_bytes()).digest()
        self.refused(3, "another program", "plan", "--db", "sqlite:///other.db", PROMPT)
        self.assertEqual(hashlib.sha256((self.box.folder / "other.db").read_bytes()).digest(), before)

    def test_of_a_newer_program_stays_as_it_is(self):
        self.expect_exit(self.box.run("db", "migrate"), 0)
        with contextlib.closing(sqlite3.connect(self.box.database)) as db:
            db.execute("INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (999, 'later', 'x', '2030-01-01T00:00:00.000Z')")
            db.commit()
        dump = lambda: list(sqlite3.connect(self.box.database).iterdump())
        before = dump()
        for command in (["plan", PROMPT], ["list"]):
            outcome = self.refused(3, "999", *command)
            self.assertRegex(outcome.err, "newer|later")
        self.assertEqual(dump(), before)

    def test_damaged_file(self):
        self.expect_exit(self.box.run("db", "migrate"), 0)
        data = bytearray(self.box.database.read_bytes())
        data[4096 * 2:4096 * 12] = os.urandom(4096 * 10)
        self.box.database.write_bytes(data)
        outcome = self.expect_exit(self.box.run("db", "check"), 3)
        self.assertTrue((outcome.out + outcome.err).strip())
        self.assertNotIn("internal error", outcome.err)


class World(harness.Case):
    rehearsal_arguments = []

    def test_folder_without_the_right_to_write(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="planexe-readonly-"))
        self.addCleanup(shutil.rmtree, folder, True)
        user = NOBODY if os.geteuid() == 0 else None
        if user is not None and not self.runs_as(user):
            self.skipTest("the programs lie where another user may not start them, and root may write everywhere")
        folder.chmod(0o555)
        outcome = self.expect_exit(self.box.run("plan", "--data-dir", folder, PROMPT, user=user), 3)
        self.assertEqual(len([l for l in outcome.err.splitlines() if l.startswith("planexe: ")]), 1, str(outcome))
        self.assertIn(str(folder), outcome.err)
        self.assertEqual(self.rehearsal.counters()["requests"], 0)
        self.assertEqual(list(folder.iterdir()), [])

    def runs_as(self, user):
        self.box.folder.chmod(0o755)
        try:
            return self.box.run("--version", user=user).code == 0
        except PermissionError:
            return False

    def small_disk(self, megabytes):
        """A file system with little room; a folder in it, and how to give it more."""
        folder = tempfile.mkdtemp(prefix="planexe-small-")
        mount = lambda options: subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, check=False)
        if os.geteuid() != 0 or mount("size=%dm" % megabytes).returncode != 0:
            os.rmdir(folder)
            self.skipTest("only root with the right to mount can make a small disk")

        def remove():
            subprocess.run(["umount", "-l", folder], check=False)
            os.rmdir(folder)
        self.addCleanup(remove)
        return pathlib.Path(folder), lambda more: mount("remount,size=%dm" % more)

    def test_full_disk_then_space_then_resume(self):
        folder, grow = self.small_disk(5)
        box = self.sandbox(PLANEXE_DATA_DIR=str(folder))
        shutil.rmtree(box.folder)
        box.folder = folder
        outcome = box.run("plan", "--plan-id", "PlanExe_full", PROMPT)
        self.assertIn(outcome.code, (1, 3), str(outcome))
        self.assertIn("disk is full", outcome.err)
        self.assertIn("planexe resume PlanExe_full", outcome.err)
        self.assertNotIn("internal error", outcome.err)
        grow(200)
        kept = box.answered_calls("PlanExe_full")
        self.assertTrue(kept, "some answers were stored before the disk was full")
        self.rehearsal.reset()
        self.expect_exit(box.run("resume", "--quiet", "PlanExe_full"), 0)
        self.assertEqual(kept & set(self.rehearsal.asked()), set(), "what was stored is not asked again")
        self.expect_sound(box, "PlanExe_full")
        self.expect_whole_report(box.stored_files("PlanExe_full")["029-report.html"].decode())


class Providers(harness.Case):
    KEY = "sk-functional-0123456789abcdefMARKER"

    def config(self, url):
        return {"PLANEXE_LLM_CONFIG_JSON": json.dumps({"mine": {"provider": "openai", "model": "gpt-test", "base_url": url, "context_window": 200000, "max_output_tokens": 16000}}),
                "OPENAI_API_KEY": self.KEY}

    def expect_key_nowhere(self, box, outcome):
        self.assertNotIn(self.KEY, outcome.out + outcome.err)
        for name, data in box.all_bytes().items():
            self.assertNotIn(self.KEY.encode(), data, name)

    def test_wrong_key_is_told_once_and_asked_once(self):
        message = "Incorrect API key provided: %s. You can find your API key at your provider." % self.KEY
        provider = harness.Provider(401, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}})
        self.addCleanup(provider.stop)
        outcome = self.expect_exit(self.box.run("plan", "--plan-id", "PlanExe_key", PROMPT, env={**self.config(provider.url), "PLANEXE_LOG_LEVEL": "debug"}), 3)
        self.assertEqual(len(provider.requests), 1)
        self.assertEqual(provider.requests[0][2].get("Authorization"), "Bearer " + self.KEY)
        self.assertNotIn("REHEARSAL", outcome.err)
        self.assertIn("PROVIDER_AUTH", outcome.err)
        self.assertIn("planexe resume PlanExe_key", outcome.err)
        self.expect_sound(self.box, "PlanExe_key", "failed")
        self.assertEqual(self.box.value("SELECT error_code FROM plans"), "PROVIDER_AUTH")
        self.expect_key_nowhere(self.box, outcome)

    def test_no_network_fails_after_retries_and_can_be_resumed(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = "http://127.0.0.1:%d/v1" % taken.getsockname()[1]
            outcome = self.expect_exit(self.box.run("plan", "--plan-id", "PlanExe_offline", PROMPT, env=self.config(url)), 1)
        self.assertIn("planexe resume PlanExe_offline", outcome.err)
        self.expect_sound(self.box, "PlanExe_offline", "failed")
        attempts = self.box.rows("SELECT call_key, count(*) FROM llm_interactions GROUP BY call_key")
        self.assertTrue(attempts)
        self.assertTrue(all(1 < count <= 8 for _, count in attempts), attempts)
        self.expect_key_nowhere(self.box, outcome)
        self.expect_exit(self.box.run("resume", "--quiet", "--rehearsal", "PlanExe_offline"), 0)
        self.assertEqual(self.box.value("SELECT rehearsal FROM plans"), 1, "its texts are examples now, and it says so")
        self.expect_sound(self.box, "PlanExe_offline")

    def test_models_check_tells_which_key_is_wrong(self):
        provider = harness.Provider(401, {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}})
        self.addCleanup(provider.stop)
        outcome = self.expect_exit(self.box.run("models", "--check", env=self.config(provider.url)), 3)
        self.assertIn("mine", outcome.out)
        self.expect_key_nowhere(self.box, outcome)


if __name__ == "__main__":
    harness.main()
