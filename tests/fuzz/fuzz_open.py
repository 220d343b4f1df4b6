"""For any bytes, `open_envelope` returns or raises `RemoteError`, and what it opens a second verifier verifies too.

    python -m tests.fuzz.fuzz_open -max_total_time=120 -dict=tests/fuzz/xml.dict FOUND tests/golden/signed

Each input is tried as it is, and once more with the digests and the signature value filled in by a key of its own: so
the fuzzer gets behind the signature. Without arguments the golden messages are replayed, which needs no atheris.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import cache
from pathlib import Path

SEEDS = Path(__file__).parents[1] / "golden" / "signed"
LONGEST = 32_768
"""Bytes of an input: the golden messages fit."""


def check(data: bytes) -> None:
    """Raise anything but nothing when the invariant is broken."""
    from lxml import etree

    from tests.core.security.forge import signed_anew

    opened(data)
    try:
        anew = signed_anew(data, "ec")
    except (etree.LxmlError, ValueError, LookupError, AttributeError):
        return  # the forger's own troubles with what is no signed document
    opened(anew)


def opened(data: bytes) -> bool:
    """Open the bytes; say whether they were opened."""
    from oadr_core import RemoteError, encode, open_envelope
    from oadr_core.security import SignedEnvelope, Trust, Window
    from oadr_core.wire import Limits
    from tests.core.security.kit import NOW
    from tests.core.security.second_verifiers import verified_by_libxmlsec1

    ever = Window(timedelta(days=40_000), timedelta(days=40_000))
    known = Trust(fingerprints=signers(), check_validity=False, window=ever)
    try:
        envelope = open_envelope(data, trust=known, now=NOW, limits=Limits(bytes=4 * LONGEST, elements=1000))
    except RemoteError as error:
        assert str(error).isprintable()  # noqa: PT017  # this is no test of pytest's
        return False
    assert isinstance(envelope, SignedEnvelope)
    assert envelope.nonce
    encode(envelope.payload)
    verified_by_libxmlsec1(data, envelope.certificate)
    return True


@cache
def signers() -> tuple[str, ...]:
    """Who signed the golden messages, and the fuzzer's own key."""
    from tests.core.security.kit import own_fingerprint, signer

    return (signer("ec").fingerprint, *(own_fingerprint(seed.read_bytes()) for seed in SEEDS.glob("*.xml")))


def main() -> None:
    """Fuzz with the arguments of libFuzzer, or replay the seeds."""
    if len(sys.argv) == 1:
        for seed in sorted(SEEDS.glob("*.xml")):
            check(seed.read_bytes())
        return
    import atheris

    with atheris.instrument_imports(include=["oadr_core", "xml"]):
        check(b"<x/>")  # imports here what is to be instrumented
    atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", *sys.argv[1:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
