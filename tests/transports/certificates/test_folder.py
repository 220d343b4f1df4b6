"""The folder of a kit: names, rights, what is added, and that nothing is overwritten."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from oadr_core import LocalError
from oadr_core.security import fingerprint
from oadr_transports.certificates import Kind, Kit, make_kit, read_certificates
from oadr_transports.tls import client_context, server_context

NOW = datetime.now(UTC)


def kit(folder: Path, *vens: str, **settings: object) -> Kit:
    return make_kit(folder, vens=vens or ("ven1",), now=NOW, **settings)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def issuer(path: Path) -> x509.Name:
    return x509.load_pem_x509_certificate(path.read_bytes()).issuer


@pytest.mark.parametrize("kind", Kind)
def test_a_new_kit(tmp_path: Path, kind: Kind) -> None:
    folder = tmp_path / "deep" / "certs"
    made = kit(folder, "ven1", "ven2", kind=kind)
    assert sorted(contents(folder)) == sorted(
        f"{name}.{ending}" for name in ("ca", "vtn", "ven1", "ven2") for ending in ("pem", "key")
    )
    assert [(party.role, party.name, party.made) for party in made.parties] == [
        ("authority", "ca", True),
        ("VTN", "vtn", True),
        ("VEN", "ven1", True),
        ("VEN", "ven2", True),
    ]
    for party in made.parties:
        assert party.fingerprint == fingerprint(party.certificate.read_bytes())
        assert stat.S_IMODE(party.key.stat().st_mode) == 0o600
    server_context(folder / "vtn.pem", folder / "vtn.key", ca_file=folder / "ca.pem")
    client_context(folder / "ven2.pem", folder / "ven2.key", ca_file=folder / "ca.pem")
    [vtn] = read_certificates((folder / "vtn.pem").read_bytes())
    assert vtn.names == ("localhost", "127.0.0.1", "::1")
    assert vtn.key.startswith(kind.upper())
    assert vtn.remarks == ()
    [ven] = read_certificates((folder / "ven1.pem").read_bytes())
    assert ven.subject == "CN=ven1"
    assert "localhost" not in ven.names  # a VEN must not be taken for the VTN


def test_hosts_of_the_vtn(tmp_path: Path) -> None:
    kit(tmp_path, hosts=["vtn.example", "192.0.2.7"])
    [vtn] = read_certificates((tmp_path / "vtn.pem").read_bytes())
    assert vtn.names == ("vtn.example", "192.0.2.7")
    assert vtn.subject == "CN=vtn.example"


def test_a_ven_is_added_to_the_same_authority(tmp_path: Path) -> None:
    kit(tmp_path)
    before = contents(tmp_path)
    added = kit(tmp_path, "ven2")
    assert [(party.name, party.made) for party in added.parties] == [("ca", False), ("vtn", False), ("ven2", True)]
    after = contents(tmp_path)
    assert {name: data for name, data in after.items() if not name.startswith("ven2.")} == before
    assert issuer(tmp_path / "ven2.pem") == issuer(tmp_path / "ven1.pem")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    kit(tmp_path)
    before = contents(tmp_path)
    for vens in (("ven1",), ("ven2", "ven1")):
        with pytest.raises(LocalError, match=r"ven1\.pem is there already, and is not overwritten"):
            kit(tmp_path, *vens)
    with pytest.raises(LocalError, match="hosts cannot be added"):
        kit(tmp_path, "ven2", hosts=["vtn.example"])
    assert contents(tmp_path) == before


def test_a_key_alone_is_not_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "ven1.key").write_text("precious")
    with pytest.raises(LocalError, match=r"ven1\.key is there already"):
        kit(tmp_path)
    assert contents(tmp_path) == {"ven1.key": b"precious"}


def test_force_makes_everything_new(tmp_path: Path) -> None:
    kit(tmp_path, "ven1", "ven2")
    (tmp_path / "ven1.key").chmod(0o644)
    before = contents(tmp_path)
    made = kit(tmp_path, force=True)
    after = contents(tmp_path)
    assert all(after[name] != before[name] for name in before if not name.startswith("ven2"))
    assert made.stale == (tmp_path / "ven2.pem",)
    assert stat.S_IMODE((tmp_path / "ven1.key").stat().st_mode) == 0o600


def test_passphrase(tmp_path: Path) -> None:
    kit(tmp_path, passphrase="open sesame")
    for name in ("ca", "vtn", "ven1"):
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in (tmp_path / f"{name}.key").read_bytes()
    client_context(tmp_path / "ven1.pem", tmp_path / "ven1.key", "open sesame")
    with pytest.raises(LocalError, match="there is no passphrase"):
        kit(tmp_path, "ven2")
    with pytest.raises(LocalError, match="passphrase is wrong"):
        kit(tmp_path, "ven2", passphrase="wrong")
    kit(tmp_path, "ven2", passphrase="open sesame")
    client_context(tmp_path / "ven2.pem", tmp_path / "ven2.key", "open sesame")


@pytest.mark.parametrize("name", ["ca", "VTN", "localhost", "", "../ven1", "a b", ".hidden", "a/b", "x" * 65, "ven-"])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(LocalError):
        kit(tmp_path, name)
    assert contents(tmp_path) == {}


def test_a_name_that_is_given_twice(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="twice"):
        kit(tmp_path, "ven1", "VEN1")


def test_a_ven_cannot_have_the_name_of_a_vtn_that_is_there(tmp_path: Path) -> None:
    kit(tmp_path, hosts=["vtn.example"])
    with pytest.raises(LocalError, match="another party"):
        kit(tmp_path, "vtn.example")


def test_an_authority_that_cannot_be_used(tmp_path: Path) -> None:
    kit(tmp_path)
    ca, key = tmp_path / "ca.pem", tmp_path / "ca.key"
    good = ca.read_bytes(), key.read_bytes()
    for pem, private, text in (
        (b"junk", good[1], "cannot be used"),
        (good[0], b"junk", "cannot be used"),
        (good[0], (tmp_path / "ven1.key").read_bytes(), "is not the key of"),
    ):
        ca.write_bytes(pem)
        key.write_bytes(private)
        with pytest.raises(LocalError, match=text):
            kit(tmp_path, "ven2")
    ca.write_bytes(good[0])
    key.unlink()
    with pytest.raises(LocalError, match="without its key"):
        kit(tmp_path, "ven2")
