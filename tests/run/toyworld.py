"""A throw-away domain `zoo.toyworld` outside the source tree: the allow-list admits `zoo` only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zoo

SOURCE = """
from __future__ import annotations
import abc, os, typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
import pytorch_lightning as pl
from torch import nn

if typing.TYPE_CHECKING:
    from decimal import Decimal

class Encoder(nn.Module):
    def __init__(self, dim: int, depth: int = 2, rate: float = 0.1):
        super().__init__()
        self.dim, self.depth, self.rate = dim, depth, rate

class Task(pl.LightningModule):
    def __init__(self, backbone: Encoder, lr: float = 1e-3):
        super().__init__()
        self.backbone, self.lr = backbone, lr

class Detector(Task):
    def __init__(self, classes: int = 2, norm: typing.Literal["pre", "post"] = "pre",
                 price: Decimal | None = None, **keywords):
        super().__init__(**keywords)
        self.classes = classes

class Reads(pl.LightningDataModule):
    def __init__(self, positives: str | Path, batch_size: int = 8, widths: Sequence[int] = (3, 5),
                 kernel: tuple[int, ...] = (3,), shuffle: bool = True, readers: list[nn.Module] | None = None):
        super().__init__()
        self.positives, self.batch_size, self.kernel = positives, batch_size, kernel

    @classmethod
    def problems(cls, positives, batch_size, **rest):
        if not Path(positives).is_file():
            yield f"positives={positives}: there is no such file"
        if batch_size > 1000:
            yield "too large for this machine"

class Shape(abc.ABC, nn.Module):
    @abc.abstractmethod
    def area(self): ...

@dataclass(frozen=True)
class Settings:
    lr: float = 1e-3

@dataclass
class Loose:
    lr: float = 1e-3

def run(cmd):
    raise SystemExit("code of a stranger ran")
"""


@contextmanager
def toyworld(folder: Path) -> Iterator[None]:
    (folder / "toyworld").mkdir(parents=True)
    (folder / "toyworld" / "__init__.py").write_text(SOURCE)
    zoo.__path__.append(str(folder))
    try:
        yield
    finally:
        zoo.__path__.remove(str(folder))
        sys.modules.pop("zoo.toyworld", None)
        vars(zoo).pop("toyworld", None)
