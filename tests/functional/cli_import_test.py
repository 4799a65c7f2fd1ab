#!/usr/bin/env python3
"""Real finished runs: imported as they are, and played back through a whole plan."""
import html as html_text
import json
import os
import pathlib
import re
import unittest
import zipfile

import harness

RUNS = os.environ.get("PLANEXE_REAL_RUNS", "")
# Computed from what is imported, so the current version is ours: schedule and its pages, views, times in UTC, marker. The imported one stays as an
# earlier version.
COMPUTED = ("001-1-", "001-2-", "002-14-", "002-19-", "013-", "017-15-", "020-2-", "020-3-", "026-", "999-")


def real_runs():
    return sorted(pathlib.Path(RUNS).glob("*.zip")) if RUNS else []


def files_of(path):
    """The run's own files by name, without what other programs left in the archive."""
    with zipfile.ZipFile(path) as bundle:
        names = [n for n in bundle.namelist() if not n.endswith("/") and "__MACOSX" not in n and not n.split("/")[-1].startswith(".")]
        return {name.split("/")[-1]: bundle.read(name) for name in names}


def includes(value, part):
    """Everything of `part` is in `value`; newer plans have more fields."""
    if isinstance(part, dict):
        return isinstance(value, dict) and all(key in value and includes(value[key], member) for key, member in part.items())
    if isinstance(part, list):
        return isinstance(value, list) and len(value) == len(part) and all(map(includes, value, part))
    return value == part


def holds(name, mine, theirs):
    if name.endswith(".json"):
        try:
            return includes(json.loads(mine), json.loads(theirs))
        except ValueError:
            pass
    return mine.strip() == theirs.strip()


