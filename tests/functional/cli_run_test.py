#!/usr/bin/env python3
"""`planexe plan` from prompt to report: what is stored, what is shown, the three speeds, and the same plan twice."""
import json
import os
import pty
import re
import select
import subprocess
import time

import harness
from harness import PROMPT, TASKS


class CompletePlan(harness.Case):
    """With the server that the program starts by itself when no provider is configured."""

    def test_without_a_key_the_rehearsal_model_makes_a_whole_plan(self):
        outcome = self.expect_exit(self.box.run("plan", PROMPT), 0)
        (plan_id,) = self.box.plan_ids()
        self.assertIn("REHEARSAL", outcome.err)
        self.assertIn("%d/%d" % (TASKS, TASKS), outcome.err)
        self.assertEqual(self.box.value("SELECT rehearsal FROM plans"), 1)
        self.assertEqual(list(self.box.task_states(plan_id).values()), ["completed"] * TASKS)
        self.expect_sound(self.box, plan_id)
        self.expect_copies_agree(self.box, plan_id)
        self.assertIn("999-pipeline_complete.txt", self.box.stored_files(plan_id))
        self.assertEqual(outcome.out.strip(), str(self.box.run_dir / plan_id / "029-report.html"))
        report = open(outcome.out.strip(), encoding="utf-8").read()
        self.expect_whole_report(report)
        self.assertIn("rehearsal", report.lower())
        self.assertIn("80 000 EUR", report)

    def test_no_child_outlives_the_program(self):
        self.expect_exit(self.box.run("plan", "--quiet", PROMPT), 0)
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                cwd = os.readlink("/proc/%s/cwd" % entry)
            except OSError:
                continue
            self.assertNotEqual(cwd, str(self.box.folder), "process %s still runs" % entry)

    def test_sizes_hashes_and_ledger_are_those_of_the_content(self):
        import hashlib
        plan_id = self.make_plan()
        for name, size, digest in self.box.rows("SELECT filename, content_size_bytes, sha256 FROM plan_content WHERE plan_id = ?", plan_id):
            data = self.box.stored_files(plan_id)[name]
            self.assertEqual((size, digest), (len(data), hashlib.sha256(data).hexdigest()), name)
        sums = self.box.rows("SELECT count(*), sum(input_tokens), sum(output_tokens) FROM llm_interactions WHERE owner_id = ?", plan_id)[0]
        kept = self.box.rows("SELECT total_llm_calls, input_tokens, output_tokens FROM plan_metrics WHERE plan_id = ?", plan_id)[0]
        self.assertEqual(kept, sums)
        self.assertGreater(sums[0], TASKS)

    def test_prompt_from_a_file_and_files_into_a_folder(self):
        (self.box.folder / "prompt.txt").write_text("  " + PROMPT + "\n\n", encoding="utf-8")
        self.expect_exit(self.box.run("plan", "--quiet", "--file", "prompt.txt", "--title", "Bike shop", "--out", "copy"), 0)
        (plan_id,) = self.box.plan_ids()
        self.assertEqual(self.box.rows("SELECT prompt, title FROM plans"), [(PROMPT, "Bike shop")])
        copies = {path.name: path.read_bytes() for path in (self.box.folder / "copy").iterdir()}
        self.assertEqual(copies, self.box.stored_files(plan_id))


