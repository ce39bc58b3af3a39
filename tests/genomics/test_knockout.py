"""A knock-out must confirm a model that reads the motif, and not one that counts G and C."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from zoo.genomics.knockout import Knockout, knockouts
from zoo.genomics.motifs import Motif
from zoo.genomics.scan import scan

SITE = "GGGCGGGGC"
ONES = np.eye(4) * 20


def planted(rng: np.random.Generator, n: int = 60, length: int = 80) -> np.ndarray:
    codes = rng.choice(4, (n, length), p=[0.35, 0.15, 0.15, 0.35]).astype(np.uint8)
    for row in codes:
        start = rng.integers(0, length - len(SITE))
        row[start : start + len(SITE)] = ["ACGT".index(base) for base in SITE]
    return codes


class Reader(nn.Module):
    """A model whose answer is known."""

    strands = "given"
    device = torch.device("cpu")


class CountsGC(Reader):
    def forward(self, codes):
        return ((codes == 1) | (codes == 2)).float().sum(1)


class FindsSite(Reader):
    def forward(self, codes):
        site = torch.tensor(["ACGT".index(base) for base in SITE])
        return 5 * (codes.unfold(1, len(SITE), 1) == site).all(-1).any(-1).float()


def test_only_the_model_that_reads_the_site_needs_it():
    codes = planted(np.random.default_rng(0))
    motif = Motif("sp", ONES[["ACGT".index(base) for base in SITE]])
    sites = scan([motif], codes)
    (found,) = knockouts(FindsSite(), codes, sites, ["sp"])
    assert found.confirms and found.fall > 4 and abs(found.elsewhere) < 0.5
    (counted,) = knockouts(CountsGC(), codes, sites, ["sp"])
    assert not counted.confirms and counted.fall == counted.elsewhere == 0


def test_a_short_site_is_destroyed_with_its_neighbours():
    """Permuting the five As and one T of a site alone leaves it whole one time in six."""
    rng = np.random.default_rng(2)
    codes = rng.choice([1, 2], (100, 60)).astype(np.uint8)
    box = np.array([0, 0, 3, 0, 0, 0], np.uint8)
    codes[:, 20:26] = box

    class FindsBox(Reader):
        def forward(self, codes):
            return 5 * (codes.unfold(1, 6, 1) == torch.from_numpy(box)).all(-1).any(-1).float()

    motif = Motif("box", ONES[box])
    (found,) = knockouts(FindsBox(), codes, scan([motif], codes), ["box"])
    assert found.confirms and found.fall > 4.9  # 4.2 by its own bases


def test_a_motif_without_sites_is_not_confirmed():
    codes = planted(np.random.default_rng(1))
    motif = Motif("none", ONES[[0, 3] * 8])
    (found,) = knockouts(FindsSite(), codes, scan([motif], codes, threshold=1e-9), ["none"])
    assert not found.confirms and found.qvalue == 1


def test_what_a_nearly_constant_model_loses_is_not_a_need():
    sure, faint = (Knockout("m", 300, fall, fall / 20, 1e-9, 2e-9) for fall in (1.0, 7.8e-7))
    assert sure.confirms and not faint.confirms
