"""The project's checks: `nox` runs lint, types, tests and interop; `nox -s bench` measures.

Environments are reused. What a session installs is remembered in a stamp inside its environment, so that a
repeated run does not even start pip.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests", "interop"]

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml("pyproject.toml")

# Only its schema file is read, by path; it is never imported beside us, so it comes without dependencies.
SCHEMA_CARRIER = "openleadr==0.5.36"


@nox.session
def lint(session: nox.Session) -> None:
    """Style and the usual mistakes."""
    install(session, *group("lint"))
    session.run("ruff", "check", *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict over src."""
    install(session, *group("types"), "-e", ".[all]")
    session.run("mypy", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Everything that needs no other implementation, in four processes, which often wait; `-- -n 0 …` for one."""
    install(session, *group("test"), "-e", ".[all]")
    install(session, "--no-deps", SCHEMA_CARRIER)
    session.run("pytest", "-m", "not interop", "-n", "4", "--dist", "worksteal", *session.posargs)


@nox.session
def interop(session: nox.Session) -> None:
    """Against OpenLEADR in an environment of its own, with the wheel that users get."""
    install(session, *group("test"), ".[all]", watch=source_files())
    options = ("-m", "interop", "-n", "3", "--dist", "worksteal")
    session.run("pytest", "tests/interop", *options, *session.posargs, env=peer(session))


@nox.session
def fuzz(session: nox.Session) -> None:
    """Coverage-guided fuzzing of `decode` and `open_envelope`, a minute each; arguments after `--` go to the fuzzer."""
    install(session, "atheris", *group("test"), "-e", ".[all]")
    options = [*(session.posargs or ["-max_total_time=60"]), "-dict=tests/fuzz/xml.dict"]
    for target, seeds in (("fuzz_decode", "tests/fuzz/corpus"), ("fuzz_open", "tests/golden/signed")):
        found = Path(session.create_tmp()) / target
        found.mkdir(exist_ok=True)
        session.run("python", "-m", f"tests.fuzz.{target}", *options, str(found), seeds)


@nox.session
def search(session: nox.Session) -> None:
    """The properties of the wire layer with many fresh examples; takes most of an hour."""
    install(session, *group("test"), "-e", ".[all]")
    install(session, "--no-deps", SCHEMA_CARRIER)
    session.run("pytest", "tests/core/wire", *session.posargs, env={"HYPOTHESIS_PROFILE": "search"})


@nox.session
def sim(session: nox.Session) -> None:
    """Fleets in virtual time with every kind of fault, 200 seeds; arguments after `--` replace those of the search."""
    install(session, "-e", ".[cli]")
    fleet = ("--vens", "20", "--hours", "24", "--sample", "900", "--typed", "--jobs", "2")
    network = ("--loss", "0.1", "--delay", "2", "--duplicate", "0.05", "--reorder", "0.02", "--push", "0.2")
    faults = ("--partitions", "1", "--crashes", "1", "--clock-steps", "0.5")
    session.run("oadr", "simulate", *(session.posargs or (*fleet, *network, *faults, "--seeds", "200")))


@nox.session
def planted(session: nox.Session) -> None:
    """Every planted bug is caught by its test; arguments after `--` are words of a bug's name."""
    install(session, *group("test"), "-e", ".[all]")
    install(session, "--no-deps", SCHEMA_CARRIER)
    session.run("python", "-m", "tools.planted", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """Every conformance rule is accounted for, and docs/conformance.md says so."""
    install(session, *group("test"), "-e", ".[all]")
    install(session, "--no-deps", SCHEMA_CARRIER)
    session.run("python", "-m", "tools.conformance", "--check", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Codec speed against OpenLEADR; arguments after `--` replace the default `codec`."""
    install(session, "rich", "signxml>=4.5", "trustme", ".[all]", watch=source_files())
    session.run("python", "-m", "benchmarks", *(session.posargs or ["codec"]), env=peer(session))


def peer(session: nox.Session) -> dict[str, str]:
    """Return the variable that tells tests and benchmarks where the peer's python is."""
    python = session.run("python", "-m", "tools.peer_env", silent=True, stderr=None)
    return {"OADR_PEER_PYTHON": str(python).strip().splitlines()[-1]} if python else {}


def group(name: str) -> list[str]:
    """Return the requirements of one dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(PROJECT, name))


def source_files() -> list[Path]:
    """Return the files that end up in the wheel."""
    return sorted(path for path in (ROOT / "src").rglob("*") if path.is_file() and path.suffix != ".pyc")


def install(session: nox.Session, *what: str, watch: list[Path] | None = None) -> None:
    """Install once, and again when the arguments, pyproject.toml or a watched file has changed."""
    digest = hashlib.sha256(repr((session.python, what)).encode())
    for path in [ROOT / "pyproject.toml", *(watch or [])]:
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    stamp = Path(session.virtualenv.location) / f"installed-{hashlib.sha256(repr(what).encode()).hexdigest()[:12]}"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    stamp.unlink(missing_ok=True)
    session.install("--disable-pip-version-check", *what)
    stamp.write_text(digest.hexdigest())
