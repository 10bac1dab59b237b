"""Checks documents against their schemas with the jsonschema package, which shares nothing with allears.

Standard input: a line with the schemas by name, then lines `["schema", document]`. Standard output: for each document
a line with a list of its errors. Keys that a schema does not name are errors here. In the published schemas they are
not, because a later version may add keys.
"""

import copy
import json
import re
import sys

import jsonschema

# The errors of the system have further names.
OPEN = {"error-name"}


def close(schema, definitions, where=None):
    """Lets a schema refuse what it does not name."""
    if isinstance(schema, list):
        for part in schema:
            close(part, definitions)
    if not isinstance(schema, dict):
        return
    if where not in OPEN and "examples" in schema:
        schema["enum"] = schema.pop("examples")
    for key, part in list(schema.items()):
        if key == "properties":
            for inner in part.values():
                close(inner, definitions)
        elif key != "if":
            close(part, definitions)
    if "properties" not in schema:
        return
    if "$ref" not in schema and "if" not in schema:
        schema["additionalProperties"] = False
        return
    # It adds keys to those of other definitions, which must not refuse them.
    schema["unevaluatedProperties"] = False
    for part in (schema, schema.get("then", {}), schema.get("else", {})):
        part.pop("additionalProperties", None)
        if "$ref" in part:
            name = part["$ref"].removeprefix("#/$defs/")
            definitions[name + "+"] = copy.deepcopy(definitions[name])
            definitions[name + "+"].pop("additionalProperties", None)
            part["$ref"] += "+"


VALID = set()


def reference(validator, target, instance, schema):
    """Follows a reference, unless an object that differs only in its numbers has been valid already."""
    key = isinstance(instance, dict) and (target, re.sub(r"\d+", "0", json.dumps(instance)))
    if key and key in VALID:
        return
    errors = list(jsonschema.Draft202012Validator.VALIDATORS["$ref"](validator, target, instance, schema))
    if key and not errors:
        VALID.add(key)
    yield from errors


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"$ref": reference})


def validators(schemas):
    shared = {}
    for name, schema in schemas.items():
        definitions = schema.setdefault("$defs", {})
        # Every definition is checked once, and not in every schema that has it.
        new = {key: part for key, part in definitions.items() if key not in shared}
        jsonschema.Draft202012Validator.check_schema({**schema, "$defs": new})
        shared.update(new)
        # Definitions that add to others come last, when those are closed.
        for key, part in sorted(definitions.items(), key=lambda item: "$ref" in item[1] or "if" in item[1]):
            close(part, definitions, key)
        root = {key: part for key, part in schema.items() if key != "$defs"}
        close(root, definitions)
        checker = jsonschema.FormatChecker(["ipv4", "ipv6"])
        yield name, Validator({**root, "$defs": definitions}, format_checker=checker)


def main():
    known = dict(validators(json.loads(sys.stdin.readline())))
    for line in sys.stdin:
        name, document = json.loads(line)
        errors = known[name].iter_errors(document)
        print(json.dumps([f"{error.json_path}: {error.message[:300]}" for error in errors]), flush=True)


main()
