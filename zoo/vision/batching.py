"""Batches of equal work: as many images as fill a budget of tokens, however many those are.

Packed rows hold no padding at all. Where images are padded to the longest beside them, batches are cut from images
sorted by length, a few batches' worth at a time, which bounds what is wasted and leaves the order random.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Sampler

from zoo.vision.batch import Draw, ImageSet, collate

WINDOW = 16  # batches among which images are sorted
LARGE = 1_000_003


class TokenBatches(Sampler[list[Draw]]):
    """Batches of about `batch_tokens` tokens, a function of seed and epoch alone.

    Every epoch has equally many, so that a schedule can count on them; each image comes once in an epoch, but for the
    last batches where processes do not divide them. alike: lengths within a batch are similar.
    """

    def __init__(self, images: ImageSet, batch_tokens: int, seed: int, alike: bool = False):
        self.images, self.batch_tokens, self.seed, self.alike = images, batch_tokens, seed, alike
        self.epoch, self.start = 0, 0  # start: batches of this process that are done
        self._usual = np.array(images.lengths())

    @property
    def _total(self) -> int:
        """Batches of all processes."""
        count = max(1, round(self._usual.sum() / self.batch_tokens))
        count = min(count, len(self._usual))
        return max(1, count // _processes()[1]) * _processes()[1]

    def __len__(self) -> int:
        return self._total // _processes()[1]

    def step(self) -> None:
        """A batch is done; after the last one the next epoch begins."""
        self.start += 1
        if self.start == len(self):
            self.epoch, self.start = self.epoch + 1, 0

    def __iter__(self) -> Iterator[list[Draw]]:
        rank, count = _processes()
        yield from self.batches()[rank::count][self.start :]

    def batches(self) -> list[list[Draw]]:
        """Of the whole epoch, for all processes."""
        draw = random.Random(self.seed * LARGE + self.epoch)
        draws = self._draws(draw)
        draw.shuffle(draws)
        length = {d.index: self._length(d) for d in draws}
        if self.alike:
            window = max(1, WINDOW * len(draws) // self._total)
            cut = [sorted(draws[i : i + window], key=lambda d: length[d.index]) for i in range(0, len(draws), window)]
            draws = [d for part in cut for d in part]
        ends = np.cumsum([length[d.index] for d in draws])
        edges = np.searchsorted(ends, ends[-1] * np.arange(1, self._total) / self._total)
        edges = _increasing([int(e) for e in edges], len(draws))
        found = [draws[a:b] for a, b in zip([0, *edges], [*edges, len(draws)], strict=True)]
        draw.shuffle(found)
        return found

    def _draws(self, draw: random.Random) -> list[Draw]:
        augment, usual = self.images.augment, self.images.sizing.budget
        budgets = [usual if augment is None else augment.budget(usual, draw) for _ in range(len(self.images))]
        return [Draw(i, budget, draw.getrandbits(48)) for i, budget in enumerate(budgets)]

    def _length(self, d: Draw) -> int:
        """Of the image before it is cropped; a crop of other proportions may have a few tokens more or less."""
        return self.images.sizing.tokens(self.images.items[d.index].size, d.budget)


def _increasing(edges: list[int], size: int) -> list[int]:
    """No batch is empty: each edge at least one beyond the one before, and room left for those after."""
    last = 0
    for i, edge in enumerate(edges):
        last = min(max(edge, last + 1), size - (len(edges) - i))
        edges[i] = last
    return edges


def _processes() -> tuple[int, int]:
    """(rank, number of processes)"""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_available() and dist.is_initialized() else (0, 1)


class TokenLoader(DataLoader):
    """Knows where it is in the epoch, to go on there after an interruption."""

    def __init__(self, batches: TokenBatches, num_workers: int = 0):
        self._batches = batches
        super().__init__(
            batches.images,
            batch_sampler=batches,
            collate_fn=collate,
            num_workers=num_workers,
            generator=torch.Generator().manual_seed(batches.seed),
            persistent_workers=num_workers > 0,
        )

    def __iter__(self) -> Iterator:
        for batch in super().__iter__():
            self._batches.step()  # before it is used: nobody may ask for more than the epoch has
            yield batch

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self._batches.epoch, "start": self._batches.start}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._batches.epoch, self._batches.start = state["epoch"], state["start"]


def pad_fraction(lengths: Sequence[Sequence[int]]) -> float:
    """Of batches of such lengths, each image padded to the longest of its batch."""
    held = sum(len(batch) * max(batch) for batch in lengths)
    return 1 - sum(map(sum, lengths)) / held
