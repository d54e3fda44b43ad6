"""Reads JSON strings, one a line, as YAML; answers with what both of PyYAML's safe loaders make of each.

An answer is a list of two: null where the loader refuses the text, else [value] with the value as JSON.
"""

import datetime
import json
import sys

import yaml


def plain(value):
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        value.encode()  # A lone surrogate is no text.
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else {"float": str(float(value))}
    if isinstance(value, float):
        return {"float": str(value)}
    if isinstance(value, datetime.date):
        return str(value)
    if isinstance(value, dict):
        return {"map": [[key if isinstance(key, str) else str(key), plain(item)] for key, item in value.items()]}
    if isinstance(value, (set, frozenset)):
        return {"map": sorted([str(key), None] for key in value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise ValueError(f"not comparable: {type(value)}")


def read(text, loader):
    try:
        return [plain(yaml.load(text, Loader=loader))]
    except Exception:
        return None


loaders = [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)]
for line in sys.stdin:
    text = json.loads(line)
    print(json.dumps([read(text, loader) for loader in loaders]), flush=True)
