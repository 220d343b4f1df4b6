"""`oadr fingerprint`: the fingerprint of a certificate in a file, or of one that a server shows.

It stands alone because it is the one thing that two operators read to each other on the telephone, and scripts want
it without anything around.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import click

from .failures import Failed
from .files import STDIN, read, shown_name
from .options import Number

_PLACE: Final = re.compile(r"(?:https://)?(\[[0-9A-Fa-f:.%]+\]|[^/\[\]:@\s]+)(?::(\d{1,5}))?(/\S*)?")
_HTTPS: Final = 443
_LAST_PORT: Final = 65535


@click.command
@click.argument("places", nargs=-1, required=True, metavar="FILE|HOST:PORT...")
@click.option(
    "--timeout",
    type=Number(0, 600, min_open=True),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a server may take.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the form of 2.0a and all digits.")
def fingerprint(places: tuple[str, ...], timeout: float, as_json: bool) -> int:
    """Print the OpenADR fingerprint of certificates.

    A FILE is PEM or DER, - is standard input; of a chain, the first certificate counts. HOST:PORT, or an https URL, is
    a server: what it shows over TLS is not checked in any way, so compare it with what its operator says.

    \b
    Examples:
      oadr fingerprint certs/ven1.pem
      oadr fingerprint vtn.example:8443
      oadr fingerprint --json certs/*.pem | jq -r '"\\(.fingerprint) \\(.place)"'

    Exit codes: 0 all were found, 1 some were not, 2 wrong use.
    """
    results = [_tell(place, timeout, as_json, alone=len(places) == 1) for place in places]
    return 0 if all(results) else 1


def _tell(place: str, timeout_s: float, as_json: bool, *, alone: bool) -> bool:
    from oadr_core import LocalError

    from .say import clean

    name = shown_name(place)
    try:
        found = _forms(_certificate(place, timeout_s))
    except (Failed, LocalError) as error:
        text = clean(error)
        if as_json:
            click.echo(json.dumps({"place": name, "ok": False, "error": text}))
        else:
            click.echo(f"oadr: {text if text.startswith(place) else f'{name}: {text}'}", err=True)
        return False
    if as_json:
        click.echo(json.dumps({"place": name, "ok": True, **found}))
    else:
        click.echo(found["fingerprint"] if alone else f"{found['fingerprint']}  {name}")
    return True


def _forms(certificate: bytes) -> dict[str, Any]:
    from hashlib import sha256

    from oadr_core.security import fingerprint, fingerprint_20a
    from oadr_core.security.fingerprints import der_of

    return {
        "fingerprint": fingerprint(certificate),
        "fingerprint_20a": fingerprint_20a(certificate),
        "sha256": sha256(der_of(certificate)).digest().hex(":").upper(),
    }


def _certificate(place: str, timeout_s: float) -> bytes:
    """The certificate in a file, or the one that a server shows."""
    if place == STDIN or Path(place).exists():
        return read(place)
    found = _PLACE.fullmatch(place)
    if found is None or not (found[2] or place.startswith("https://")):
        raise Failed(f"{place}: there is no such file, and it is not HOST:PORT")
    if int(found[2] or _HTTPS) > _LAST_PORT:
        raise Failed(f"{place}: ports end at {_LAST_PORT}")
    return _shown_by(found[1].strip("[]"), int(found[2] or _HTTPS), timeout_s)


def _shown_by(host: str, port: int, timeout_s: float) -> bytes:
    from oadr_transports.doctor import judge, probe
    from oadr_transports.doctor.evidence import or_plain_http
    from oadr_transports.doctor.words import words
    from oadr_transports.tls import explain

    seen = {"host": host, "port": str(port), "address": host, "timeout": f"{timeout_s:g} s"}
    try:
        addresses = probe.look_up(host, port, timeout_s)
    except (OSError, UnicodeError) as error:
        raise Failed(words(judge.of_lookup(error), {**seen, "said": str(error)})[0]) from None
    try:
        shown = probe.look(addresses, host, timeout_s)
    except OSError as error:
        raise Failed(words(judge.of_connection(error), {**seen, "said": str(error)})[0]) from None
    if shown.chain:
        return shown.chain[0]
    failure = shown.error or OSError("the server shows no certificate")
    finding = judge.of_handshake(failure, shown=False, given=True, authorities=True)
    finding = or_plain_http(finding, addresses, host, timeout_s)
    raise Failed(words(finding, {**seen, "said": explain(failure)})[0])
