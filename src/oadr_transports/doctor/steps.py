"""What comes out of an examination: how each step went, and the first that failed.

It stands alone as what the walk gives and the command shows.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import attrs

from .findings import Finding, Step

TITLES: Final = {
    Step.URL: "URL",
    Step.FILES: "own files",
    Step.NAME: "name",
    Step.CONNECTION: "connection",
    Step.TLS: "TLS",
    Step.CHAIN: "chain",
    Step.HOST: "host name",
    Step.CLIENT: "client certificate",
    Step.FINGERPRINT: "fingerprint",
    Step.HTTP: "HTTP",
    Step.CLOCK: "clock",
    Step.REGISTRATION: "registration",
}
"""What people read."""


class Status(StrEnum):
    """How a step went."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@attrs.frozen(kw_only=True)
class Checked:
    """A step that was taken, or not: ``text`` is what was seen or why not, ``notes`` what is worth knowing besides."""

    step: Step
    status: Status
    text: str
    notes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Failure:
    """What is wrong at a step, and what to do about it."""

    step: Step
    finding: Finding
    what: str
    advice: str


@attrs.frozen(kw_only=True)
class Diagnosis:
    """All steps in order, and the first that failed, if any."""

    url: str
    steps: tuple[Checked, ...]
    failure: Failure | None

    @property
    def json(self) -> dict[str, Any]:
        """For programs."""
        found = attrs.asdict(self)
        return {"url": self.url, "ok": self.failure is None, "steps": found["steps"], "failure": found["failure"]}