class Output(harness.Case):
    rehearsal_arguments = []

    def test_json_is_one_object_per_line_and_ends_with_the_result(self):
        outcome = self.expect_exit(self.box.run("plan", "--json", PROMPT), 0)
        objects = [json.loads(line) for line in outcome.out.splitlines()]
        result, events = objects[-1], objects[:-1]
        self.assertEqual(result["type"], "result")
        self.assertEqual((result["status"], result["rehearsal"], result["error_code"]), ("completed", True, None))
        self.assertTrue(os.path.isfile(result["report"]))
        self.assertEqual([o for o in events if o["type"] == "result"], [])
        numbers = [o["seq"] for o in events]
        self.assertEqual(numbers, sorted(set(numbers)))
        done = [o["task_key"] for o in events if o["type"] == "task" and o["state"] == "completed"]
        self.assertEqual(len(done), TASKS)
        self.assertEqual(len(set(done)), TASKS)
        percent = [o["progress_percentage"] for o in events if o["type"] == "task"]
        self.assertEqual(percent, sorted(percent))
        self.assertEqual([o["status"] for o in events if o["type"] == "status"][-1], "completed")
        self.assertNotIn("\x1b", outcome.out + outcome.err)

    def test_plain_lines_without_a_terminal(self):
        outcome = self.expect_exit(self.box.run("plan", PROMPT), 0)
        self.assertNotIn("\x1b", outcome.err)
        counts = [int(m) for m in re.findall(r"^ *[\d.]+ (?:ms|s|min \d\d s) +(\d+)/%d  " % TASKS, outcome.err, re.M)]
        self.assertEqual(len(counts), TASKS, outcome.err)
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(len(outcome.out.splitlines()), 1)

    def test_quiet_prints_only_the_result(self):
        outcome = self.expect_exit(self.box.run("plan", "--quiet", PROMPT), 0)
        self.assertEqual(len(outcome.out.splitlines()), 1)
        self.assertNotRegex(outcome.err, r"\d+/%d" % TASKS)

    def test_live_picture_on_a_terminal(self):
        code, text = self.run_on_terminal("plan", PROMPT)
        self.assertEqual(code, 0, text[-2000:])
        frames = re.findall(r"\x1b\[(\d+)A", text)
        self.assertGreater(len(frames), 2)
        self.assertEqual(len(set(frames)), 1, "every picture has as many lines as the one before it")
        self.assertRegex(text, r"\x1b\[2K100%%  %d/%d tasks" % (TASKS, TASKS))
        for line in text.replace("\r", "").split("\n"):
            if "\x1b[2K" in line:
                self.assertLessEqual(len(line.split("\x1b[2K")[-1]), 79)

    def run_on_terminal(self, *arguments):
        """Runs with an 80 column terminal as standard output and error; gives exit code and everything shown."""
        try:
            master, slave = pty.openpty()
        except OSError as error:
            self.skipTest("this system has no pseudo terminals: %s" % error)
        import fcntl
        import struct
        import termios
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        child = subprocess.Popen([harness.program("planexe"), *arguments], cwd=self.box.folder, env=self.box.env, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        shown, deadline = b"", time.monotonic() + harness.RUN_SECONDS
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 0.5)[0]:
                continue
            try:
                chunk = os.read(master, 65536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        os.close(master)
        if child.poll() is None:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        return child.returncode, shown.decode(errors="replace")

    def test_clients_break_no_rule_of_the_protocol(self):
        self.make_plan()
        counters = self.rehearsal.counters()
        self.assertEqual(counters["assertion_failures"], 0, counters["assertions"])
        self.assertGreater(counters["running_max"], 1)


class Speeds(harness.Case):
    rehearsal_arguments = []

    def calls_of(self, *arguments, env=None):
        self.rehearsal.reset()
        box = self.sandbox(**(env or {}))
        plan_id = self.make_plan(box, *arguments)
        self.expect_sound(box, plan_id)
        asked = self.rehearsal.asked()
        self.assertEqual(set(asked), box.answered_calls(plan_id))
        self.assertEqual([key for key, count in asked.items() if count != 1], [])
        return len(asked), box.value("SELECT speed_vs_detail FROM plans"), box, plan_id

    def test_each_speed_asks_less_than_the_one_above(self):
        everything, name_all, _, _ = self.calls_of("--speed", "all")
        balanced, name_balanced, _, _ = self.calls_of("--speed", "balanced")
        fast, name_fast, box, plan_id = self.calls_of("--speed", "fast")
        self.assertEqual((name_all, name_balanced, name_fast), ("all_details_but_slow", "balanced_speed_and_detail", "fast_but_skip_details"))
        self.assertGreater(everything, balanced)
        self.assertGreater(balanced, fast)
        self.expect_whole_report(box.stored_files(plan_id)["029-report.html"].decode())

    def test_setting_makes_fast_the_default_and_the_option_goes_before_it(self):
        _, by_setting, _, _ = self.calls_of(env={"FAST_BUT_SKIP_DETAILS": "true"})
        self.assertEqual(by_setting, "fast_but_skip_details")
        _, by_option, _, _ = self.calls_of("--speed", "all", env={"FAST_BUT_SKIP_DETAILS": "1"})
        self.assertEqual(by_option, "all_details_but_slow")

    def test_a_setting_that_is_neither_true_nor_false_stops_the_start(self):
        outcome = self.expect_exit(self.box.run("plan", PROMPT, env={"FAST_BUT_SKIP_DETAILS": "maybe"}), 3)
        self.assertIn("FAST_BUT_SKIP_DETAILS", outcome.err)
        self.assertEqual(self.box.plan_ids(), [])


TIME = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?")
DURATION = re.compile(rb'("(?:duration|duration_ms|duration_seconds|wall_ms|response_duration)": ?)[\d.]+')


def without_times(data):
    return DURATION.sub(rb"\1_", TIME.sub(b"_", data))


class SamePlanTwice(harness.Case):
    rehearsal_arguments = []

    def files_of(self, concurrency):
        self.rehearsal.reset()
        box = self.sandbox(PLANEXE_TEST_NOW="2026-03-02T08:00:00Z", PLANEXE_MAX_CONCURRENT_LLM=str(concurrency))
        self.make_plan(box, "--plan-id", "PlanExe_twin")
        self.assertLessEqual(self.rehearsal.counters()["running_max"], concurrency)
        return box.stored_files("PlanExe_twin")

    def test_one_call_at_a_time_and_64_give_the_same_files(self):
        one, many = self.files_of(1), self.files_of(64)
        self.assertEqual(sorted(one), sorted(many))
        self.assertEqual([name for name in one if without_times(one[name]) != without_times(many[name])], [])


if __name__ == "__main__":
    harness.main()
