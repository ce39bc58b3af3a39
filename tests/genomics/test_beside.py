"""A partner too weak to be a motif by itself is found by the distance that it keeps, and chance is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from tests.genomics.planting import markov
from zoo.genomics.beside import REACH, Held, Partner, learn_partners
from zoo.genomics.beside_tests import stand_beside
from zoo.genomics.beside_told import beside_headline, beside_picture, beside_table
from zoo.genomics.flanks import Flanks
from zoo.genomics.motifs import UNKNOWN, Motif, Sites
from zoo.genomics.scan import scan
from zoo.genomics.sequences import reverse_complement

STRONG, WEAK, GAP, LENGTH = "TGACTCATC", "TTGA", 17, 81
MOTIF = Motif("strong", np.eye(4)[["ACGT".index(x) for x in STRONG]] * 20)


class Needs(nn.Module):
    """The logit: how often the weak word stands, in one direction or the other."""

    strands, device = "given", torch.device("cpu")

    def forward(self, codes):
        word = torch.tensor(["ACGT".index(x) for x in WEAK])
        windows = codes.long().unfold(1, len(WEAK), 1)
        return 4.0 * ((windows == word).all(2) | (windows == 3 - word.flip(0)).all(2)).sum(1)


def planted(n: int, rng, together: float, turned: bool, apart: bool = False):
    """The strong word, and the weak one (a letter in five is wrong) before it in a share of the sequences: at `GAP`
    bases, one more or one less, or `apart`, anywhere before it."""
    codes = markov(n, LENGTH, rng)
    for row in codes:
        start = int(rng.integers(40, LENGTH - len(STRONG)))
        row[start : start + len(STRONG)] = ["ACGT".index(x) for x in STRONG]
        if rng.random() < together:
            gap = int(rng.integers(5, 30)) if apart else GAP + int(rng.choice([-1, 0, 0, 0, 1]))
            weak = np.array(["ACGT".index(x) for x in WEAK])
            wrong = rng.random(len(WEAK)) < 0.2
            weak[wrong] = rng.integers(0, 4, int(wrong.sum()))
            row[start - gap - len(WEAK) : start - gap] = weak
        if turned and rng.random() < 0.5:
            row[:] = reverse_complement(row[None])[0]
    return codes, scan([MOTIF], codes, threshold=1e-4, stranded=not turned)


@pytest.mark.parametrize("turned", [False, True])
def test_a_weak_word_at_its_distance_is_found_and_needed(turned):
    rng = np.random.default_rng(0)
    learn, positive = (planted(n, rng, 0.6, turned) for n in (600, 300))
    negative = planted(300, rng, 0.0, turned)
    found = [b for b in stand_beside(Needs(), ["strong"], learn, positive, negative) if b.stands_out]
    assert len(found) == 1
    (one,) = found
    assert WEAK[:3] in one.partner.motif.name and one.before and abs(one.spacing - GAP) <= 1
    held, positives, in_negatives, negatives = one.counts
    assert held / positives > 0.4 > 0.3 > in_negatives / negatives and one.knockout.confirms and one.also == ""
    table = beside_table([one])
    assert table["stands out"][0] == "yes" and table["of those with the motif"][0] > 2 * table["elsewhere"][0]
    said = beside_headline([one], {})
    assert f"{one.spacing} bases before strong" in said and said.endswith("the model needs it")
    assert beside_picture([one], {}).startswith(b"\x89PNG")


@pytest.mark.parametrize("seed", range(4))
def test_the_same_word_anywhere_before_the_motif_is_no_partner(seed):
    rng = np.random.default_rng(seed)
    parts = [planted(n, rng, 0.6, turned=False, apart=True) for n in (600, 300)]
    found = stand_beside(Needs(), ["strong"], *parts, planted(300, rng, 0.0, turned=False))
    assert not any(b.stands_out for b in found)
    assert beside_headline(found, {}) == ""


def test_a_partner_that_is_a_motif_already_is_called_so_and_not_told_twice():
    rng = np.random.default_rng(1)
    learn, positive, negative = (planted(n, rng, share, False) for n, share in ((600, 1.0), (300, 1.0), (300, 0.0)))
    weak = Motif("weak", np.eye(4)[["ACGT".index(x) for x in WEAK]] * 20)
    both = Sites.concatenate([positive[1], scan([weak], positive[0], threshold=0.005, stranded=True)])
    found = [b for b in stand_beside(Needs(), ["strong"], learn, (positive[0], both), negative) if b.stands_out]
    assert [b.also for b in found] == ["weak"] and beside_headline(found, {}) == ""


class NeedsBoth(Needs):
    """The strong word says ten times what the weak one does."""

    def forward(self, codes):
        strong = torch.tensor(["ACGT".index(x) for x in STRONG])
        return super().forward(codes) + 40.0 * (codes.long().unfold(1, len(STRONG), 1) == strong).all(2).any(1)


def test_what_is_destroyed_for_comparison_is_not_the_motif():
    rng = np.random.default_rng(5)
    learn, positive, negative = (planted(n, rng, share, False) for n, share in ((600, 0.8), (300, 0.8), (300, 0.0)))
    one = stand_beside(NeedsBoth(), ["strong"], learn, positive, negative)[0]
    assert one.stands_out and one.knockout.confirms and one.knockout.elsewhere < 4


def test_flanks_read_in_the_direction_of_the_motif():
    """By hand: a motif of 4 on the minus strand; what follows it in the sequence is before it."""
    codes = np.array([[0, 1, 2, 3, 3, 3, 3, 3, 0, 1, 1, 2]], dtype=np.uint8)
    sites = Sites(("m",), np.array([0]), np.array([4]), np.array([8]), ("-",), np.ones(1), np.ones(1), ("TTTT",))
    flanks = Flanks.around(sites, codes)
    before, behind = flanks.codes[0, 46:50], flanks.codes[0, 54:58]
    assert before.tolist() == [1, 2, 2, 3] and behind.tolist() == [0, 1, 2, 3]  # GGCA... turned: C G G T
    assert (flanks.codes[0, 50:54] == UNKNOWN).all() and (flanks.codes[0, :46] == UNKNOWN).all()
    assert flanks.spacing(46, 4) == 0 and flanks.spacing(44, 4) == 2 and flanks.spacing(56, 4) == 2
    assert flanks.starts(np.array([46]), 4).tolist() == [8] and flanks.starts(np.array([54]), 4).tolist() == [0]


def test_no_partner_hangs_over_the_end_of_its_sequence():
    rng = np.random.default_rng(4)
    codes, sites = planted(100, rng, 1.0, turned=True)
    flanks = Flanks.around(sites, codes)
    for column in (20, 33, 66, 80):  # of many flanks beyond the end
        anything = Partner("strong", Motif("any", np.ones((6, 4))), column, np.full(4, 0.25), threshold=-5.0)
        columns, scores = anything.places(flanks)
        starts = flanks.starts(columns, 6)[scores >= anything.threshold]
        assert len(starts) and starts.min() >= 0 and starts.max() <= LENGTH - 6


def test_places_elsewhere_are_counted_by_hand():
    """A partner that every flank holds at its distance and nowhere else."""
    rng = np.random.default_rng(2)
    learn = planted(600, rng, 1.0, turned=False)
    (partner, *_) = learn_partners("strong", Flanks.around(learn[1], learn[0]))
    flanks = Flanks.around(learn[1], learn[0])
    held = Held.of(partner, flanks)
    columns, scores = partner.places(flanks)
    assert held.hits == int((scores >= partner.threshold).sum()) and held.n == len(flanks)
    assert (np.abs(columns - partner.column) <= REACH).all()
    assert held.n_elsewhere > 5 * held.n / 2 and held.hits_elsewhere / held.n_elsewhere < 0.4 * held.hits / held.n


def test_too_few_sites_teach_nothing():
    rng = np.random.default_rng(3)
    codes, sites = planted(20, rng, 1.0, turned=False)
    assert learn_partners("strong", Flanks.around(sites, codes)) == []
    assert stand_beside(Needs(), ["strong", "none"], (codes, sites), (codes, sites), (codes, sites)) == []
    assert isinstance(beside_table([]), pd.DataFrame)
