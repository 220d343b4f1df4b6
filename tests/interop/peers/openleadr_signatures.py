"""The signing and verifying of OpenLEADR behind JSON lines; runs in its own environment.

Commands: `sign` (number, message, payload, certificate, key) is answered by `signed` with the number and the text;
`verify` (number, text, fingerprint) by `verified`, with the complaint or an empty text.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from lines import observe
from openleadr import messaging


def sign(number: int, message: str, payload: dict[str, Any], certificate: str, key: str) -> None:
    text = messaging.create_message(message, cert=certificate.encode(), key=key.encode(), **payload)
    observe("signed", number=number, text=text)


def verify(number: int, text: str, fingerprint: str) -> None:
    complaint = ""
    try:
        tree = messaging.validate_xml_schema(text)
        messaging.validate_xml_signature(tree, fingerprint)
    except Exception as error:  # whatever it is, the test wants to see it
        complaint = repr(error)
    message, payload = ("", {}) if complaint else messaging.parse_message(text)
    observe("verified", number=number, complaint=complaint, message=message, payload=payload)


observe("ready")
for line in sys.stdin:
    command = json.loads(line)
    if (do := command.pop("do")) == "stop":
        break
    {"sign": sign, "verify": verify}[do](**command)
