"""`oadr vtn serve` with a secure channel, and `oadr ven run` against it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.cli.command import run_command, running_command
from tests.observations import Observation
from tests.pki import KINDS, Party, Pki

SERVE = ("vtn", "serve", "--json", "--port", "0", "--admin", "off", "--poll", "1s")


@pytest.fixture(params=KINDS)
def pki(request: pytest.FixtureRequest, tmp_path: Path) -> Pki:
    return Pki(tmp_path, request.param)


def files(party: Party, pki: Pki) -> tuple[str, ...]:
    return ("--cert", str(party.cert), "--key", str(party.key), "--ca", str(pki.ca_file))


def ven_run(url: str, name: str, *options: str) -> tuple[str, ...]:
    return ("ven", "run", "--json", "--vtn-url", url, "--ven-name", name, *options)


def says(text: str) -> Callable[[Observation], bool]:
    return lambda seen: text in seen["text"]


def locked(party: Party) -> Path:
    """A copy of the key that `open sesame` opens."""
    key = serialization.load_pem_private_key(party.key.read_bytes(), None)
    path = party.key.with_suffix(".locked")
    cipher = serialization.BestAvailableEncryption(b"open sesame")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, cipher))
    return path


def test_mutual_tls_and_signatures_from_the_command_line(pki: Pki, tmp_path: Path) -> None:
    vtn_party, ven_party, thief = pki.issue("vtn"), pki.issue("ven"), pki.issue("thief")
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("open sesame\n")
    admitted = ("--ven", f"ven1={ven_party.fingerprint}", "--require-signature", "--passphrase-file", str(passphrase))
    ours = ("--cert", str(vtn_party.cert), "--key", str(locked(vtn_party)), "--ca", str(pki.ca_file))
    with running_command(tmp_path / "vtn.err", *SERVE, *ours, *admitted, "--event-in", "1m") as vtn:
        url = vtn.wait("start")["url"]
        assert url.startswith("https://127.0.0.1:")
        assert vtn.wait("start", lambda seen: "fingerprint" in seen)["fingerprint"] == vtn_party.fingerprint
        with running_command(tmp_path / "thief.err", *ven_run(url, "ven1", *files(thief, pki))) as other:
            assert "463" in other.wait("error")["text"]
            assert thief.fingerprint in vtn.wait("warning", says("463"))["text"]
        options = (*files(ven_party, pki), "--vtn-fingerprint", vtn_party.fingerprint)
        with running_command(tmp_path / "ven.err", *ven_run(url, "ven1", *options)) as ven:
            assert ven.wait("start", lambda seen: "fingerprint" in seen)["fingerprint"] == ven_party.fingerprint
            assert vtn.wait("registration")["ven_name"] == "ven1"
            assert vtn.wait("opt")["opt"] == "optIn"
            assert ven.interrupt()[0] == 0
            assert ven.errors == ""
        assert vtn.interrupt()[0] == 0
        assert vtn.errors == ""
        assert not [line for line in vtn.all("warning") if "INSECURE" in line["text"]]


def test_vtn_that_is_not_the_expected_one_is_told_with_both_fingerprints(pki: Pki, tmp_path: Path) -> None:
    vtn_party, ven_party = pki.issue("vtn"), pki.issue("ven")
    with running_command(tmp_path / "vtn.err", *SERVE, *files(vtn_party, pki)) as vtn:
        url = vtn.wait("start")["url"]
        options = (*files(ven_party, pki), "--vtn-fingerprint", ven_party.fingerprint)
        with running_command(tmp_path / "ven.err", *ven_run(url, "ven1", *options)) as ven:
            text = ven.wait("warning", says("no connection"))["text"]
    assert vtn_party.fingerprint in text
    assert ven_party.fingerprint in text


def test_this_machine_is_served_insecurely_and_told_so(tmp_path: Path) -> None:
    with running_command(tmp_path / "err", *SERVE) as vtn:
        assert vtn.wait("start")["url"].startswith("http://127.0.0.1:")
        assert vtn.wait("warning", says("INSECURE (identity='insecure')"))
        assert vtn.wait("warning", says("plain HTTP"))
        assert vtn.wait("warning", says("every VEN is accepted"))


def test_network_is_served_insecurely_only_by_name(tmp_path: Path) -> None:
    refused = run_command("vtn", "serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2
    assert b"--insecure" in refused.stderr
    with running_command(tmp_path / "err", *SERVE, "--host", "0.0.0.0", "--insecure") as vtn:
        assert vtn.wait("warning", says("from the whole network, without encryption"))


def test_trusted_proxy_needs_no_certificate(tmp_path: Path) -> None:
    options = ("--trusted-proxy", "10.0.0.0/8", "--client-cert-header", "X-SSL-Client-Cert")
    with running_command(tmp_path / "err", *SERVE, *options) as vtn:
        url = vtn.wait("start")["url"]
        with running_command(tmp_path / "ven.err", *ven_run(url, "ven1")) as ven:
            assert "463" in ven.wait("error")["text"]
        assert not [line for line in vtn.all("warning") if "INSECURE" in line["text"]]


@pytest.mark.parametrize(
    ("code", "options", "text"),
    [
        (2, ("--cert", "{vtn.cert}", "--key", "{vtn.key}"), "--ca is missing"),
        (1, ("--cert", "{vtn.cert}", "--ca", "{ca}"), "cert and key belong together"),
        (1, ("--cert", "{vtn.cert}", "--key", "{other.key}", "--ca", "{ca}"), "does not belong to the certificate"),
        (1, ("--cert", "{vtn.key}", "--key", "{vtn.key}", "--ca", "{ca}"), "not a certificate but a private key"),
        (1, ("--trusted-proxy", "proxy.example"), "--trusted-proxy: the address of a proxy"),
        (2, ("--ven", "ven1=nonsense"), "not a fingerprint"),
        (2, ("--ven", "=AA"), "has no name"),
        (2, ("--cert", "nowhere.pem"), "does not exist"),
    ],
)
def test_wrong_options_are_explained(code: int, options: tuple[str, ...], text: str, tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    names = {"vtn": pki.issue("vtn"), "other": pki.issue("other"), "ca": pki.ca_file}
    done = run_command("vtn", "serve", "--port", "0", *(option.format(**names) for option in options))
    assert text in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert done.returncode == code
