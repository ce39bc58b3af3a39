"""Read an offline W&B run back, so that a test can say what was logged.

A `.wandb` file is a 7-byte header (`:W&B`, magic 0xBEE1, version) and then a LevelDB log: blocks of 32 KiB
that hold chunks `crc32 (4) | length (2) | type (1) | bytes`, type 1 = whole record, 2/3/4 = first/middle/last
part of one. Each record is a protobuf `Record`. LevelDB's log format:
https://github.com/google/leveldb/blob/main/doc/log_format.md
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record

BLOCK, CHUNK_HEADER, FILE_HEADER = 32768, 7, 7
WHOLE, FIRST, LAST = 1, 2, 4


@dataclass
class OfflineRun:
    """What one run folder holds. `history` is one dict per step; pictures and tables in it are dicts with `_type`."""

    id: str = ""
    project: str = ""
    name: str = ""
    resumed: bool = False
    starting_step: int = 0
    exit_code: int | None = None
    config: dict = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)
    summary: dict = field(default_factory=dict)
    files: list[str] = field(default_factory=list)  # paths under the run's `files/` folder
    artifacts: dict[str, tuple[str, list[str]]] = field(default_factory=dict)  # name -> (type, its file paths)


def records(path: Path) -> Iterator[Record]:
    content = path.read_bytes()
    if content[:4] != b":W&B":
        raise ValueError(f"{path} does not start with ':W&B', so it is no W&B run file")
    at, parts = FILE_HEADER, b""
    while at + CHUNK_HEADER <= len(content):
        left_in_block = BLOCK - at % BLOCK
        if left_in_block < CHUNK_HEADER:  # too small for a header: zero padding
            at += left_in_block
            continue
        _, length, kind = struct.unpack_from("<IHB", content, at)
        chunk = content[at + CHUNK_HEADER : at + CHUNK_HEADER + length]
        at += CHUNK_HEADER + length
        if len(chunk) < length or kind not in range(1, 5):  # the writer was killed here
            return
        parts = chunk if kind in (WHOLE, FIRST) else parts + chunk
        if kind in (WHOLE, LAST):
            yield Record.FromString(parts)


def _values(items) -> dict:
    """`key` holds a plain key, `nested_key` a path of keys; the value is JSON."""
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def read_offline_run(folder: str | Path) -> OfflineRun:
    """The run in one `offline-run-<time>-<id>` folder (or the path of its `.wandb` file)."""
    folder = Path(folder)
    path = folder if folder.suffix == ".wandb" else next(folder.glob("*.wandb"))
    run = OfflineRun()
    for record in records(path):
        match record.WhichOneof("record_type"):
            case "run":
                run.id, run.project, run.name = record.run.run_id, record.run.project, record.run.display_name
                run.resumed, run.starting_step = record.run.resumed, record.run.starting_step
                run.config |= _values(record.run.config.update)
            case "config":
                run.config |= _values(record.config.update)
            case "history":
                run.history.append({"_step": record.history.step.num} | _values(record.history.item))
            case "summary":
                run.summary |= _values(record.summary.update)
            case "files":
                run.files += [item.path for item in record.files.files]
            case "artifact":
                entries = [entry.path for entry in record.artifact.manifest.contents]
                run.artifacts[record.artifact.name] = (record.artifact.type, entries)
            case "exit":
                run.exit_code = record.exit.exit_code
    return run


def offline_runs(save_dir: str | Path) -> list[OfflineRun]:
    """Every offline run under `save_dir/wandb`, oldest first (the folder name begins with the time)."""
    return [read_offline_run(folder) for folder in sorted(Path(save_dir).glob("wandb/offline-run-*"))]
