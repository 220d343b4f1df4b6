"""Results as tables: with rich where it is installed, plain otherwise."""

from __future__ import annotations

from typing import Any

Rows = list[list[str]]


def codec_table(data: dict[str, Any]) -> tuple[str, Rows]:
    """Return the title and the rows, headings first, of a codec comparison."""
    versions = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    title = f"median time for one message; Python {data['python']}, {versions}, {data['rounds']} rounds"
    rows: Rows = [["", "message", "kB", "oadr", "openleadr", "bare lxml", "oadr is", "of bare lxml"]]
    for result in data["results"]:
        medians = result["median_s"]
        floor = result.get("times_the_bare_parser")
        rows.append(
            [
                result["operation"],
                result["title"],
                f"{result['bytes'] / 1000:.1f}",
                _time(medians["oadr"]),
                _time(medians["openleadr"]),
                _time(medians["lxml"]) if "lxml" in medians else "",
                f"{result['times_as_fast_as_openleadr']:.1f} × as fast",
                f"{floor:.1f} ×" if floor else "",
            ]
        )
    return title, rows


def signing_table(data: dict[str, Any]) -> tuple[str, Rows]:
    """Return the title and the rows, headings first, of a comparison of signatures."""
    names = list(data["versions"])
    versions = ", ".join(f"{name} {number}" for name, number in data["versions"].items())
    title = f"median time for one message; Python {data['python']}, {versions}, {data['rounds']} rounds"
    rows: Rows = [["", "message/key/author", "kB", *names]]
    for result in data["results"]:
        medians = result["median_s"]
        size = f"{result['bytes'] / 1000:.1f}" if result["bytes"] else ""
        times = [_time(medians[name]) if name in medians else "" for name in names]
        rows.append([result["operation"], result["message"], size, *times])
    return title, rows


def session_table(data: dict[str, Any]) -> tuple[str, Rows]:
    """Return the title and the rows, headings first, of what sessions cost."""
    title = f"median time of a poll step, typed payloads; Python {data['python']}, {data['rounds']} rounds"
    rows: Rows = [["step", "time"]]
    rows += [[name, _time(taken)] for name, taken in data["median_s"].items()]
    for side, size in data["memory_bytes"].items():
        rows.append([f"memory of a VEN, {side.upper()}", f"{size / 1024:.1f} KiB"])
    return title, rows


def reports_table(data: dict[str, Any]) -> tuple[str, Rows]:
    """Return the title and the rows, headings first, of what reports cost."""
    title = f"median CPU time of one large report, part by part; Python {data['python']}, {data['rounds']} rounds"
    rows: Rows = [["what", "figure"]]
    rows += [[name, _time(taken)] for name, taken in data["median_s"].items()]
    for size, rates in data["values_per_s"].items():
        rows += [[f"{size}: {name}", f"{rate:,.0f} values/s"] for name, rate in rates.items()]
    for name, size in data["memory_bytes"].items():
        rows.append([f"memory of a VEN in the VTN, {name}", f"{size / 1024:.2f} KiB"])
    return title, rows


def simulate_table(data: dict[str, Any]) -> tuple[str, Rows]:
    """Return the title and the rows, headings first, of what a simulated exchange costs."""
    title = f"median CPU time of a simulated exchange, all together; Python {data['python']}, {data['rounds']} rounds"
    rows: Rows = [["fleet", "time"]]
    rows += [[name, _time(taken)] for name, taken in data["median_s"].items()]
    rows.append(["memory of a process with 20,000 VENs", f"{data['memory_bytes'] / 2**20:.0f} MiB"])
    return title, rows


def drivers_table(data: dict[str, Any]) -> tuple[str, Rows]:
    """Return the title and the rows, headings first, of what drivers add to an exchange."""
    title = f"median CPU time of one exchange over loopback HTTP; Python {data['python']}, {data['rounds']} rounds"
    rows: Rows = [["driver", "library", "in all", "of it the core", "the library", "the driver"]]
    medians = data["median_s"]
    for name, library in data["library"].items():
        parts = (medians[name], medians["core"], medians[library], data["adds_s"][name])
        rows.append([name, library, *map(_time, parts)])
    return title, rows


def polling_table(data: dict[str, Any]) -> tuple[str, Rows]:
    """Return the title and the rows, headings first, of what servers answer."""
    title = f"polls a second over {data['connections']} connections; median of {data['rounds']} rounds with wrk"
    rows: Rows = [["server", "polls a second", "openleadr's", "CPU of a poll", "openleadr's CPU"]]
    for name, rate in data["polls_per_s"].items():
        times, by_cpu = data["times_openleadr"][name], data["times_openleadr_by_cpu"][name]
        rows.append([name, f"{rate:,.0f}", f"{times:.2f} ×", _time(data["cpu_us"][name] / 1e6), f"1 / {by_cpu:.2f}"])
    return title, rows


def targets_table(data: dict[str, Any]) -> tuple[str, Rows]:
    """Return the title and the rows, headings first, of what was to be reached."""
    rows: Rows = [["target", "", "reached", "limit"]]
    for target in data["targets"]:
        met = "met" if target["met"] else "NOT MET"
        limit = f"{'at least' if target.get('at_least') else 'at most'} {target['limit']:.2f}"
        rows.append([target["title"], met, f"{target['value']:.2f}", limit])
    return "targets", rows


def imports_table(data: dict[str, Any]) -> tuple[str, Rows]:
    """Return the title and the rows, headings first, of an import comparison."""
    title = f"median time of the import statement; Python {data['python']}, {data['rounds']} rounds"
    rows: Rows = [["import", "time", "share"]]
    rows.append(["oadr_core", _time(data["median_s"]["oadr_core"]), f"{data['share_of_openleadr']:.0%}"])
    rows.append(["openleadr", _time(data["median_s"]["openleadr"]), "100%"])
    return title, rows


def show(title: str, rows: Rows) -> None:
    """Print a table; columns after the first two are aligned right."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        _show_plain(title, rows)
        return
    print(title)
    table = Table()
    for number, heading in enumerate(rows[0]):
        table.add_column(heading, justify="left" if number < 2 and len(rows[0]) > 3 else "right", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*row)
    console = Console()
    # A pipe has no width; a table that is folded there cannot be read.
    (console if console.is_terminal else Console(width=140)).print(table)


def _show_plain(title: str, rows: Rows) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(title)
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"
