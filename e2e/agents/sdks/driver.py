"""Runs the cases for one SDK: each arrives as a line of JSON, and the SDK's result is written as a line of JSON."""

import json
import sys

QUESTION = "Hello!"
TOOL = {
    "name": "get_weather",
    "description": "The weather of a city",
    "schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def error(raised):
    return {"kind": type(raised).__name__, "status": getattr(raised, "status_code", None), "message": str(raised)}


def drive(cases):
    """`cases` maps a case's name to a function of its settings (`base`, `key`, `image`)."""
    for line in sys.stdin:
        case = json.loads(line)
        try:
            given = cases[case["case"]](case)
        except Exception as raised:
            given = {"error": error(raised)}
        print(json.dumps(given), flush=True)
