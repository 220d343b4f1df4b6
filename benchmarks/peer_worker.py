"""OpenLEADR's codec behind JSON lines. Runs in the peer's environment, as `python -m benchmarks.peer_worker`.

One request line, one answer line: `{"do": "decode" | "encode", "message": key, "count": n}` runs it n times and
answers `{"seconds": t}`; `{"do": "write", "message": key}` answers `{"text": …}`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import version
from time import perf_counter
from typing import Any

from openleadr.messaging import create_message, parse_message, validate_xml_schema

from benchmarks.messages import messages

MESSAGES = {message.key: message for message in messages()}


def decode(key: str, count: int) -> dict[str, Any]:
    """Read as its client and its server do: validate, then parse."""
    document = MESSAGES[key].document
    begin = perf_counter()
    for _ in range(count):
        validate_xml_schema(document)
        parse_message(document)
    return {"seconds": perf_counter() - begin}


def encode(key: str, count: int) -> dict[str, Any]:
    """Write without a signature."""
    name, payload = MESSAGES[key].peer_type, MESSAGES[key].peer_payload
    begin = perf_counter()
    for _ in range(count):
        create_message(name, **payload)
    return {"seconds": perf_counter() - begin}


def write(key: str) -> dict[str, Any]:
    """Show what is written, so that the other side can see it is the same message."""
    return {"text": create_message(MESSAGES[key].peer_type, **MESSAGES[key].peer_payload)}


def main() -> None:
    digests = {key: hashlib.sha256(message.document).hexdigest() for key, message in MESSAGES.items()}
    greeting = {"version": version("openleadr"), "python": sys.version.split()[0], "digests": digests}
    print(json.dumps(greeting), flush=True)
    commands = {"decode": decode, "encode": encode, "write": write}
    for line in sys.stdin:
        request = json.loads(line)
        command = commands[request.pop("do")]
        key = request.pop("message")
        print(json.dumps(command(key, **request)), flush=True)


if __name__ == "__main__":
    main()
