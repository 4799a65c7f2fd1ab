"""Requests made from a contract: good ones, ones at the limits, and ones that are wrong in a known way. Everything follows from one seed."""
import copy
import json
import random
import re
import urllib.parse

ODD_TEXTS = ["", " ", "\t\r\n", "\u00e4\u00f6\u00fc", "e\u0301" * 20, "\u202eright to left", "\ufeffmark", "\U0001f6b2\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u0007\u001b[31m", "\uffff", "\u2028line",
             "';DROP TABLE plans;--", "<script>alert(1)</script>", "{{7*7}}", "${OPENAI_API_KEY}", "../../etc/passwd", "%00%0a", "null", "0", "true", "a" * 300, "\\", '"', "x" * 5000]
ODD_VALUES = [None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, -2**63, 2**64, 10**30, 0.5, -0.0, 1e308, 5e-324, "", "text", [], {}, [[]], [None], {"": ""}, {"a": {"b": []}}]
ODD_SEGMENTS = ["", ".", "..", "%2e%2e", "%2F", "a%2Fb", "%00", "%ff", "%", "%zz", "%c3%a4", "a.b", "x" * 128, "x" * 129, "x" * 3000, "-", "_", "0", "-1", "9" * 30, "*", ";a=b", "a b".replace(" ", "%20"), "~", "null",
                "PlanExe_00000000-0000-4000-8000-000000000000", "rehearsal%2Fx"]
ODD_QUERY = ["", " ", "-", "+", "abc", "1.5", "1e3", "0x10", "99999999999999999999", "-9223372036854775809", "\u0661", "nan", "true ", "TRUE", "1,2", "\u0000x"[1:] + "\x01", "[]", "x" * 300]
ODD_HEADERS = [("Accept", "text/plain;q=2, */*;q=x"), ("Accept", "application/json;q=0"), ("Accept", "text/html, application/json;q=0.9"), ("Accept", "image/png"), ("If-None-Match", "*"), ("If-None-Match", '"a", W/"b",,'),
               ("If-None-Match", "x" * 1000), ("Range", "bytes=0-0"), ("Range", "bytes=-1"), ("Range", "bytes=99999999999999999999-"), ("Range", "bytes=5-1"), ("Range", "lines=1-2"), ("Range", "bytes=0-1,3-4"), ("If-Range", "x"),
               ("Last-Event-ID", "5"), ("Last-Event-ID", "-1"), ("Last-Event-ID", "99999999999999999999"), ("Last-Event-ID", "x"), ("X-Request-Id", "mine"), ("X-Request-Id", "a b"), ("Authorization", "Bearer x"),
               ("Authorization", "Basic \u00e4"), ("Cookie", "planexe_token=; ; =; a"), ("Origin", "http://evil.example"), ("Origin", "null"), ("Origin", "http://localhost:3000"), ("Accept-Encoding", "gzip;q=0, br"),
               ("Accept-Language", "\u00e4"), ("Idempotency-Key", "key-1"), ("Idempotency-Key", "x" * 256), ("Idempotency-Key", "\u00e4"), ("Expect", "100-continue"), ("Content-Encoding", "gzip"), ("X-Forwarded-For", "1.2.3.4, x"),
               ("Connection", "close"), ("Te", "trailers"), ("Max-Forwards", "0")]
# JSON that is none, or not the JSON that the contract takes.
BROKEN_JSON = [b"{", b"", b"nul", b"{}{}", b"{}x", b"{'a':1}", b'{"a":1,}', b'{"a":01}', b'{"a":NaN}', b'{"a":1e999}', b'{"a":"\\ud800"}', b'{"a":"\\u0000"}', b'{"a":"\x00"}', b'{"a":"\xff"}', b'{"a":"\xc0\xaf"}',
               b'{"a":1,"a":2}', b"[" * 100 + b"]" * 100, b'{"a":' * 70 + b"1" + b"}" * 70, b"\xef\xbb\xbf{}", b'"text"', b"[]", b"1", b'{"a":"\t"}', b"//\n{}", b'{"a":+1}', b"[" * 200000]


