import numpy as np
import pytest
from Bio import motifs as bio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zoo.domain.errors import InputError
from zoo.genomics.motifs import Motif, Sites, bits_against, core_span, informative_span, spell
from zoo.genomics.sequences import reverse_complement

COUNTS = hnp.arrays(
    float,
    st.tuples(st.integers(1, 13), st.just(4)),
    elements=st.floats(0, 1e4).map(lambda x: 0.0 if x < 1e-3 else x),
)


def test_information_by_hand():
    motif = Motif("m", [[8, 0, 0, 0], [4, 4, 0, 0], [2, 2, 2, 2], [4, 2, 2, 0]])
    np.testing.assert_allclose(motif.information, [2, 1, 0, 0.5], atol=1e-12)
    assert motif.total_information == pytest.approx(3.5)
    assert motif.n_sites == 8
    assert motif.consensus == "AMNV"


@pytest.mark.parametrize(
    ("bits", "span"),
    [
        ([0, 2, 2, 2, 2, 0, 0], (1, 5)),
        ([2, 2, 2, 2, 0, 0, 0, 0, 1], (0, 9)),  # four columns of nothing are still one motif's
        ([2, 2, 2, 2, 0, 0, 0, 0, 0, 1], (0, 4)),  # five are not, unless what follows
        ([2, 2, 2, 2, 0, 0, 0, 0, 0, 2, 2, 2], (0, 12)),  # could be a half-site
        ([1, 1, 0, 0, 0, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0, 0, 1], (7, 11)),
        ([0.1, 0.1], (0, 2)),
    ],
)
def test_the_informative_span_has_no_loose_ends(bits, span):
    assert informative_span(bits, 0.2) == span


@pytest.mark.parametrize(
    ("bits", "span"),
    [
        ([0, 2, 2, 0.4, 2, 0.4], (1, 5)),
        ([2, 2, 2, 0.2, 0.2, 0.2, 0.4, 0.6, 0.6], (0, 3)),  # a neighbour's blur
        ([2, 2, 2, 0, 0, 0, 0, 2, 2, 2], (0, 10)),  # halves are worth their gap
        ([2, 2, 2, 0, 0, 0, 0, 1], (0, 3)),  # one letter is not
        ([0.1, 0.3, 0.1], (1, 2)),
    ],
)
def test_the_core_is_the_stretch_with_most_information_beyond_what_a_column_must_have(bits, span):
    assert core_span(np.array(bits), 0.5) == span


def test_a_column_without_counts_is_uniform():
    motif = Motif("m", [[0, 0, 0, 0], [1, 0, 0, 0]])
    np.testing.assert_array_equal(motif.ppm[0], 0.25)
    assert motif.information[0] == 0


def test_log_odds_by_hand():
    weights = Motif("m", [[3, 0, 0, 0]]).log_odds(np.array([0.25] * 4), pseudocount=1.0)
    np.testing.assert_allclose(weights, np.log2([[3.25, 0.25, 0.25, 0.25]]) - 2 + 2)


def test_bits_against_a_background_by_hand():
    gc_rich = np.array([0.1, 0.4, 0.4, 0.1])
    n = 1e6  # chance gives next to nothing
    counts = n * np.array([[0.1, 0.4, 0.4, 0.1], [0, 1, 0, 0], [0.25, 0.25, 0.25, 0.25]])
    by_hand = [0, np.log2(1 / 0.4), 0.5 * np.log2(0.25 / 0.1) + 0.5 * np.log2(0.25 / 0.4)]
    np.testing.assert_allclose(bits_against(counts, gc_rich), by_hand, atol=1e-4)
    assert bits_against(np.array([[2.0, 0, 0, 0]]), np.full(4, 0.25)) < 0.5  # two sites prove little


@settings(deadline=None, max_examples=60)
@given(COUNTS)
def test_properties(counts):
    motif = Motif("m", counts)
    np.testing.assert_allclose(motif.ppm.sum(1), 1, atol=1e-9)
    assert ((motif.information >= 0) & (motif.information <= 2)).all()
    turned = motif.reverse_complement()
    np.testing.assert_array_equal(turned.reverse_complement().counts, motif.counts)
    np.testing.assert_allclose(turned.information[::-1], motif.information, atol=1e-9)
    letters = str.maketrans("ACGTMRWSYKVHDBN", "TGCAKYWSRMBDHVN")
    if not _has_ties(motif.ppm):
        assert turned.consensus == motif.consensus.translate(letters)[::-1]


def _has_ties(ppm):
    return (np.diff(np.sort(ppm, axis=1), axis=1) < 1e-9).any()


def test_consensus_agrees_with_biopython():
    rng = np.random.default_rng(0)
    for counts in rng.integers(0, 30, size=(50, 7, 4)):
        if (np.diff(np.sort(counts), axis=1) == 0).any():
            continue
        other = bio.Motif(alphabet="ACGT", counts={b: counts[:, i].tolist() for i, b in enumerate("ACGT")})
        assert Motif("m", counts).consensus == str(other.degenerate_consensus)


@pytest.mark.parametrize("counts", [np.ones((4, 7)), np.ones(4), np.zeros((0, 4)), -np.ones((2, 4))])
def test_bad_counts_are_refused_in_a_sentence(counts):
    with pytest.raises(InputError, match="motif 'm'"):
        Motif("m", counts)


def test_codes_and_letters():
    codes = np.array([[0, 1, 2, 3, 4], [3, 3, 0, 2, 1]], np.uint8)
    assert spell(codes) == ("ACGTN", "TTAGC")
    assert spell(reverse_complement(codes)) == ("NACGT", "GCTAA")
    assert spell(codes[:0]) == ()


def test_sites_concatenate_keeps_order_and_dtypes():
    empty = Sites.concatenate([])
    assert len(empty) == 0 and empty.sequence.dtype == int
    one = Sites(("a",), np.array([3]), np.array([5]), np.array([7]), ("-",), np.ones(1), np.ones(1), ("AC",))
    both = Sites.concatenate([one, empty, one])
    assert both.frame().to_dict("list")["start"] == [5, 5]
    assert both.strand == ("-", "-")
