"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from benchmarks import codec, imports, tables
from benchmarks.rounds import FULL, QUICK
from tools.peer_env import PEER_PYTHON_VARIABLE, peer_python

EXAMPLES = """\
examples:
  python -m benchmarks codec                        the full comparison, about a minute
  python -m benchmarks codec --quick                a look, a few seconds
  python -m benchmarks codec --json codec.json      the figures as JSON too
  python -m benchmarks session                      poll steps and memory, a minute, without a peer
  python -m benchmarks reports                      a large report, values a second, memory; a minute, without a peer
  python -m benchmarks simulate                     simulated exchanges a second, memory; some minutes, no peer
  python -m benchmarks drivers                      drivers and servers over loopback HTTP, three minutes; needs wrk
  python -m benchmarks signing                      signatures, about two minutes
  python -m benchmarks imports                      import time in fresh processes

OpenLEADR runs in an environment of its own. Its python is taken from --peer-python, else from
OADR_PEER_PYTHON, else an environment is made once, under .peer/ in the checkout.
"""

WHAT = (
    "codec: decode and encode; session: poll steps and memory of both sides; reports: what reports cost a VTN; "
    "simulate: exchanges of a simulated fleet; "
    "drivers: exchanges of each driver, polls a second of the VTN; "
    "signing: signed messages; "
    "imports: import time"
)


def main() -> None:
    """Measure what the arguments say, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures this project against OpenLEADR 0.5.36 in the same run.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    choices = ["codec", "session", "reports", "simulate", "drivers", "signing", "imports"]
    parser.add_argument("what", choices=choices, help=WHAT)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--peer-python", type=Path, metavar="PATH", help="python of an environment with openleadr")
    arguments = parser.parse_args()

    if arguments.peer_python:
        os.environ[PEER_PYTHON_VARIABLE] = str(arguments.peer_python)
    effort = QUICK if arguments.quick else FULL
    if arguments.what == "session":
        from benchmarks import session

        data = session.measure(effort)
        shown = [tables.session_table(data), tables.targets_table(data)]
    elif arguments.what == "reports":
        from benchmarks import reports

        data = reports.measure(effort)
        shown = [tables.reports_table(data), tables.targets_table(data)]
    elif arguments.what == "simulate":
        from benchmarks import simulate

        data = simulate.measure(effort)
        shown = [tables.simulate_table(data), tables.targets_table(data)]
    elif arguments.what == "drivers":
        from benchmarks import drivers

        try:
            data = drivers.measure(peer_python(), quick=arguments.quick)
        except FileNotFoundError as error:
            parser.exit(1, f"{error}\n")
        shown = [tables.drivers_table(data), tables.polling_table(data["polling"]), tables.targets_table(data)]
    elif arguments.what == "codec":
        data = codec.measure(peer_python(), effort)
        shown = [tables.codec_table(data)]
    elif arguments.what == "signing":
        from benchmarks import signing  # needs more packages than the others

        data = signing.measure(peer_python(), effort)
        shown = [tables.signing_table(data), tables.targets_table(data)]
    else:
        data = imports.measure(peer_python(), imports.QUICK_ROUNDS if arguments.quick else imports.FULL_ROUNDS)
        shown = [tables.imports_table(data)]
    for title, rows in shown:
        tables.show(title, rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(data, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