class Case:
    """One request, and what is known about its answer before it is sent."""

    def __init__(self, operation, method, target, headers, body):
        self.operation, self.method, self.target, self.headers, self.body = operation, method, target, headers, body
        self.refused = False   # it breaks the contract, so no success may come
        self.routed = True     # the path is that of the operation

    def __str__(self):
        return "%s %s\n%s\n%r" % (self.method, self.target[:600], self.headers, None if self.body is None else self.body[:1500])


class Generator:
    def __init__(self, contract, seed, pools):
        """`pools`: values that exist, by the name of a parameter or field; the caller adds to them as they come."""
        self.contract, self.random, self.pools = contract, random.Random(seed), pools
        self.operations = sorted(contract.operations.values(), key=lambda o: o.id)

    def chance(self, share):
        return self.random.random() < share

    # ------------------------------------------------------------------ values
    def text(self, schema):
        pattern = schema.get("pattern")
        if pattern and self.chance(0.8):
            return "".join(self.random.choices("abcXYZ019_-", k=self.random.choice([1, 8, 40])))
        least, most = schema.get("minLength", 0), min(schema.get("maxLength", 200), 60000)
        kind = self.random.random()
        if kind < 0.3:
            return self.random.choice(ODD_TEXTS)
        length = self.random.choice([least, most, most + 1, max(0, least - 1), self.random.randint(least, max(least, min(most, 200)))])
        return "".join(self.random.choices("abc \u00e4\u4e2d\U0001f6b2\n", k=length))

    def number(self, schema):
        least, most = schema.get("minimum", schema.get("exclusiveMinimum", -5)), schema.get("maximum", schema.get("exclusiveMaximum", 10**6))
        if schema.get("type") == "integer" or "integer" in schema.get("type", ()):
            return self.random.choice([least, most, least - 1, most + 1, self.random.randint(least, most), 2**63, 1.0])
        return self.random.choice([least, most, (least + most) / 2, 0.001, 1e300, -1.5])

    def value(self, schema, name="", depth=0):
        """A value that mostly follows the schema."""
        if self.pools.get(name) and self.chance(0.7):
            return self.random.choice(self.pools[name])
        if self.chance(0.03):
            return copy.deepcopy(self.random.choice(ODD_VALUES))
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self.value(self.random.choice(schema[key]), name, depth)
        merged = dict(schema)
        for part in schema.get("allOf", []):
            properties = {**merged.get("properties", {}), **part.get("properties", {})}
            merged = {**merged, **part, "properties": properties, "required": sorted({*merged.get("required", []), *part.get("required", [])})}
        if "const" in merged:
            return merged["const"]
        if "enum" in merged:
            return self.random.choice(merged["enum"])
        kind = merged.get("type", "object" if merged.get("properties") else "string")
        kind = self.random.choice(kind) if isinstance(kind, list) else kind
        if kind == "object":
            return self.object(merged, depth)
        if kind == "array":
            size = self.random.choice([0, 1, 2, merged.get("maxItems", 3), merged.get("maxItems", 3) + 1]) if depth < 3 else 0
            return [self.value(merged.get("items", {}), "", depth + 1) for _ in range(min(size, 60))]
        if kind in ("integer", "number"):
            return self.number(merged)
        return {"boolean": self.chance(0.5), "null": None}[kind] if kind in ("boolean", "null") else self.text(merged)

    def object(self, schema, depth):
        required = set(schema.get("required", []))
        made = {name: self.value(part, name, depth + 1) for name, part in schema.get("properties", {}).items()
                if self.chance(0.95 if name in required else 0.35)}
        if self.chance(0.1):
            made[self.random.choice(["extra", "", "__proto__", "\u00e4", "constructor", "x" * 300])] = copy.deepcopy(self.random.choice(ODD_VALUES))
        return made

    def spoil(self, value):
        """Something in it is replaced."""
        if isinstance(value, dict) and value and self.chance(0.8):
            name = self.random.choice(sorted(value))
            value[name] = self.spoil(value[name])
            return value
        if isinstance(value, list) and value and self.chance(0.6):
            at = self.random.randrange(len(value))
            value[at] = self.spoil(value[at])
            return value
        deep = {"a": 1}
        for _ in range(self.random.choice([3, 30, 60])):
            deep = [deep]
        return copy.deepcopy(self.random.choice([*ODD_VALUES, *ODD_TEXTS, deep]))

    # ---------------------------------------------------------------- requests
    def segment(self, parameter, case):
        pool = self.pools.get(case.operation.id + "." + parameter["name"]) or self.pools.get(parameter["name"])
        if pool and self.chance(0.7):
            return urllib.parse.quote(str(self.random.choice(pool)), safe="~")
        segment = self.random.choice(ODD_SEGMENTS)
        case.routed = case.routed and segment != ""
        return segment

    def query(self, operation, case):
        pairs = []
        for parameter in operation.places("query"):
            if self.chance(0.5):
                continue
            schema, name = parameter["schema"], parameter["name"]
            plain = schema.get("items", schema)
            if self.chance(0.25):
                value = self.random.choice(ODD_QUERY)
                numeric = plain.get("type") == "integer" and not re.fullmatch(r"-?\d{1,18}", value)
                case.refused = case.refused or numeric or "enum" in plain and value not in plain["enum"] and "," not in value
            else:
                value = self.value(plain, name)
                value = str(value).lower() if isinstance(value, (bool, int)) else value if isinstance(value, str) else "x"
            pairs += [(name, value)] * self.random.choice([1, 1, 1, 2])
        if self.chance(0.1):
            pairs.append((self.random.choice(["x", "", "\u00e4", "limit[]"]), self.random.choice(ODD_TEXTS)))
        return urllib.parse.urlencode(pairs, errors="surrogatepass")

    def body(self, operation, case, headers):
        """The body as bytes."""
        if self.chance(0.15):
            body = self.random.choice(BROKEN_JSON)
            # No body at all stands for the empty object where none is required.
            case.refused = case.refused or bool(body) or operation.body_required
        else:
            value = self.value(operation.body)
            if self.chance(0.35):
                value = self.spoil(value)
            body = json.dumps(value, ensure_ascii=self.chance(0.5)).encode("utf-8", "surrogatepass")
            fits = self.contract.fits(value, operation.body) or self.contract.fits(trimmed(value), operation.body)
            nothing = value is None and not operation.body_required
            case.refused = case.refused or not fits and not nothing
        kind = self.random.choice(["application/json"] * 12 + ["application/json; charset=utf-8", "APPLICATION/JSON", "text/plain", "application/xml", ""])
        headers.append(("Content-Type", kind))
        case.refused = case.refused or kind in ("text/plain", "application/xml", "") and bool(body)
        return body

    def next(self):
        operation = self.random.choice(self.operations)
        headers = [self.random.choice(ODD_HEADERS) for _ in range(self.random.choice([0, 0, 0, 1, 1, 2, 3]))]
        headers = list(dict(headers).items())
        case = Case(operation, operation.method, "", headers, None)
        places = {p["name"]: p for p in operation.places("path")}
        path = re.sub(r"\{(\w+)\}", lambda m: self.segment(places[m[1]], case), operation.path)
        if self.chance(0.05):
            path += "/"
        query = self.query(operation, case)
        case.target = path + ("?" + query if query else "")
        if operation.method != "GET":
            case.body = self.body(operation, case, headers) if operation.body else self.random.choice([b"", b"", b"{}", b"x"])
        elif self.chance(0.08):
            case.method = "HEAD"
        if self.chance(0.03):
            case.routed = False
            case.method = self.random.choice(["PUT", "PATCH", "DELETE", "POST", "OPTIONS", "TRACE", "BREW", "GET"])
            case.target = self.random.choice([case.target, "/api" + case.target, "/" + self.random.choice(ODD_SEGMENTS)])
        return case


def trimmed(value):
    """White space at the ends of texts may not count."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return [trimmed(v) for v in value]
    return {k: trimmed(v) for k, v in value.items()} if isinstance(value, dict) else value
