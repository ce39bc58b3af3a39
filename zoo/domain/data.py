"""The Lightning data module that every domain subclasses."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from zoo.domain.errors import InputError
from zoo.domain.insight import Insight
from zoo.domain.loader import InOrder, ResumableLoader

PARTS = ("train", "valid", "test")


class DomainData(pl.LightningDataModule):
    """Three parts of labelled data, read once. A domain implements `parts` and names its `collate` function;
    `audit` where it knows how its data mislead.

    `problems`, a class method, tells what is wrong with the arguments before anything is read or built: it takes
    the constructor's arguments and gives one sentence for each mistake.
    """

    collate: Callable[[list[Any]], Any]

    def __init__(self, batch_size: int = 64, num_workers: int = 0, seed: int = 0):
        super().__init__()
        self.batch_size, self.num_workers, self.seed = batch_size, num_workers, seed
        self._parts: Mapping[str, Dataset] | None = None
        self._train: ResumableLoader | None = None
        self._position: dict[str, int] | None = None  # where a continued run goes on

    @abstractmethod
    def parts(self) -> Mapping[str, Dataset]:
        """The data sets "train", "valid" and "test". Called once."""

    def audit(self) -> Insight:
        """What gives the label away without the thing that is to be learned: see `zoo.domain.audit`."""
        raise InputError(f"{type(self).__name__} has no audit: nobody has said yet how such data mislead")

    @classmethod
    def problems(cls, batch_size: int = 64, num_workers: int = 0, **arguments: Any) -> list[str]:
        wrong = [] if batch_size >= 1 else [f"batch_size={batch_size} must be at least 1"]
        return wrong + ([] if num_workers >= 0 else [f"num_workers={num_workers} must be at least 0"])

    def part(self, name: str) -> Dataset:
        self.setup()
        return self._parts[name]

    def setup(self, stage: str | None = None) -> None:
        if self._parts is not None:
            return
        found = self.parts()
        empty = [name for name in PARTS if len(found[name]) == 0]
        if empty:
            raise InputError(
                f"nothing is left for {' and '.join(empty)}: there are only "
                f"{sum(len(found[p]) for p in PARTS)} examples; give more"
            )
        self._parts = found

    def ordered(self, dataset: Dataset, shared: bool = False) -> DataLoader:
        """Every example once, in order. shared: with the other processes, if there are any."""
        return DataLoader(
            dataset,
            batch_size=4 * self.batch_size,
            sampler=InOrder(len(dataset)) if shared else None,
            collate_fn=type(self).collate,
            num_workers=self.num_workers,
            generator=torch.Generator().manual_seed(self.seed),  # draws nothing from the global random state
            persistent_workers=self.num_workers > 0,
        )

    def train_dataloader(self) -> DataLoader:
        self._train = ResumableLoader(
            self.part("train"), self.batch_size, self.seed, type(self).collate, num_workers=self.num_workers
        )
        self._train.load_state_dict(self._position or self._train.state_dict())
        return self._train

    # Lightning would restore the loader itself, but not once the number of steps was asked for before, as our
    # learning-rate schedule does. So the place in the epoch is saved with the data module.

    def state_dict(self) -> dict[str, int]:
        return {} if self._train is None else self._train.state_dict()

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._position = state_dict or None

    def val_dataloader(self) -> DataLoader:
        return self.ordered(self.part("valid"), shared=True)

    def test_dataloader(self) -> DataLoader:
        """The whole part, in every process: counting all examples equally often changes no metric."""
        return self.ordered(self.part("test"))
