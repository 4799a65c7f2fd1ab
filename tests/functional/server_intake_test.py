#!/usr/bin/env python3
"""What a turn asks the model, and the intake form on its way into a plan."""
import json

import server_harness
from harness import PROMPT
from server_harness import Api
from server_talk import FACTS, UNKNOWN, TurnCase, names


class Parameters(TurnCase):
    def reply_body(self, number=2):
        return next(b for b in self.rehearsal.bodies() if b["metadata"]["call"] == "intake/reply/%d" % number)

    def form_body(self):
        return next(b for b in self.rehearsal.bodies() if b["metadata"]["call"].startswith("intake/form/"))

    def test_what_the_client_wishes_reaches_the_model(self):
        id_ = self.conversation()
        self.turn(id_, reasoning_effort="high", text_verbosity="low", reasoning_summary="concise", store=False, instructions="Rhyme.",
                  context="Rents are high.", metadata={"screen": "private-note"}, previous_response_id="resp_foreign",
                  schema_name="EnrichedPlanIntake", conversation_id=UNKNOWN)
        body = self.reply_body()
        self.assertEqual((body["reasoning"], body["text"]), ({"effort": "high", "summary": "concise"}, {"format": {"type": "text"},
                                                                                                        "verbosity": "low"}))
        self.assertEqual((body["store"], self.form_body()["store"]), (False, False))
        self.assertNotIn("previous_response_id", body)
        words = [part["text"] for part in body["input"][-1]["content"]]
        self.assertEqual(words, [FACTS, "<context>\nRents are high.\n</context>", "<wishes_about_style>\nRhyme.\n</wishes_about_style>"])
        self.assertNotIn("private-note", json.dumps(self.rehearsal.bodies()))
        self.assertIn("private-note", str(self.rows("SELECT prompt_metadata FROM llm_interactions WHERE owner_id = ?", id_)))
        self.rehearsal.reset()
        self.turn(id_, "More. That is all.")
        self.assertNotIn("previous_response_id", self.reply_body(4), "what was not stored cannot be gone on with")
        self.assertEqual([item["role"] for item in self.reply_body(4)["input"]], ["developer", "user", "assistant", "user"])

    def test_the_defaults_of_the_server(self):
        config = self.api.get("getConfig")
        self.turn(self.conversation())
        body = self.reply_body()
        self.assertEqual(body["reasoning"], {"effort": config["reasoning_effort_conversation_default"],
                                             "summary": config["reasoning_summary_default"]})
        self.assertEqual(body["text"]["verbosity"], config["text_verbosity_default"])
        self.assertTrue(body["store"])
        self.rehearsal.reset()
        api = Api(self.own_server(REASONING_EFFORT_DEFAULT="low", OPENAI_TEXT_VERBOSITY="medium", OPENAI_REASONING_SUMMARY="auto",
                                  OPENAI_MAX_OUTPUT_TOKENS="2048"))
        self.turn(self.conversation(api), api=api)
        body = self.reply_body()
        self.assertEqual((body["reasoning"], body["text"]["verbosity"], body["max_output_tokens"]),
                         ({"effort": "low", "summary": "auto"}, "medium", 2048))

    def test_another_model_goes_on(self):
        entry = {"provider": "openai", "base_url": self.rehearsal.url + "/v1", "api_key_env": "TALK_KEY", "capabilities": ["text"],
                 "context_window": 100000, "max_output_tokens": 8192, "strict_model": True}
        catalogue = {"vendor/first": {**entry, "model": "gpt-5-mini", "priority": 1},
                     "second": {**entry, "model": "gpt-4o-mini", "priority": 2}}
        api = Api(self.own_server(PLANEXE_REHEARSAL_URL=None, PLANEXE_LLM_CONFIG_JSON=json.dumps(catalogue), TALK_KEY="sk-talk-0123456789"))
        id_ = self.conversation(api, "vendor/first")
        events = self.turn(id_, "A shop in Lyon", api, model_key="vendor/first")
        self.assertEqual(events[-1].value["response"]["model"], "vendor/first")
        self.assertEqual(self.reply_body()["text"]["verbosity"], "high")
        changed = api.call("createConversation", 200, body={"model_key": "second", "conversation_id": id_}).json()
        self.assertEqual((changed["created"], changed["model_key"], changed["conversation_id"]), (False, "second", id_))
        events = self.turn(id_, "80 000 EUR. That is all.", api, model_key="second")
        self.assertEqual(names(events)[-1], "final")
        body = self.reply_body(4)
        self.assertEqual(body["model"], "gpt-4o-mini")
        self.assertNotIn("previous_response_id", body, "the thread of another model means nothing to it")
        self.assertEqual([item["role"] for item in body["input"]], ["developer", "user", "assistant", "user"])
        self.assertNotIn("verbosity", body["text"], "it takes medium only")
        self.assertNotIn("reasoning", body)
        self.assertEqual(self.view(id_, api)["model_key"], "second")


