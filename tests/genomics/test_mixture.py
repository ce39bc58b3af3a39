"""Two motifs in one alignment are told apart; one motif, however degenerate, is left whole."""

from __future__ import annotations

import numpy as np
import pytest

from tests.genomics.planting import sample_sites
from zoo.genomics.jaspar import load_jaspar
from zoo.genomics.mixture import larger_half


def matrix(matrix_id):
    return next(r.motif for r in load_jaspar() if r.matrix_id == matrix_id)


@pytest.mark.parametrize("turned", [False, True])
def test_ap1_and_the_estrogen_receptor_on_their_common_half_site(turned):
    rng = np.random.default_rng(0)
    ap1, esr1 = matrix("MA0491.3"), matrix("MA0112.4")  # ATGASTCAT and AGGTCANNNTGACCT share GTCA
    sites = rng.integers(4, size=(500, 19)).astype(np.uint8)
    sites[:300, 2:11] = sample_sites(ap1.ppm, 300, rng)
    sites[300:, 4:19] = sample_sites(esr1.ppm, 200, rng)
    truth = np.arange(500) < 300
    share = larger_half(3 - sites[:, ::-1] if turned else sites, np.ones(500))
    assert share is not None and ((share > 0.5) == truth).mean() > 0.95


@pytest.mark.parametrize("matrix_id", ["MA0491.3", "MA0112.4", "MA0139.2", "MA0148.5", "MA0079.5", "MA0108.3"])
@pytest.mark.parametrize("n", [30, 800])
def test_one_matrix_is_one_motif(matrix_id, n):
    sites = sample_sites(matrix(matrix_id).ppm, n, np.random.default_rng(1))
    assert larger_half(sites, np.ones(n)) is None


def test_weights_count():
    """The smaller motif is not there if it weighs nothing."""
    rng = np.random.default_rng(2)
    sites = np.concatenate([sample_sites(matrix(i).ppm[:8], 300, rng) for i in ("MA0491.3", "MA0148.5")])
    weight = np.repeat([1.0, 0.0], 300)
    assert larger_half(sites, np.ones(600)) is not None
    assert larger_half(sites, weight) is None
