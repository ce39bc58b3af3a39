"""Known matrices are planted; what comes out must be they, and nothing may come out of shuffled evidence."""

import numpy as np
import pytest

from tests.genomics.planting import markov, plant, sample_sites
from zoo.genomics import discover as discovery
from zoo.genomics.discover import discover
from zoo.genomics.jaspar import load_jaspar, match
from zoo.genomics.merge import align
from zoo.genomics.motifs import Motif, spell
from zoo.genomics.refine import refine
from zoo.genomics.seeds import Seed
from zoo.genomics.seqlets import Seqlets, find_seqlets
from zoo.genomics.sequences import reverse_complement
from zoo.genomics.windows import Windows, erase

IDS = ["MA0139.2", "MA0035.5", "MA0108.3", "MA0099.4", "MA0079.5"]  # CTCF GATA1 TBP FOS::JUN SP1
AP1_WORD = int("320310", 4)  # TGA TCA


def matrix(matrix_id):
    return next(r.motif for r in load_jaspar() if r.matrix_id == matrix_id)


def find(codes, evidence, background):
    seqlets = find_seqlets(evidence, np.ones(codes.shape, bool))
    return discover(codes, seqlets, background)


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(0)
    truth_motifs = [matrix(i) for i in IDS]
    codes, evidence, truth = plant(truth_motifs, 1000, 300, rng)
    background = markov(1000, 300, rng)
    return codes, evidence, truth, background, find(codes, evidence, background)


def test_each_planted_motif_is_recovered(planted):
    *_, found = planted
    references = load_jaspar()
    matches = match([d.motif for d in found], references, top=20)
    for matrix_id in IDS:
        family = next(r.family for r in references if r.matrix_id == matrix_id)
        good = [m for m in matches if m.qvalue < 0.05 and set(m.family.split("; ")) & set(family.split("; "))]
        assert good, matrix_id
    assert len(found) <= len(IDS) + 2


def test_the_counted_matrix_is_the_planted_one(planted):
    *_, found = planted
    for matrix_id in IDS:
        planted_motif = matrix(matrix_id)
        lies = [align(planted_motif, d.motif) for d in found]
        assert max(lie.similarity for lie in lies if lie.shared > 0.8) > 0.93, matrix_id


def test_sites_lie_where_they_were_planted_on_the_right_strand(planted):
    _, _, truth, _, found = planted
    for k, matrix_id in enumerate(IDS):
        planted_motif = matrix(matrix_id)
        best = max(found, key=lambda d: align(planted_motif, d.motif).similarity)
        lie = align(planted_motif, best.motif)
        mirror = planted_motif.reverse_complement()
        palindrome = np.corrcoef(planted_motif.ppm.ravel(), mirror.ppm.ravel())[0, 1] > 0.7
        ours = {
            (i, s, strand == "-" and not palindrome)
            for i, s, strand in zip(best.sites.sequence, best.sites.start, best.sites.strand, strict=True)
        }
        hits = 0
        for motif, i, start, end, minus in truth:
            turned = (minus ^ lie.minus) and not palindrome
            at = end - lie.offset - len(best.motif) if minus else start + lie.offset
            hits += motif == k and (i, at, turned) in ours
        print(matrix_id, palindrome, hits / len(ours), hits / sum(motif == k for motif, *_ in truth))
        assert hits / len(ours) > 0.7, matrix_id
        if not palindrome:  # planted on both strands alike, and read in the commoner direction
            assert 0.4 < np.mean([minus for *_, minus in ours]) < 0.53


def test_sites_are_self_consistent(planted):
    codes, *_, found = planted
    for d in found:
        for i in range(0, len(d.sites), 37):
            row = codes[d.sites.sequence[i], d.sites.start[i] : d.sites.end[i]]
            row = 3 - row[::-1] if d.sites.strand[i] == "-" else row
            assert spell(row[None])[0] == d.sites.matched[i]
        places = list(zip(d.sites.sequence, d.sites.start, strict=True))
        assert len(set(places)) == len(places)
        assert d.motif.total_information >= 6 and d.evidence.qvalue <= 0.05
        assert d.motif.name == d.evidence.motif == d.sites.motif[0]


