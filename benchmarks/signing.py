"""Sealing and opening signed messages: this project, OpenLEADR, signxml alone and the bare primitive, in one run.

A figure is the median over interleaved rounds of the time for one message. Keys are made for the run. Everybody
verifies the same bytes; OpenLEADR and signxml only verify, this project builds the message too.
"""

from __future__ import annotations

import base64
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final, NamedTuple

import signxml
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from lxml import etree

from benchmarks.contestants import NotEquivalentError, OpenLeadr, open_leadr
from benchmarks.messages import messages, report_document
from benchmarks.rounds import FULL, Contest, Effort, Samples, take
from oadr_core import decode, open_envelope, seal
from oadr_core.model import Payload
from oadr_core.security import Signer, Trust, fingerprint

KINDS: Final = {"rsa": "RSA-2048", "ec": "P-256"}
SIZES: Final = (50, 100, 250, 500)
"""kB of report, unsigned."""
NONCE: Final = "0123456789abcdef0123456789abcdef"

POLL_LIMIT: Final = 2.5
"""Sealing a poll, in bare RSA operations."""
EVENT_LIMIT_S: Final = 0.003
"""Sealing an event of 24 intervals."""
OPENING_LIMIT: Final = 1.0
"""Opening the event, in verifications of OpenLEADR."""
LINEAR_LIMIT: Final = 1.5
"""Time for one kB of the largest report, in that of the report of 100 kB; with the square it would be 5."""

_KEY_TYPES: Final = {"rsa": trustme.KeyType.RSA, "ec": trustme.KeyType.ECDSA}
_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"


class Party(NamedTuple):
    """A key with its certificate."""

    certificate: bytes
    key: bytes


class Runs:
    """A contestant in this process: one function for each operation and key."""

    def __init__(self, name: str, version: str) -> None:
        self.name, self.version = name, version
        self.functions: dict[tuple[str, str], Callable[[], object]] = {}

    def seconds(self, operation: str, key: str, count: int) -> float:
        function = self.functions[operation, key]
        begin = perf_counter()
        for _ in range(count):
            function()
        return perf_counter() - begin


class Peer:
    """OpenLEADR's signing and verifying, in its own process."""

    name = "openleadr"

    def __init__(self, worker: OpenLeadr) -> None:
        self._worker, self.version = worker, worker.version

    def give(self, kind: str, party: Party) -> None:
        self._worker.ask(do="keep", message=kind, certificate=party.certificate.decode(), key=party.key.decode())

    def sign(self, message: str, kind: str) -> bytes:
        return str(self._worker.ask(do="write_signed", message=message, kind=kind)["text"]).encode()

    def take(self, key: str, document: bytes) -> None:
        """Keep a document for verifying; the worker ends if it does not verify."""
        self._worker.ask(do="take", message=key, text=document.decode())

    def seconds(self, operation: str, key: str, count: int) -> float:
        return float(self._worker.ask(do=operation, message=key, count=count)["seconds"])


def measure(peer_python: Path, effort: Effort = FULL) -> dict[str, Any]:
    """Run the whole comparison and return it as plain data, with times in seconds."""
    parties = {kind: _party(kind) for kind in KINDS}
    ours, bare = Runs("oadr", version("oadr")), Runs("bare", version("cryptography"))
    library = Runs("signxml", version("signxml"))
    now = datetime.now(UTC)
    with open_leadr(peer_python) as worker:
        peer = Peer(worker)
        for kind, party in parties.items():
            peer.give(kind, party)
        contests, sizes = [], {}
        for kind, party in parties.items():
            signer, trust = Signer.from_pem(*party), Trust(fingerprints=[fingerprint(party.certificate)])
            _add_bare(bare, kind, party, contests)
            for key in ("poll", "event-24"):
                payload = _payload(key)
                name = f"{key}/{kind}"
                written = seal(payload, signer=signer, now=now, nonce=NONCE)
                ours.functions["seal", name] = partial(seal, payload, signer=signer, now=now, nonce=NONCE)
                contests.append(Contest("seal", name, [ours, peer]))
                sizes["seal", name] = len(written)
                for author, document in (("oadr", written), ("openleadr", peer.sign(key, kind))):
                    name = f"{key}/{kind}/{author}"
                    _check(document, payload, trust)
                    peer.take(name, document)
                    ours.functions["open", name] = partial(open_envelope, document, trust=trust, now=now)
                    library.functions["open", name] = _verification(document, party, now)
                    contests.append(Contest("open", name, [ours, peer, library]))
                    sizes["open", name] = len(document)
            for kilobytes in SIZES:
                report, name = _report(kilobytes), f"report-{kilobytes}/{kind}"
                document = seal(report, signer=signer, now=now, nonce=NONCE)
                _check(document, report, trust)
                ours.functions["seal", name] = partial(seal, report, signer=signer, now=now, nonce=NONCE)
                ours.functions["open", name] = partial(open_envelope, document, trust=trust, now=now)
                contests += [Contest(operation, name, [ours]) for operation in ("seal", "open")]
                sizes["seal", name] = sizes["open", name] = len(document)
        samples = take(contests, effort)
    return {
        "benchmark": "signing",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": effort.rounds,
        "versions": {who.name: who.version for who in (ours, peer, library, bare)},
        "results": [_result(contest, samples, sizes) for contest in contests],
        "targets": targets(samples, sizes),
    }


