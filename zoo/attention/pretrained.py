"""Published weights: out of a file, a folder or the hub, as tensors by the names their authors gave.

What the names mean is said elsewhere, by a table of rules for each family (`zoo.attention.renaming`).
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")  # of weights in several files
WHOLE = ("model.safetensors", "pytorch_model.bin")
WRAPPERS = ("state_dict", "model")  # what training scripts put around the tensors
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
BESIDE = ("config.json", "vocab.txt")


class WeightsError(ValueError):
    """Published weights that cannot be had, or do not fit. The message is one sentence for the person."""


@dataclass(frozen=True)
class Checkpoint:
    """source: as it was given. folder: where its other files lie. weights: their name -> tensor, on the CPU.
    config: what `config.json` beside the weights says; empty if there is none.
    """

    source: str
    folder: Path
    weights: Mapping[str, Tensor]
    config: Mapping[str, Any]

    @classmethod
    def open(cls, source: str | Path) -> Checkpoint:
        """Of a file (.safetensors, .bin, .pt, .pth, an index.json), a folder that holds one, or a name on the hub.

        Raises WeightsError if there is none, if it is damaged, or if it would run code on loading.
        """
        path = local(source)
        folder = path if path.is_dir() else path.parent
        file = _weights_file(path) if path.is_dir() else path
        weights = _sharded(file) if file.name.endswith(".index.json") else _read(file)
        config = _json(folder / "config.json") if (folder / "config.json").is_file() else {}
        return cls(str(source), folder, weights, config)

    def without_prefix(self, prefix: str) -> dict[str, Tensor]:
        """The weights with `prefix` taken off the names that have it (heads beside the trunk keep theirs)."""
        return {name.removeprefix(prefix): weight for name, weight in self.weights.items()}


def problem_of(source: str | Path) -> str | None:
    """What is plainly wrong with a source, before anything is opened: one sentence, or nothing."""
    if Path(source).expanduser().exists() or HUB_NAME.fullmatch(str(source)):
        return None
    return f"{source}: there is no such file or folder, and a name on the hub looks like owner/model"


def local(source: str | Path) -> Path:
    """The file or folder, downloaded first if `source` is no path that exists but a name on the hub."""
    if problem := problem_of(source):
        raise WeightsError(problem)
    path = Path(source).expanduser()
    return path if path.exists() else _from_hub(str(source))


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise WeightsError(
            f"{name}: there is no such path here, and names on the hub need huggingface_hub: "
            "pip install huggingface_hub, or give the path of a downloaded folder"
        ) from error
    try:
        for kind in ("safetensors", "bin"):  # the first runs no code and is read without a copy
            patterns = [*BESIDE, f"*.{kind}", f"*.{kind}.index.json"]
            folder = Path(snapshot_download(name, allow_patterns=patterns))
            if any(folder.glob(f"*.{kind}")):
                return folder
    except Exception as error:  # each version of the hub's client has exceptions of its own
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise WeightsError(
            f"{name} cannot be fetched from the hub ({type(error).__name__}: {reason}): check the name and the "
            "network, or give the path of a downloaded folder"
        ) from error
    raise WeightsError(f"{name} holds neither .safetensors nor .bin files on the hub: name another model")


def _weights_file(folder: Path) -> Path:
    for name in (*INDEXES[:1], *WHOLE[:1], *INDEXES[1:], *WHOLE[1:]):
        if (folder / name).is_file():
            return folder / name
    found = sorted(path for kind in ("*.safetensors", "*.bin", "*.pt", "*.pth") for path in folder.glob(kind))
    if len(found) == 1:
        return found[0]
    seen = f"{len(found)} ({', '.join(path.name for path in found[:4])})" if found else "none"
    raise WeightsError(f"{folder} should hold one file of weights and holds {seen}: give the file itself")


def _sharded(index: Path) -> dict[str, Tensor]:
    where = _json(index).get("weight_map")
    if not isinstance(where, dict):
        raise WeightsError(f"{index} is no index of weights: it has no weight_map")
    weights: dict[str, Tensor] = {}
    for name in sorted(set(where.values())):
        if Path(name).name != name:
            raise WeightsError(f"{index} names {name}, which is outside its folder")
        weights |= _read(index.parent / name)
    if lost := sorted(set(where) - set(weights)):
        raise WeightsError(f"{index} promises {lost[0]} and {len(lost) - 1} more that its files do not hold")
    return weights


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise WeightsError(f"{file} is missing: the checkpoint is not whole, download it again")
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"{file} cannot be read as plain weights ({type(error).__name__}): it is damaged, or holds objects that "
            "would run code; convert it to .safetensors"
        ) from error
    while isinstance(found, dict) and (inner := next(_wrapped(found), None)) is not None:
        found = inner
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise WeightsError(f"{file} holds no state dict: expected names and tensors alone")
    return found


def _wrapped(found: dict) -> Iterator[dict]:
    return (found[name] for name in WRAPPERS if isinstance(found.get(name), dict))


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise WeightsError(f"{file} holds no JSON object")
    return found
