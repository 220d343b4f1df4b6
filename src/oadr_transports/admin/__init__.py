"""The admin API of a running VTN: JSON over HTTP, apart from the protocol, for operators and their programs.

It stands alone because whoever may steer a VTN is not who speaks OpenADR with it: another address, another key.
"""

from __future__ import annotations

from .api import admin_app
from .contact import Contact, ContactFile
from .server import serve_admin

__all__ = ["Contact", "ContactFile", "admin_app", "serve_admin"]
