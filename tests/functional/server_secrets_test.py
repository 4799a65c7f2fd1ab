#!/usr/bin/env python3
"""Secrets stay where they are needed: marker keys are planted wherever a user may put one, everything is made to happen, and then
every byte that the server gave out or wrote is searched for them."""
import base64
import io
import json
import os
import pathlib
import re
import urllib.parse
import zipfile

import harness
import server_harness
from harness import PROMPT, eventually
from server_contract import contract
from server_harness import Api, Server, ServerCase, read_messages
from server_wire import Http, Socket

ENVIRONMENT = "sk-proj-environmentmarker0000"
FILE = "sk-or-v1-dotenvmarker11111111"
HEADER = "teamheadermarker22222222"
LITERAL = "literalheadermarker33333333"
UNUSED = "unusedkeymarker44444444"
TOKEN, OTHER = "tokenmarker-5555.5555", "tokenmarker~6666_6666"
WRONG = "guessedmarker-77777777"
MARKERS = {"key of the environment": ENVIRONMENT, "key of .env": FILE, "header's variable": HEADER, "literal header": LITERAL, "key that nothing uses": UNUSED,
           "token": TOKEN, "other token": OTHER, "guessed token": WRONG}


def shapes(secret):
    """The secret, and what it looks like in the encodings that something may have gone through."""
    found = {secret.encode(), urllib.parse.quote(secret, safe="").encode(), secret.encode("utf-16-le"), secret.encode().hex().encode()}
    for shift in range(3):
        # Whole groups only: what stands around the secret changes the characters at both ends.
        encoded = base64.b64encode(b"x" * shift + secret.encode())
        found.add(encoded[(4 if shift else 0):len(encoded) // 4 * 4 - 4])
    return found


SHAPES = [(name, shape) for name, secret in MARKERS.items() for shape in shapes(secret)]


def unpacked(data):
    """The bytes, and those of an archive's files."""
    yield data
    if data[:4] == b"PK\3\4":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name.encode() + b"\n" + archive.read(name)


class SecretsCase(ServerCase):
    def expect_clean(self, what, data):
        data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        for part in unpacked(data):
            for name, shape in SHAPES:
                at = part.find(shape)
                if at >= 0:
                    self.fail("%s holds the %s: %r" % (what, name, part[max(0, at - 80):at + len(shape) + 40]))

    def expect_clean_folder(self, box, but=()):
        for name, data in box.all_bytes().items():
            if name not in but:
                self.expect_clean(name, data)

    def catalogue(self):
        entry = {"provider": "own", "base_url": self.rehearsal.url + "/v1", "responses": True, "strict_on_responses": True, "api_key_env": "OPENAI_API_KEY",
                 "headers": {"X-Team": "${TEAM_HEADER}", "X-Literal": LITERAL}, "context_window": 400000, "max_output_tokens": 32000, "requires_api_key": True}
        return {"first": {**entry, "model": "m-first", "priority": 1}, "second": {**entry, "model": "m-second", "priority": 2, "api_key_env": "OPENROUTER_API_KEY"}}

    def planted(self, **env):
        """A server whose surroundings are full of secrets, with real model entries that send them."""
        box = self.sandbox()
        (box.folder / ".env").write_text("OPENROUTER_API_KEY=%s\nANTHROPIC_API_KEY='%s'\n" % (FILE, UNUSED))
        settings = {"PLANEXE_REHEARSAL_URL": None, "OPENAI_API_KEY": ENVIRONMENT, "TEAM_HEADER": HEADER, "AZURE_OPENAI_API_KEY": UNUSED, "PLANEXE_API_TOKENS": "a:%s,b:%s" % (TOKEN, OTHER),
                    "PLANEXE_LLM_CONFIG_JSON": json.dumps(self.catalogue()), "PLANEXE_LLM_LOG_PAYLOADS": "true", "PLANEXE_LOG_LEVEL": "trace"}
        server = Server(box, **{**settings, **env})
        self.addCleanup(lambda: server.alive and server.stop())
        return server

    def echo(self, status, secret, repeat=1, **match):
        """A provider that repeats what it was sent, as some do in their errors."""
        message = "Incorrect API key provided: %s. Your request had Authorization: Bearer %s, X-Team: %s and X-Literal: %s." % (secret, secret, HEADER, LITERAL)
        self.script({"status": status, "headers": {"x-request-id": "req_" + secret}, "body": {"error": {"message": message, "type": "invalid_request_error", "code": secret, "param": secret}}},
                    repeat=repeat, **match)

    def read_everything(self, api, **values):
        """Every GET of the contract with these values in its path, as allowed and as refused; gives what came."""
        for operation in contract().operations.values():
            if operation.method != "GET" or operation.socket:
                continue
            path = re.sub(r"\{(\w+)\}", lambda m: urllib.parse.quote(values.get(m[1], "nothing"), safe=""), operation.path)
            for query in ("", "?capability=all", "?include=stages,log,files", "?format=json"):
                for headers in ({"Authorization": "Bearer " + TOKEN}, {"Cookie": "planexe_token=" + OTHER}, {"Authorization": "Bearer " + WRONG}):
                    reply = Http(api.server.port).request("GET", path + query, headers)
                    yield "%s%s -> %d" % (path, query, reply.status), str(reply.headers).encode() + reply.body

    def calls_of(self, api, plan_id):
        page = api.get("listInteractions", id=plan_id, query={"limit": 200})
        return [entry["id"] for entry in page["interactions"]]


class Everywhere(SecretsCase):
    def test_nothing_gives_a_secret_away(self):
        server = self.planted()
        api = Api(server, TOKEN)
        self.assertEqual([m["id"] for m in api.get("listModels")], ["first", "second"])
        self.echo(500, ENVIRONMENT, task="swot_analysis")
        self.echo(400, FILE, task="team_members_with_contract_type")
        good = api.wait(api.create()["plan_id"])
        self.sent_with_keys()
        self.rehearsal.reset()
        self.echo(401, ENVIRONMENT, repeat=0)
        bad = api.wait(api.create()["plan_id"])
        self.assertEqual(bad["status"], "failed", bad)
        self.rehearsal.reset()
        told = [*self.follow(api, good["plan_id"]), *self.follow(api, bad["plan_id"])]
        turn_token = self.converse(api)
        self.misbehave(server)
        for plan in (good, bad):
            for what, data in self.read_everything(api, id=plan["plan_id"], filename="029-report.html", interaction_id=str(self.calls_of(api, plan["plan_id"])[0])):
                self.expect_clean(what, data)
            for call in self.calls_of(api, plan["plan_id"]):
                self.expect_clean("call %d" % call, api.call("getInteraction", id=plan["plan_id"], interaction_id=call).body)
        for message in told:
            self.expect_clean("an event", json.dumps(message))
        self.expect_clean_folder(server.box, (".env",))
        self.assertEqual(server.stop(), 0)
        self.expect_clean("standard output", "\n".join(server.said))
        self.expect_clean_folder(server.box, (".env",))
        log = server.log()
        self.assertIn("name=PLANEXE_API_TOKENS", log, "the settings are told")
        self.assertNotIn(turn_token, log, "the token of a turn stands in its address, not in the log")
        self.expect_clean("doctor", str(server.box.run("doctor", env={k: v for k, v in server.env.items() if v is not None})))

    def sent_with_keys(self):
        """The search means nothing unless the secrets were used: the provider got them, in headers that it masks itself or shows."""
        requests = [r for r in self.rehearsal.get("/control/requests")["data"] if r["method"] == "POST"]
        self.assertTrue(requests)
        for request in requests:
            sent = json.dumps(request).lower()
            self.assertIn("authorization", sent)
            self.assertIn(LITERAL, sent)
            self.assertIn(HEADER, sent)

    def follow(self, api, plan_id):
        messages = api.stream(id=plan_id, query={"after": "0"}).values()
        with api.socket(plan_id, "?after=0") as socket:
            found, code = read_messages(socket)
        self.assertEqual(code, 1000)
        self.assertGreater(len(messages), 5)
        return messages + found

    def converse(self, api):
        """A turn that goes well and one that fails with the provider's words; gives the token of the first."""
        conversation = api.call("createConversation", body={"model_key": "first"}).json()["conversation_id"]
        turn = {"model_key": "first", "user_message": PROMPT}
        token = api.call("prepareTurn", id=conversation, body=turn).json()["token"]
        events = [event.value for event in api.stream("streamTurn", {"token": token, "modelKey": "first"}, id=conversation)]
        self.echo(401, ENVIRONMENT, repeat=0)
        reply = api.http.request("POST", "/api/conversations/%s/followups" % conversation, {**api.headers, "Content-Type": "application/json"}, json.dumps(turn).encode())
        self.assertGreaterEqual(reply.status, 400)
        analysis = api.call("createAnalysis", body={"task_id": "t", "model_key": "second", "prompt": "x"}).json()
        events += [event.value for event in api.stream("streamAnalysis", task_id="t", model_key="second", session_id=analysis["session_id"])]
        self.rehearsal.reset()
        self.expect_clean("turns", json.dumps(events))
        self.expect_clean("a failed turn", reply.body)
        self.expect_clean("the conversation", api.call("getConversation", id=conversation).body)
        return token

    def misbehave(self, server):
        """Requests that put secrets where they do not belong."""
        for method, target, headers, body in (
                ("POST", "/api/auth/login", {}, {"token": WRONG}), ("POST", "/api/auth/login", {}, {"token": [WRONG]}), ("GET", "/api/plans?token=" + TOKEN, {}, None),
                ("GET", "/api/plans", {"Authorization": "Basic " + WRONG}, None), ("GET", "/api/plans", {"Cookie": "planexe_token=%s; other=%s" % (WRONG, WRONG)}, None),
                ("POST", "/api/plans?access_token=" + TOKEN, {"Authorization": "Bearer " + TOKEN}, {"prompt": 1, TOKEN: TOKEN}),
                ("GET", "/ping", {"X-Request-Id": "id " + TOKEN}, None), ("GET", "/ping", {"Host": TOKEN}, None), ("GET", "/ping", {"Origin": "http://" + TOKEN}, None)):
            data = None if body is None else json.dumps(body).encode()
            reply = Http(server.port).request(method, target, {"Content-Type": "application/json", **headers}, data)
            self.expect_clean("%s %s" % (method, target), str(reply.headers).encode() + reply.body)
        for offered in ("planexe.v1, bearer." + WRONG, "planexe.v1, bearer." + TOKEN):
            with Socket(server.port, "/ws/plans/nothing/progress", {"Sec-WebSocket-Protocol": offered}) as socket:
                messages, _ = socket.close_code()
                self.expect_clean("a socket", json.dumps(messages) + str(socket.reply))


class Children(SecretsCase):
    """Programs that the server starts."""

    def children(self, pid):
        found = []
        for folder in pathlib.Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(folder)
            except (OSError, IndexError):
                continue
        return found

    def test_their_environment_and_arguments_are_clean(self):
        # No entry of this catalogue can be asked, so the rehearsal model stands in.
        server = self.planted(PLANEXE_LLM_CONFIG_JSON=json.dumps({"none": {"provider": "openai", "model": "x", "api_key_env": "NOT_SET", "headers": {"X-Literal": LITERAL}}}))
        api = Api(server, TOKEN)
        self.assertTrue(api.get("getHealth")["rehearsal"])
        children = self.children(server.child.pid)
        self.assertEqual(len(children), 1, "the rehearsal server")
        for child in children:
            environment = (child / "environ").read_bytes()
            self.assertTrue((child / "cmdline").read_bytes())
            self.expect_clean("environment of a child", environment)
            self.expect_clean("arguments of a child", (child / "cmdline").read_bytes())
            for name in (b"OPENAI_API_KEY", b"PLANEXE_API_TOKENS", b"TEAM_HEADER", b"PLANEXE_LLM_CONFIG_JSON", b"ANTHROPIC_API_KEY"):
                self.assertNotIn(name, environment)
            # It holds none of the server's files either.
            self.assertLessEqual({os.readlink(fd) for fd in (child / "fd").iterdir() if os.readlink(fd).startswith(str(server.box.folder))}, {str(server.errors)})
        api.completed()
        self.assertEqual(server.stop(), 0)
        self.assertTrue(eventually(lambda: not any(child.exists() for child in children), 10), "the child ends with the server")
        self.expect_clean_folder(server.box, (".env",))


class TheSearch(harness.Case):
    def test_it_finds_what_it_looks_for(self):
        case = SecretsCase()
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
            writer.writestr("a", "x" * 1000 + TOKEN)
        for data in ("Bearer " + TOKEN, b"\0" + FILE.encode(), archive.getvalue(), "a=" + urllib.parse.quote(OTHER, safe=""), base64.b64encode(b"ab" + ENVIRONMENT.encode() + b"cd")):
            with self.assertRaises(AssertionError):
                case.expect_clean("planted", data)
        case.expect_clean("clean", "nothing of that kind: sk-… Bearer ***")


if __name__ == "__main__":
    server_harness.main()
