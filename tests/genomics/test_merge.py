import numpy as np
import pytest

from tests.genomics.planting import markov
from zoo.genomics.enrichment import Enrichment
from zoo.genomics.merge import Alignment, Trial, _trimmed, align, assemble
from zoo.genomics.motifs import UNIFORM, Motif
from zoo.genomics.refine import Candidate
from zoo.genomics.sequences import reverse_complement
from zoo.genomics.windows import FLANK, Windows, best_sites

WORD = np.array(["ACGT".index(c) for c in "GATTACAGC"], np.uint8)
EVIDENCE = Enrichment("", 5, 10, 0, 10, 9.0, 1e-4, 1e-4)


def motif_of(codes):
    return Motif("m", 100 * np.eye(4)[codes])


def windows_with_word(n=40):
    """A window for each of n sequences, which starts at base 100; the word at column 18 to 24, strands in turn."""
    rng = np.random.default_rng(0)
    codes, column = markov(n, 2 * FLANK + 11, rng), rng.integers(18, 25, n)
    for i in range(n):
        codes[i, column[i] : column[i] + 9] = reverse_complement(WORD) if i % 2 else WORD
    return Windows(codes, np.arange(n), np.full(n, 100)), column


@pytest.mark.parametrize("piece", [slice(0, 9), slice(1, 8), slice(2, 9)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_piece_falls_upon_the_whole(piece, turned):
    windows, column = windows_with_word()
    part = reverse_complement(WORD[piece]) if turned else WORD[piece]
    tested = []
    for motif in (motif_of(WORD), motif_of(part)):
        sites = best_sites(motif.log_odds(), windows)
        tested.append(Trial(Candidate(motif, 5.0, UNIFORM), EVIDENCE, sites, np.ones(len(windows))))
    lie = align(tested[0].candidate.motif, tested[1].candidate.motif)
    assert (lie.offset, lie.minus) == (piece.start, turned) and lie.same
    group = [(tested[0], Alignment(0, False, 1.0, 1.0, 1.0)), (tested[1], lie)]
    found = assemble(group, windows, 1000, UNIFORM, 1)
    assert found.motif.name == "1-GATTACAGC"
    assert found.motif.n_sites == 40  # every place once, though both candidates have it
    np.testing.assert_array_equal(np.sort(found.sites.start), np.sort(100 + column))
    assert found.sites.strand == tuple("-" if i % 2 else "+" for i in found.sites.sequence)
    assert set(found.sites.matched) == {"GATTACAGC"}


def test_a_motif_is_read_in_the_direction_of_most_of_its_sites():
    windows, _ = windows_with_word()
    kept = windows[np.flatnonzero(np.arange(40) % 4 != 0)]  # 10 on +, 20 on -
    motif = motif_of(WORD)
    sites = best_sites(motif.log_odds(), kept)
    tested = Trial(Candidate(motif, 5.0, UNIFORM), EVIDENCE, sites, np.ones(30))
    found = assemble([(tested, Alignment(0, False, 1.0, 1.0, 1.0))], kept, 1000, UNIFORM, 3)
    assert found.motif.name == "3-GCTGTAATC"
    assert sum(s == "-" for s in found.sites.strand) == 10


def test_a_motif_of_four_columns_is_itself():
    assert align(motif_of(WORD[:4]), motif_of(WORD[:4])).same


def test_composites_and_strangers_stay_apart():
    whole, half = motif_of(np.concatenate([WORD, WORD[::-1]])), motif_of(WORD)
    assert align(whole, half).similarity == pytest.approx(1)
    assert not align(whole, half).same
    assert not align(motif_of(WORD), motif_of(WORD[::-1])).same


@pytest.mark.parametrize(
    ("bits", "span"),
    [
        ([1.5] * 6 + [0.2, 0.4, 0.4, 0.2], (0, 6)),  # a blur
        ([1.2] * 6 + [0.0] * 17 + [1.2] * 6, (0, 29)),  # a half-site stays, however far
        ([0.9] * 5 + [0.4] * 5, (0, 10)),  # the core alone would be no motif
        ([0.4] * 19 + [1.6] * 9, (19, 28)),  # a wide blur adds up to a half-site's bits and is none
        ([0.4] * 8 + [1.6] * 9 + [0.0] * 17 + [1.2] * 6, (8, 40)),  # a half-site on one side brings no blur back
        ([1.5] * 6 + [0.0] * 4 + [0.9] * 4 + [0.3] * 3, (0, 14)),  # a weak one stays, if it is near
        ([0.3] * 3 + [0.9] * 4 + [0.0] * 4 + [1.5] * 6, (3, 17)),
        ([1.5] * 6 + [0.3] * 10 + [0.9] * 4, (0, 6)),  # not if a blur leads to it
        ([1.8] * 8 + [0.0] * 5 + [1.9] * 3, (0, 8)),  # nor if it is farther
    ],
)
def test_a_motif_is_trimmed_to_its_core_and_the_half_sites_beside_it(bits, span):
    assert _trimmed(np.array(bits)) == span
