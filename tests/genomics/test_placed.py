"""A weak word counts where it belongs: sites of motifs that keep a place."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.genomics.motifs import Motif
from zoo.genomics.placed import MARGIN, sites_in_place, usual_place
from zoo.genomics.scan import CHANCE, scan, site_threshold

UNIFORM = np.full(4, 0.25)
BOX = Motif("box", np.array([[1, 1, 1, 17], [17, 1, 1, 1], [2, 2, 2, 14], [14, 2, 2, 2], [14, 2, 2, 2], [1, 1, 1, 17]]))


def test_the_shortest_stretch_with_half_of_the_sites():
    starts = np.repeat([3, 20, 21, 21, 22, 40, 57, 70], 5)
    assert usual_place(starts, 80) == (20 - MARGIN, 22 + MARGIN + 1)
    assert usual_place(np.arange(80), 80) is None, "spread out"
    assert usual_place(np.full(10, 20), 80) is None, "too few"


@pytest.mark.parametrize("stranded", [True, False])
def test_a_random_sequence_holds_a_twentieth_of_a_site(stranded):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (4000, 120)).astype(np.uint8)
    motif = Motif("wide", rng.dirichlet(np.full(4, 0.3), 12) * 100)
    sites = scan([motif], codes, UNIFORM, site_threshold(120, stranded), stranded)
    assert len(sites) / len(codes) == pytest.approx(CHANCE, rel=0.25)


def test_in_its_place_a_weaker_word_is_a_site():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, (300, 80)).astype(np.uint8)
    codes[:, 40:46] = (rng.random((300, 6, 1)) >= np.cumsum(BOX.ppm, 1)[None, :, :3]).sum(-1)
    anywhere = sites_in_place([BOX], [None], codes, UNIFORM, 80, True)
    placed = sites_in_place([BOX], [(38, 43)], codes, UNIFORM, 80, True)
    assert ((placed.start >= 38) & (placed.start < 43)).all()
    at_box = [int((sites.start == 40).sum()) for sites in (anywhere, placed)]
    assert at_box[1] > 1.5 * at_box[0]
    beside = (placed.start != 40).sum() / 300
    assert beside < 1.5 * CHANCE, "and chance does not profit"


def test_beside_a_partner_a_still_weaker_word_is_one():
    """In its place alone; a motif without a place is as strictly sought as before."""
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 4, (2000, 80)).astype(np.uint8)
    strict, lax = (sites_in_place([BOX], [(20, 40)], codes, UNIFORM, 80, True, chance) for chance in (CHANCE, 0.2))
    assert len(strict) / 2000 < 1.3 * CHANCE < 0.1 < len(lax) / 2000 < 1.3 * 0.2
    assert len(sites_in_place([BOX], [None], codes, UNIFORM, 80, True, 0.2)) / 2000 < 1.3 * CHANCE
