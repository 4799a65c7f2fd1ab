#!/usr/bin/env python3
"""Who is let in: every operation of the running server's own contract with no, wrong and right tokens; hosts, origins, CORS, proxies, rate limits."""
import re

import server_harness
from server_contract import Operation, contract
from server_harness import Api, Server, ServerCase
from server_wire import Http, Socket, Wire, handshake, request_bytes

ALICE, CI = "alice-0123456789abcdef", "ci~fedcba9876543210.x"
WRONG = "alice-0123456789abcdeX"
EVIL, LISTED = "http://evil.example", "https://app.example.com"
UNKNOWN = {"id": "PlanExe_00000000-0000-4000-8000-000000000000", "plan_id": "PlanExe_00000000-0000-4000-8000-000000000000"}


class AccessCase(ServerCase):
    server_env = {"PLANEXE_API_TOKENS": "alice:%s,ci:%s" % (ALICE, CI), "PLANEXE_CORS_ORIGINS": LISTED + ",http://localhost:3000"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        document = Http(cls.server.port).request("GET", "/openapi.json").json()
        cls.operations = []
        for path, item in document["paths"].items():
            for method, data in item.items():
                if method in ("get", "put", "post", "delete", "patch"):
                    cls.operations.append(Operation(contract(), path, method, item, data))

    def target(self, operation):
        return re.sub(r"\{(\w+)\}", lambda m: UNKNOWN.get(m[1], "nothing"), operation.path)

    def ask(self, operation, headers=(), query="", port=None):
        """One request that changes nothing but is far enough to be told apart from a refused one."""
        headers = dict(headers)
        if operation.socket:
            return self.open(operation, headers, query)
        body = None
        if operation.method != "GET":
            headers.setdefault("Content-Type", "application/json")
            body = b"{}"
        reply = self.send(operation.method, self.target(operation) + query, headers, body, port)
        contract().check_reply(operation.id, reply)
        return reply

    def open(self, operation, headers, query=""):
        """A socket: the reply that refused it, or how it was closed."""
        with Socket(self.server.port, self.target(operation) + query, headers) as socket:
            if socket.refused:
                contract().check_reply(operation.id, socket.refused)
                return socket.refused
            messages, code = socket.close_code()
            for message in messages:
                contract().check_message(message)
            self.assertEqual([m["type"] for m in messages], ["error"])
            return code

    def expect_out(self, operation, headers, query=""):
        answer = self.ask(operation, headers, query)
        if operation.socket:
            return self.assertEqual(answer, 4401)
        self.expect_error(answer, 401, "UNAUTHORIZED")
        self.assertEqual(answer.header("WWW-Authenticate"), "Bearer")

    def expect_in(self, operation, headers):
        answer = self.ask(operation, headers)
        if operation.socket:
            return self.assertEqual(answer, 4404)
        self.assertNotIn(answer.status, (401, 403), "%s %s" % (operation.id, answer))


class Matrix(AccessCase):
    """Operations × ways × tokens."""

    def test_the_document_says_which_are_open(self):
        self.assertGreaterEqual(len(self.operations), 35)
        self.assertEqual({o.id for o in self.operations}, set(contract().operations))
        self.assertEqual({o.id for o in self.operations if o.open}, {"getHealth", "ping", "getDocs", "getOpenapi", "login"})

    def test_no_token(self):
        for operation in self.operations:
            with self.subTest(operation=operation.id):
                if operation.open:
                    self.assertNotIn(self.ask(operation).status, (401, 403))
                else:
                    self.expect_out(operation, {})

    def test_wrong_tokens(self):
        cookie = "planexe_token="
        for operation in self.operations:
            for headers in ({"Authorization": "Bearer " + WRONG}, {"Authorization": "Bearer"}, {"Authorization": "Bearer " + ALICE + " x"}, {"Authorization": "Basic " + ALICE},
                            {"Authorization": ALICE}, {"Authorization": "Bearer " + ALICE[:-1]}, {"Cookie": cookie + WRONG}, {"Cookie": "other=" + ALICE},
                            {"Cookie": cookie.upper() + ALICE}, {"X-Api-Key": ALICE}, {"Authorization": "Bearer " + WRONG, "Cookie": cookie + ALICE}):
                with self.subTest(operation=operation.id, headers=headers):
                    if operation.open:
                        self.assertNotIn(self.ask(operation, headers).status, (401, 403))
                    else:
                        self.expect_out(operation, headers)

    def test_right_tokens(self):
        for operation in self.operations:
            for headers in ({"Authorization": "Bearer " + ALICE}, {"Authorization": "bearer   " + CI}, {"Cookie": "planexe_token=" + ALICE}, {"Cookie": "a=b; planexe_token=%s; c=d" % CI},
                            {"Cookie": "planexe_token=%s; planexe_token=%s" % (WRONG, ALICE)}):
                with self.subTest(operation=operation.id, headers=headers):
                    self.expect_in(operation, headers)

    def test_a_token_in_the_address_opens_nothing(self):
        for operation in self.operations:
            if not operation.open:
                for name in ("token", "access_token", "planexe_token", "bearer"):
                    with self.subTest(operation=operation.id, name=name):
                        self.expect_out(operation, {}, "?%s=%s" % (name, ALICE))

    def test_subprotocols(self):
        (operation,) = [o for o in self.operations if o.socket]
        for offered, code in (("planexe.v1, bearer." + ALICE, 4404), ("bearer.%s,planexe.v1" % CI, 4404), ("planexe.v1, bearer." + WRONG, 4401), ("planexe.v1", 4401),
                              ("planexe.v1, " + ALICE, 4401), ("planexe.v1, Bearer." + ALICE, 4401)):
            with self.subTest(offered=offered):
                with Socket(self.server.port, self.target(operation), {"Sec-WebSocket-Protocol": offered}) as socket:
                    self.assertEqual(socket.reply.all("Sec-WebSocket-Protocol"), ["planexe.v1"])
                    self.assertEqual(socket.close_code()[1], code)
        # They count for sockets only.
        reply = self.send("GET", "/api/plans", {"Sec-WebSocket-Protocol": "planexe.v1, bearer." + ALICE})
        self.expect_error(reply, 401, "UNAUTHORIZED")

    def test_the_token_is_asked_for_before_anything_else_is_told(self):
        for body, kind in ((b"{", "application/json"), (b"{}", "text/plain"), (b'{"prompt":1}', "application/json")):
            self.expect_error(self.send("POST", "/api/plans", {"Content-Type": kind}, body), 401, "UNAUTHORIZED")
        for target in ("/api/plans?limit=x", "/api/plans?cursor=x", "/api/plans/" + UNKNOWN["id"], "/api/plans/a.b/tasks"):
            self.expect_error(self.send("GET", target), 401, "UNAUTHORIZED")

    def test_head_options_and_unknown_paths(self):
        for operation in self.operations:
            if operation.method == "GET" and not operation.socket and not operation.open:
                self.assertEqual(self.send("HEAD", self.target(operation)).status, 401, operation.id)
                self.assertNotIn(self.send("HEAD", self.target(operation), {"Authorization": "Bearer " + ALICE}).status, (401, 403), operation.id)
            self.assertEqual(self.send("OPTIONS", self.target(operation)).status, 204, operation.id)
        for target in ("/", "/docs", "/no-page"):
            self.assertNotEqual(self.send("GET", target).status, 401)
        self.expect_error(self.send("GET", "/api/nothing"), 404, "NOT_FOUND")

    def test_tokens_see_the_same_plans_and_name_their_owner(self):
        self.hold()
        for token, name in ((ALICE, "alice"), (CI, "ci")):
            plan_id = Api(self.server, token).create()["plan_id"]
            self.addCleanup(self.forget, Api(self.server, ALICE), plan_id)
            self.assertEqual(self.box.value("SELECT user_id FROM plans WHERE plan_id = ?", plan_id), name)
        lists = [[p["plan_id"] for p in Api(self.server, token).get("listPlans")] for token in (ALICE, CI)]
        self.assertEqual(len(lists[0]), 2)
        self.assertEqual(lists[0], lists[1])


class Cookies(AccessCase):
    def login(self, token, headers=(), server=None):
        reply = Api(server or self.server, headers=dict(headers)).http.request(
            "POST", "/api/auth/login", {"Content-Type": "application/json", **dict(headers)}, b'{"token":"%s"}' % token.encode())
        contract().check_reply("login", reply)
        return reply

    def test_login_opens_everything_that_a_browser_needs(self):
        reply = self.login(ALICE)
        self.assertEqual(reply.status, 204)
        cookie, *attributes = [part.strip() for part in reply.header("Set-Cookie").split(";")]
        self.assertEqual(sorted(attributes), ["HttpOnly", "Path=/", "SameSite=Strict"])
        api = Api(self.server, headers={"Cookie": cookie})
        plan_id = api.completed()["plan_id"]
        self.assertEqual([e.name for e in api.stream(id=plan_id)][-1], "stream_end")
        with api.socket(plan_id) as socket:
            self.assertEqual(socket.close_code()[1], 1000)
        self.assertEqual(api.call("logout", 204).header("Set-Cookie").split(";")[0], "planexe_token=")
        self.assertIn("Max-Age=0", api.call("logout", 204).header("Set-Cookie"))

    def test_wrong_tokens_set_nothing(self):
        for token in (WRONG, "", "x" * 300, ALICE + " ", "alice"):
            reply = self.login(token)
            self.assertIn(reply.status, (401, 422), token)
            self.assertIsNone(reply.header("Set-Cookie"))
            if token:
                self.assertNotIn(token, reply.text)

    def test_secure_only_behind_a_trusted_proxy_with_https(self):
        self.assertNotIn("Secure", self.login(ALICE, {"X-Forwarded-Proto": "https"}).header("Set-Cookie"))
        server = self.own_server(PLANEXE_API_TOKENS="alice:" + ALICE, PLANEXE_TRUSTED_PROXIES="127.0.0.1")
        self.assertIn("Secure", self.login(ALICE, {"X-Forwarded-Proto": "https"}, server).header("Set-Cookie"))
        self.assertNotIn("Secure", self.login(ALICE, {"X-Forwarded-Proto": "http"}, server).header("Set-Cookie"))

    def test_without_tokens_there_is_nothing_to_log_in_to(self):
        server = self.own_server()
        self.assertIsNone(self.login(ALICE, server=server).header("Set-Cookie"))
        self.assertFalse(Api(server).get("getConfig")["auth_required"])
        self.assertTrue(Api(self.server, ALICE).get("getConfig")["auth_required"])


class Hosts(AccessCase):
    def test_every_operation_refuses_other_hosts(self):
        for operation in self.operations:
            with self.subTest(operation=operation.id):
                answer = self.ask(operation, {"Host": "evil.example", "Authorization": "Bearer " + ALICE})
                self.expect_error(answer, 403, "HOST_NOT_ALLOWED")
        for target in ("/", "/no-page", "/api/nothing"):
            self.expect_error(self.send("GET", target, {"Host": "evil.example"}), 403, "HOST_NOT_ALLOWED")

    def test_names_of_this_machine(self):
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]"):
            self.assertEqual(self.send("GET", "/ping", {"Host": host}).status, 200, host)
        for host in ("localhost.evil.example", "evil.localhost", "127.0.0.1.evil.example", "127.0.0.2", "[::2]", "localhost:", "localhost:x", "localhost:99999", "localhost/x",
                     "a@localhost", "localhost localhost", "0.0.0.0"):
            self.assertEqual(self.send("GET", "/ping", {"Host": host}).status, 403, host)

    def test_the_list_of_hosts(self):
        server = self.own_server(PLANEXE_ALLOWED_HOSTS="plans.example.com,other.example:8443")
        for host, status in (("plans.example.com", 200), ("Plans.Example.Com:99", 200), ("other.example:8443", 200), ("other.example", 403), ("other.example:1", 403),
                             ("x.plans.example.com", 403), ("localhost", 200)):
            self.assertEqual(self.send("GET", "/ping", {"Host": host}, port=server.port).status, status, host)


