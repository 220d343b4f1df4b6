"""Polls a second: our VTN, a bare ASGI application on the same server, and OpenLEADR's VTN, under the same load.

It stands alone because the load comes from `wrk`: sixteen connections that are kept, each of which polls for a VEN
that is registered and for which there is nothing. A client in Python would measure itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import nan
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx2

from benchmarks.contestants import ROOT, NotEquivalentError
from oadr_core import decode, encode
from oadr_core.engine import RequestArrived, SendReply, SendRequest
from oadr_core.model import CreatedPartyRegistration, CreatePartyRegistration, Poll, Response
from oadr_core.vtn import VtnSession
from oadr_transports.ports import clocks

CONNECTIONS = 16
NO_WRK = "wrk, which makes the load, is not here; install it, for instance with: apt install wrk"
SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/xml"
wrk.body = [==[{body}]==]
"""


class Sample(NamedTuple):
    """Polls a second, and microseconds that the server has computed for each: the latter does not mind others who
    want the core, too."""

    polls_per_s: float
    cpu_us: float


class Runs(NamedTuple):
    """How often everybody is loaded in turn, and for how long."""

    rounds: int
    seconds: int


FULL = Runs(rounds=5, seconds=3)
QUICK = Runs(rounds=2, seconds=2)

CONTESTANTS = {
    "oadr, h11": ["ours", "h11"],
    "hello world, h11": ["hello", "h11"],
    "oadr, httptools and uvloop": ["ours", "httptools"],
    "hello world, httptools and uvloop": ["hello", "httptools"],
}
PEER = "openleadr, aiohttp"


def check_wrk() -> None:
    """Raises `FileNotFoundError`, which says what to do, when there is no `wrk`."""
    if shutil.which("wrk") is None:
        raise FileNotFoundError(NO_WRK)


def measure(peer_python: Path, runs: Runs) -> dict[str, Any]:
    """Load everybody, round after round. Raises `FileNotFoundError` when there is no `wrk`."""
    check_wrk()
    here = [sys.executable, "-m", "benchmarks.polled"]
    commands = {name: [*here, *words] for name, words in CONTESTANTS.items()}
    commands[PEER] = [str(peer_python), "-m", "benchmarks.peer_vtn", str(_free_port())]
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    with TemporaryDirectory() as folder:
        for number in range(runs.rounds):
            for name, command in commands.items():
                if sys.stderr.isatty():
                    print(f"\rround {number + 1} of {runs.rounds}: {name:40}", end="", file=sys.stderr, flush=True)
                with served(command) as (url, pid):
                    body = b"" if "hello" in name else a_registered_ven(url)
                    samples[name].append(_load(url, pid, body, Path(folder), runs.seconds))
    if sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    medians = {name: Sample(*map(median, zip(*taken, strict=True))) for name, taken in samples.items()}
    return {
        "benchmark": "polling",
        "connections": CONNECTIONS,
        "rounds": runs.rounds,
        "seconds": runs.seconds,
        "polls_per_s": {name: sample.polls_per_s for name, sample in medians.items()},
        "cpu_us": {name: sample.cpu_us for name, sample in medians.items()},
        "samples": samples,
        "times_openleadr": {name: each.polls_per_s / medians[PEER].polls_per_s for name, each in medians.items()},
        "times_openleadr_by_cpu": {name: medians[PEER].cpu_us / each.cpu_us for name, each in medians.items()},
    }


@contextmanager
def served(command: list[str]) -> Iterator[tuple[str, int]]:
    """A server in a process of its own, on a core of its own where there is one to spare: its URL and its process."""
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = next((line for line in process.stdout if line.startswith("{")), None)  # behind its banner
            if line is None:
                raise RuntimeError(f"{' '.join(command)} ended with exit code {process.wait()}")
            _keep_apart(process.pid)
            yield json.loads(line)["url"], process.pid
        finally:
            process.kill()


def _keep_apart(pid: int) -> None:
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(cores) > 1:
        os.sched_setaffinity(pid, cores[:1])


def a_registered_ven(url: str) -> bytes:
    """Register, and poll until there is nothing more: that poll comes back."""
    with httpx2.Client(headers={"Content-Type": "application/xml"}) as client:

        def ask(service: str, payload: Any) -> Any:
            return decode(client.post(f"{url}/{service}", content=encode(payload)).content).payload

        registration = CreatePartyRegistration(
            request_id="1",
            oadr_profile_name="2.0b",
            oadr_transport_name="simpleHttp",
            oadr_report_only=False,
            oadr_xml_signature=False,
            oadr_ven_name="polled",
            oadr_http_pull_model=True,
        )
        created = ask("EiRegisterParty", registration)
        if not isinstance(created, CreatedPartyRegistration) or created.ven_id is None:
            raise NotEquivalentError(f"{url} does not register a VEN: {created}")
        poll = Poll(ven_id=created.ven_id)
        for _ in range(5):
            if isinstance(ask("OadrPoll", poll), Response):
                return encode(poll)
    raise NotEquivalentError(f"{url} has always something for a VEN that is new")


def answering(vtn: VtnSession) -> Callable[[SendRequest], bytes]:
    """A function that answers requests of a VEN, without a network."""

    def answer(request: SendRequest) -> bytes:
        arrived = RequestArrived(exchange=request.exchange, service=request.service, data=request.data)
        [reply] = [each for each in vtn.handle(arrived, clocks()) if isinstance(each, SendReply)]
        return reply.data

    return answer


def _load(url: str, pid: int, body: bytes, folder: Path, seconds: int) -> Sample:
    """What one load has shown."""
    script = folder / "poll.lua"
    script.write_text(SCRIPT.format(body=body.decode()), "utf-8")
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script)]
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    pinned = ["taskset", "-c", str(cores[-1])] if len(cores) > 1 and shutil.which("taskset") else []
    before = _cpu_s(pid)
    said = subprocess.check_output([*pinned, "wrk", *options, f"{url}/OadrPoll"], text=True)
    taken = _cpu_s(pid) - before
    if "Non-2xx" in said or "Socket errors" in said:
        raise NotEquivalentError(f"{url} does not answer every poll:\n{said}")
    rate = re.search(r"Requests/sec:\s*([\d.]+)", said)
    count = re.search(r"(\d+) requests in", said)
    assert rate is not None, said
    assert count is not None, said
    return Sample(float(rate[1]), 1e6 * taken / int(count[1]))


def _cpu_s(pid: int) -> float:
    """The time that a process has had on a core so far; not a number where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    except OSError:
        return nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
