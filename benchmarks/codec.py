"""Decode and encode of four messages: this project, OpenLEADR and the bare parser, in one run.

A figure is the median over interleaved rounds of the time for one message.
"""

from __future__ import annotations

import platform
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.contestants import Floor, Ours, open_leadr
from benchmarks.messages import messages
from benchmarks.rounds import FULL, Contest, Effort, Samples, take


def measure(peer_python: Path, effort: Effort = FULL) -> dict[str, Any]:
    """Run the whole comparison and return it as plain data, with times in seconds."""
    ours, floor = Ours(), Floor()
    keys = [message.key for message in messages()]
    with open_leadr(peer_python) as peer:
        decoding = [Contest("decode", key, [ours, peer, floor]) for key in keys]
        samples = take([*decoding, *(Contest("encode", key, [ours, peer]) for key in keys)], effort)
        versions = {who.name: who.version for who in (ours, peer, floor)}
    contests = [(operation, message) for operation in ("decode", "encode") for message in messages()]
    return {
        "benchmark": "codec",
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rounds": effort.rounds,
        "versions": versions,
        "results": [_result(message, operation, samples) for operation, message in contests],
    }


def _result(message: Any, operation: str, samples: Samples) -> dict[str, Any]:
    times = {name: taken for (op, key, name), taken in samples.items() if (op, key) == (operation, message.key)}
    medians = {name: median(taken) for name, taken in times.items()}
    result = {
        "operation": operation,
        "message": message.key,
        "title": message.title,
        "bytes": len(message.document),
        "median_s": medians,
        "quartiles_s": {name: quantiles(taken, n=4) for name, taken in times.items()},
        "times_as_fast_as_openleadr": medians["openleadr"] / medians["oadr"],
    }
    if "lxml" in medians:
        result["times_the_bare_parser"] = medians["oadr"] / medians["lxml"]
    return result
