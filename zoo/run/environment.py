"""Where a run ran: what someone needs to get the same numbers, and nothing about who they are."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import zoo

PACKAGES = ("torch", "pytorch-lightning", "hydra-core", "torchmetrics", "numpy", "wandb")


def environment() -> dict[str, str]:
    """Versions, platform, cores and devices, and the commit if `zoo` runs from a clone. No host name, no path."""
    found = {"zoo": zoo.__version__}
    if commit := _commit(Path(zoo.__file__).parents[1]):
        found["commit"] = commit
    found["python"] = platform.python_version()
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["platform"] = f"{platform.system()} {platform.machine()}"
    found["cores"] = f"{_cores()} ({torch.get_num_threads()} threads)"
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
        found["devices"] = ", ".join(names)
        found["cuda"] = str(torch.version.cuda)
    elif torch.backends.mps.is_available():
        found["devices"] = "Apple GPU (mps)"
    else:
        found["devices"] = "CPU"
    return found


def _cores() -> int:
    """The cores this process may use, which a container or `taskset` can make fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _commit(root: Path) -> str | None:
    """`1a2b3c4d5e6f`, with `+ changes` when tracked files differ from it; None outside a clone of this project."""
    if not (root / ".git").exists():  # an installed package inside somebody else's repository is not a clone
        return None
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        return f"{commit} + changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    run = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True)
    return run.stdout.strip()