class Origins(AccessCase):
    def own(self):
        return "http://127.0.0.1:%d" % self.server.port

    def test_what_changes_something_is_refused_to_pages_of_other_origins(self):
        for operation in self.operations:
            if operation.method == "GET" and not operation.socket:
                continue
            for origin in (EVIL, "null", "https://127.0.0.1:%d" % self.server.port, "http://127.0.0.1:1", LISTED + ".evil.example", "file://", "http://127.0.0.1:%d/x" % self.server.port,
                           LISTED + ":444"):
                with self.subTest(operation=operation.id, origin=origin):
                    answer = self.ask(operation, {"Origin": origin, "Authorization": "Bearer " + ALICE})
                    self.expect_error(answer, 403, "ORIGIN_NOT_ALLOWED")
                    self.assertIsNone(answer.header("Access-Control-Allow-Origin"))
            for origin in (self.own(), LISTED, LISTED + ":443", "http://localhost:3000"):
                with self.subTest(operation=operation.id, origin=origin):
                    self.expect_in(operation, {"Origin": origin, "Authorization": "Bearer " + ALICE})

    def test_reading_is_left_to_the_browser(self):
        for operation in self.operations:
            if operation.method == "GET" and not operation.socket:
                reply = self.ask(operation, {"Origin": EVIL, "Authorization": "Bearer " + ALICE})
                self.assertNotEqual(reply.status, 403, operation.id)
                self.assertIsNone(reply.header("Access-Control-Allow-Origin"), operation.id)
                reply = self.ask(operation, {"Origin": LISTED, "Authorization": "Bearer " + ALICE})
                self.assertEqual(reply.header("Access-Control-Allow-Origin"), LISTED, operation.id)

    def test_preflight(self):
        cors = contract().document["x-cors"]
        words = lambda text: {word.strip().lower() for word in text.split(",")}
        for operation in self.operations:
            asked = {"Access-Control-Request-Method": operation.method, "Access-Control-Request-Headers": "authorization, content-type"}
            with self.subTest(operation=operation.id):
                reply = self.send("OPTIONS", self.target(operation), {"Origin": LISTED, **asked})
                self.assertEqual((reply.status, reply.header("Access-Control-Allow-Origin"), reply.header("Access-Control-Allow-Credentials")), (204, LISTED, "true"))
                self.assertIn(operation.method.lower(), words(reply.header("Access-Control-Allow-Methods")))
                self.assertEqual(words(reply.header("Access-Control-Allow-Headers")), {h.lower() for h in cors["allow_headers"]})
                self.assertEqual(reply.header("Access-Control-Max-Age"), str(cors["max_age_seconds"]))
                self.assertIn("origin", words(", ".join(reply.all("Vary"))))
                for origin in (EVIL, "null", "*"):
                    reply = self.send("OPTIONS", self.target(operation), {"Origin": origin, **asked})
                    self.assertIn("origin", words(", ".join(reply.all("Vary"))))
                    self.assertEqual([n for n, _ in reply.headers if n.lower().startswith("access-control")], [])

    def test_errors_and_files_can_be_read_by_listed_pages(self):
        exposed = {h.lower() for h in contract().document["x-cors"]["expose_headers"]}
        for target, headers in (("/api/plans", {}), ("/api/nothing", {}), ("/api/plans/" + UNKNOWN["id"], {"Authorization": "Bearer " + ALICE}), ("/", {})):
            reply = self.send("GET", target, {"Origin": LISTED, **headers})
            self.assertEqual(reply.header("Access-Control-Allow-Origin"), LISTED, target)
            self.assertEqual({h.strip().lower() for h in reply.header("Access-Control-Expose-Headers").split(",")}, exposed)
            self.assertEqual(len(reply.all("Access-Control-Allow-Origin")), 1)

    def test_behind_a_proxy(self):
        server = self.own_server(PLANEXE_TRUSTED_PROXIES="127.0.0.1", PLANEXE_ALLOWED_HOSTS="plans.example.com", PLANEXE_CORS_ORIGINS="none")

        def status(origin, **headers):
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            return self.send("POST", "/api/auth/logout", {"Origin": origin, **headers}, b"", server.port).status
        outer = {"Host": "plans.example.com", "X_Forwarded_Proto": "https"}
        self.assertEqual(status("https://plans.example.com", **outer), 204)
        self.assertEqual(status("http://plans.example.com", **outer), 403)
        self.assertEqual(status("https://plans.example.com", Host="127.0.0.1", X_Forwarded_Proto="https", X_Forwarded_Host="plans.example.com"), 204)
        self.assertEqual(status("https://plans.example.com", Host="127.0.0.1"), 403)
        # Nobody but the proxy is believed.
        reply = self.send("POST", "/api/auth/logout", {"Origin": EVIL, "X-Forwarded-Host": "evil.example", "Authorization": "Bearer " + ALICE}, b"")
        self.expect_error(reply, 403, "ORIGIN_NOT_ALLOWED")


