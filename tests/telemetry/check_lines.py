"""Checks each line of standard input against a JSON Schema; prints what is wrong."""

import json
import sys

from jsonschema import Draft202012Validator

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
wrong = 0
for line in sys.stdin.buffer.read().decode().split("\n")[:-1]:
    for error in validator.iter_errors(json.loads(line)):
        wrong += 1
        print(f"{error.json_path}: {error.message}: {line}")
sys.exit(wrong > 0)
