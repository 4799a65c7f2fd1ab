#!/usr/bin/env python3
"""Plans that are interrupted, cancelled, deleted, made again in part, or made side by side."""
import json
import pathlib
import signal
import time

import harness
from harness import PROMPT, TASKS

ID = "PlanExe_broken"


class Interrupted(harness.Case):
    # Long enough that an interruption falls into the middle of a plan, whatever the machine.
    rehearsal_arguments = ["--latency-ms", "60"]

    def running_plan(self, answers=25, box=None, plan_id=ID):
        """A plan in work, with at least so many answers in the database."""
        box = box or self.box
        running = box.start("plan", "--plan-id", plan_id, PROMPT)
        enough = harness.eventually(lambda: not running.alive or (plan_id in box.plan_ids() and len(box.answered_calls(plan_id)) >= answers))
        self.assertTrue(enough and running.alive, "the plan ended too early" if enough else "the plan does not move on")
        return running

    def expect_resume_asks_only_what_is_missing(self, plan_id=ID, box=None):
        box = box or self.box
        kept = box.answered_calls(plan_id)
        content = dict(box.rows("SELECT filename, sha256 FROM plan_content WHERE plan_id = ? AND is_current", plan_id))
        self.rehearsal.reset()
        outcome = self.expect_exit(box.run("resume", plan_id), 0)
        asked = set(self.rehearsal.asked())
        self.assertEqual(asked & kept, set())
        self.assertTrue(asked)
        self.expect_sound(box, plan_id)
        self.assertEqual(len(box.answered_calls(plan_id)), box.value("SELECT count(*) FROM llm_interactions WHERE owner_id = ? AND status = 'completed'", plan_id))
        after = dict(box.rows("SELECT filename, sha256 FROM plan_content WHERE plan_id = ? AND version = 1", plan_id))
        self.assertEqual({name: after[name] for name in content}, content, "what was stored stays as it was")
        self.expect_copies_agree(box, plan_id)
        self.expect_whole_report(box.stored_files(plan_id)["029-report.html"].decode())
        return outcome

    def test_ctrl_c_in_the_middle(self):
        running = self.running_plan()
        before = time.monotonic()
        running.interrupt()
        outcome = self.expect_exit(running.wait(), 130)
        self.assertLess(time.monotonic() - before, 10)
        self.assertIn("planexe resume " + ID, outcome.err)
        self.expect_sound(self.box, ID, "pending")
        self.assertIsNone(self.box.value("SELECT lease_owner FROM plans"))
        self.expect_resume_asks_only_what_is_missing()

    def test_sigterm_is_the_same(self):
        running = self.running_plan(3)
        running.child.send_signal(signal.SIGTERM)
        outcome = self.expect_exit(running.wait(), 130)
        self.assertIn("planexe resume " + ID, outcome.err)
        self.expect_resume_asks_only_what_is_missing()

    def test_ctrl_c_again_and_again(self):
        arguments = ["plan", "--plan-id", ID, PROMPT]
        for answers in (5, 15, 30, 50):
            running = self.box.start(*arguments)
            self.assertTrue(harness.eventually(lambda: not running.alive or (self.box.plan_ids() and len(self.box.answered_calls(ID)) >= answers)))
            self.assertTrue(running.alive)
            running.interrupt()
            self.expect_exit(running.wait(), 130)
            arguments = ["resume", ID]
        self.expect_resume_asks_only_what_is_missing()
        self.assertEqual(self.box.value("SELECT recovery_count FROM plans"), 0)

    def test_killed_without_a_word(self):
        running = self.running_plan()
        running.child.kill()
        running.wait()
        self.assertEqual(self.box.value("SELECT status FROM plans"), "running")
        kept = self.box.answered_calls(ID)
        self.rehearsal.reset()
        self.expect_exit(self.box.run("resume", ID), 0)
        self.assertEqual(set(self.rehearsal.asked()) & kept, set())
        self.expect_sound(self.box, ID)

    def test_interrupted_json_ends_with_a_result(self):
        running = self.box.start("plan", "--json", "--plan-id", ID, PROMPT)
        self.assertTrue(harness.eventually(lambda: self.box.plan_ids() and len(self.box.answered_calls(ID)) >= 10))
        running.interrupt()
        outcome = self.expect_exit(running.wait(), 130)
        result = json.loads(outcome.out.splitlines()[-1])
        self.assertEqual((result["type"], result["plan_id"], result["status"]), ("result", ID, "pending"))

    def test_cancel_from_a_second_process(self):
        running = self.running_plan()
        outcome = self.expect_exit(self.box.run("cancel", ID), 0)
        self.assertEqual(outcome.out, "cancelled\n")
        ended = self.expect_exit(running.wait(10), 130)
        self.assertIn("planexe resume " + ID, ended.err)
        self.expect_sound(self.box, ID, "cancelled")
        ((requested, completed),) = self.box.rows("SELECT julianday(cancel_requested_at), julianday(completed_at) FROM plans")
        self.assertLess((completed - requested) * 86400, 1.0, "within a second")
        self.assertEqual({"running", "ready"} & set(self.box.task_states(ID).values()), set())
        self.assertIsNone(self.box.value("SELECT lease_owner FROM plans"))
        self.expect_resume_asks_only_what_is_missing()

    def test_cancel_of_a_plan_that_nobody_runs_then_resume(self):
        running = self.running_plan(5)
        running.interrupt()
        self.expect_exit(running.wait(), 130)
        self.expect_exit(self.box.run("cancel", ID), 0)
        self.assertEqual(self.box.value("SELECT status FROM plans"), "cancelled")
        self.expect_resume_asks_only_what_is_missing()

    def test_deleted_while_it_runs(self):
        running = self.running_plan()
        self.assertEqual(self.expect_exit(self.box.run("delete", "--yes", ID), 0).out, "deleted\n")
        outcome = running.wait(30)
        self.assertEqual(outcome.code, 1, str(outcome))
        self.assertIn("deleted", outcome.err)
        self.assertNotIn("resume", outcome.err)
        self.assertEqual(self.box.plan_ids(), [])
        self.assertFalse((self.box.run_dir / ID).exists())

    def test_the_same_plan_twice_at_once(self):
        running = self.running_plan()
        second = self.expect_exit(self.box.run("resume", ID), 1)
        self.assertIn("Another process", second.err)
        self.expect_exit(running.wait(), 0)
        self.expect_sound(self.box, ID)
        self.assertEqual([key for key, count in self.rehearsal.asked().items() if count != 1], [])

    def test_two_plans_at_once_on_one_database(self):
        running = [self.box.start("plan", "--plan-id", "PlanExe_%d" % n, PROMPT + ", shop %d" % n) for n in (1, 2)]
        for one in running:
            self.expect_exit(one.wait(), 0)
        for n in (1, 2):
            plan_id = "PlanExe_%d" % n
            self.expect_sound(self.box, plan_id)
            self.expect_copies_agree(self.box, plan_id)
            self.assertEqual(set(self.box.task_states(plan_id).values()), {"completed"})
            self.assertIn("shop %d" % n, self.box.stored_files(plan_id)["001-2-plan.txt"].decode())
        self.assertEqual(self.expect_exit(self.box.run("db", "check"), 0).out, "ok\n")