class Rates(ServerCase):
    server_env = {"PLANEXE_API_TOKENS": "alice:%s,ci:%s" % (ALICE, CI), "PLANEXE_RATE_LIMITS": "on", "PLANEXE_TRUSTED_PROXIES": "127.0.0.1"}

    def ask(self, http, headers, target="/api/config"):
        return http.request("GET", target, headers)

    def test_every_identity_has_its_own_bucket(self):
        classes = contract().document["x-rate-classes"]
        burst = classes["all"]["burst"]
        http = Http(self.server.port)
        alice = {"Authorization": "Bearer " + ALICE}
        replies = [self.ask(http, alice) for _ in range(burst + 40)]
        refused = [reply for reply in replies if reply.status == 429]
        self.assertTrue(refused, "a burst of %d passes" % (burst + 40))
        self.assertEqual({reply.status for reply in replies[:burst]}, {200})
        for reply in refused:
            contract().check_reply("getConfig", reply)
            self.assertEqual(reply.json()["code"], "RATE_LIMITED")
            self.assertGreaterEqual(reply.json()["retry_after_seconds"], 1)
        self.assertEqual(self.ask(http, {"Authorization": "Bearer " + CI}).status, 200)
        self.assertEqual(self.ask(http, {}, "/ping").status, 200)

    def test_guessing_tokens_is_limited_by_address(self):
        http = Http(self.server.port)
        guesses = [self.ask(http, {"Authorization": "Bearer " + WRONG, "X-Forwarded-For": "10.0.0.1"}).status for _ in range(260)]
        self.assertEqual(guesses[0], 401)
        self.assertEqual(guesses[-1], 429)
        # Addresses that the client invents in front of its own do not help.
        self.assertEqual(self.ask(http, {"Authorization": "Bearer " + WRONG, "X-Forwarded-For": "10.9.9.9, 10.0.0.1"}).status, 429)
        self.assertEqual(self.ask(http, {"Authorization": "Bearer " + WRONG, "X-Forwarded-For": "10.0.0.2"}).status, 401)

    def test_classes_have_limits_of_their_own(self):
        api = Api(self.server, CI, headers={"X-Forwarded-For": "10.0.0.3"})
        most = contract().document["x-rate-classes"]["create_plan"]["burst"]
        codes = [api.http.request("POST", "/api/plans", {**api.headers, "Content-Type": "application/json"}, b"{}").status for _ in range(most + 2)]
        self.assertEqual(codes, [422] * most + [429, 429])
        api.get("getConfig")
        text = api.call("getMetrics").text
        self.assertIn('planexe_http_rate_limited_total{class="create_plan"} 2', text)

    def test_sockets_are_limited_before_their_handshake(self):
        headers = {"X-Forwarded-For": "10.0.0.4"}
        most = contract().document["x-rate-classes"]["stream_connect"]["burst"]
        statuses = []
        for _ in range(most + 1):
            with Socket(self.server.port, "/ws/plans/%s/progress" % UNKNOWN["id"], headers) as socket:
                statuses.append(socket.reply.status)
        self.assertEqual(statuses, [101] * most + [429])


