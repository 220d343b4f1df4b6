"""Values on their way from a VTN into a file: whole, or not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from oadr_transports.cli.app import run

SERIES = {"ven_id": "v", "report_specifier_id": "s", "report_request_id": "r", "report_name": None, "r_id": "p"}
VALUE = {"start": "2030-01-01T00:00:00Z", "value": 1.0, "received_at": "2030-01-01T00:00:01Z"}


@contextmanager
def answering(*lines: object) -> Iterator[str]:
    """Something that answers the request for values with these lines, and knows no VENs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = lines if self.path.startswith("/v1/values") else [{"vens": []}]
            body = b"".join(json.dumps(line).encode() + b"\n" for line in found)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name that it has there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def export(url: str, path: Path) -> int:
    return run(["vtn", "report", "export", str(path), "--admin", url, "--token", "a-token-of-the-tests"])


def test_a_stream_without_its_end_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "load.csv"
    path.write_text("what was there before")
    with answering({"series": SERIES}, VALUE, VALUE) as url:
        assert export(url, path) == 1
    assert "broken off" in capsys.readouterr().err
    assert path.read_text() == "what was there before"
    assert [one.name for one in tmp_path.iterdir()] == ["load.csv"]


def test_a_whole_stream_is_written(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    with answering({"series": SERIES}, VALUE, VALUE, {"end": 2}) as url:
        assert export(url, path) == 0
    assert len(path.read_text().splitlines()) == 3


def test_no_values_make_a_table_without_rows(tmp_path: Path) -> None:
    for name in ("none.csv", "none.json", "none.parquet"):
        with answering({"end": 0}) as url:
            assert export(url, tmp_path / name) == 0
    assert (tmp_path / "none.csv").read_text().startswith("ven_id,ven_name,")
    assert (tmp_path / "none.json").read_text() == ""
    from pyarrow import parquet

    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0
