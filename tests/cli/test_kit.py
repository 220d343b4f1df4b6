"""The commands of the documentation one after the other: a kit, a VTN and a VEN with it, and the doctor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oadr_transports.certificates import Kind
from tests.cli.command import run_command, running_command


@pytest.mark.parametrize("kind", Kind)
def test_a_kit_is_ready_for_a_vtn_and_a_ven(tmp_path: Path, kind: Kind) -> None:
    folder, secret = tmp_path / "certs", tmp_path / "secret"
    secret.write_text("open sesame\n")
    protected = ("--passphrase-file", str(secret))
    made = run_command("cert", "generate", "--out", str(folder), "--kind", kind, "--json", *protected)
    ca, vtn_files, ven_files = json.loads(made.stdout)["parties"]
    files = {
        party["name"]: ("--cert", party["certificate"], "--key", party["key"], "--ca", ca["certificate"], *protected)
        for party in (vtn_files, ven_files)
    }
    known = ("--vtn-fingerprint", vtn_files["fingerprint"])
    serve = ("vtn", "serve", "--json", "--port", "0", "--admin", "off", *files["vtn"])
    with running_command(tmp_path / "vtn.err", *serve, "--ven", f"ven1={ven_files['fingerprint']}") as vtn:
        url = vtn.wait("start")["url"]
        assert url.startswith("https://")
        place = url.removeprefix("https://").partition("/")[0]
        assert run_command("fingerprint", place).stdout.decode().strip() == vtn_files["fingerprint"]

        def finding(*options: str) -> str | None:
            failure = json.loads(run_command("doctor", url, "--json", *options).stdout)["failure"]
            return failure and str(failure["finding"])

        assert finding(*files["ven1"], *known) is None
        assert finding("--ca", ca["certificate"]) == "certificate_demanded"
        assert finding(*files["ven1"][:4], *protected) == "unknown_authority"
        assert finding(*files["ven1"][:-2]) == "passphrase_missing"

        client = ("--vtn-url", url, "--ven-name", "ven1", *known)
        with running_command(tmp_path / "ven.err", "ven", "run", "--json", *client, *files["ven1"]) as ven:
            assert ven.wait("registration")["ven_id"] == vtn.wait("registration")["ven_id"]
