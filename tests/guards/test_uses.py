"""Guard (b): the core names no clock, no entropy, no stream, and compiles code in one module only."""

from __future__ import annotations

import pytest

from tests.guards.purity import COMPILER, core_modules, use_violations


def test_core_uses_no_clock_entropy_or_stream() -> None:
    found = [
        violation
        for module, path in core_modules().items()
        for violation in use_violations(path.read_text("utf-8"), module)
    ]
    assert not found, "\n" + "\n".join(map(str, found))


@pytest.mark.parametrize(
    "source",
    [
        "import datetime\nx = datetime.datetime.now()",
        "from datetime import datetime\nx = datetime.now(UTC)",
        "from datetime import datetime as dt\nfactory = dt.utcnow",
        "from datetime import date\nx = date.today()",
        "import datetime as d\nx = d.date.today",
        "x = self.clock.now()",
        "x = moment.astimezone()",
        "import time\ntime.monotonic()",
        "from time import sleep\nsleep(1)",
        "import random\nrandom.random()",
        "from random import Random\nRandom(1)",
        "import secrets\nsecrets.token_hex()",
        "from uuid import uuid4\nuuid4()",
        "import os\nos.urandom(16)",
        "from os import urandom as u\nu(16)",
        "open('x')",
        "import io\nio.open('x')",
        "from lxml import etree\netree.parse('x')",
        "from xml.etree import ElementTree as ET\nET.parse('x')",
        "print('x')",
        "say = print",
        "input()",
        "import logging\nlog = logging.getLogger('x')",
        "import sys\nsys.stderr.write('x')",
        "__import__('socket')",
        "exec('x = 1')",
        "eval('1')",
        "compile('1', 'x', 'eval')",
        "async def run():\n    pass",
        "def late():\n    async def run():\n        await other()",
    ],
)
def test_planted_use_is_caught(source: str) -> None:
    assert use_violations(source, "oadr_core.engine.planted")


@pytest.mark.parametrize(
    "source",
    [
        "import re\npattern = re.compile('x')",
        "from datetime import datetime\nx = datetime.fromisoformat('2020-01-01')",
        "x = moment.astimezone(UTC)",
        "def step(state, now):\n    return now.wall, state.now",
        "import hmac\nhmac.new(b'k', b'm', 'sha256')",
    ],
)
def test_pure_use_passes(source: str) -> None:
    assert not use_violations(source, "oadr_core.engine.planted")


def test_only_the_compiler_module_runs_generated_code() -> None:
    assert not use_violations("exec(compile('x = 1', 'codec', 'exec'))", COMPILER)
    assert use_violations("exec('x = 1')", f"{COMPILER}_too")
    assert use_violations("print('x')", COMPILER)
