"""A store of tests: one file, written beside and renamed. It is as small as a good store can be, so that the faulty
ones of the tests are easy to read."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from oadr_core import LocalError


class Drawer:
    """Keeps records in a file of a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "drawer"
        self.lock()

    def lock(self) -> None:
        self.file = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self.file)
            raise

    def load(self) -> Mapping[str, bytes]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        digest, _, text = data.partition(b"\n")
        if digest.decode("ascii", "replace") != sha256(text).hexdigest():
            raise LocalError("the drawer is damaged", path=str(self.path))
        return {key: bytes.fromhex(value) for key, value in json.loads(text).items()}

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        merged = {**self.load(), **dict(changes)}
        self.write({key: value for key, value in merged.items() if value is not None})

    def write(self, records: Mapping[str, bytes]) -> None:
        beside = self.path.with_suffix(".new")
        beside.write_bytes(self.packed(records))
        os.replace(beside, self.path)  # noqa: PTH105

    def packed(self, records: Mapping[str, bytes]) -> bytes:
        text = json.dumps({key: value.hex() for key, value in records.items()}).encode()
        return sha256(text).hexdigest().encode() + b"\n" + text

    def close(self) -> None:
        if self.file >= 0:
            os.close(self.file)
            self.file = -1
