"""A running VTN, steered from another terminal: `oadr vtn event`, `oadr vtn ven`, `oadr vtn group`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import httpx2
import pytest

from oadr_core import encode
from oadr_core.model import CreatePartyRegistration, Poll
from oadr_transports.cli.app import run
from tests.cli.command import Command, run_command, running_command


class Running:
    """A VTN with a state, and what the commands say to it."""

    def __init__(self, command: Command, folder: Path) -> None:
        self.url = command.wait("start")["url"]
        self.command = command
        self.state = folder / "vtn.db"

    def ask(self, *arguments: str) -> Any:
        """The JSON of a command that does its work."""
        return json.loads(self.say(*arguments, "--json"))

    def say(self, *arguments: str) -> str:
        """What a command says to people."""
        with redirect_stdout(StringIO()) as said:
            assert run(["vtn", *arguments, "--state", str(self.state)]) == 0
        return said.getvalue()

    def register(self, name: str = "ven1") -> str:
        message = encode(CreatePartyRegistration(request_id="r", oadr_ven_name=name))
        self._post("EiRegisterParty", message)
        return str(self.command.wait("registration", lambda seen: seen["ven_name"] == name)["ven_id"])

    def poll(self, ven_id: str) -> None:
        self._post("OadrPoll", encode(Poll(ven_id=ven_id)))

    def _post(self, service: str, data: bytes) -> None:
        reply = httpx2.post(f"{self.url}/{service}", content=data, headers={"Content-Type": "application/xml"})
        assert reply.status_code == 200


@pytest.fixture
def vtn(tmp_path: Path) -> Iterator[Running]:
    state = str(tmp_path / "vtn.db")
    with running_command(tmp_path / "err", "vtn", "serve", "--json", "--port", "0", "--state", state) as command:
        yield Running(command, tmp_path)
        assert "Traceback" not in command.errors


@pytest.fixture(scope="module")
def only_vtn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A VTN to which nothing ever happens."""
    folder = tmp_path_factory.mktemp("vtn")
    with running_command(
        folder / "err", "vtn", "serve", "--json", "--port", "0", "--state", f"{folder}/vtn.db"
    ) as command:
        yield Running(command, folder)


def test_event_from_beginning_to_end(vtn: Running) -> None:
    ven_id = vtn.register()
    options = ("--priority", "1", "--start-after", "5m", "--target", "resource-id=heater", "--comment", "cold")
    made = vtn.ask("event", "create", "SIMPLE:level:2035-01-01T00:00:00Z:1x30m,2x30m", "--ven", ven_id, *options)
    event_id = made["event_id"]
    assert vtn.command.wait("event", lambda seen: seen.get("change") == "published")["event_id"] == event_id
    assert (made["priority"], made["start_after_s"], made["ven_ids"]) == (1, 300, [ven_id])
    assert (made["targets"], made["comment"]) == ({"resource_id": ["heater"]}, "cold")
    vtn.poll(ven_id)
    shown = vtn.ask("event", "show", event_id)
    assert [one["state"] for one in shown["deliveries"]] == ["delivered"]
    change = ("--intervals", "3x1h", "--start", "2035-01-01T01:00:00Z", "--reason", "more", "--test")
    changed = vtn.ask("event", "modify", event_id, *change)
    assert (changed["modification_number"], changed["start"]) == (1, "2035-01-01T01:00:00Z")
    assert changed["test_event"]
    [signal] = changed["signals"]
    assert [(one["duration"], one["value"]) for one in signal["intervals"]] == [("PT1H", 3.0)]
    assert vtn.ask("event", "cancel", event_id, "--reason", "enough")["status"] == "cancelled"
    assert [one["status"] for one in vtn.ask("event", "list")["events"]] == ["cancelled"]
    assert vtn.ask("event", "list", "--status", "far") == {"events": []}


def test_people_get_lines(vtn: Running) -> None:
    ven_id = vtn.register("kühlhaus")
    said = vtn.say("event", "create", "ELECTRICITY_PRICE:price:+1h:0.25x1h", "--event-id", "e/1")
    assert said == "published e/1\n"
    listed = vtn.say("event", "list").splitlines()
    assert listed[0].split() == ["EVENT", "MOD", "STATUS", "START", "END", "SIGNALS", "FOR"]
    assert listed[1].startswith("e/1    0    far")
    shown = vtn.say("event", "show", "e/1")
    assert "ELECTRICITY_PRICE price in CurrencyPerKWh" in shown
    assert "0.25" in shown
    assert "kühlhaus" in shown
    assert "modification number 1" in vtn.say("event", "modify", "e/1", "--priority", "2")
    assert vtn.say("event", "cancel", "e/1") == "cancelled e/1\n"
    assert "kühlhaus" in vtn.say("ven", "list")
    assert ven_id in vtn.say("ven", "show", ven_id)


