#!/usr/bin/env python3
"""Checks what the server sends against api/openapi.yaml: statuses, headers, bodies, error codes, events and messages.

As a program, `server_contract.py FOLDER` reads what the test files have recorded there (PLANEXE_CONTRACT_RECORD) and
lists each declared status and code that no test has met.
"""
import functools
import json
import os
import pathlib
import re
import sys
import urllib.parse

import jsonschema
import yaml

FILE = pathlib.Path(__file__).resolve().parents[2] / "api" / "openapi.yaml"
# Headers that may come several times.
LISTS = ("Vary", "Allow", "Cache-Control")
METHODS = ("get", "put", "post", "delete", "patch")


class Violation(AssertionError):
    """What was sent is not what the contract says."""


class Operation:
    def __init__(self, contract, path, method, item, data):
        self.id, self.method, self.path, self.data = data["operationId"], method.upper(), path, data
        self.parameters = [contract.plain(p) for p in item.get("parameters", []) + data.get("parameters", [])]
        self.responses = {int(status): contract.plain(r) for status, r in data["responses"].items()}
        self.open = data.get("security") == []
        self.socket = "101" in data["responses"]
        self.events = {e["event"]: contract.plain(e["schema"]) for e in data.get("x-events", [])}
        body = data.get("requestBody")
        self.body = contract.plain(body["content"]["application/json"]["schema"]) if body else None
        self.body_required = bool(body and body.get("required"))
        self.limits = data.get("x-limits", {})
        self.every_code = contract.schemas["ErrorCode"]["enum"]

    def places(self, where):
        return [p for p in self.parameters if p["in"] == where]

    def codes(self, status):
        """Error codes that a status of this operation may carry."""
        found = [set(self.every_code)]
        for media in self.responses.get(status, {}).get("content", {}).values():
            for part in _branches([media["schema"]]):
                code = part.get("properties", {}).get("code", {})
                found.append({code["const"]} if "const" in code else set(code.get("enum", self.every_code)))
        return set.intersection(*found)

    def target(self, values, query=()):
        path = re.sub(r"\{(\w+)\}", lambda m: urllib.parse.quote(str(values[m[1]]), safe="~"), self.path)
        query = list(query.items() if isinstance(query, dict) else query)
        return path + ("?" + urllib.parse.urlencode(query) if query else "")


