"""Where the real data sets lie on this machine: `ZOO_DATA`, else `../shared/data` beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MIRROR = Path(os.environ.get("ZOO_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def real(path: str) -> Path:
    """The file or folder at `path` in the mirror; skips the test, with a reason, where it is absent."""
    found = MIRROR / path
    if not found.exists():
        pytest.skip(f"real data absent: {found} (set ZOO_DATA to a mirror that holds it)")
    return found
