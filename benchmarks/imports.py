"""How long `import oadr_core` takes against `import openleadr`, each in a fresh interpreter, in turns."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

FULL_ROUNDS = 21
QUICK_ROUNDS = 5

_CODE = "from time import perf_counter as now; begin = now(); import {module}; print(now() - begin)"


def measure(peer_python: Path, rounds: int = FULL_ROUNDS) -> dict[str, Any]:
    """Run the comparison and return it as plain data, with times in seconds."""
    contestants = {"oadr_core": Path(sys.executable), "openleadr": peer_python}
    samples: dict[str, list[float]] = {module: [] for module in contestants}
    for number in range(rounds + 1):
        for module, python in contestants.items():
            taken = _import_s(python, module)
            if number:  # the first round writes the bytecode
                samples[module].append(taken)
    medians = {module: median(taken) for module, taken in samples.items()}
    return {
        "benchmark": "imports",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": rounds,
        "median_s": medians,
        "share_of_openleadr": medians["oadr_core"] / medians["openleadr"],
    }


def _import_s(python: Path, module: str) -> float:
    command = [str(python), "-c", _CODE.format(module=module)]
    return float(subprocess.check_output(command, text=True).splitlines()[-1])
