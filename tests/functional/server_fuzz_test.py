#!/usr/bin/env python3
"""Requests that a generator makes from the running server's own contract: whatever comes, the answer is one that the contract
declares, it comes in time, and the server goes on.

    server_fuzz_test.py BIN_DIR [--count N] [--seed N] [TEST...]
"""
import json
import sys
import time

import server_harness
from harness import PROMPT
from server_contract import Contract, Violation
from server_fuzz import Generator
from server_harness import Api, ServerCase
from server_wire import Broken, Http, Wire, handshake, request_bytes

COUNT, SEED = 1500, 20310303
# So many answers are shown before it gives up.
WRONG_MAX = 10
# The longest answer is that of a turn, which asks a model.
SECONDS = 30
# Statuses from 500 that are no fault: what a provider answers, and a stream that needs one.
OUTSIDE = {"runFollowup": (502, 504), "finalizeConversation": (502, 504)}


class Fuzz(ServerCase):
    server_env = {"PLANEXE_MAX_CONCURRENT_PLANS": "2", "PLANEXE_MAX_QUEUED": "30"}

    def setUp(self):
        super().setUp()
        document = Http(self.server.port).request("GET", "/openapi.json").body
        file = self.shared_box.folder / "contract.json"
        file.write_bytes(document)
        self.contract = Contract(file)
        self.met = {}

    def tearDown(self):
        for plan_id in [p["plan_id"] for p in self.api.get("listPlans", query={"limit": 200})]:
            self.forget(self.api, plan_id)

    def furnish(self):
        """Something of every kind that a request can name."""
        done = self.api.completed()["plan_id"]
        failed = self.failed_plan()["plan_id"]
        self.hold()
        held = self.api.create()["plan_id"]
        model = self.api.get("listModels")[0]["id"]
        conversation = self.api.call("createConversation", body={"model_key": model}).json()["conversation_id"]
        calls = [c["id"] for c in self.api.get("listInteractions", id=done)["interactions"]]
        files = [f["filename"] for f in self.api.get("listFiles", id=done)["files"]]
        pools = {"id": [done, done, done, failed, held], "plan_id": [done, failed, held], "task_key": ["swot_analysis", "redline_gate", "setup", "governance_phase6"], "filename": files, "interaction_id": calls,
                 "conversation_id": [conversation], "model_key": [model], "modelKey": [model], "llm_model": [model, None, "auto"], "prompt": [PROMPT], "user_message": [PROMPT], "token": ["x"], "task_id": ["t"],
                 "session_id": ["x"], "cursor": ["x"]}
        # What changes something leaves the plans alone that others read.
        for operation in ("deletePlan", "cancelPlan", "resumePlan", "retryTask"):
            pools[operation + ".id"] = [held]
        for operation in ("getConversation", "deleteConversation", "prepareTurn", "streamTurn", "finalizeConversation", "runFollowup"):
            pools[operation + ".id"] = [conversation]
        return pools

    def learn(self, pools, case, reply):
        """What a good answer has made can be named from now on."""
        if reply.status != 200 or case.method == "HEAD" or not case.routed:
            return
        if case.operation.id == "createPlan":
            for operation in ("deletePlan", "cancelPlan", "resumePlan", "retryTask"):
                pools[operation + ".id"] = [reply.json()["plan_id"], *pools[operation + ".id"][:9]]
        elif case.operation.id == "createConversation":
            for operation in ("getConversation", "deleteConversation", "prepareTurn", "streamTurn", "finalizeConversation", "runFollowup"):
                pools[operation + ".id"] = [reply.json()["conversation_id"], *pools[operation + ".id"][:4]]
        elif case.operation.id == "prepareTurn":
            pools["token"] = [reply.json()["token"], *pools["token"][:4]]
        elif case.operation.id == "createAnalysis":
            pools["session_id"] = [reply.json()["session_id"], *pools["session_id"][:4]]
        if reply.header("X-Next-Cursor"):
            pools["cursor"] = [reply.header("X-Next-Cursor"), *pools["cursor"][:4]]

    def exchange(self, case):
        """The reply, with as much of a stream as comes at once."""
        if not case.operation.events and not case.operation.socket:
            return self.http.request(case.method, case.target, case.headers, case.body)
        if case.operation.socket and case.method == "GET":
            data = handshake(self.server.port, case.target, [h for h in case.headers if h[0] not in ("Connection", "Origin")])[1]
        else:
            data = request_bytes(self.server.port, case.method, case.target, case.headers, case.body)
        with Wire(self.server.port, SECONDS) as wire:
            wire.send(data)
            reply = wire.head()
            if reply.header("Content-Length") and case.method != "HEAD":
                reply.body = wire.exactly(int(reply.header("Content-Length")))
            return reply

    def judge(self, case, reply):
        if case.routed:
            self.contract.check_reply(case.operation, reply, case.method)
        elif reply.status not in (404, 405):
            self.assertIn(reply.status, (101, 200, 204, 206, 304, 308, 400, 403, 406, 408, 409, 410, 413, 414, 415, 416, 422, 426, 429, 431))
        elif (reply.header("Content-Type") or "").startswith("application/json") and reply.body and json.loads(reply.body)["code"] in ("NOT_FOUND", "METHOD_NOT_ALLOWED"):
            self.contract.check_unrouted(reply, case.method)
        if reply.status >= 500 and reply.status not in OUTSIDE.get(case.operation.id, ()):
            raise Violation("a fault of the server: %s" % reply)
        if case.refused and case.routed and reply.status < 400:
            raise Violation("it breaks the contract and was taken: %s" % reply)

    def one(self, at, case):
        began = time.monotonic()
        try:
            reply = self.exchange(case)
            self.judge(case, reply)
            took = time.monotonic() - began
            if took > SECONDS:
                raise Violation("the answer took %.1f s" % took)
            return reply
        except (AssertionError, Broken, OSError, ValueError, KeyError) as error:
            state = "runs" if self.server.alive else "has ended with %s" % self.server.child.returncode
            raise AssertionError("request %d of seed %d: %s: %s\n%s\nthe server %s" % (at, SEED, type(error).__name__, error, case, state)) from None

    def test_whatever_comes(self):
        print("seed %d, %d requests" % (SEED, COUNT), file=sys.stderr)
        pools = self.furnish()
        generator = Generator(self.contract, SEED, pools)
        self.http = Http(self.server.port, SECONDS)
        wrong = []
        for at in range(COUNT):
            case = generator.next()
            try:
                reply = self.one(at, case)
            except AssertionError as error:
                wrong.append(str(error))
                if len(wrong) >= WRONG_MAX or not self.server.alive:
                    break
                self.http.close()
                continue
            self.learn(pools, case, reply)
            met = self.met.setdefault(case.operation.id, set())
            met.add(reply.status)
            if at % 50 == 0:
                self.assertEqual(Http(self.server.port, SECONDS).request("GET", "/ping").status, 200)
        self.assertEqual(wrong, [], "\n\n".join(wrong))
        self.assertEqual(self.api.get("ping")["ping"], "pong")
        self.assertEqual(self.api.get("getHealth")["status"] in ("healthy", "degraded"), True)
        log = self.server.log()
        for word in ("a request failed", "a stream failed", "an answer broke off"):
            self.assertNotIn(word, log)
        for name in sorted(self.met):
            print("  %-22s %s" % (name, " ".join(map(str, sorted(self.met[name])))), file=sys.stderr)
        if COUNT >= 1500:
            self.assertEqual(set(self.met), set(self.contract.operations))
            # Numbers of this kind say whether the generator still reaches what lies behind the checks.
            reached = [name for name, statuses in self.met.items() if min(statuses) < 400]
            self.assertGreater(len(reached), 30, sorted(set(self.met) - set(reached)))


def option(name, fallback):
    if name not in sys.argv:
        return fallback
    at = sys.argv.index(name)
    value = int(sys.argv[at + 1])
    del sys.argv[at:at + 2]
    return value


if __name__ == "__main__":
    COUNT, SEED = option("--count", COUNT), option("--seed", SEED)
    server_harness.main()