class Changed(harness.Case):
    """What happens to plans that are complete."""

    rehearsal_arguments = []

    def test_delete_leaves_nothing(self):
        plan_id = self.make_plan()
        other = self.make_plan(prompt="Plant forty apple trees on a hectare near Angers for 12 000 EUR")
        self.expect_exit(self.box.run("delete", plan_id), 2)
        self.assertIn(plan_id, self.box.plan_ids())
        self.expect_exit(self.box.run("delete", "--yes", plan_id), 0)
        self.assertEqual(self.box.plan_ids(), [other])
        for (table,) in self.box.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
            columns = [row[1] for row in self.box.rows("PRAGMA table_info(%s)" % table)]
            for column in {"plan_id", "owner_id"} & set(columns):
                self.assertEqual(self.box.value("SELECT count(*) FROM %s WHERE %s = ?" % (table, column), plan_id), 0, table)
        self.assertFalse((self.box.run_dir / plan_id).exists())
        self.expect_sound(self.box, other)
        self.expect_copies_agree(self.box, other)
        self.assertEqual(self.expect_exit(self.box.run("db", "check"), 0).out, "ok\n")
        self.expect_exit(self.box.run("delete", "--yes", other), 0)
        self.assertEqual(self.box.value("SELECT count(*) FROM text_blocks"), 0, "no text is left without an owner")

    def test_complete_plans_are_neither_resumed_nor_cancelled(self):
        plan_id = self.make_plan()
        before = self.box.stored_files(plan_id)
        self.rehearsal.reset()
        for command in ("resume", "cancel"):
            outcome = self.expect_exit(self.box.run(command, plan_id), 1)
            self.assertIn("complete", outcome.err)
        self.assertEqual(self.rehearsal.asked(), {})
        self.assertEqual(self.box.stored_files(plan_id), before)

    def test_retry_with_the_same_answer_asks_nothing_else(self):
        plan_id = self.make_plan()
        before = self.box.stored_files(plan_id)
        self.rehearsal.reset()
        outcome = self.expect_exit(self.box.run("retry", plan_id, "project_plan"), 0)
        self.assertRegex(outcome.err, r"project_plan is made again; \d+ tasks depend on it")
        self.assertEqual({key.split("/")[0] for key in self.rehearsal.asked()}, {"project_plan"})
        self.expect_sound(self.box, plan_id)
        after = self.box.stored_files(plan_id)
        self.assertEqual(sorted(after), sorted(before))
        self.expect_copies_agree(self.box, plan_id)

    def test_retry_with_another_answer_makes_the_dependents_again_and_keeps_the_old(self):
        plan_id = self.make_plan()
        (answer,) = self.box.rows("SELECT response_text FROM llm_interactions WHERE owner_id = ? AND stage = 'project_plan' AND status = 'completed'", plan_id)
        changed = json.loads(answer[0])
        key = next(k for k, v in changed.items() if isinstance(v, str) and len(v) > 20)
        changed[key] += " The second workshop opens in Zanzibar."
        self.rehearsal.reset()
        self.rehearsal.post("/control/scripts", {"match": {"task": "project_plan"}, "repeat": 0, "steps": [{"text": json.dumps(changed)}]})
        self.expect_exit(self.box.run("retry", plan_id, "project_plan"), 0)
        tasks = {key.split("/")[0] for key in self.rehearsal.asked()}
        self.assertIn("project_plan", tasks)
        self.assertGreater(len(tasks), 5)
        self.assertNotIn("potential_levers", tasks)
        self.expect_sound(self.box, plan_id)
        versions = dict(self.box.rows("SELECT version, content FROM plan_content WHERE plan_id = ? AND filename = '005-1-project_plan_raw.json'", plan_id))
        self.assertEqual(sorted(versions), [1, 2])
        self.assertIn("Zanzibar", versions[2])
        self.assertNotIn("Zanzibar", versions[1])
        self.assertEqual(self.box.value("SELECT count(*) FROM plan_content WHERE plan_id = ? AND is_current AND stale", plan_id), 0)
        self.expect_copies_agree(self.box, plan_id)

    def test_retry_marked_only_then_resumed(self):
        plan_id = self.make_plan()
        self.rehearsal.reset()
        self.expect_exit(self.box.run("retry", "--no-run", plan_id, "swot_analysis"), 0)
        self.assertEqual(self.rehearsal.asked(), {})
        self.assertEqual(self.box.value("SELECT status FROM plans"), "pending")
        self.expect_exit(self.box.run("resume", plan_id), 0)
        self.assertIn("swot_analysis", {key.split("/")[0] for key in self.rehearsal.asked()})
        self.expect_sound(self.box, plan_id)

    def test_retry_of_an_unknown_task(self):
        plan_id = self.make_plan(None, "--speed", "fast")
        outcome = self.expect_exit(self.box.run("retry", plan_id, "no_such_task"), 2)
        self.assertIn("no_such_task", outcome.err)
        self.expect_sound(self.box, plan_id)

    def test_a_task_that_fails_names_itself_and_resume_mends_it(self):
        self.rehearsal.post("/control/scripts", {"match": {"task": "find_team_members"}, "repeat": 0, "steps": [
            {"status": 400, "body": {"error": {"message": "this model is out of order", "type": "invalid_request_error", "code": None, "param": None}}}]})
        outcome = self.expect_exit(self.box.run("plan", "--plan-id", ID, PROMPT), 1)
        self.assertIn("find_team_members", outcome.err + str(self.box.value("SELECT failed_task_key FROM plans")))
        self.assertIn("planexe resume " + ID, outcome.err)
        self.expect_sound(self.box, ID, "failed")
        states = self.box.task_states(ID)
        self.assertEqual(states["find_team_members"], "failed")
        self.assertEqual(states["team_markdown"], "blocked")
        self.assertEqual(states["identify_risks"], "completed")
        kept = self.box.answered_calls(ID)
        self.rehearsal.reset()
        self.expect_exit(self.box.run("resume", ID), 0)
        self.assertEqual(set(self.rehearsal.asked()) & kept, set())
        self.expect_sound(self.box, ID)
        self.assertEqual(list(self.box.task_states(ID).values()), ["completed"] * TASKS)


