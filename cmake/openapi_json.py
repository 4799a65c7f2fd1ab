#!/usr/bin/env python3
"""openapi_json.py YAML JSON: writes the HTTP contract as JSON; leaves the file alone when nothing has changed.

The file is read by the rules of YAML 1.2, as other tools read it: only true and false are truth values, and dates stay
texts. Repeated keys and keys that are no texts are errors.
"""
import json
import pathlib
import re
import sys

import yaml


class Loader(yaml.SafeLoader):
    pass


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def mapping(loader, node, deep=False):
    result = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is no text", key_node.start_mark)
        if key in result:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is repeated", key_node.start_mark)
        result[key] = loader.construct_object(value_node, deep=True)
    return result


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)


def load(path):
    return yaml.load(pathlib.Path(path).read_text(encoding="utf-8"), Loader)


def main(arguments):
    if len(arguments) != 2:
        sys.exit(__doc__)
    source, target = arguments
    try:
        document = load(source)
    except yaml.YAMLError as error:
        sys.exit(f"{source}: {error}")
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    path = pathlib.Path(target)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
