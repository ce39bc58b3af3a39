"""What all scripts share: their common options, and the tables and the JSON that they leave."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent / "results"
PACKAGES = ("torch", "timm", "transformers", "torch_geometric", "numpy")
console = Console(width=140)


def options(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser


class Report:
    """Collects the tables of one run; prints each as it comes."""

    def __init__(self, name: str, arguments: argparse.Namespace):
        self.name, self.settings = name, vars(arguments)
        self.tables: dict[str, list[dict]] = {}
        self.started = time.time()
        torch.set_num_threads(arguments.threads)
        torch.manual_seed(0)
        console.print(f"[bold]{self.command}[/bold]   {self.machine['processor']}, {arguments.threads} threads")

    @property
    def command(self) -> str:
        words = [
            Path(word).name if word.startswith(("/", "~")) else word for word in sys.argv[1:]
        ]  # no machine's paths
        return " ".join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *words])

    @property
    def machine(self) -> dict[str, object]:
        gpu = torch.cuda.is_available()
        return {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "gpu": torch.cuda.get_device_name() if gpu else None,
            "dtype": str(dtype()).removeprefix("torch."),
        }

    def table(self, title: str, rows: list[dict], note: str = "") -> None:
        """rows: the same keys in each; a key is a column's title."""
        self.tables[title] = [{key: _plain(value) for key, value in row.items()} for row in rows]
        table = Table(title=title, caption=note or None, title_justify="left", caption_justify="left", min_width=60)
        for key in rows[0]:
            table.add_column(key, justify="left" if isinstance(rows[0][key], str) else "right")
        for row in rows:
            table.add_row(*(_shown(value) for value in row.values()))
        console.print(table)

    def write(self) -> None:
        FOLDER.mkdir(exist_ok=True)
        path = FOLDER / f"{self.name}.json"
        record = {
            "command": self.command,
            "machine": self.machine,
            "versions": {"python": platform.python_version(), **_versions()},
            "settings": self.settings,
            "seconds": round(time.time() - self.started),
            "tables": self.tables,
        }
        path.write_text(json.dumps(record, indent=1) + "\n")
        console.print(f"{path.relative_to(FOLDER.parent.parent)}, after {record['seconds']} s")


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def dtype() -> torch.dtype:
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {key: round(part, 4) for key, part in asdict(value).items()}
    return round(value, 5) if isinstance(value, float) else value


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