class Refusal(harness.Case):
    rehearsal_arguments = []

    def test_a_refused_prompt_spends_nothing_more_and_says_so(self):
        self.refuse()
        outcome = self.expect_exit(self.box.run("plan", "--plan-id", ID, PROMPT), 1)
        self.assertIn("--redline warn", outcome.err)
        self.assertEqual({key.split("/")[0] for key in self.rehearsal.asked()}, {"redline_gate"})
        self.assertEqual(self.box.value("SELECT error_code FROM plans"), "PROMPT_REFUSED")
        self.assertIn("REFUSE", self.box.stored_files(ID)["002-1-redline_gate.json"].decode())
        again = self.box.run("resume", ID)
        self.assertEqual(again.code, 1, str(again))
        self.assertEqual(self.box.value("SELECT status FROM plans"), "failed")

    def test_with_redline_warn_it_is_planned_and_the_report_warns(self):
        self.refuse()
        self.expect_exit(self.box.run("plan", "--quiet", "--plan-id", ID, "--redline", "warn", PROMPT), 0)
        self.expect_sound(self.box, ID)
        self.assertIn(self.CLAIM, self.box.stored_files(ID)["029-report.html"].decode())

    CLAIM = "It asks how the lock of another person is opened"

    def refuse(self):
        answer = {"rationale_short": "The prompt asks for help with theft.", "violation_category": schema_value("violation_category"),
                  "violation_claim": self.CLAIM, "violation_capability_uplift": schema_value("violation_capability_uplift"),
                  "violation_severity": schema_value("violation_severity"), "verdict": "REFUSE"}
        self.rehearsal.post("/control/scripts", {"match": {"task": "redline_gate"}, "repeat": 0, "steps": [{"text": json.dumps(answer)}]})


def schema_value(field):
    """Some value that the gate's schema allows for a field."""
    schema = json.loads((pathlib.Path(__file__).parents[2] / "recipe/tasks/redline_gate/answer.schema.json").read_text(encoding="utf-8"))["properties"][field]
    for part in [schema] + schema.get("anyOf", []):
        for value in part.get("enum", []):
            if value is not None:
                return value
        kind = part.get("type")
        if "boolean" in (kind if isinstance(kind, list) else [kind]):
            return True
    return "a text"


if __name__ == "__main__":
    harness.main()