def targets(samples: Samples, sizes: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    """Return what was to be reached: its title, the figure, its limit, and whether it is met."""

    def time(operation: str, key: str, who: str = "oadr") -> float:
        return median(samples[operation, key, who])

    def each_kilobyte(operation: str, key: str) -> float:
        return time(operation, key) / sizes[operation, key]

    found = [
        (
            "seal a poll, RSA-2048, in bare RSA operations",
            time("seal", "poll/rsa") / time("sign", "rsa", "bare"),
            POLL_LIMIT,
        )
    ]
    for kind, title in KINDS.items():
        seconds = time("seal", f"event-24/{kind}")
        found.append((f"seal an event of 24 intervals, {title}, in ms", 1e3 * seconds, 1e3 * EVENT_LIMIT_S))
    for kind, title in KINDS.items():
        for author in ("oadr", "openleadr"):
            key = f"event-24/{kind}/{author}"
            share = time("open", key) / time("open", key, "openleadr")
            text = f"open the event that {author} signed, {title}, in OpenLEADR's verifications"
            found.append((text, share, OPENING_LIMIT))
    for kind, title in KINDS.items():
        for operation in ("seal", "open"):
            growth = each_kilobyte(operation, f"report-500/{kind}") / each_kilobyte(operation, f"report-100/{kind}")
            text = f"{operation} a report of 500 kB, {title}, a kB of it in one of 100 kB"
            found.append((text, growth, LINEAR_LIMIT))
    return [{"title": text, "value": value, "limit": limit, "met": value <= limit} for text, value, limit in found]


def _result(contest: Contest, samples: Samples, sizes: dict[tuple[str, str], int]) -> dict[str, Any]:
    times = {who.name: samples[contest.operation, contest.key, who.name] for who in contest.contestants}
    return {
        "operation": contest.operation,
        "message": contest.key,
        "bytes": sizes.get((contest.operation, contest.key)),
        "median_s": {name: median(taken) for name, taken in times.items()},
        "quartiles_s": {name: quantiles(taken, n=4) for name, taken in times.items()},
    }


def _party(kind: str) -> Party:
    issued = trustme.CA().issue_cert("ven.example", key_type=_KEY_TYPES[kind])
    return Party(issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes())


def _payload(key: str) -> Payload:
    return decode(next(message.document for message in messages() if message.key == key)).payload


def _report(kilobytes: int) -> Payload:
    """A report of about this size as it is written unsigned."""
    one, two = len(report_document(100)), len(report_document(200))
    return decode(report_document(round(100 + 100 * (1000 * kilobytes - one) / (two - one)))).payload


def _check(document: bytes, payload: Payload, trust: Trust) -> None:
    opened = open_envelope(document, trust=trust, now=datetime.now(UTC)).payload
    if type(opened) is not type(payload):
        raise NotEquivalentError(f"{type(opened).__name__} was signed, not {type(payload).__name__}")


def _add_bare(bare: Runs, kind: str, party: Party, contests: list[Contest]) -> None:
    """The private and the public operation of `cryptography`, over as many bytes as a SignedInfo has."""
    private: Any = serialization.load_pem_private_key(party.key, None)
    data, sha256 = bytes(1000), hashes.SHA256()
    how: tuple[Any, ...] = (padding.PKCS1v15(), sha256) if kind == "rsa" else (ec.ECDSA(sha256),)
    value, public = private.sign(data, *how), private.public_key()
    bare.functions["sign", kind] = lambda: private.sign(data, *how)
    bare.functions["verify", kind] = lambda: public.verify(value, data, *how)
    contests += [Contest(operation, kind, [bare]) for operation in ("sign", "verify")]


def _verification(document: bytes, party: Party, now: datetime) -> Callable[[], object]:
    """What signxml takes for the signature alone, of a tree that is parsed and with a certificate that is loaded."""
    config = signxml.SignatureConfiguration(location="./", expect_references=2, verification_time=now)
    tree, certificate = etree.fromstring(document), x509.load_pem_x509_certificate(party.certificate)
    (sent,) = tree.iter(f"{_DS}X509Certificate")
    if base64.b64decode(sent.text or "") != certificate.public_bytes(serialization.Encoding.DER):
        raise NotEquivalentError("the message was signed with another certificate")
    verify = signxml.XMLVerifier().verify
    return lambda: verify(tree, x509_cert=certificate, expect_config=config)
