"""Help, version and advice: what `oadr` says before it does anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from oadr_transports.cli.app import run

COMMANDS = [
    ["demo"],
    ["ven", "run"],
    ["vtn", "serve"],
    ["vtn", "event", "create"],
    ["vtn", "event", "modify"],
    ["vtn", "event", "cancel"],
    ["vtn", "event", "list"],
    ["vtn", "event", "show"],
    ["vtn", "ven", "list"],
    ["vtn", "ven", "show"],
    ["vtn", "ven", "reregister"],
    ["vtn", "ven", "cancel"],
    ["vtn", "report", "list"],
    ["vtn", "report", "request"],
    ["vtn", "report", "cancel"],
    ["vtn", "report", "policy"],
    ["vtn", "report", "export"],
    ["vtn", "report", "plot"],
    ["vtn", "group", "list"],
    ["vtn", "group", "set"],
    ["simulate"],
    ["inspect"],
    ["validate"],
    ["doctor"],
    ["cert", "generate"],
    ["cert", "show"],
    ["fingerprint"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_examples_and_exit_codes(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    said = capsys.readouterr().out
    assert "Examples:\n" in said
    assert f"  oadr {' '.join(command)}" in said
    assert "Exit codes: 0" in said


def test_the_first_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    for command in COMMANDS:
        assert f"oadr {' '.join(command[:2])}" in said


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("oadr")


def test_help_imports_nothing_heavy() -> None:
    heavy = "anyio asyncio cryptography h11 httpx2 uvicorn rich lxml oadr_core".split()
    code = (
        "import sys\n"
        "from oadr_transports.cli.app import run\n"
        "assert run(['--help']) == 0\n"
        f"print(*sorted(set({heavy}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == ""


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("click", "cli", ["--help"]),
        ("rich", "cli", ["demo"]),
        ("httpx2", "cli", ["ven", "run", "--ven-name", "v", "--vtn-url", "http://127.0.0.1:1"]),
        ("uvicorn", "cli", ["vtn", "serve", "--port", "0"]),
        ("starlette", "cli", ["vtn", "serve", "--port", "0"]),
        ("httpx2", "cli", ["vtn", "event", "list", "--admin", "http://127.0.0.1:1", "--token", "0123456789abcdef"]),
        ("h11", "cli", ["doctor", "http://127.0.0.1:1"]),
        ("cryptography", "security", ["cert", "generate", "--out", "/no/such"]),
    ],
)
def test_a_missing_extra_is_named_in_one_line(module: str, extra: str, arguments: list[str]) -> None:
    code = f"import sys\nsys.modules[{module!r}] = None\nfrom oadr_transports.cli import main\nmain({arguments!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    [line] = done.stderr.splitlines()
    assert module in line
    assert f"pip install 'oadr[{extra}]'" in line


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["ven", "run"], 2, "--vtn-url"),
        (["ven", "run", "--ven-name", "v", "--vtn-url", "vtn"], 1, "--vtn-url: a URL such as"),
        (["ven", "run", "--ven-name", "v", "--vtn-url", "http://h", "--report", "a:b"], 2, "device001:voltage:10s"),
        (["ven", "run", "--ven-name", "v", "--vtn-url", "http://h", "--report", "a:currency:1s"], 1, "ISO 4217"),
        (["ven", "run", "--ven-name", "v", "--vtn-url", "http://h", "--cert", "/no/such"], 2, "does not exist"),
        (["ven", "run", "--ven-name", "v", "--vtn-url", "http://h", "--opt", "maybe"], 2, "'in', 'out'"),
        (["vtn", "serve", "--poll", "0s"], 2, "at least 1s"),
        (["vtn", "serve", "--poll", "soon"], 2, "10s, 5m, 1h"),
        (["vtn", "serve", "--event", "SIMPLE:level"], 2, "0.10x5m,0.25x5m"),
        (["vtn", "serve", "--port", "0", "--event", "SIMPLE:level:+5s:9x1m"], 1, "from 0 to 3, not 9"),
        (["vtn", "serve", "--port", "0", "--event", "NONSENSE:level:+5s:1x1m"], 1, "ELECTRICITY_PRICE"),
        (["vtn", "serve", "--port", "70000"], 2, "65535"),
        (["inspect", "/no/such/file"], 1, "/no/such/file: No such file"),
        (["validate"], 2, "FILE|DIR"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_use_is_told_without_a_traceback(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
