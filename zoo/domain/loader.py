"""A loader that can be stopped in the middle of an epoch and go on with the very next batch, and its like in order.

Several processes share the examples: each takes every W-th one, so that the W batches of one step together are the
batch that one process with W times the batch size would see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset, Sampler


def _processes() -> tuple[int, int]:
    """(rank, number of processes)"""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)


class InOrder(Sampler[int]):
    """This process's share of the examples, in order; none twice, so shares can differ by one."""

    def __init__(self, size: int):
        self.size = size

    def _mine(self) -> range:
        rank, count = _processes()
        return range(rank, self.size, count)

    def __len__(self) -> int:
        return len(self._mine())

    def __iter__(self) -> Iterator[int]:
        return iter(self._mine())


class _Order(Sampler[int]):
    """The permutation of one epoch, a function of seed and epoch alone, from example `start` (of all) on.

    Every process has equally many; the last few are left out where they do not divide.
    """

    def __init__(self, size: int, seed: int):
        self.size, self.seed, self.epoch, self.start = size, seed, 0, 0

    def __len__(self) -> int:
        return self.size // _processes()[1]

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of every epoch; a new one begins at its first example."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        rank, count = _processes()
        together = len(self) * count
        yield from torch.randperm(self.size, generator=generator)[self.start + rank : together : count].tolist()


class ResumableLoader(DataLoader):
    """Shuffles by (seed, epoch) and knows where it is; Lightning saves and restores that with each checkpoint
    through `state_dict` and `load_state_dict`.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        seed: int,
        collate_fn: Callable[[list[Any]], Any],
        num_workers: int = 0,
        drop_last: bool = True,
    ):
        self._order = _Order(len(dataset), seed)
        super().__init__(
            dataset,
            batch_size=batch_size,
            sampler=self._order,
            collate_fn=collate_fn,
            num_workers=num_workers,
            drop_last=drop_last and len(dataset) >= batch_size,
            generator=torch.Generator().manual_seed(seed),  # so that workers draw nothing from the global state
            persistent_workers=num_workers > 0,
        )

    def __iter__(self) -> Iterator[Any]:
        for batch in super().__iter__():
            self._order.start += self.batch_size * _processes()[1]
            yield batch
        self._order.set_epoch(self._order.epoch + 1)

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self._order.epoch, "start": self._order.start}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._order.epoch, self._order.start = state["epoch"], state["start"]
