"""OpenLEADR's codec behind JSON lines. Runs in the peer's environment, as `python -m benchmarks.peer_worker`.

One request line, one answer line: `{"do": "decode" | "encode", "message": key, "count": n}` runs it n times and
answers `{"seconds": t}`; `{"do": "write", "message": key}` answers `{"text": …}`.

Signatures: `keep` a party's certificate and key under the name of its kind, `take` a signed document under a name;
`seal` runs for `message/kind`, `open` for the name of a document, `write_signed` answers with the text.
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import timedelta
from importlib.metadata import version
from time import perf_counter
from typing import Any

from openleadr import messaging
from openleadr.messaging import create_message, parse_message, validate_xml_schema, validate_xml_signature

from benchmarks.messages import messages

MESSAGES = {message.key: message for message in messages()}
PARTIES: dict[str, dict[str, bytes]] = {}
TREES: dict[str, Any] = {}


def decode(key: str, count: int) -> dict[str, Any]:
    """Read as its client and its server do: validate, then parse."""
    documents = MESSAGES[key].each(count)
    begin = perf_counter()
    for document in documents:
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


def keep(kind: str, certificate: str, key: str) -> dict[str, Any]:
    """Keep what one signs with."""
    PARTIES[kind] = {"cert": certificate.encode(), "key": key.encode()}
    return {}


def write_signed(key: str, kind: str) -> dict[str, Any]:
    """Write with a signature."""
    return {"text": create_message(MESSAGES[key].peer_type, **PARTIES[kind], **MESSAGES[key].peer_payload)}


def take(name: str, text: str) -> dict[str, Any]:
    """Keep the tree of a signed document, which must verify."""
    TREES[name] = validate_xml_schema(text)
    return open_signed(name, 1)


def seal(name: str, count: int) -> dict[str, Any]:
    """Write and sign."""
    key, _, kind = name.partition("/")
    begin = perf_counter()
    for _ in range(count):
        write_signed(key, kind)
    return {"seconds": perf_counter() - begin}


def open_signed(name: str, count: int) -> dict[str, Any]:
    """Verify, and nothing else: the tree is there. The same message comes again, so its nonce is forgotten."""
    tree, seen = TREES[name], messaging.NONCE_CACHE
    begin = perf_counter()
    for _ in range(count):
        seen.clear()
        validate_xml_signature(tree)
    return {"seconds": perf_counter() - begin}


def main() -> None:
    messaging.REPLAY_PROTECT_MAX_TIME_DELTA = timedelta(days=1)  # a run takes longer than its five seconds
    digests = {key: hashlib.sha256(b"".join(message.documents)).hexdigest() for key, message in MESSAGES.items()}
    greeting = {"version": version("openleadr"), "python": sys.version.split()[0], "digests": digests}
    print(json.dumps(greeting), flush=True)
    commands: dict[str, Any] = {
        "decode": decode,
        "encode": encode,
        "write": write,
        "keep": keep,
        "take": take,
        "write_signed": write_signed,
        "seal": seal,
        "open": open_signed,
    }
    for line in sys.stdin:
        request = json.loads(line)
        command = commands[request.pop("do")]
        key = request.pop("message")
        print(json.dumps(command(key, **request)), flush=True)


if __name__ == "__main__":
    main()
