"""All that can go wrong, in two halves: yours and theirs.

It stands alone because every layer raises these, and an application catches them without knowing the layers.

- :class:`LocalError`: the application asked for something that cannot be. Nothing was changed.
- :class:`RemoteError`: a peer sent something that cannot be accepted. Nothing was changed. Whatever bytes arrive,
  nothing else leaves the functions that read them.
"""

from __future__ import annotations

from typing import Any, Final

_SHOWN: Final = 60
"""Characters of a peer's value that an error shows: enough to recognise it, too few to flood a log."""


def shown(value: object) -> str:
    """``value`` for a message: escaped, and cut to a readable length."""
    try:
        text = repr(str(value) if isinstance(value, str) else value)  # a member of an enumeration by its value alone
    except ValueError:  # an integer with more digits than Python converts
        text = f"<{type(value).__name__}, too long to show>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class OadrError(Exception):
    """Base of all errors of this library."""


class LocalError(OadrError, ValueError):
    """The application's input is wrong; the state is what it was.

    ``path`` names the field (``DistributeEvent/oadr_event[0]/…``), ``rule`` the rule it would break, both if known.
    """

    def __init__(self, text: str, *, path: str = "", rule: str = "") -> None:
        self.text = text
        self.path = path
        self.rule = rule
        super().__init__(f"{path}: {text}" if path else text)


class RemoteError(OadrError):
    """A peer's input is wrong; the state is what it was.

    ``path`` and ``line`` say where, ``value`` what was there, ``rule`` what it breaks, ``code`` the OpenADR response
    code that fits, and ``status`` the HTTP status where the answer belongs to the transport (profile section 9.1.5).
    """

    code: str = "459"
    status: int = 406

    def __init__(
        self, text: str, *, path: str = "", line: int | None = None, value: Any = None, rule: str = "", code: str = ""
    ) -> None:
        self.text = text
        self.path = path
        self.line = line
        self.value = value
        self.rule = rule
        if code:
            self.code = code
        where = f"{path} (line {line})".lstrip() if line else path
        cited = f" [{rule}]" if rule else ""
        super().__init__(f"{where}: {text}{cited}" if where else f"{text}{cited}")


class NotXml(RemoteError):
    """The bytes are not a well-formed XML document."""


class ForbiddenXml(RemoteError):
    """Well-formed XML with something that no message needs and attacks use."""


class DocumentTypeForbidden(ForbiddenXml):
    """A document type or entity declaration."""


class EntityForbidden(DocumentTypeForbidden):
    """A document type that declares entities."""


class ExternalReferenceForbidden(DocumentTypeForbidden):
    """A document type that refers to something outside the document."""


class CharacterForbidden(ForbiddenXml):
    """NUL, another control character, or a code point that XML does not have; as itself or as a reference."""


class NamespaceForbidden(ForbiddenXml):
    """A prefix that is not declared, or a declaration that misuses a reserved prefix or name."""


class EncodingForbidden(ForbiddenXml):
    """An encoding other than UTF-8."""


class ProcessingInstructionForbidden(ForbiddenXml):
    """A processing instruction."""


class LimitExceeded(ForbiddenXml):
    """More bytes, elements, depth, attributes, text, names or deviations than the limits allow."""


class WrongProfile(RemoteError):
    """A message of OpenADR 2.0a, which has other messages in another namespace (R506)."""


class UnknownMessage(RemoteError):
    """Well-formed XML that is none of the 23 messages."""


class SchemaViolation(RemoteError):
    """A message that the schema does not allow and that no tolerance covers."""


class WrongPayload(RemoteError):
    """A message that has no place here, e.g. a reply that answers something else (R33)."""

    status = 200


class NotAuthorized(RemoteError):
    """A party that is not registered, or is not who it says (R517)."""

    code = "463"
    status = 200


class InvalidID(RemoteError):
    """An identifier that does not belong here (R21, R304, R400, R517)."""

    code = "452"
    status = 200
