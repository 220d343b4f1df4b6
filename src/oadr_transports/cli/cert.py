"""`oadr cert`: certificates to try the secure channel with, and what a certificate says.

It stands alone as the commands and their drawing; what is made and what is read is in
:mod:`oadr_transports.certificates`.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING, Any, Final

import click

from .failures import Failed
from .files import read, shown_name
from .passphrase import passphrase_again, passphrase_of, passphrase_options

if TYPE_CHECKING:
    from rich.console import Console

    from oadr_transports.certificates import CertificateFacts, Kit

_WIDE: Final = 160
"""Columns where the output is no terminal."""


@click.group
def cert() -> None:
    """Make certificates for trying things out, and show what certificates say."""


@cert.command
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("certs"),
    show_default=True,
    metavar="DIR",
    help="Where the files go; a DIR with an authority in it gets more VENs.",
)
@click.option(
    "--ven",
    "--name",
    "vens",
    multiple=True,
    default=("ven1",),
    show_default="ven1",
    metavar="NAME",
    help="A VEN: its files and its certificate are called so. May be repeated.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="HOST",
    help="A name or address that the VTN is reached by. May be repeated.  [default: localhost, 127.0.0.1, ::1]",
)
@click.option(
    "--kind", type=click.Choice(["ecc", "rsa"]), default="ecc", show_default=True, help="P-256, or RSA of 2048 bits."
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long they are valid from now."
)
@passphrase_options("encrypts the new keys, and opens that of the authority")
@click.option("--force", is_flag=True, help="Replace what is there, the authority too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def generate(
    out: Path,
    vens: tuple[str, ...],
    hosts: tuple[str, ...],
    kind: str,
    days: int,
    passphrase_file: Path | None,
    passphrase: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Make a test authority, a certificate for a VTN, and one for each VEN.

    Each party has NAME.pem, the certificate, and NAME.key, its private key, which only you can read; the authority is
    called ca, the VTN vtn. When DIR has an authority already, VENs are added to it. These are for trying things out:
    in operation, certificates come from the authority that the operator of the VTN names.

    \b
    Examples:
      oadr cert generate
      oadr vtn serve --port 8443 --cert certs/vtn.pem --key certs/vtn.key --ca certs/ca.pem
      oadr ven run --vtn-url https://localhost:8443/OpenADR2/Simple/2.0b --ven-name ven1 \\
          --cert certs/ven1.pem --key certs/ven1.key --ca certs/ca.pem
      oadr cert generate --ven ven2 --ven ven3          two more VENs of the same authority
      oadr cert generate --out lab --host vtn.lab.example --host 192.0.2.7 --kind rsa

    Exit codes: 0 made, 1 not made, 2 wrong use.
    """
    from oadr_core import LocalError
    from oadr_transports.certificates import Kind, make_kit

    secret = passphrase_of(passphrase, passphrase_file)
    try:
        kit = make_kit(
            out,
            vens=vens,
            hosts=hosts or None,
            kind=Kind(kind),
            days=days,
            passphrase=secret,
            force=force,
            now=datetime.now(UTC),
        )
    except LocalError as error:
        raise Failed(f"--{error.path}: {error.text}" if error.path else error.text) from None
    if as_json:
        click.echo(json.dumps(_kit_json(kit)))
    else:
        _draw_kit(kit, passphrase_again(passphrase, passphrase_file))
    return 0


@cert.command
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for each file one.")
def show(files: tuple[str, ...], as_json: bool) -> int:
    """Show what certificates say, PEM or DER; for - standard input is read.

    That is owner, issuer, validity and whether it is valid now, key, names, usages and fingerprints; of a chain, each
    certificate. What will make trouble with OpenADR is told below it.

    \b
    Examples:
      oadr cert show certs/vtn.pem
      oadr cert show --json ven.pem | jq -r .certificates[0].fingerprint

    Exit codes: 0 all were read, 1 some were not, 2 wrong use.
    """
    results = [_show(name, as_json=as_json, first=not index) for index, name in enumerate(files)]
    return 0 if all(results) else 1


def _kit_json(kit: Kit) -> dict[str, Any]:
    return {
        "folder": str(kit.folder),
        "parties": [
            {
                "role": party.role,
                "name": party.name,
                "certificate": str(party.certificate),
                "key": str(party.key),
                "fingerprint": party.fingerprint,
                "not_after": party.not_after.isoformat(),
                "made": party.made,
            }
            for party in kit.parties
        ],
        "stale": [str(path) for path in kit.stale],
    }