class Handshakes(AccessCase):
    """What is no handshake gets an answer of the contract and leaves the connection usable."""

    def try_with(self, change):
        target = "/ws/plans/%s/progress" % UNKNOWN["id"]
        _, data = handshake(self.server.port, target)
        for old, new in change.items():
            self.assertIn(old, data)
            data = data.replace(old, new)
        with Wire(self.server.port) as wire:
            wire.send(data)
            reply = wire.reply()
            if reply.status >= 400:
                contract().check_reply("openProgressSocket", reply)
                wire.send(request_bytes(self.server.port, "GET", "/ping"))
                self.assertEqual(wire.reply().status, 200)
            return reply

    def test_refusals(self):
        for change in ({b"Sec-WebSocket-Version: 13": b"Sec-WebSocket-Version: 8"}, {b"Sec-WebSocket-Version: 13\r\n": b""}, {b"Upgrade: websocket": b"Upgrade: h2c"},
                       {b"Upgrade: websocket\r\n": b""}, {b"Connection: Upgrade": b"Connection: keep-alive"}):
            with self.subTest(change=change):
                reply = self.try_with(change)
                self.expect_error(reply, 426, "UPGRADE_REQUIRED")
                self.assertEqual((reply.header("Upgrade"), reply.header("Sec-WebSocket-Version")), ("websocket", "13"))
                self.assertIn("upgrade", reply.header("Connection").lower())
        reply = self.try_with({b"Sec-WebSocket-Key: ": b"Sec-WebSocket-Key: x"})
        self.expect_error(reply, 400, "INVALID_REQUEST")

    def test_ids_that_no_plan_can_have_are_closed_like_unknown_ones(self):
        for plan_id in ("x" * 129, "a.b", "%20", "a%2Fb", "%C3%A4"):
            with self.subTest(plan_id=plan_id):
                with Socket(self.server.port, "/ws/plans/%s/progress" % plan_id, {"Authorization": "Bearer " + ALICE}) as socket:
                    self.assertIsNone(socket.refused)
                    self.assertEqual(socket.close_code()[1], 4404)