def test_shuffled_evidence_yields_nothing(planted):
    codes, evidence, _, background, _ = planted
    shuffled = np.random.default_rng(1).permuted(evidence, axis=1)
    assert find(codes, shuffled, background) == ()


def test_windows_at_random_yield_nothing():
    """Even when the seqlet finder is fooled, sequence without a motif must not produce one."""
    rng = np.random.default_rng(2)
    motifs = 0
    for _ in range(5):
        codes, background = markov(300, 200, rng), markov(300, 200, rng)
        sequence = np.repeat(np.arange(300), 3)
        start = (rng.integers(0, 50, 900) + np.tile([5, 70, 135], 300)).astype(int)
        seqlets = Seqlets(sequence, start, start + 11, rng.random(900), 0.0)
        motifs += len(discover(codes, seqlets, background))
    assert motifs <= 1


def test_a_mixture_is_split():
    """AP-1 (TGAGTCA) and CRE (TGACGTCA) share their half-sites."""
    rng = np.random.default_rng(5)
    ap1, cre = matrix("MA0099.4"), matrix("MA1126.2")
    codes, evidence, _ = plant([ap1, cre], 600, 200, rng)
    found = find(codes, evidence, markov(600, 200, rng))
    for planted_motif in (ap1, cre):
        assert sum(align(planted_motif, d.motif).same for d in found) == 1
    assert len(found) <= 3


def test_a_seed_that_grows_into_another_motif_is_not_lost(monkeypatch):
    """AP-1's best word has been seen to drift to the two half-sites of the estrogen receptor; here it is made to."""
    rng = np.random.default_rng(0)
    ap1, esr1 = matrix("MA0491.3"), matrix("MA0112.4")
    codes, evidence, _ = plant([ap1, esr1], 600, 150, rng)
    best_seed, refine, seeds = discovery.best_seed, discovery.refine, []

    def ap1_first(*windows):
        seeds.append(best_seed(*windows))
        return seeds[-1] if len(seeds) > 1 else Seed(AP1_WORD, 1, 0.0)

    monkeypatch.setattr(discovery, "best_seed", ap1_first)
    monkeypatch.setattr(discovery, "refine", lambda seed, *w: refine(seeds[0] if len(seeds) == 1 else seed, *w))
    found = find(codes, evidence, markov(600, 150, rng))
    for planted_motif in (esr1, ap1):
        assert sum(align(planted_motif, d.motif).similarity > 0.9 for d in found) == 1


def test_stranded_discovery_reads_the_strand_as_written():
    rng = np.random.default_rng(7)
    gata, length, n = matrix("MA0035.5"), 120, 600
    codes, background = markov(n, length, rng), markov(n, length, rng)
    evidence = rng.normal(size=codes.shape)
    width = len(gata)
    for row, site in zip(codes, sample_sites(gata.ppm, n, rng), strict=True):
        row[50 : 50 + width] = site
    evidence[:, 50 : 50 + width] += 3
    seqlets = find_seqlets(evidence, np.ones(codes.shape, bool))
    (found,) = discover(codes, seqlets, background, stranded=True)
    assert align(gata, found.motif, stranded=True).similarity > 0.9
    assert set(found.sites.strand) == {"+"}
    assert align(gata, gata.reverse_complement(), stranded=True).similarity < 0.9


def test_what_is_the_same_is_merged():
    rng = np.random.default_rng(6)
    gata = matrix("MA0035.5")
    codes, evidence, _ = plant([gata, gata.reverse_complement()], 600, 200, rng)
    found = find(codes, evidence, markov(600, 200, rng))
    assert sum(align(gata, d.motif).similarity > 0.8 for d in found) == 1