def _draw_kit(kit: Kit, passphrase: list[str]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = _console()
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("who", "certificate", "private key", "fingerprint", "valid until", ""):
        table.add_column(column, overflow="fold", no_wrap=column == "fingerprint")
    for party in kit.parties:
        who = party.role if party.role != "VEN" else f"VEN {party.name}"
        until = party.not_after.date().isoformat()
        cells = (who, str(party.certificate), str(party.key), party.fingerprint, until)
        table.add_row(*map(Text, cells), Text("new" if party.made else "kept", "green" if party.made else "dim"))
    console.print(table)
    for path in kit.stale:
        console.print(Text(f"{path} is of the authority that was replaced: it is not accepted any more", "yellow"))
    _draw_next(kit, console, passphrase)


def _draw_next(kit: Kit, console: Console, passphrase: list[str]) -> None:
    """The commands that use what was made, to be copied."""
    from rich.text import Text

    authority, vtn, ven = kit.parties[:3]
    url = f"https://{_host_of(vtn.certificate)}:8443/OpenADR2/Simple/2.0b"
    console.print(Text("\nTo use them:", "bold"))
    for command, party in (
        ("oadr vtn serve --port 8443", vtn),
        (f"oadr ven run --vtn-url {url} --ven-name {quote(ven.name)}", ven),
    ):
        files = ("--cert", str(party.certificate), "--key", str(party.key), "--ca", str(authority.certificate))
        console.print(Text(f"  {command} {join((*files, *passphrase))}"), soft_wrap=True)


def _host_of(path: Path) -> str:
    from oadr_transports.certificates import read_certificates

    host = next(iter(read_certificates(path.read_bytes())[0].names), "localhost")
    return f"[{host}]" if ":" in host else host


def _show(name: str, *, as_json: bool, first: bool) -> bool:
    from oadr_core import LocalError
    from oadr_transports.certificates import read_certificates

    from .say import clean

    try:
        found = read_certificates(read(name))
    except (Failed, LocalError) as error:
        text = clean(error)
        text = text if text.startswith(name) else f"{shown_name(name)}: {text}"
        if as_json:
            click.echo(json.dumps({"file": shown_name(name), "ok": False, "error": text}))
        else:
            click.echo(f"oadr: {text}", err=True)
        return False
    now = datetime.now(UTC)
    if as_json:
        certificates = [facts.json(now) for facts in found]
        click.echo(json.dumps({"file": shown_name(name), "ok": True, "certificates": certificates}))
        return True
    console = _console()
    for number, facts in enumerate(found, 1):
        if number > 1 or not first:
            console.print()
        _draw(shown_name(name) + (f", {number} of {len(found)}" if len(found) > 1 else ""), facts, now, console)
    return True


def _draw(title: str, facts: CertificateFacts, now: datetime, console: Console) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from .say import clean

    table = Table(box=box.SIMPLE, show_header=False, show_edge=False, pad_edge=False, title_justify="left")
    table.add_column(style="cyan")
    table.add_column(overflow="fold")
    style = {"valid": "green"}.get(facts.validity(now), "red")
    rows: list[tuple[str, str | Text]] = [
        ("subject", facts.subject),
        ("issuer", "itself" if facts.self_signed else facts.issuer),
        ("valid", _when(facts)),
        ("now", Text(in_words(facts, now), style)),
        ("key", facts.key),
        ("names", ", ".join(facts.names) or "none"),
        ("usages", _list((*(facts.usages or ()), *(facts.extended or ())), facts)),
        ("fingerprint", Text(facts.fingerprint, "bold")),
        ("2.0a form", f"{facts.fingerprint_20a} (SHA-1)"),
        ("SHA-256", facts.sha256),
        ("serial", facts.serial),
    ]
    for label, value in rows:
        table.add_row(label, value if isinstance(value, Text) else Text(clean(value)))
    console.print(Text(title, "bold"))
    console.print(table)
    for remark in facts.remarks:
        console.print(Text(f"  {remark}", "yellow"))


def in_words(facts: CertificateFacts, now: datetime) -> str:
    """Whether a certificate is valid now, and for how long it has been so or will be."""
    from datetime import timedelta

    from .say import length

    left = facts.left(now)
    whole = timedelta(days=abs(left).days) if abs(left).days else timedelta(seconds=abs(left) // timedelta(seconds=1))
    return {
        "valid": f"valid, for another {length(whole)}",
        "expired": f"expired {length(whole)} ago",
        "not yet valid": f"not yet valid, in {length(whole)}",
    }[facts.validity(now)]


def _when(facts: CertificateFacts) -> str:
    from .say import utc

    return f"{utc(facts.not_before)} to {utc(facts.not_after)}"


def _list(usages: tuple[str, ...], facts: CertificateFacts) -> str:
    if facts.authority:
        usages = ("authority", *usages)
    return ", ".join(usages) or "any"


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