class IntoAPlan(TurnCase):
    def test_the_form_on_its_way_into_a_plan(self):
        id_ = self.conversation()
        self.turn(id_)
        result = self.api.get("finalizeConversation", id=id_)
        self.assertEqual(result["missing_fields"], [])
        # What the person changes in the review of the form is what counts.
        intake = {**result["enriched_intake"], "hard_constraints": ["No sale of zebra saddles"],
                  "success_criteria": ["400 okapi repairs in a year"]}
        plan = self.api.completed(result["enriched_prompt"], enriched_intake=intake, conversation_id=id_)
        self.addCleanup(self.forget, self.api, plan["plan_id"])
        self.assertEqual((plan["conversation_id"], plan["prompt"]), (id_, result["enriched_prompt"].strip()))
        self.assertEqual(plan["enriched_intake"], intake)
        self.assertEqual(self.view(id_)["plan_id"], plan["plan_id"])
        stored = self.api.call("viewContent", 200, id=plan["plan_id"], filename="enriched_intake.json").json()
        self.assertEqual(stored, intake)
        for key in ("physical_locations", "currency_strategy"):
            task = self.api.task(plan["plan_id"], key)
            self.assertEqual((task["state"], task["state_reason"]), ("skipped", "from_intake"), key)
        bodies = [b for b in self.rehearsal.bodies() if not b["metadata"]["call"].startswith("intake/")]
        self.assertGreater(len(bodies), 50)
        texts_of = {b["metadata"]["call"]: json.dumps(b["input"], ensure_ascii=False) for b in bodies}
        # Some calls see nothing but a text that they shorten.
        seeing = {call: text for call, text in texts_of.items() if FACTS[:60] in text}
        self.assertGreater(len(seeing), 40)
        lacking = [call for call, text in seeing.items() if not ("zebra saddles" in text and "okapi repairs" in text)]
        self.assertEqual(lacking, [], "every task that sees the prompt sees the form")
        self.turn(id_, "One more thing. That is all.")
        self.assertEqual(self.view(id_)["plan_id"], plan["plan_id"], "a later turn keeps the plan")
        self.api.call("deletePlan", 200, id=plan["plan_id"])
        self.assertIsNone(self.view(id_)["plan_id"])

    def test_a_plan_made_in_the_middle_of_a_turn(self):
        id_, token, stream, _ = self.stuck_turn()
        self.hold()
        plan_id = self.api.create(conversation_id=id_)["plan_id"]
        self.addCleanup(self.forget, self.api, plan_id)
        self.assertEqual(self.view(id_)["plan_id"], plan_id)
        self.assertEqual(self.view(id_)["status"], "running")
        stream.close()
        self.api.call("deleteConversation", 204, id=id_)
        self.assertEqual(self.api.get("getPlan", id=plan_id)["conversation_id"], id_, "the plan outlives its conversation")

    def test_a_conversation_that_is_not_there(self):
        before = self.rows("SELECT count(*) FROM plans")
        error = self.api.call("createPlan", 422, "VALIDATION_FAILED", body={"prompt": PROMPT, "conversation_id": UNKNOWN},
                              headers={"Idempotency-Key": "talk-1"}).json()
        self.assertEqual(error["detail"], [{"type": "value_error", "loc": ["body", "conversation_id"],
                                            "msg": "No conversation has this id."}])
        self.assertEqual(self.rows("SELECT count(*) FROM plans"), before)
        again = self.api.create(PROMPT, headers={"Idempotency-Key": "talk-1"})
        self.addCleanup(self.forget, self.api, again["plan_id"])
        self.assertEqual(again["status"], "pending", "a refused request does not use its key up")


if __name__ == "__main__":
    server_harness.main()
