"""What all messages have in common, and the answer that nearly all of them carry.

It stands alone so that the modules of the single services need not import each other.
"""

from __future__ import annotations

from typing import ClassVar, Final

import attrs

from .declare import RESPONSE_CODE, TEXT, UNSIGNED, Scalar, attribute, one, opt, schema

OK: Final = "200"
"""The response code of success; every other ``2xx`` means the same (section 3.6)."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class Payload:
    """One of the 23 messages.

    ``schema_version`` is the attribute that all 2.0b messages bear (rule R509); ``None`` is what a peer left out.
    """

    __element__: ClassVar[str]
    schema_version: str | None = attribute("ei:schemaVersion", Scalar("schemaVersion"), default="2.0b")


@schema
class EiResponse:
    """Outcome of a request (EI:200). ``response_code`` has three digits; ``request_id`` repeats the request's."""

    response_code: str = one("ei:responseCode", RESPONSE_CODE, default=OK)
    response_description: str | None = opt("ei:responseDescription", TEXT)
    request_id: str = one("pyld:requestID", TEXT, default="")

    @property
    def ok(self) -> bool:
        """True for any code of success."""
        return self.response_code.startswith("2")


@schema
class QualifiedEventID:
    """An event and its version (EI:81)."""

    event_id: str = one("ei:eventID", TEXT)
    modification_number: int = one("ei:modificationNumber", UNSIGNED)
