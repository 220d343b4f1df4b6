"""`oadr cert`: a kit that is ready for the other commands, and certificates in words."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import join

import pytest

from oadr_core.security import fingerprint, fingerprint_20a
from oadr_transports.certificates import Kind, issue, new_authority
from oadr_transports.cli.app import run
from oadr_transports.tls import client_context, server_context

NOW = datetime.now(UTC)


def pem(*, now: datetime = NOW, days: int = 30, name: str = "ven1") -> bytes:
    """A certificate and that of its authority, which began a year ago."""
    authority = new_authority(Kind.ECC, now=NOW - timedelta(days=365))
    issued = issue(authority, name=name, hosts=[name], kind=Kind.ECC, now=now, days=days)
    return issued.certificate_pem + authority.certificate_pem


def words(text: str) -> str:
    """Without the blanks of tables."""
    return " ".join(text.split())


def test_a_kit_for_the_other_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my certs"
    assert run(["cert", "generate", "--out", str(folder)]) == 0
    said = capsys.readouterr().out
    for name in ("ca", "vtn", "ven1"):
        assert fingerprint((folder / f"{name}.pem").read_bytes()) in said
        assert stat.S_IMODE((folder / f"{name}.key").stat().st_mode) == 0o600
    files = {name: f"'{folder / name}'" for name in ("ca.pem", "vtn.pem", "vtn.key", "ven1.pem", "ven1.key")}
    serve = f"oadr vtn serve --port 8443 --cert {files['vtn.pem']} --key {files['vtn.key']} --ca {files['ca.pem']}"
    assert serve in said
    assert f"--ven-name ven1 --cert {files['ven1.pem']} --key {files['ven1.key']} --ca {files['ca.pem']}" in said
    server_context(folder / "vtn.pem", folder / "vtn.key", ca_file=folder / "ca.pem")
    client_context(folder / "ven1.pem", folder / "ven1.key", ca_file=folder / "ca.pem")


def test_json_of_a_kit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--kind", "rsa", "--days", "7", "--ven", "a", "--name", "b", "--host", "vtn.example", "--json"]
    assert run(["cert", "generate", "--out", str(tmp_path), *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [party["name"] for party in found["parties"]] == ["ca", "vtn", "a", "b"]
    for party in found["parties"]:
        assert party["fingerprint"] == fingerprint(Path(party["certificate"]).read_bytes())
        assert Path(party["key"]).exists()
    assert datetime.fromisoformat(found["parties"][1]["not_after"]) < NOW + timedelta(days=8)


def test_more_vens_later(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path)]
    assert run(["cert", "generate", *out]) == 0
    assert run(["cert", "generate", *out, "--ven", "ven2"]) == 0
    capsys.readouterr()
    assert run(["cert", "generate", *out]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "ven1.pem is there already" in captured.err
    assert "--force" in captured.err
    assert run(["cert", "generate", *out, "--force"]) == 0
    assert "ven2.pem is of the authority that was replaced" in words(capsys.readouterr().out)


def test_passphrase(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    for number, option in enumerate((["--passphrase-file", str(secret)], ["--passphrase", "open sesame"])):
        folder = tmp_path / str(number)
        assert run(["cert", "generate", "--out", str(folder), *option]) == 0
        assert capsys.readouterr().out.count(join(option)) == 2
        client_context(folder / "ven1.pem", folder / "ven1.key", "open sesame")
    both = ["--passphrase-file", str(secret), "--passphrase", "open sesame"]
    assert run(["cert", "generate", "--out", str(tmp_path / "both"), *both]) == 2
    assert run(["cert", "generate", "--out", str(tmp_path / "none"), "--passphrase", ""]) == 2
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--days", "0"], 2, "1<=x<=3650"),
        (["--kind", "dsa"], 2, "'ecc', 'rsa'"),
        (["--ven", "../x"], 1, "--ven: '../x' cannot be a file's name"),
        (["--host", "a b"], 1, "--host: 'a b' is no host name"),
    ],
)
def test_wrong_use(
    arguments: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["cert", "generate", "--out", str(tmp_path), *arguments]) == code
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_chain_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = pem()
    file = tmp_path / "chain.pem"
    file.write_bytes(data)
    assert run(["cert", "show", str(file)]) == 0
    said = words(capsys.readouterr().out)
    assert "chain.pem, 1 of 2" in said
    assert "subject CN=ven1" in said
    assert "issuer CN=oadr test CA" in said
    assert "now valid, for another 29 d" in said
    assert "key ECC 256 (secp256r1)" in said
    assert "names ven1" in said
    assert "usages digitalSignature, serverAuth, clientAuth" in said
    assert f"fingerprint {fingerprint(data)}" in said
    assert f"2.0a form {fingerprint_20a(data)} (SHA-1)" in said
    assert "issuer itself" in said
    assert "authority, digitalSignature, keyCertSign, cRLSign" in said


@pytest.mark.parametrize(
    ("begin", "said"),
    [(timedelta(days=-40), "now expired 10 d ago"), (timedelta(days=9), "now not yet valid, in 8 d")],
)
def test_a_certificate_out_of_its_time(
    begin: timedelta, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.pem").write_bytes(pem(now=NOW + begin))
    assert run(["cert", "show", str(tmp_path / "a.pem")]) == 0
    assert said in words(capsys.readouterr().out)


def test_json_of_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.pem", tmp_path / "bad.pem"
    good.write_bytes(pem())
    bad.write_bytes(b"junk")
    assert run(["cert", "show", "--json", str(good), str(bad), str(tmp_path / "missing")]) == 1
    first, second, third = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [found["validity"] for found in first["certificates"]] == ["valid", "valid"]
    assert first["certificates"][0]["fingerprint"] == fingerprint(good.read_bytes())
    assert not second["ok"]
    assert "neither PEM nor DER" in second["error"]
    assert "No such file" in third["error"]


def test_a_name_cannot_colour_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.pem").write_bytes(issue_with_name("ven\x1b[31m1"))
    assert run(["cert", "show", str(tmp_path / "a.pem")]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "ven\\x1b[31m1" in said


def issue_with_name(name: str) -> bytes:
    authority = new_authority(Kind.ECC, now=NOW)
    return issue(authority, name=name, hosts=["ven1"], kind=Kind.ECC, now=NOW, days=1).certificate_pem


def test_a_key_is_not_a_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["cert", "generate", "--out", str(tmp_path)])
    capsys.readouterr()
    assert run(["cert", "show", str(tmp_path / "ven1.key")]) == 1
    assert "not a certificate but a private key" in capsys.readouterr().err
