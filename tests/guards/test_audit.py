"""Guard (c) catches what it should, blames the right code and lets tools do their work."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.guards.audit import CORE_TESTS, ImpureCode, armed
from tests.guards.purity import SRC

IN_CORE = str(SRC / "oadr_core" / "planted.py")
IN_CORE_TEST = f"{CORE_TESTS}test_planted.py"


def run_as(file: str, source: str, **names: object) -> list[str]:
    """Run the text as if it stood in the file, with the hook armed; return what was caught."""
    code = compile(source, file, "exec")
    with armed() as seen:
        with suppress(ImpureCode):
            exec(code, {"__name__": "planted", **names})
        return list(seen)


@pytest.mark.parametrize("file", [IN_CORE, IN_CORE_TEST])
@pytest.mark.parametrize(
    "source",
    [
        "import socket\nsocket.socket()",
        "import socket\nsocket.getaddrinfo('localhost', 1)",
        "import subprocess\nsubprocess.run(['true'])",
        "import os\nos.system('true')",
        "import os\nos.listdir('.')",
        "import os\nos.remove('no such file')",
        "import sqlite3\nsqlite3.connect(':memory:')",
    ],
)
def test_planted_act_is_caught(file: str, source: str) -> None:
    assert run_as(file, source)


def test_writing_is_caught_in_core_and_its_tests(tmp_path: Path) -> None:
    source = "open(path, 'w')"
    assert run_as(IN_CORE, source, path=tmp_path / "x")
    assert run_as(IN_CORE_TEST, source, path=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_reading_is_caught_in_the_core_only(tmp_path: Path) -> None:
    (tmp_path / "golden.xml").write_text("<x/>")
    source = "open(path).close()"
    assert run_as(IN_CORE, source, path=tmp_path / "golden.xml")
    assert not run_as(IN_CORE_TEST, source, path=tmp_path / "golden.xml")


def test_an_act_through_a_library_is_blamed_on_the_core() -> None:
    [caught] = run_as(IN_CORE, "import pathlib\n\npathlib.Path('x').write_text('y')")
    assert f"{IN_CORE}:3" in caught


def test_an_act_that_was_swallowed_is_still_seen() -> None:
    assert run_as(IN_CORE, "import os\ntry:\n    os.listdir('.')\nexcept BaseException:\n    pass")


def test_importing_is_no_act() -> None:
    assert not run_as(IN_CORE, "import sys\nsys.modules.pop('colorsys', None)\nimport colorsys")


def test_other_code_is_free(tmp_path: Path) -> None:
    assert not run_as(str(tmp_path / "elsewhere.py"), "open(path, 'w').close()", path=tmp_path / "x")


def test_disarmed_hook_catches_nothing() -> None:
    with armed():
        pass
    exec(compile("import os\nos.listdir('.')", IN_CORE, "exec"), {})