def sentences(markdown, count=4):
    """Some long runs of plain words, for a search in HTML."""
    found = []
    for line in markdown.splitlines():
        plain = re.sub(r"[*_`#>|\[\]]", " ", line)
        for part in re.findall(r"(?:[A-Za-z]+ ){7,}[A-Za-z]+", plain):
            found.append(" ".join(part.split()[:8]))
    return found[:: max(1, len(found) // count)][:count]


def text_of(html):
    return " ".join(html_text.unescape(re.sub(r"<[^>]*>", " ", html)).split())


def section_of(html, section):
    """The HTML of one section: from its id to the id of the next one."""
    begin = html.index('id="%s"' % section)
    following = [html.index('id="%s"' % other) for other in harness.SECTION_IDS if html.index('id="%s"' % other) > begin]
    return html[begin:min(following)] if following else html[begin:]


@unittest.skipUnless(real_runs(), "PLANEXE_REAL_RUNS names no folder with finished runs")
class RealRuns(harness.Case):
    def test_import_keeps_every_file_and_computes_the_rest(self):
        for path in real_runs():
            with self.subTest(run=path.name):
                self.check_import(path)

    def check_import(self, path):
        box = self.sandbox()
        outcome = self.expect_exit(box.run("import", "--json", "--plan-id", "PlanExe_imported", path), 0)
        result = json.loads(outcome.out)
        self.assertEqual((result["status"], result["open_tasks"]), ("completed", []), str(outcome))
        self.expect_sound(box, "PlanExe_imported")
        self.assertEqual(set(box.task_states("PlanExe_imported").values()), {"completed"})
        self.assertEqual(box.value("SELECT count(*) FROM llm_interactions"), 0, "no model is asked")
        stored, original = box.stored_files("PlanExe_imported"), files_of(path)
        self.assertEqual(sorted(set(original) - set(stored)), [])
        different = [name for name, data in original.items() if not holds(name, stored[name], data)]
        self.assertEqual([name for name in different if not name.startswith(COMPUTED)], [])
        # The marker says when a run ended; this plan ends anew.
        for name in set(different) - {"999-pipeline_complete.txt"}:
            versions = box.rows("SELECT content FROM plan_content WHERE filename = ? ORDER BY version", name)
            self.assertTrue(any(holds(name, version.encode(), original[name]) for (version,) in versions), name + " is in no version")
        html = stored["029-report.html"].decode()
        self.expect_whole_report(html)
        self.assertNotEqual(stored["029-report.html"], original.get("030-report.html"))
        self.check_schedule(json.loads(stored["026-4-schedule.json"]))
        self.expect_copies_agree(box, "PlanExe_imported")

    def check_schedule(self, schedule):
        tasks = [a for a in schedule["activities"] if a["kind"] == "task"]
        critical = [a for a in tasks if a["critical"]]
        self.assertTrue(critical)
        self.assertLess(len(critical), len(tasks), "not everything is critical")
        self.assertEqual(min(a["es"] for a in critical), 0)
        self.assertEqual(max(a["ef"] for a in critical), max(a["ef"] for a in tasks))
        for activity in tasks:
            self.assertEqual(activity["critical"], activity["total_float"] == 0, activity["title"])

    def test_replay_makes_a_plan_with_the_content_of_the_run(self):
        for path in real_runs():
            with self.subTest(run=path.name):
                self.check_replay(path)

    def check_replay(self, path):
        box, original = self.sandbox(), files_of(path)
        prompt = next(data for name, data in original.items() if name == "001-2-plan.txt").decode()
        (box.folder / "prompt.txt").write_text(prompt, encoding="utf-8")
        self.expect_exit(box.run("plan", "--quiet", "--plan-id", "PlanExe_replay", "--answers", path, "--redline", "warn", "--file", "prompt.txt", seconds=400), 0)
        self.expect_sound(box, "PlanExe_replay")
        self.assertEqual(set(box.task_states("PlanExe_replay").values()), {"completed"})
        html = box.stored_files("PlanExe_replay")["029-report.html"].decode()
        self.expect_whole_report(html)
        lacking = {}
        for section, source in SOURCES.items():
            wanted = self.wanted(original, source)
            self.assertTrue(wanted, "%s has nothing to look for" % source)
            text = text_of(section_of(html, section))
            if not any(" ".join(one.split()) in text for one in wanted):
                lacking[section] = wanted[:3]
        self.assertEqual(lacking, {}, "sections without the run's own content")

    def wanted(self, original, source):
        data = original[source].decode(errors="replace")
        if not source.endswith(".json"):
            return sentences(data)
        names = []

        def collect(value):
            if isinstance(value, dict):
                for key, member in value.items():
                    if key in ("title", "name", "question", "major_phase_title") and isinstance(member, str) and len(member) > 12:
                        names.append(member)
                    elif key == "pitch" and isinstance(member, str):
                        names.extend(sentences(member))
                    collect(member)
            elif isinstance(value, list):
                for member in value:
                    collect(member)
        collect(json.loads(data))
        return names[:40]


# Where a section's content comes from in a run of the reference. The plan's own texts must be among it.
SOURCES = {
    "executive-summary": "025-2-executive_summary.md", "gantt-overview": "018-5-wbs_level2.json", "gantt-interactive": "018-5-wbs_level2.json", "pitch": "020-1-pitch_raw.json",
    "project-plan": "005-2-project_plan.md", "strategic-decisions": "002-14-strategic_decisions.md", "scenarios": "002-19-scenarios.md",
    "assumptions": "003-10-consolidate_assumptions_full.md", "governance": "006-13-consolidate_governance.md", "related-resources": "007-8-related_resources.md",
    "data-collection": "017-2-data_collection.md", "documents": "017-15-documents_to_create_and_find.md", "swot": "014-2-swot_analysis.md",
    "team": "013-team.md", "expert-criticism": "016-2-expert_criticism.md", "wbs": "023-2-wbs_level3.json",
    "review-plan": "024-2-review_plan.md", "questions-answers": "027-1-questions_and_answers_raw.json", "premortem": "028-2-premortem.md",
    "initial-prompt": "001-2-plan.txt"}


class BadRuns(harness.Case):
    """Archives that are no run."""

    def refused(self, words, path):
        outcome = self.expect_exit(self.box.run("import", path), 2)
        self.assertEqual(len([line for line in outcome.err.splitlines() if line.startswith("planexe: ")]), 1, str(outcome))
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, outcome.err)
        self.assertEqual(self.box.plan_ids(), [])

    def archive(self, files):
        path = self.box.folder / "run.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, data in files.items():
                bundle.writestr(name, data)
        return path

    def test_no_such_file(self):
        self.refused("nowhere.zip", "nowhere.zip")

    def test_no_archive(self):
        (self.box.folder / "letter.zip").write_bytes(os.urandom(4000))
        self.refused("letter.zip", "letter.zip")

    def test_archive_without_a_run(self):
        self.refused("001-2-plan.txt", self.archive({"readme.md": "# nothing"}))

    def test_archive_that_leaves_its_folder(self):
        self.refused("..", self.archive({"run/001-2-plan.txt": "a plan", "../../escape.txt": "x"}))
        self.assertFalse((self.box.folder.parent / "escape.txt").exists())

    def test_archive_that_grows_without_end(self):
        self.refused("Too much", self.archive({"run/001-2-plan.txt": "a plan", "run/big.md": b"\0" * (80 << 20)}))

    def test_a_part_of_a_run_is_imported_and_says_what_is_open(self):
        path = self.archive({"run/001-2-plan.txt": "Open a bicycle repair shop in Lyon"})
        outcome = self.expect_exit(self.box.run("import", "--plan-id", "PlanExe_part", path), 0)
        self.assertIn("planexe resume PlanExe_part", outcome.err)
        refused = self.expect_exit(self.box.run("resume", "--quiet", "PlanExe_part"), 3)
        self.assertIn("--rehearsal", refused.err, "a real plan is not filled with examples unasked")
        self.expect_exit(self.box.run("resume", "--quiet", "--rehearsal", "PlanExe_part"), 0)
        self.assertEqual(self.box.value("SELECT rehearsal FROM plans"), 1)
        self.expect_sound(self.box, "PlanExe_part")
        self.expect_whole_report(self.box.stored_files("PlanExe_part")["029-report.html"].decode())


if __name__ == "__main__":
    harness.main()