class Start(ServerCase):
    def test_a_public_address_needs_a_token(self):
        for arguments, env in ((("--host", "0.0.0.0"), {}), ((), {"PLANEXE_CLOUD_MODE": "true"}), (("--host", "::"), {"PLANEXE_ALLOW_INSECURE_PUBLIC": "false"})):
            outcome = self.expect_exit(self.box.run("serve", "--port", "0", *arguments, env=env, seconds=30), 3)
            self.assertIn("PLANEXE_API_TOKENS", outcome.err)
        server = Server(self.sandbox(), "--host", "0.0.0.0", PLANEXE_ALLOW_INSECURE_PUBLIC="yes")
        self.addCleanup(lambda: server.alive and server.stop())
        self.assertEqual(Api(server).call("ping").status, 200)

    def test_bad_lists_are_named_without_their_tokens(self):
        for tokens in ("alice", "alice:short", "alice:%s!" % ALICE, "a b:" + ALICE, "alice:%s,alice:%s" % (ALICE, CI), "alice:%s,bob:%s" % (ALICE, ALICE)):
            outcome = self.expect_exit(self.box.run("serve", "--port", "0", env={"PLANEXE_API_TOKENS": tokens}, seconds=30), 3)
            self.assertIn("PLANEXE_API_TOKENS", outcome.err)
            self.assertNotIn(ALICE, outcome.err + outcome.out)


if __name__ == "__main__":
    server_harness.main()
