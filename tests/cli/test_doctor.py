"""`oadr doctor` as people and programs use it; what it finds is tested where it is found."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from shlex import join

import pytest

from oadr_transports.cli.app import run
from tests.cli.command import run_command, running_command
from tests.transports.doctor.servers import HOST, NOW, PATH, WELCOME, Pki, answering_with, serving, tls_server


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


def test_all_is_well(pki: Pki, capsys: pytest.CaptureFixture[str]) -> None:
    ven, ca = pki.party("ven1"), pki.ca()
    with serving(answering_with(WELCOME), tls_server(pki.party("vtn"), ca=ca)) as port:
        url = f"https://{HOST}:{port}{PATH}"
        files = ["--cert", str(ven.cert), "--key", str(ven.key), "--ca", str(ca)]
        assert run(["doctor", url, *files, "--ven-name", "ven1"]) == 0
    said = capsys.readouterr().out
    assert "all is well" in said
    assert f"oadr ven run --vtn-url {url} --ven-name ven1 {' '.join(files)}" in said
    assert "failed" not in said


def test_the_passphrase_belongs_to_what_comes_next(
    pki: Pki, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "my secret"
    secret.write_text("open sesame\n")
    ven = pki.party("locked")
    locked = ven.protected(b"open sesame")
    with serving(answering_with(WELCOME), tls_server(pki.party("vtn"), ca=pki.ca())) as port:
        files = ["--cert", str(ven.cert), "--key", str(locked), "--ca", str(pki.ca()), "--passphrase-file", str(secret)]
        assert run(["doctor", f"https://{HOST}:{port}{PATH}", *files]) == 0
    assert join(files) in capsys.readouterr().out


def test_the_first_thing_that_fails(pki: Pki, capsys: pytest.CaptureFixture[str]) -> None:
    old = pki.party("vtn", now=NOW - timedelta(days=30), days=10)
    with serving(answering_with(WELCOME), tls_server(old)) as port:
        assert run(["doctor", f"https://{HOST}:{port}{PATH}", "--ca-file", str(pki.ca())]) == 1
    said = capsys.readouterr().out
    lines = said.splitlines()
    [failed] = [line for line in lines if line.startswith("failed")]
    assert "chain" in failed
    assert next(line for line in lines if line.startswith("wrong")).startswith("wrong  the server's certificate CN=vtn")
    assert any(line.startswith("to do") for line in lines)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(answering_with(WELCOME)) as port:
        url = f"http://{HOST}:{port}{PATH}"
        assert run(["doctor", "--json", url]) == 0
        assert run(["doctor", "--json", f"{url}/EiEvent"]) == 1
    good, bad = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (good["ok"], good["failure"], good["url"]) == (True, None, url)
    assert {step["step"]: step["status"] for step in good["steps"]}["registration"] == "ok"
    assert not bad["ok"]
    assert bad["failure"]["step"] == "url"
    assert bad["failure"]["finding"] == "url_of_a_service"
    assert bad["failure"]["what"]
    assert bad["failure"]["advice"]


def test_our_own_vtn(tmp_path: Path) -> None:
    with running_command(tmp_path / "errors", "vtn", "serve", "--port", "0", "--admin", "off", "--json") as vtn:
        url = vtn.wait("start")["url"]
        well = run_command("doctor", url)
        lost = run_command("doctor", "--json", url.removesuffix("/2.0b"))
    assert well.returncode == 0, well.stdout
    assert lost.returncode == 1
    assert json.loads(lost.stdout)["failure"]["finding"] == "not_found"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "URL"),
        (["http://h", "--timeout", "0"], 2, "0<x<=600"),
        (["http://h", "--vtn-fingerprint", "AA:BB"], 2, "not a fingerprint"),
        (["http://h", "--cert", "/no/such"], 2, "does not exist"),
    ],
)
def test_wrong_use(arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", *arguments]) == code
    assert said in capsys.readouterr().err


def test_a_server_cannot_colour_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from tests.transports.doctor.servers import answering

    with serving(answering(b"\x1b[31mred", "403 Forbidden", "text/plain")) as port:
        assert run(["doctor", f"http://{HOST}:{port}{PATH}"]) == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "red" in said
