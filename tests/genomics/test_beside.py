"""A partner too weak to be a motif by itself is found by the distance that it keeps, and chance is not."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from tests.genomics.planting import markov
from zoo.genomics.beside import Held, Partner, learn_partners
from zoo.genomics.beside_tests import Part, stand_beside
from zoo.genomics.beside_told import beside_headline, beside_picture, beside_table
from zoo.genomics.flanks import Flanks
from zoo.genomics.motifs import UNKNOWN, Motif, Sites
from zoo.genomics.scan import scan
from zoo.genomics.sequences import PAD, reverse_complement

STRONG, WEAK, GAP, LENGTH = "TGACTCATC", "TTGA", 17, 81


def coded(word: str) -> np.ndarray:
    return np.array(["ACGT".index(x) for x in word], dtype=np.uint8)


class Needs(nn.Module):
    """The logit: how often the weak word stands, in one direction or the other."""

    strands, device = "given", torch.device("cpu")

    def forward(self, codes):
        word = torch.tensor(coded(WEAK).tolist())
        windows = codes.long().unfold(1, len(WEAK), 1)
        return 4.0 * ((windows == word).all(2) | (windows == 3 - word.flip(0)).all(2)).sum(1)


def planted(n: int, rng, together: float, turned: bool = False, gap: int = GAP, apart: bool = False, strong=STRONG):
    """The strong word, and the weak one (a letter in five is wrong) beside it in a share of the sequences: at `gap`
    bases before it, or behind where that is negative, one more or one less; or `apart`, anywhere before it."""
    codes = markov(n, LENGTH, rng)
    away = abs(gap) + 2 + len(WEAK)  # room for the partner
    low, high = (max(away, 40 * apart), LENGTH - len(strong)) if gap > 0 else (0, LENGTH - len(strong) - away)
    for row in codes:
        start = int(rng.integers(low, high + 1))
        end = start + len(strong)
        row[start:end] = coded(strong)
        if rng.random() < together:
            between = int(rng.integers(5, 30)) if apart else abs(gap) + int(rng.choice([-1, 0, 0, 0, 1]))
            weak = coded(WEAK)
            wrong = rng.random(len(WEAK)) < 0.2
            weak[wrong] = rng.integers(0, 4, int(wrong.sum()))
            at = start - between - len(WEAK) if gap > 0 else end + between
            row[at : at + len(WEAK)] = weak
        if turned and rng.random() < 0.5:
            row[:] = reverse_complement(row[None])[0]
    motif = Motif("strong", np.eye(4)[coded(strong)] * 20)
    return Part(codes, scan([motif], codes, threshold=1e-4, stranded=not turned))


def asked(model, learn: Part, positive: Part, negative: Part, **more):
    return stand_beside(model, ["strong"], learn, positive, negative, **more)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("gap", [GAP, -GAP, 5, 43])
def test_a_weak_word_at_its_distance_is_found_and_needed(turned, gap):
    rng = np.random.default_rng(0)
    learn, positive = (planted(n, rng, 0.6, turned, gap) for n in (1200, 600))
    found = [b for b in asked(Needs(), learn, positive, planted(600, rng, 0.0, turned, gap)) if b.stands_out]
    assert len(found) == 1
    (one,) = found
    assert WEAK[:3] in one.partner.motif.name and one.before is (gap > 0) and abs(one.spacing - abs(gap)) <= 1
    held, positives, in_negatives, negatives = one.counts
    assert held / positives > 0.4 > 0.3 > in_negatives / negatives and one.knockout.confirms and one.also == ""
    table = beside_table([one])
    assert table["stands out"][0] == "yes" and table["of those with the motif"][0] > 1.6 * table["nearby"][0]
    said = beside_headline([one], {})
    assert f"{one.spacing} bases {'before' if gap > 0 else 'behind'} strong" in said and said.endswith(
        "the model needs it"
    )
    assert beside_picture([one], {}).startswith(b"\x89PNG")


@pytest.mark.parametrize("seed", range(3))
def test_the_same_word_anywhere_before_the_motif_is_no_partner(seed):
    """Even where one is learnt from all the places, which is asked of as at a distance."""
    rng = np.random.default_rng(seed)
    parts = [planted(n, rng, 0.8, apart=True) for n in (2000, 1200)]
    found = asked(Needs(), *parts, planted(1200, rng, 0.0))
    assert not any(b.stands_out for b in found) and beside_headline(found, {}) == ""
    flanks = parts[1].flanks("strong")
    exact = Motif("weak", np.eye(4)[coded(WEAK)] * 20)
    for column in (25, 30, 35):
        held = Held.of(Partner("strong", exact, column, np.full(4, 0.25), threshold=6.0), flanks)
        assert held.hits > 30 and held.pvalue > 1e-3


def test_a_change_of_composition_is_no_partner():
    """A and T fall from two thirds to one third along the sequences, or at once in their middle; nothing is planted."""
    rng = np.random.default_rng(0)

    def sloped(n: int, share: np.ndarray) -> Part:
        codes = np.where(
            rng.random((n, LENGTH)) < share, rng.choice([0, 3], (n, LENGTH)), rng.choice([1, 2], (n, LENGTH))
        )
        codes = codes.astype(np.uint8)
        for row, start in zip(codes, rng.integers(36, 44, n), strict=True):
            row[start : start + len(STRONG)] = coded(STRONG)
        motif = Motif("strong", np.eye(4)[coded(STRONG)] * 20)
        return Part(codes, scan([motif], codes, threshold=1e-4, stranded=True))

    flat = np.full(LENGTH, 0.5)
    for share in (np.linspace(0.67, 0.33, LENGTH), np.where(np.arange(LENGTH) < 25, 0.65, 0.35)):
        found = asked(Needs(), sloped(1500, share), sloped(800, share), sloped(800, flat))
        assert not any(b.stands_out for b in found)


class NeedsStrong(Needs):
    """The logit: is the strong word there; the weak one says nothing, or a tenth."""

    def __init__(self, weak: float):
        super().__init__()
        self.weak = weak

    def forward(self, codes):
        strong = (codes.long().unfold(1, len(STRONG), 1) == torch.tensor(coded(STRONG).tolist())).all(2).any(1)
        return self.weak * super().forward(codes) + 40.0 * strong


@pytest.mark.parametrize(("weak", "needed"), [(0.0, False), (1.0, True)])
@pytest.mark.parametrize("gap", [4, 6, GAP])
def test_the_motif_is_not_destroyed_with_its_partner_nor_for_comparison(weak, needed, gap):
    rng = np.random.default_rng(5)
    learn, positive, negative = (planted(n, rng, share, gap=gap) for n, share in ((800, 0.8), (400, 0.8), (400, 0.0)))
    one = asked(NeedsStrong(weak), learn, positive, negative)[0]
    assert one.stands_out and one.knockout.confirms is needed
    assert one.knockout.elsewhere < 4 and one.knockout.fall < 8


def test_windows_for_comparison_do_not_lie_in_the_padding():
    class Records(Needs):
        """As `Needs`; and the letters that it was shown."""

        shown: ClassVar[set[int]] = set()

        def forward(self, codes):
            self.shown.update(codes.unique().tolist())
            return super().forward(codes)

    rng, found = np.random.default_rng(6), []
    whole = [planted(n, rng, share) for n, share in ((800, 0.8), (300, 0.8), (300, 0.0))]
    for pad in (0, 300):
        parts = [Part(np.pad(p.codes, ((0, 0), (0, pad)), constant_values=PAD), p.sites) for p in whole]
        found.append(asked(Records(), *parts)[0])
    plain, padded = found
    assert padded.counts == plain.counts and padded.held == plain.held
    assert Records.shown == {0, 1, 2, 3, PAD}  # padding is no unknown base, in which a window might lie
    assert padded.knockout.elsewhere == pytest.approx(plain.knockout.elsewhere, abs=0.5)


def test_a_palindrome_has_one_partner_and_no_mirror_image_of_it():
    rng = np.random.default_rng(7)
    palindrome = "TGACGTCA"
    parts = [
        planted(n, rng, share, turned=True, strong=palindrome) for n, share in ((2000, 0.8), (800, 0.8), (800, 0.0))
    ]
    assert sum(b.stands_out for b in asked(Needs(), *parts)) == 2
    assert sum(b.stands_out for b in asked(Needs(), *parts, palindromes={"strong"})) == 1


def test_a_partner_that_is_a_motif_already_is_called_so_and_not_told_twice():
    rng = np.random.default_rng(1)
    learn, positive, negative = (planted(n, rng, share) for n, share in ((600, 1.0), (300, 1.0), (300, 0.0)))
    weak = Motif("weak", np.eye(4)[coded(WEAK)] * 20)
    sites = scan([weak], positive.codes, threshold=0.005, stranded=True)
    found = asked(Needs(), learn, Part(positive.codes, Sites.concatenate([positive.sites, sites])), negative)
    assert [b.also for b in found if b.stands_out] == ["weak"] and beside_headline(found, {}) == ""
    inside = sites[sites.end <= LENGTH - 3]
    beside_it = replace(inside, start=inside.start + 3, end=inside.end + 3)  # shares its last letter
    found = asked(Needs(), learn, Part(positive.codes, Sites.concatenate([positive.sites, beside_it])), negative)
    assert [b.also for b in found if b.stands_out] == [""]


def test_one_partner_of_two_motifs_is_told_once():
    rng = np.random.default_rng(8)
    parts = [planted(n, rng, share) for n, share in ((800, 0.9), (400, 0.9), (400, 0.0))]
    shifted = [replace(p.sites, motif=("other",) * len(p.sites), start=p.sites.start + 3) for p in parts]
    both = [Part(p.codes, Sites.concatenate([p.sites, s])) for p, s in zip(parts, shifted, strict=True)]
    found = [b for b in stand_beside(Needs(), ["strong", "other"], *both) if b.stands_out]
    assert len(found) == 2 and [bool(b.also) for b in found] == [False, True] and " beside " in found[1].also
    assert len(beside_headline(found, {}).splitlines()) == 2


def test_flanks_read_in_the_direction_of_the_motif():
    """By hand: a motif of 4 on the minus strand; what follows it in the sequence is before it."""
    codes = np.array([[0, 1, 2, 3, 3, 3, 3, 3, 0, 1, 1, 2]], dtype=np.uint8)
    sites = Sites(("m",), np.array([0]), np.array([4]), np.array([8]), ("-",), np.ones(1), np.ones(1), ("TTTT",))
    flanks = Flanks.around(sites, codes)
    before, behind = flanks.codes[0, 46:50], flanks.codes[0, 54:58]
    assert before.tolist() == [1, 2, 2, 3] and behind.tolist() == [0, 1, 2, 3]  # ACCG turned: CGGT
    assert (flanks.codes[0, 50:54] == UNKNOWN).all() and (flanks.codes[0, :46] == UNKNOWN).all()
    assert flanks.spacing(46, 4) == 0 and flanks.spacing(44, 4) == 2 and flanks.spacing(56, 4) == 2
    assert flanks.starts(np.array([46]), 4).tolist() == [8] and flanks.starts(np.array([54]), 4).tolist() == [0]


def test_no_partner_hangs_over_the_end_of_its_sequence():
    rng = np.random.default_rng(4)
    part = planted(100, rng, 1.0, turned=True)
    flanks = part.flanks("strong")
    for column in (20, 33, 66, 80):  # of many flanks beyond the end
        anything = Partner("strong", Motif("any", np.ones((6, 4))), column, np.full(4, 0.25), threshold=-5.0)
        columns, scores = anything.places(flanks)
        starts = flanks.starts(columns, 6)[scores >= anything.threshold]
        assert len(starts) and starts.min() >= 0 and starts.max() <= LENGTH - 6


def test_places_nearby_are_counted_by_hand():
    """Two flanks of A with one CCCC each, at the distance and farther away: stretches of five places, none of which
    reads a base of the partner's own stretch."""
    flanks = np.zeros((2, 109), dtype=np.uint8)
    flanks[:, 50:59] = UNKNOWN
    flanks[0, 30:34] = 1
    flanks[1, 20:24] = 1
    ones, starts = np.ones(2), np.full(2, 60)
    sites = Sites(("m",) * 2, np.arange(2), starts, starts + 9, ("+",) * 2, ones, ones, ("",) * 2)
    partner = Partner("m", Motif("CCCC", np.eye(4)[[1] * 4] * 20), 30, np.full(4, 0.25), threshold=6.0)
    held = Held.of(partner, Flanks(flanks, sites))
    assert (held.hits, held.n) == (1, 2)
    assert held.farther == (1, 2) and held.nearer == (0, 2)  # places 20 to 24, and 36 to 40; its own are 28 to 32
    assert held.elsewhere == 1 / 4


def test_too_few_sites_teach_nothing():
    few = planted(20, np.random.default_rng(3), 1.0)
    assert learn_partners("strong", few.flanks("strong")) == []
    assert stand_beside(Needs(), ["strong", "none"], few, few, few) == []
    assert isinstance(beside_table([]), pd.DataFrame)


def test_a_model_that_could_not_be_asked_is_not_said_to_do_without():
    rng = np.random.default_rng(9)
    learn, positive = planted(800, rng, 1.0), planted(300, rng, 1.0)
    found = asked(Needs(), learn, positive, planted(300, rng, 0.0))[0]
    unasked = replace(found, knockout=replace(found.knockout, num_sequences=3, qvalue=1.0))
    assert "too few to ask" in beside_headline([unasked], {})
