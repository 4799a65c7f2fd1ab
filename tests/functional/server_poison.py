"""Text that does harm where it is taken for HTML, Markdown or code, and answers of a model that are full of it."""
import json
import pathlib
import shutil

MARK = "harm_was_done"
RECIPE = pathlib.Path(__file__).resolve().parents[2] / "recipe"
# What only names something else in the same plan: other text there would be a wrong answer, not a dangerous one.
NAMES = ("id", "ids", "ref", "refs", "key", "quote", "quotes", "code", "currency", "to", "on")


def payloads(canary):
    """Ways into a page, of hostile_texts.txt. `canary` is an address that nobody may ask for."""
    lines = (pathlib.Path(__file__).parent / "hostile_texts.txt").read_text(encoding="ascii").splitlines()
    texts = [line.encode().decode("unicode_escape") for line in lines if line and not line.startswith("## ")]
    return [text.replace("@JS@", MARK + "=1").replace("@CALL@", "window.%s=1" % MARK).replace("@CANARY@", canary) for text in texts]


class Poison:
    """Puts the next payload into every text it is given."""

    def __init__(self, canary):
        # Answers with template marks are refused as unfinished; those of people are not.
        self.payloads, self.used = [p for p in payloads(canary) if "{{" not in p], 0

    def text(self, text, most=None):
        payload = self.payloads[self.used % len(self.payloads)]
        # In front, behind, and in the middle: what surrounds it decides what it does.
        at = (2 if text.startswith("**") else 0, len(text), len(text) // 2)[self.used % 3]
        poisoned = text[:at] + (" " if at else "") + payload + (" " if at < len(text) else "") + text[at:]
        self.used += 1
        return poisoned if most is None or len(poisoned) <= most else text

    def value(self, value, schema, root, name=""):
        """The value with poison in each text that may be any text."""
        schema = resolved(schema, root)
        if isinstance(value, dict):
            return {key: self.value(member, schema.get("properties", {}).get(key, {}), root, key) for key, member in value.items()}
        if isinstance(value, list):
            return [self.value(member, schema.get("items", {}), root, name) for member in value]
        if name == "owner" and "null" in schema.get("type", ()):
            return None  # it must be one of the roles, whose names are full of poison
        free = isinstance(value, str) and not schema.keys() & {"enum", "const", "pattern", "format"}
        return self.text(value, schema.get("maxLength")) if free and not name.rsplit("_", 1)[-1] in NAMES else value


def resolved(schema, root):
    while "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
            target = target[part] if part else target
        schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
    for branch in schema.get("anyOf", ()):
        branch = resolved(branch, root)
        if branch.get("type") != "null":
            return {**branch, **{k: v for k, v in schema.items() if k != "anyOf"}}
    return schema


def poisoned_recipe(folder, canary):
    """A folder to be laid over the recipe of the rehearsal server: every example full of poison. Gives the number of poisoned
    texts by task."""
    poison, counts = Poison(canary), {}
    for example in sorted(RECIPE.glob("tasks/*/*example.json")):
        task, before = example.parent.name, poison.used
        step = example.name.removesuffix("example.json").rstrip(".")
        schemas = [example.parent / name for name in (("%s.schema.json" % step if step else "answer.schema.json"), "schema.json")]
        schema = next((json.loads(path.read_text()) for path in schemas if path.exists()), None)
        if schema is None:
            continue
        target = pathlib.Path(folder) / example.relative_to(RECIPE)
        if not target.parent.exists():
            shutil.copytree(example.parent, target.parent)
        value = json.loads(example.read_text())
        # Where a step asks several times there may be several examples.
        several = isinstance(value, list) and schema.get("type") != "array"
        poisoned = [poison.value(one, schema, schema) for one in value] if several else poison.value(value, schema, schema)
        target.write_text(json.dumps(poisoned, ensure_ascii=False))
        counts[task] = counts.get(task, 0) + poison.used - before
    return counts
