"""`oadr fingerprint`: of files, and of what servers show."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest

from oadr_core.security import fingerprint, fingerprint_20a
from oadr_transports.cli.app import run
from tests.cli.command import run_command
from tests.transports.doctor.servers import HOST, Pki, answering, serving, silent, tls_server


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


def test_files(pki: Pki, capsys: pytest.CaptureFixture[str]) -> None:
    ven = pki.party("ven1")
    known = fingerprint(ven.cert.read_bytes())
    der = pki.folder / "ven1.der"
    der.write_bytes(ssl.PEM_cert_to_DER_cert(ven.cert.read_text()))
    for file in (ven.cert, der):
        assert run(["fingerprint", str(file)]) == 0
        assert capsys.readouterr().out == f"{known}\n"
    assert run(["fingerprint", str(der), str(ven.key), str(ven.cert)]) == 1
    captured = capsys.readouterr()
    assert captured.out == f"{known}  {der}\n{known}  {ven.cert}\n"
    assert "private key" in captured.err


def test_standard_input(pki: Pki) -> None:
    data = pki.party("ven1").cert.read_bytes()
    done = run_command("fingerprint", "-", stdin=data)
    assert (done.returncode, done.stdout.decode()) == (0, f"{fingerprint(data)}\n")


def test_json(pki: Pki, capsys: pytest.CaptureFixture[str]) -> None:
    cert = pki.party("ven1").cert
    assert run(["fingerprint", "--json", str(cert), "no/such"]) == 1
    good, bad = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert good["fingerprint"] == fingerprint(cert.read_bytes())
    assert good["fingerprint_20a"] == fingerprint_20a(cert.read_bytes())
    assert good["sha256"].endswith(good["fingerprint"])
    assert not bad["ok"]
    assert "no such file" in bad["error"]


@pytest.mark.parametrize("newest", [True, False], ids=["TLS 1.3", "TLS 1.2"])
@pytest.mark.parametrize("mutual", [True, False])
def test_servers(pki: Pki, newest: bool, mutual: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Also one that nobody trusts, has another name, and wants a certificate first."""
    vtn = pki.party("vtn", host="other.example")
    with serving(answering(), tls_server(vtn, ca=pki.ca() if mutual else None, newest=newest)) as port:
        for place in (f"{HOST}:{port}", f"https://{HOST}:{port}/OpenADR2/Simple/2.0b"):
            assert run(["fingerprint", place]) == 0
            assert capsys.readouterr().out == f"{fingerprint(vtn.cert.read_bytes())}\n"


def test_places_without_a_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(answering()) as plain, serving(silent) as mute:
        for arguments, said in (
            ([f"{HOST}:{plain}"], "speaks plain HTTP"),
            ([f"{HOST}:{mute}", "--timeout", "0.3"], "says nothing"),
            (["vtn.invalid:443"], "vtn.invalid"),
            (["vtn.example"], "no such file, and it is not HOST:PORT"),
            (["vtn.example:99999"], "ports end at 65535"),
        ):
            assert run(["fingerprint", *arguments]) == 1
            captured = capsys.readouterr()
            assert said in captured.err
            assert captured.out == ""