class Contract:
    def __init__(self, file=FILE):
        self.document = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.schemas = {name: self.plain(schema) for name, schema in self.document["components"]["schemas"].items()}
        self.operations = {}
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    operation = Operation(self, path, method, item, item[method])
                    self.operations[operation.id] = operation
        self.common = {name: self.plain(h) for name, h in self.document["x-common-headers"].items()}
        self.unrouted = {int(s): self.plain(r) for s, r in self.document["x-unrouted-responses"].items()}
        socket = self.operations["openProgressSocket"].data
        self.messages = {m["type"]: self.plain(m["schema"]) for m in socket["x-messages"]["server"]}
        self.close_codes = {c["code"] for c in socket["x-close-codes"]}
        self.seen = set()

    def plain(self, value):
        """The value with every reference replaced by what it refers to."""
        if isinstance(value, list):
            return [self.plain(v) for v in value]
        if not isinstance(value, dict):
            return value
        rest = {k: self.plain(v) for k, v in value.items() if k not in ("$ref", "examples", "example", "description")
                or k in ("example", "description") and isinstance(v, dict)}
        if "$ref" not in value:
            return rest
        target = self._referred(value["$ref"])
        return {"allOf": [target], **rest} if rest else target

    @functools.lru_cache(maxsize=None)
    def _referred(self, reference):
        at = self.document
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]
        return self.plain(at)

    # ------------------------------------------------------------------ values
    def check(self, value, schema, what, strict=True):
        """The value follows the schema and has no field that the schema does not know."""
        error = next(iter(sorted(_validator(_key(schema)).iter_errors(value), key=lambda e: -len(e.absolute_path))), None)
        if error:
            while error.context:
                error = max(error.context, key=lambda e: len(e.absolute_path))
            raise Violation("%s: %s at %s, %r" % (what, error.message[:300], list(error.absolute_path), str(error.instance)[:200]))
        for place in undeclared(value, [schema]) if strict else ():
            raise Violation("%s: the field %s is not in the contract" % (what, place))

    def fits(self, value, schema):
        return _validator(_key(schema)).is_valid(value)

    # --------------------------------------------------------------- responses
    def check_reply(self, operation, reply, method=None):
        """One answer of an operation; `method` when it was HEAD."""
        if isinstance(operation, str):
            operation = self.operations[operation]
        what = "%s %s -> %d" % (method or operation.method, operation.path, reply.status)
        if reply.status not in operation.responses:
            raise Violation("%s: not a declared status; %s" % (what, reply))
        self._check_parts(what, operation.responses[reply.status], reply, method == "HEAD")
        self.seen.add((operation.id, reply.status, _code(reply)))

    def check_unrouted(self, reply, method="GET"):
        if reply.status not in self.unrouted:
            raise Violation("a request to no operation was answered %s" % reply)
        self._check_parts("no operation -> %d" % reply.status, self.unrouted[reply.status], reply, method == "HEAD")
        self.seen.add(("unrouted", reply.status, _code(reply)))

    def _check_parts(self, what, response, reply, without_body):
        for name, header in {**self.common, **response.get("headers", {})}.items():
            self._check_header(what, name, header, reply)
        for name, value in reply.headers:
            if name.lower() in ("server", "x-powered-by") and value != "planexe":
                raise Violation("%s: the header %s tells what it should not" % (what, name))
        content = response.get("content")
        if not content:
            if reply.body or reply.header("Content-Length", "0") != "0":
                raise Violation("%s: a body where none is declared: %r" % (what, reply.body[:200]))
            return
        full = reply.header("Content-Type") or ""
        kind = full.split(";")[0].strip().lower()
        if kind not in content:
            raise Violation("%s: content type %r is not declared" % (what, full))
        if kind.startswith("text/") and kind != "text/event-stream" and "charset=utf-8" not in full.replace(" ", "").lower():
            raise Violation("%s: content type %r without charset" % (what, full))
        if without_body or kind == "text/event-stream":
            return
        if kind.startswith("text/") and reply.status != 206:
            reply.body.decode("utf-8")
        if kind == "application/json" and reply.status != 206:
            self._check_json(what, content[kind]["schema"], reply)

    def _check_header(self, what, name, header, reply):
        values = reply.all(name)
        if not values:
            if header.get("required"):
                raise Violation("%s: the header %s is missing" % (what, name))
            return
        if len(values) > 1 and name not in LISTS:
            raise Violation("%s: the header %s comes %d times" % (what, name, len(values)))
        value = ", ".join(values)
        if header["schema"].get("type") == "integer" and re.fullmatch(r"-?\d+", value):
            value = int(value)
        self.check(value, header["schema"], "%s, header %s" % (what, name))

    def _check_json(self, what, schema, reply):
        try:
            value = strict_json(reply.body)
        except ValueError as error:
            raise Violation("%s: no JSON (%s): %r" % (what, error, reply.body[:200])) from None
        # The document itself may have all that OpenAPI knows.
        self.check(value, schema, what, strict="openapi" not in schema.get("properties", {}))
        if reply.status >= 400:
            if value["request_id"] != reply.header("X-Request-Id"):
                raise Violation("%s: two request ids" % what)
            if "retry_after_seconds" in value and str(value["retry_after_seconds"]) != reply.header("Retry-After"):
                raise Violation("%s: Retry-After differs from retry_after_seconds" % what)

    # ---------------------------------------------------------------- messages
    def check_message(self, message, what="message"):
        kind = message.get("type")
        if kind not in self.messages:
            raise Violation("%s: unknown type %r" % (what, kind))
        self.check(message, self.messages[kind], "%s %s" % (what, kind))
        self.seen.add(("message", 0, kind))

    def check_event(self, operation, event):
        operation = self.operations[operation]
        if event.name not in operation.events:
            raise Violation("%s: unknown event %r" % (operation.path, event.name))
        value = strict_json(event.data.encode())
        self.check(value, operation.events[event.name], "%s, event %s" % (operation.path, event.name))
        self.seen.add((operation.id, 200, event.name))
        if operation.id == "streamProgress":
            # What takes no number may leave it out, so that a reconnect does not skip what was not sent yet.
            unnumbered = value["type"] in ("connection", "heartbeat", "error") and event.id_line is None
            if event.name != value["type"] or event.id_line != str(value["seq"]) and not unnumbered:
                raise Violation("%s: id %s and event %s of %s" % (operation.path, event.id_line, event.name, event.data[:200]))
        return value

    # ---------------------------------------------------------------- coverage
    def declared(self):
        """Every (operation, status, code) that the contract names; the code is None for success."""
        for operation in self.operations.values():
            for status in operation.responses:
                codes = operation.codes(status) if status >= 400 else {None}
                yield from ((operation.id, status, code) for code in codes)

    def record(self, name):
        folder = os.environ.get("PLANEXE_CONTRACT_RECORD")
        if folder:
            pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
            pathlib.Path(folder, name + ".json").write_text(json.dumps(sorted(map(list, self.seen), key=str)))


