"""For any bytes, `decode` returns or raises `RemoteError`, and what it returns can be written, read again, and put
into JSON.

    python -m tests.fuzz.fuzz_decode -max_total_time=120 -dict=tests/fuzz/xml.dict FOUND tests/fuzz/corpus

needs atheris; the first folder collects what was found, and the golden messages make good seeds too. Without
arguments the seeds are replayed, which needs nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

SEEDS = Path(__file__).parent / "corpus"
LONGEST = 16_384
"""Bytes of an input: every kind of message fits, and more only costs speed."""


def check(data: bytes) -> None:
    """Raise anything but nothing when the invariant is broken."""
    from oadr_core import RemoteError, decode, encode
    from oadr_core.wire import Limits, from_json, to_json

    limits = Limits(bytes=LONGEST + 1)
    try:
        envelope = decode(data)
    except RemoteError as error:
        assert str(error).isprintable()  # noqa: PT017  # this is no test of pytest's
        return
    assert decode(data, limits=limits) == envelope  # limits of its own keep it from some shortcuts
    written = encode(envelope.payload)
    assert encode(decode(written).payload) == written
    assert encode(from_json(to_json(envelope.payload))) == written
    try:
        strict = decode(data, strict=True, limits=limits)
    except RemoteError:
        return
    assert encode(strict.payload) == written


def main() -> None:
    """Fuzz with the arguments of libFuzzer, or replay the seeds."""
    if len(sys.argv) == 1:
        for seed in sorted(SEEDS.iterdir()):
            check(seed.read_bytes())
        return
    import atheris

    with atheris.instrument_imports(include=["oadr_core", "xml"]):
        check(b"<x/>")  # imports here what is to be instrumented
    atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", *sys.argv[1:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
