"""Why a VEN cannot talk to its VTN: one step after the other, and words for the first that fails.

It stands alone because it is no transport: it looks at each layer by itself, which clients never do, and judges by
tables (:mod:`.judge`, :mod:`.words`) that need no network. What touches the network is in :mod:`.probe`.
"""

from __future__ import annotations

from .examination import Options, examine
from .findings import Finding, Step
from .steps import Checked, Diagnosis, Failure, Status

__all__ = ["Checked", "Diagnosis", "Failure", "Finding", "Options", "Status", "Step", "examine"]
