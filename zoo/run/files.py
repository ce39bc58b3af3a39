"""Files that are whole or absent: a killed run leaves nothing half-written.

The content goes to a temporary file in the same folder, reaches the disk, and takes the name in one step
(`os.replace` is atomic within a file system). After a SIGKILL the name holds the old content or the new one,
or does not exist; at most a hidden `.<name>.*.part` stays behind.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from zoo.domain.errors import InputError


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write `content` at once, making the folders above it; returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o666 & ~_umask())  # mkstemp makes it private
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return path


def write_text(path: str | Path, text: str) -> Path:
    """Write `text` in UTF-8 with the line ends it has, at once; returns the path."""
    return write_bytes(path, text.encode())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def check_writable(path: Path) -> None:
    """Raises InputError if `path` cannot be made: said before the work whose results go there."""
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise InputError(f"{path} cannot be written: {nearest} is no folder that you may write to")