def test_vens_and_groups(vtn: Running) -> None:
    ven_id = vtn.register()
    assert vtn.ask("group", "set", "north", ven_id)["ven_ids"] == [ven_id]
    assert vtn.ask("event", "create", "SIMPLE:level:+1h:1x1h", "--group", "north")["ven_ids"] == [ven_id]
    assert "north" in vtn.say("group", "list")
    assert "oadrRequestReregistration" in vtn.ask("ven", "reregister", ven_id)["waiting"]
    assert "told with its next message" in vtn.say("ven", "cancel", ven_id)
    assert [one["ven_id"] for one in vtn.ask("ven", "list")["vens"]] == [ven_id]
    assert "forgotten" in vtn.say("ven", "cancel", ven_id, "--at-once")
    assert vtn.ask("ven", "list") == {"vens": []}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["event", "show", "none"], 1, "there is no event 'none'"),
        (["event", "cancel", "none"], 1, "there is no event 'none'"),
        (["ven", "show", "none"], 1, "there is no VEN 'none'"),
        (["event", "create", "SIMPLE:level:+1h:9x1h"], 1, "from 0 to 3, not 9"),
        (["event", "create", "SIMPLE:level:+1h:1x1h", "--group", "none"], 1, "there is no group 'none'"),
        (["event", "create", "SIMPLE"], 2, "0.10x5m,0.25x5m"),
        (["event", "create", "SIMPLE:level:+1h:1x1h", "--target", "heater"], 2, "resource_id=heater"),
        (["event", "modify", "e"], 2, "nothing is to be changed"),
        (["event", "modify", "e", "--start", "soon"], 2, "+30s or 2030"),
        (["event", "list", "--admin", "http://127.0.0.1:1", "--token", "t" * 20], 1, "no VTN answers"),
        (["event", "list", "--admin", "http://127.0.0.1:1"], 1, "the token of http://127.0.0.1:1 is expected"),
        (["event", "list", "--admin", "/no/such/file"], 1, "is a VTN running"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_refusals_are_one_line(
    only_vtn: Running, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    where = [] if "--admin" in arguments else ["--state", str(only_vtn.state)]
    assert run(["vtn", *arguments, *where]) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_wrong_token_is_refused(only_vtn: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["vtn", "event", "list", "--state", str(only_vtn.state), "--token", "w" * 43]) == 1
    assert "the token of this VTN is expected" in capsys.readouterr().err


def test_a_second_vtn_on_the_same_state_is_refused(only_vtn: Running) -> None:
    done = run_command("vtn", "serve", "--port", "0", "--state", str(only_vtn.state))
    assert done.returncode == 1
    assert "another process uses this state" in done.stderr.decode()


def test_state_outlives_the_process(tmp_path: Path) -> None:
    serve = ("vtn", "serve", "--json", "--port", "0", "--state", str(tmp_path / "vtn.db"))
    with running_command(tmp_path / "err", *serve) as command:
        vtn = Running(command, tmp_path)
        ven_id = vtn.register()
        vtn.ask("event", "create", "SIMPLE:level:+1h:1x1h", "--event-id", "e")
        assert command.interrupt()[0] == 0
    assert not (tmp_path / "vtn.db.admin").exists()
    with running_command(tmp_path / "err", *serve) as command:
        vtn = Running(command, tmp_path)
        assert [one["ven_id"] for one in vtn.ask("ven", "list")["vens"]] == [ven_id]
        assert [one["event_id"] for one in vtn.ask("event", "list")["events"]] == ["e"]


def test_admin_api_may_be_off_and_never_open_to_others(tmp_path: Path) -> None:
    with running_command(tmp_path / "err", "vtn", "serve", "--json", "--port", "0", "--admin", "off") as command:
        assert command.wait("start")["admin"] is None
    done = run_command("vtn", "serve", "--port", "0", "--admin", "0.0.0.0:0")
    assert done.returncode == 1
    assert "can be reached from other machines" in done.stderr.decode()