def test_alignment_knows_offset_and_strand():
    ctcf = matrix("MA0139.2")
    piece = Motif("piece", ctcf.counts[3:13])
    lie = align(ctcf, piece)
    assert (lie.offset, lie.minus) == (3, False) and lie.similarity == pytest.approx(1)
    lie = align(ctcf, piece.reverse_complement())
    assert (lie.offset, lie.minus) == (3, True) and lie.same
    assert not align(ctcf, matrix("MA0035.5")).same


def test_runs_are_equal(planted):
    codes, evidence, _, background, found = planted
    again = find(codes, evidence, background)
    assert [d.motif.name for d in again] == [d.motif.name for d in found]
    np.testing.assert_array_equal(again[0].motif.counts, found[0].motif.counts)


def test_no_background_and_hardly_any_seqlets():
    rng = np.random.default_rng(7)
    codes, evidence, _ = plant([matrix("MA0139.2")], 200, 200, rng)
    nothing = np.zeros((0, 200), np.uint8)
    assert align(matrix("MA0139.2"), find(codes, evidence, nothing)[0].motif).same
    assert find(codes[:3], evidence[:3], nothing) == ()


def test_a_seed_that_loses_its_last_sites_is_given_up():
    """Three of very many windows hold the word, and the controls hold it more often: too small a change to notice."""
    rng = np.random.default_rng(0)
    codes, controls = np.full((40_000, 60), 4, np.uint8), rng.integers(4, size=(2000, 60))
    word = np.array([0, 1, 2, 3, 3, 2, 1, 1, 0, 2, 2, 3], np.uint8)
    codes[:3, 24:36] = word
    controls[:, 24:36] = word
    windows = [Windows(c.astype(np.uint8), np.arange(len(c)), np.zeros(len(c), int)) for c in (codes, controls)]
    assert refine(Seed(int("".join(map(str, word[:6])), 4), 0, 0.0), *windows, np.full(4, 0.25)) is None


@pytest.mark.parametrize("minus", [False, True])
def test_what_is_erased_of_a_site_are_the_columns_that_tell_a_letter(minus):
    """A C N N G G, on either strand: the unread columns may hold a neighbour."""
    weights = np.full((6, 4), -2.0)
    weights[[0, 1, 4, 5], [0, 1, 2, 2]] = 1.5
    weights[2:4] = 0.0
    word = np.array([0, 1, 3, 3, 2, 2], np.uint8)
    codes = np.zeros((1, 40), np.uint8)
    codes[0, 20:26] = reverse_complement(word[None])[0] if minus else word
    left = erase(weights, 6.0, Windows(codes, np.zeros(1, int), np.zeros(1, int))).codes[0, 20:26]
    assert (left == 4).tolist() == [True, True, False, False, True, True]
    weights[2:4] = [0, 0, 0, 0.5], [-2, -2, -2, 1.2]  # the second tells; on the other strand it is the first
    left = erase(weights, 6.0, Windows(codes, np.zeros(1, int), np.zeros(1, int))).codes[0, 20:26]
    assert (left == 4).tolist() == ([True, True, True, False] if minus else [True, True, False, True]) + [True, True]


def test_a_motif_of_two_letters_is_erased_on_any_composition():
    """W tracts, where A and T are common: no letter of a column scores much, and all of them tell."""
    tract = Motif("W", np.array([[48, 2, 2, 48]] * 12))
    weights = tract.log_odds(np.array([0.3, 0.2, 0.2, 0.3]))
    codes = np.full((1, 40), 1, np.uint8)
    codes[0, 12:24] = [0, 3, 3, 0, 0, 0, 3, 0, 3, 3, 3, 0]
    left = erase(weights, 6.0, Windows(codes, np.zeros(1, int), np.zeros(1, int), stranded=True)).codes[0]
    assert (left[12:24] == 4).all()
