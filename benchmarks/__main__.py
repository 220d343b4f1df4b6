"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from benchmarks import codec, imports, tables
from tools.peer_env import PEER_PYTHON_VARIABLE, peer_python

EXAMPLES = """\
examples:
  python -m benchmarks codec                        the full comparison, about a minute
  python -m benchmarks codec --quick                a look, a few seconds
  python -m benchmarks codec --json codec.json      the figures as JSON too
  python -m benchmarks imports                      import time in fresh processes

OpenLEADR runs in an environment of its own. Its python is taken from --peer-python, else from
OADR_PEER_PYTHON, else an environment is made once, under .peer/ in the checkout.
"""


def main() -> None:
    """Measure what the arguments say, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures this project against OpenLEADR 0.5.36 in the same run.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=["codec", "imports"], help="codec: decode and encode; imports: import time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--peer-python", type=Path, metavar="PATH", help="python of an environment with openleadr")
    arguments = parser.parse_args()

    if arguments.peer_python:
        os.environ[PEER_PYTHON_VARIABLE] = str(arguments.peer_python)
    python = peer_python()
    if arguments.what == "codec":
        data = codec.measure(python, codec.QUICK if arguments.quick else codec.FULL)
        title, rows = tables.codec_table(data)
    else:
        data = imports.measure(python, imports.QUICK_ROUNDS if arguments.quick else imports.FULL_ROUNDS)
        title, rows = tables.imports_table(data)
    tables.show(title, rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(data, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
