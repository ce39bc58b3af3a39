"""Which motifs act together: geometry by hand, models whose interaction is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from zoo.genomics.cooperation import _placed, cooperation, expected_spacings
from zoo.genomics.epistasis import epistasis
from zoo.genomics.motifs import Motif, Sites
from zoo.genomics.scan import scan
from zoo.genomics.sequences import reverse_complement
from zoo.genomics.spacing import WAYS, centre, histogram, one_way, site_pairs

A, B = "TTGACAGC", "GGTATAAT"
CODES = {"A": np.array(["ACGT".index(x) for x in A], np.uint8), "B": np.array(["ACGT".index(x) for x in B], np.uint8)}
MOTIFS = [Motif(name, np.eye(4)[codes] * 20) for name, codes in CODES.items()]


def sites(*rows: tuple[str, int, int, int, str]) -> Sites:
    motif, sequence, start, end, strand = zip(*rows, strict=True)
    n = len(rows)
    return Sites(motif, np.array(sequence), np.array(start), np.array(end), strand, np.ones(n), np.ones(n), ("",) * n)


@pytest.mark.parametrize(
    ("first", "second", "way"),
    [
        ("A+", "B+", "A> B>"),
        ("B-", "A-", "A> B>"),
        ("B+", "A+", "B> A>"),
        ("A-", "B-", "B> A>"),
        ("A+", "B-", "A> <B"),
        ("B+", "A-", "A> <B"),
        ("A-", "B+", "<A B>"),
        ("B-", "A+", "<A B>"),
    ],
)
def test_orientation_is_the_same_on_either_strand(first, second, way):
    found = site_pairs(sites((first[0], 0, 10, 18, first[1]), (second[0], 0, 25, 33, second[1])), ["A", "B"])
    assert len(found) == 1 and WAYS[found.way[0]] == way and found.spacing[0] == 7


def test_only_neighbours_of_one_sequence_that_do_not_overlap():
    found = site_pairs(
        sites(
            ("A", 0, 0, 8, "+"), ("B", 0, 4, 12, "+"), ("B", 0, 8, 16, "+"), ("B", 0, 59, 67, "+"),
            ("B", 1, 10, 18, "+"), ("C", 0, 30, 38, "+"),
        ),
        ["A", "B"],
    )  # fmt: skip
    assert list(zip(found.a, found.b, found.spacing, strict=True)) == [(0, 1, 0), (1, 1, 43), (1, 1, 47)]


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 70), st.sampled_from("+-")), min_size=2, max_size=6))
def test_the_other_strand_tells_the_same_pairs(placed):
    length = 80
    forward = sites(*((m, 0, start, start + 8, strand) for m, start, strand in placed))
    back = sites(
        *((m, 0, length - start - 8, length - start, "-" if strand == "+" else "+") for m, start, strand in placed)
    )
    told = [
        sorted(site_pairs(s, ["A", "B"])[["a", "b", "way", "spacing"]].itertuples(index=False, name=None))
        for s in (forward, back)
    ]
    assert told[0] == told[1]


def test_expected_spacings_are_counted_over_all_pairs_of_sites():
    rng = np.random.default_rng(0)
    rows = [(m, 0, int(s), int(s) + 8, str(strand)) for m, s, strand in zip(
        rng.choice(list("AB"), 60), rng.integers(0, 92, 60), rng.choice(["+", "-"], 60), strict=True)]  # fmt: skip
    table = sites(*rows)
    pairs = site_pairs(table, ["A", "B"])
    pairs = pairs[pairs.a != pairs.b]
    by_hand = np.stack([histogram(pairs.spacing[pairs.way == way]) for way in range(4)])
    own = [np.array([(q, s, e, strand == "-") for m, q, s, e, strand in rows if m == name]) for name in "AB"]
    np.testing.assert_array_equal(expected_spacings(*own, one_way(False, False, False)), by_hand)


@pytest.mark.parametrize("same", [False, True])
@pytest.mark.parametrize("strandless", ["", "A", "B", "AB"])
def test_ways_that_no_strand_tells_apart_are_one(same, strandless):
    """Turning a site that has no strand, or naming two sites of one motif the other way round, changes nothing."""
    if same and strandless in ("A", "B"):
        return
    names = ["A"] if same else ["A", "B"]
    second = "A" if same else "B"
    classes: dict[tuple[str, str, bool], int] = {}
    for x in "+-":
        for y in "+-":
            for a_left in (True, False):
                a, b = (10, 25) if a_left else (25, 10)
                placed = sites(("A", 0, a, a + 8, x), (second, 0, b, b + 8, y))
                (classes[x, y, a_left],) = site_pairs(placed, names, set(strandless)).way
    for (x, y, a_left), way in classes.items():
        turned = {"+": "-", "-": "+"}
        if "A" in strandless:
            assert way == classes[turned[x], y, a_left]
        if "B" in strandless:
            assert way == classes[x, turned[y], a_left]
        if same:
            assert way == classes[y, x, not a_left]
    told = {(False, ""): 4, (False, "A"): 2, (False, "B"): 2, (False, "AB"): 1, (True, ""): 3, (True, "AB"): 1}
    assert len(set(classes.values())) == told[same, strandless]


@pytest.mark.parametrize(
    ("word", "palindromic"),
    [("TGACGTCA", True), ("ATGACGTCA", True), ("GGTCANNNTGACC", True), ("TTGACAGC", False), ("GGTATAAT", False)],
)
def test_a_palindrome_is_known(word, palindromic):
    counts = np.array([np.full(4, 5.0) if x == "N" else np.eye(4)["ACGT".index(x)] * 20 for x in word])
    assert Motif("x", counts).palindromic is palindromic


def test_the_centre_of_a_plateau_and_of_the_ends():
    assert centre(histogram(np.array([7, 8, 9, 10, 11, 30])), 2) == 9
    for only in (0, 1, 17, 50):
        assert centre(histogram(np.full(9, only)), 2) == only


def test_a_motif_with_itself_is_expected_in_one_of_the_first_two_ways():
    rng = np.random.default_rng(3)
    rows = [
        ("A", 0, int(s), int(s) + 8, str(x))
        for s, x in zip(rng.integers(0, 92, 40), rng.choice(["+", "-"], 40), strict=True)
    ]
    pairs = site_pairs(sites(*rows), ["A"])
    own = np.array([(q, s, e, strand == "-") for _, q, s, e, strand in rows])
    expected = expected_spacings(own, own, one_way(True, False, False))  # counts a pair once each way round
    by_hand = np.stack([histogram(pairs.spacing[pairs.way == way]) for way in range(4)])
    np.testing.assert_array_equal(expected, 2 * by_hand)


def test_spacings_of_strangers_are_not_significant():
    """Two motifs that know nothing of each other, labels drawn by lot: few pairs may look placed or telling."""
    low = {"placed p": 0, "at spacing p": 0}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        n = 300
        rows = [(m, i, int(s), int(s) + 8, str(x)) for i in range(n) for m, s, x in zip(
            "AB", rng.integers(0, 82, 2), rng.choice(["+", "-"], 2), strict=True)]  # fmt: skip
        placed, _ = _placed(site_pairs(sites(*rows), ["A", "B"]).assign(positive=lambda t: (t.sequence % 2 == 0)),
                         tuple(np.array([(q, s, e, x == "-") for m, q, s, e, x in rows if m == name]) for name in "AB"),
                         np.arange(n) % 2 == 0, one_way(False, False, False))  # fmt: skip
        for name in low:
            low[name] += placed[name] < 0.05
    assert max(low.values()) <= 3


# ---- models whose answer is known


def write(n: int, rng: np.random.Generator, spacing=None, length: int = 90) -> np.ndarray:
    """Rows with both words on either strand, `spacing` bases apart or wherever they fall."""
    codes = rng.integers(0, 4, (n, length)).astype(np.uint8)
    for row in codes:
        gap = int(rng.choice([g for g in range(35) if abs(g - 12) > 4])) if spacing is None else spacing
        start = int(rng.integers(0, length - 16 - gap))
        row[start : start + 8], row[start + 8 + gap : start + 16 + gap] = CODES["A"], CODES["B"]
        if rng.random() < 0.5:
            row[:] = reverse_complement(row[None])[0]
    return codes


class Reader(nn.Module):
    strands = "given"
    device = torch.device("cpu")

    def present(self, codes: torch.Tensor, word: str) -> torch.Tensor:
        """[N, starts]: bool, on either strand."""
        w = torch.from_numpy(CODES[word])
        turned = torch.from_numpy(reverse_complement(CODES[word][None])[0])
        windows = codes.unfold(1, 8, 1)
        return (windows == w).all(-1) | (windows == turned).all(-1)


class Adds(Reader):
    def forward(self, codes):
        return 5.0 + 2.0 * self.present(codes, "A").any(1) + 3.0 * self.present(codes, "B").any(1)


class Both(Reader):
    def forward(self, codes):
        return 4.0 * (self.present(codes, "A").any(1) & self.present(codes, "B").any(1))


class Either(Reader):
    def forward(self, codes):
        return 4.0 * (self.present(codes, "A").any(1) | self.present(codes, "B").any(1))


class AtTwelve(Reader):
    def forward(self, codes):
        a, b = self.present(codes, "A"), self.present(codes, "B")
        return 4.0 * ((a[:, :-20] & b[:, 20:]) | (b[:, :-20] & a[:, 20:])).any(1)


@pytest.mark.parametrize(("model", "expected"), [(Adds(), 0.0), (Both(), 4.0), (Either(), -4.0), (AtTwelve(), 4.0)])
def test_epistasis_of_models_whose_rule_is_known(model, expected):
    codes = write(20, np.random.default_rng(0), spacing=12)
    where = scan(MOTIFS, codes, threshold=4.0**-8)
    pairs = site_pairs(where, ["A", "B"])
    assert len(pairs) == 20
    np.testing.assert_allclose(epistasis(model, codes, where, pairs), expected, atol=1e-6)


def planted(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([write(60, rng, spacing=12), write(60, rng)]), np.repeat([True, False], 60)


def together(model, monkeypatch, codes=None, anchored=()) -> pd.DataFrame:
    if codes is None:
        codes, _ = planted(np.random.default_rng(1))
    labels = np.repeat([True, False], 60)
    nothing = lambda model, codes, sites, pairs: (np.zeros(len(pairs)), np.zeros(len(pairs)))  # noqa: E731
    monkeypatch.setattr("zoo.genomics.cooperation.co_attention", nothing)  # these models have no attention
    return cooperation(model, codes, scan(MOTIFS, codes, threshold=4.0**-8), labels, MOTIFS, anchored).table


def test_a_pair_that_acts_at_its_spacing_is_found_with_it(monkeypatch):
    (row,) = together(AtTwelve(), monkeypatch).to_dict("records")
    assert row["cooperates"] == "yes" and row["spacing"] == 12 and row["orientation"] == "A> B>"
    assert row["epistasis"] == pytest.approx(4) and row["placed q"] < 1e-10 and row["at spacing q"] < 1e-10
    assert row["at spacing"] == 1 and row["at spacing, negatives"] == 0


@pytest.mark.parametrize("model", [Adds(), Either()])
def test_a_pair_that_merely_stands_together_does_not_cooperate(model, monkeypatch):
    (row,) = together(model, monkeypatch).to_dict("records")
    assert row["cooperates"] == "no" and row["placed q"] < 1e-10
    assert row["keeps a spacing"] == "yes"  # that much the sequences say


@pytest.mark.parametrize("anchored", [(), ("A",), ("A", "B")])
def test_places_of_their_own_are_an_arrangement_if_both_keep_one(anchored, monkeypatch):
    """Each word wavers about its place and knows nothing of the other; negatives hold both anywhere."""
    rng = np.random.default_rng(4)
    codes = np.concatenate([rng.integers(0, 4, (60, 90)).astype(np.uint8), write(60, rng)])
    for row in codes[:60]:
        a, b = 20 + int(rng.integers(0, 5)), 45 + int(rng.integers(0, 5))
        row[a : a + 8], row[b : b + 8] = CODES["A"], CODES["B"]
    (row,) = together(Adds(), monkeypatch, codes, anchored).to_dict("records")
    assert row["placed q"] > 0.05 and row["at spacing q"] < 1e-6 and abs(row["spacing"] - 17) <= 1
    assert row["keeps a spacing"] == ("places" if len(anchored) == 2 else "no")  # neither knows of the other


def test_a_spacing_that_both_classes_keep_is_not_the_classes_own(monkeypatch):
    rng = np.random.default_rng(5)
    codes = write(120, rng, spacing=12)
    (row,) = together(Adds(), monkeypatch, codes, ("A", "B")).to_dict("records")
    assert row["placed q"] < 1e-10 and row["keeps a spacing"] == "no"


def test_motifs_that_never_meet_have_no_pairs():
    """No site at all, and sites in negatives alone: nothing to destroy."""
    codes, labels = planted(np.random.default_rng(2))
    strangers = [Motif(name, np.eye(4)[[1] * 8] * 20) for name in ("A", "B")]
    nowhere = cooperation(Both(), codes, scan(strangers, np.zeros_like(codes), threshold=4.0**-8), labels, strangers)
    assert len(nowhere.table) == len(nowhere.cooperating) == 0 and nowhere.partners == set()
