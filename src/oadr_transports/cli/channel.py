"""The options of a VTN's secure channel: certificates, who is let in, proxies, and insecurity by its name.

It stands alone because they belong together, and a command takes them as one thing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from .passphrase import passphrase_of, passphrase_options

_F = TypeVar("_F", bound=Callable[..., Any])
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_LEVELS: Final = ("profile", "compatible", "modern")


def channel_options(command: _F) -> _F:
    """The options; the command hands what it gets for them to :func:`channel_of`."""
    for decorate in reversed(
        (
            click.option(
                "--cert",
                "certs",
                type=_FILE,
                multiple=True,
                metavar="FILE",
                help="Certificate of this VTN (PEM), for TLS and for signing. Repeat it, with its --key, for a second "
                "one with another kind of key.",
            ),
            click.option("--key", "keys", type=_FILE, multiple=True, metavar="FILE", help="Its private key (PEM)."),
            passphrase_options("opens the key"),
            click.option(
                "--ca",
                "--ca-file",
                "ca_file",
                type=_FILE,
                metavar="FILE",
                help="Authorities that the certificates of VENs must come from (PEM).",
            ),
            click.option(
                "--ven",
                "vens",
                multiple=True,
                metavar="NAME[=FINGERPRINT]",
                callback=_vens,
                help="Only these VENs may register: by name, or better by name and certificate. May be repeated.",
            ),
            click.option("--require-signature", is_flag=True, help="Refuse messages that are not signed."),
            click.option("--disable-signature", is_flag=True, help="Do not sign, although there is a key."),
            click.option(
                "--tls-level",
                type=click.Choice(_LEVELS),
                default="compatible",
                show_default=True,
                help="The profile's suites only; those behind modern ones; or modern ones only.",
            ),
            click.option(
                "--trusted-proxy",
                "trusted_proxies",
                multiple=True,
                metavar="ADDRESS",
                help="A proxy that ends TLS, and hands the certificate of the VEN on in a header; address or network. "
                "May be repeated.",
            ),
            click.option(
                "--client-cert-header",
                default="Client-Cert",
                show_default=True,
                metavar="NAME",
                help="That header: Client-Cert (RFC 9440), X-Forwarded-Client-Cert (Envoy), any other with escaped PEM "
                "(nginx).",
            ),
            click.option(
                "--insecure",
                is_flag=True,
                help="Believe whoever names a venID, without a certificate; without --cert over plain HTTP.",
            ),
        )
    ):
        command = decorate(command)
    return command


def channel_of(
    host: str,
    *,
    certs: tuple[Path, ...],
    keys: tuple[Path, ...],
    passphrase: str | None,
    passphrase_file: Path | None,
    vens: tuple[tuple[str, str | None], ...],
    trusted_proxies: tuple[str, ...],
    insecure: bool,
    **others: Any,
) -> dict[str, Any]:
    """The arguments for ``Vtn`` that the options say, for a server that listens on ``host``.

    Without a certificate, a proxy or ``--insecure`` only this machine may be served: that is insecure too, and logged
    as such. Raises ``click.UsageError`` for anything else.
    """
    from oadr_core.vtn import Admitted

    if not certs and not trusted_proxies and not insecure:
        if host not in _LOOPBACK:
            raise click.UsageError(
                f"VENs from the network (--host {host}) need a secure channel: give --cert, --key and --ca, or name a "
                "--trusted-proxy. To try things out without one, say --insecure"
            )
        insecure = True
    if certs and not insecure and not trusted_proxies and others["ca_file"] is None:
        raise click.UsageError(
            "--ca is missing, the authorities that the certificates of VENs must come from. To let VENs in without a "
            "certificate, say --insecure"
        )
    admitted = tuple(Admitted(ven_name=name, fingerprint=fingerprint) for name, fingerprint in vens)
    return {
        "cert": certs,
        "key": keys,
        "passphrase": passphrase_of(passphrase, passphrase_file),
        "trusted_proxies": trusted_proxies,
        "identity": "insecure" if insecure else "certificate",
        "admitted": admitted or None,
        **others,
    }


def is_open(host: str) -> bool:
    """Whether a server that listens there can be reached from other machines."""
    return host not in _LOOPBACK


def _vens(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> Any:
    from oadr_core import LocalError
    from oadr_core.security import normal_fingerprint

    found = []
    for value in values:
        name, separator, text = value.partition("=")
        if not name:
            raise click.BadParameter(f"{value!r} has no name", context, parameter)
        try:
            found.append((name, normal_fingerprint(text) if separator else None))
        except LocalError as error:
            raise click.BadParameter(f"{value!r}: {error}", context, parameter) from None
    return tuple(found)