def _code(reply):
    if reply.status < 400:
        return None
    try:
        return reply.json().get("code")
    except ValueError:
        return None


_schemas = {}


def _key(schema):
    _schemas.setdefault(id(schema), schema)
    return id(schema)


@functools.lru_cache(maxsize=None)
def _validator(key):
    return jsonschema.Draft202012Validator(_schemas[key])


def undeclared(value, schemas, place=""):
    """Places of fields in objects that no schema for that object names."""
    schemas = list(_branches(schemas))
    if any(not schema.keys() - {"description"} for schema in schemas):
        return
    if isinstance(value, dict):
        known = {}
        for schema in schemas:
            if schema.get("additionalProperties"):
                return
            for name, part in schema.get("properties", {}).items():
                known.setdefault(name, []).append(part)
        if not known:
            return
        for name, member in value.items():
            if name not in known:
                yield place + "/" + name
            else:
                yield from undeclared(member, known[name], place + "/" + name)
    elif isinstance(value, list):
        items = [schema["items"] for schema in schemas if isinstance(schema.get("items"), dict)]
        for at, member in enumerate(value[:200]):
            if items:
                yield from undeclared(member, items, "%s/%d" % (place, at))


def _branches(schemas):
    for schema in schemas:
        yield schema
        for key in ("allOf", "anyOf", "oneOf"):
            yield from _branches(schema.get(key, []))


def strict_json(data):
    """JSON as RFC 8259 has it: UTF-8, no NaN, no repeated names."""
    def unique(pairs):
        names = [name for name, _ in pairs]
        if len(names) != len(set(names)):
            raise ValueError("a name comes twice in %s" % sorted(names)[:20])
        return dict(pairs)

    def no_constant(name):
        raise ValueError("%s is no JSON" % name)

    text = data.decode("utf-8")
    return json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)


@functools.lru_cache(maxsize=1)
def contract():
    return Contract()


def main():
    seen = set()
    for file in pathlib.Path(sys.argv[1]).glob("*.json"):
        seen |= {tuple(entry) for entry in json.loads(file.read_text())}
    declared = set(contract().declared())
    for entry in sorted(declared - seen, key=str):
        print("never met: %s %d %s" % (entry[0], entry[1], entry[2] or ""))
    print("%d of %d declared answers met" % (len(declared & seen), len(declared)))


if __name__ == "__main__":
    main()
