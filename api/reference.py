#!/usr/bin/env python3
"""reference.py [--check]: writes docs/api.md from openapi.yaml; with --check it only says whether the file is current."""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "cmake"))
sys.dont_write_bytecode = True
from openapi_json import load  # noqa: E402

TARGET = ROOT / "docs" / "api.md"
METHODS = ("get", "post", "put", "patch", "delete")
INTRODUCTION = """# The HTTP interface

Written by `api/reference.py` from [api/openapi.yaml](../api/openapi.yaml); a change begins there. A running server shows
the same as `/docs`, and as JSON at `/openapi.json`. [server.md](server.md) is about running the server,
[events.md](events.md) about following a plan, [intake.md](intake.md) about the form.
"""


def code(text):
    return f"`{text}`"


def shown(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def cell(text):
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def anchor(heading):
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


class Reference:
    def __init__(self, document):
        self.document = document
        self.lines = []
        # Headings before the schemas; a schema of the same name gets the anchor that Git hosts give the second one.
        self.taken = {anchor(tag["name"]) for tag in document["tags"]} | {"overview", "rate-limits", "schemas"}
        self.taken |= {anchor(operation["operationId"]) for _, _, _, operation in self.operations()}
        all_errors = [set(self.errors(operation)) for _, _, _, operation in self.operations()]
        self.common_errors = set.intersection(*all_errors)

    def schema_link(self, name):
        place = anchor(name)
        return f"[{name}](#{place}-1)" if place in self.taken else f"[{name}](#{place})"

    def add(self, *lines):
        self.lines.extend(lines)

    def resolved(self, value):
        if "$ref" not in value:
            return value
        at = self.document
        for name in value["$ref"].removeprefix("#/").split("/"):
            at = at[name]
        return at

    def type_of(self, schema):
        if "$ref" in schema:
            return self.schema_link(schema["$ref"].rsplit("/", 1)[1])
        if "const" in schema:
            return code(shown(schema["const"]))
        if "enum" in schema:
            return ", ".join(code(shown(value)) for value in schema["enum"])
        for key, word in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
            if key in schema:
                return word.join(dict.fromkeys(self.type_of(part) for part in schema[key]))
        kind = schema.get("type", "any value")
        text = " or ".join(kind) if isinstance(kind, list) else kind
        if "items" in schema:
            text += " of " + self.type_of(schema["items"])
        return text + self.limits(schema)

    @staticmethod
    def limits(schema):
        parts = []
        for low, high, unit in (("minLength", "maxLength", " characters"), ("minimum", "maximum", ""),
                                ("minItems", "maxItems", " elements")):
            if low in schema and high in schema:
                parts.append(f"{schema[low]} to {schema[high]}{unit}")
            elif low in schema:
                parts.append(f"at least {schema[low]}{unit}")
            elif high in schema:
                parts.append(f"at most {schema[high]}{unit}")
        if "exclusiveMinimum" in schema:
            parts.append(f"above {schema['exclusiveMinimum']}")
        if "format" in schema:
            parts.append(schema["format"])
        if "default" in schema:
            parts.append("default " + code(shown(schema["default"])))
        return "".join(", " + part for part in parts)

    def rows(self, schema, prefix="", depth=0):
        """(field, required, schema) of an object schema, with those of inner objects."""
        if depth > 4:
            return
        for key in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(key, []):
                yield from self.rows(part, prefix, depth + 1)
        if "items" in schema:
            yield from self.rows(schema["items"], (prefix.removesuffix(".") if prefix else "") + "[].", depth + 1)
        for name, field in schema.get("properties", {}).items():
            yield prefix + name, name in schema.get("required", []), field
            if "$ref" not in field:
                yield from self.rows(field, prefix + name + ".", depth + 1)

    def fields(self, schema):
        rows = list(self.rows(schema))
        if not rows:
            return
        self.add("", "| field | type | |", "|---|---|---|")
        for name, required, field in rows:
            text = field.get("description", "")
            if not required:
                text = ("optional; " + text) if text else "optional"
            self.add(f"| {code(name)} | {cell(self.type_of(field))} | {cell(text)} |")

    def content(self, holder):
        for kind, value in holder.get("content", {}).items():
            schema = value.get("schema")
            self.add("", code(kind) + (": " + self.type_of(schema) if schema else ""))
            if schema:
                self.fields(schema)

    def parameters(self, item, operation):
        found = [self.resolved(p) for p in item.get("parameters", []) + operation.get("parameters", [])]
        if not found:
            return
        self.add("", "| parameter | in | type | |", "|---|---|---|---|")
        for parameter in found:
            text = parameter.get("description", "")
            if parameter.get("required"):
                text = "required; " + text
            self.add(f"| {code(parameter['name'])} | {parameter['in']} | {cell(self.type_of(parameter['schema']))} | {cell(text)} |")

    @staticmethod
    def error_codes(response):
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        codes = []
        for part in schema.get("allOf", []):
            codes += part.get("properties", {}).get("code", {}).get("enum", [])
        return codes

    def errors(self, operation):
        for status, value in operation["responses"].items():
            if status[0] in "45":
                codes = ", ".join(code(c) for c in self.error_codes(self.resolved(value)))
                yield f"{status} {codes}".strip()

    def responses(self, operation):
        for status, value in operation["responses"].items():
            if status[0] in "45":
                continue
            response = self.resolved(value)
            self.add("", f"**{status}** {response['description']}")
            self.content(response)
        errors = [error for error in self.errors(operation) if error not in self.common_errors]
        if errors:
            self.add("", "Errors: " + "; ".join(errors) + ".")

    def streams(self, operation):
        def listed(title, name, entries):
            self.add("", f"{title}: " + ", ".join(f"{code(e[name])} ({self.type_of(e['schema'])})" for e in entries) + ".")

        if "x-events" in operation:
            listed("Events", "event", operation["x-events"])
        for direction, entries in operation.get("x-messages", {}).items():
            listed(f"Messages of the {direction}", "type", entries)
        if "x-close-codes" in operation:
            self.add("", "| close code | meaning | client should |", "|---|---|---|")
            for entry in operation["x-close-codes"]:
                self.add(f"| {entry['code']} | {cell(entry['meaning'])} | {cell(entry['client'])} |")

    def operation(self, method, path, item, operation):
        self.add("", f"### {operation['operationId']}", "", f"{code(method.upper() + ' ' + path)}: {operation['summary']}.")
        if "description" in operation:
            self.add("", operation["description"].strip())
        notes = []
        if operation.get("security") == [] and "without a token" not in operation.get("description", ""):
            notes.append("open without a token")
        if operation.get("x-rate-class", "all") != "all":
            notes.append(f"rate limit {code(operation['x-rate-class'])}")
        if notes:
            self.add("", ("; ".join(notes) + ".").capitalize())
        self.parameters(item, operation)
        if "requestBody" in operation:
            self.add("", "Body:" if operation["requestBody"].get("required") else "Body (optional):")
            self.content(operation["requestBody"])
        self.responses(operation)
        self.streams(operation)

    def operations(self):
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method, path, item, item[method]

    def text(self):
        document = self.document
        self.add(INTRODUCTION.strip(), "", document["info"]["description"].strip(), "", "## Overview", "",
                 "| | |", "|---|---|")
        for method, path, _, operation in self.operations():
            name = operation["operationId"]
            self.add(f"| [{method.upper()} {path}](#{anchor(name)}) | {cell(operation['summary'])} |")
        self.add("", "## Rate limits", "", "Per token name, or per client address without one; every request takes from `all`, too.", "",
                 "| class | per minute | at once |", "|---|---|---|")
        for name, rate in document["x-rate-classes"].items():
            self.add(f"| {code(name)} | {rate['per_minute']} | {rate['burst']} |")
        common = "; ".join(error for error in self.errors(document["paths"]["/ping"]["get"]) if error in self.common_errors)
        self.add("", f"Every operation can also answer {common}; they are not repeated below.")
        for tag in document["tags"]:
            self.add("", f"## {tag['name'].capitalize()}", "", tag["description"])
            for method, path, item, operation in self.operations():
                if operation["tags"][0] == tag["name"]:
                    self.operation(method, path, item, operation)
        self.add("", "## Schemas", "", "In a field's name, `[]` stands for each element of a list.")
        for name, schema in document["components"]["schemas"].items():
            self.add("", f"### {name}", "", self.type_of(schema))
            if "description" in schema:
                self.add("", schema["description"].strip())
            self.fields(schema)
        return "\n".join(self.lines) + "\n"


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    text = Reference(load(ROOT / "api" / "openapi.yaml")).text()
    if not arguments:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        sys.exit("docs/api.md is not that of api/openapi.yaml; run api/reference.py")


if __name__ == "__main__":
    main(sys.argv[1:])
