import numpy as np
import pytest
from scipy.stats import fisher_exact

from tests.genomics.planting import markov
from zoo.domain.errors import InputError
from zoo.genomics.enrichment import enrichment, fisher_greater
from zoo.genomics.motifs import UNIFORM, Motif, Sites
from zoo.genomics.scan import base_frequencies, position_scores, scan, score_tail

GATA = Motif("gata", [[1, 1, 97, 1], [97, 1, 1, 1], [1, 1, 1, 97], [97, 1, 1, 1], [70, 5, 20, 5], [5, 5, 80, 10]])


def encode(*texts):
    return np.array([["ACGTN".index(c) for c in text] for text in texts], np.uint8)


def test_position_scores_by_loop():
    rng = np.random.default_rng(0)
    weights, codes = rng.normal(size=(7, 4)), rng.integers(0, 5, size=(3, 13)).astype(np.uint8)
    letters = np.concatenate([weights, weights.min(1, keepdims=True)], axis=1)
    expected = [[sum(letters[j, row[i + j]] for j in range(7)) for i in range(13 - 7 + 1)] for row in codes]
    np.testing.assert_allclose(position_scores(weights, codes), expected, atol=1e-5)
    assert position_scores(weights, codes[:, :6]).shape == (3, 0)


def test_tail_by_enumeration():
    background = np.array([0.3, 0.2, 0.2, 0.3])
    weights = Motif("m", np.random.default_rng(0).integers(1, 30, size=(5, 4))).log_odds(background)
    words = np.stack(np.meshgrid(*[range(4)] * 5, indexing="ij"), -1).reshape(-1, 5)
    scores = np.rint(weights / 0.01)[np.arange(5), words].sum(1) * 0.01
    chances = background[words].prod(1)
    tail = score_tail(weights, background)
    for score in scores[::97]:
        assert tail.pvalue(score) == pytest.approx(chances[scores >= score - 1e-9].sum(), rel=1e-6)
    cut = tail.score(0.01)
    assert tail.pvalue(cut) <= 0.01 < tail.pvalue(cut - 0.01)
    assert tail.score(1e-30) == np.inf


def test_sites_on_both_strands_in_their_coordinates():
    codes = encode("CCCCAGATAAGCCCC", "CCCCCCTTATCTCCC", "CCAGATNAGCCCCCC", "CCCCCCCCCCCCCCC")
    sites = scan([GATA], codes, threshold=1e-3)
    assert sites.frame()[["sequence", "start", "end", "strand", "matched"]].values.tolist() == [
        [0, 5, 11, "+", "GATAAG"],
        [1, 5, 11, "-", "GATAAG"],
    ]

    as_written = scan([GATA], codes, threshold=1e-3, stranded=True)
    assert as_written.sequence.tolist() == [0] and as_written.strand == ("+",)


def test_a_motif_too_short_for_the_threshold_has_its_best_word_as_sites():
    codes = encode("CCCCAGATAAGCCCC", "CCCCAGATACGCCCC")
    sites = scan([GATA], codes, threshold=1e-9)
    assert sites.sequence.tolist() == [0] and sites.matched == ("GATAAG",)


def test_palindromes_count_once():
    motif = Motif("ebox", 9 * np.eye(4)[[1, 0, 1, 2, 3, 2]])
    sites = scan([motif], encode("AAAACACGTGAAAA"), threshold=1e-3)
    assert sites.strand == ("+",) and sites.start.tolist() == [4]


def test_equals_memelite_with_uniform_bases():
    memelite = pytest.importorskip("memelite")
    codes = markov(40, 200, np.random.default_rng(3))
    motif = Motif("m", np.random.default_rng(1).integers(1, 60, size=(9, 4)) ** 2.0)
    one_hot = np.ascontiguousarray(np.eye(4, dtype=np.int8)[codes].transpose(0, 2, 1))
    eps = 1e-4
    (hits,) = memelite.fimo({"m": motif.ppm.T}, one_hot, threshold=1e-3, eps=eps, bin_size=0.01)
    ours = scan([motif], codes, UNIFORM, threshold=1e-3).frame()
    theirs = {(r.sequence_name, r.start): r for r in hits.itertuples()}
    assert len(theirs) > 20
    ours = {(r.sequence, r.start): r for r in ours.itertuples()}
    assert len(set(ours) ^ set(theirs)) <= 0.05 * len(theirs)  # our pseudocount differs from their eps
    for key in set(ours) & set(theirs):
        assert ours[key].strand == theirs[key].strand
        assert ours[key].score == pytest.approx(theirs[key].score, abs=0.1)


def test_pvalues_are_honest_under_the_background():
    rng = np.random.default_rng(0)
    background = np.array([0.15, 0.35, 0.35, 0.15])
    codes = rng.choice(4, p=background, size=(200, 400)).astype(np.uint8)
    sp1 = Motif("sp1", [[1, 1, 97, 1]] * 4 + [[1, 97, 1, 1]] + [[1, 1, 97, 1]] * 3)
    tested = 2 * 200 * (400 - 8 + 1)
    found = len(scan([sp1], codes, base_frequencies(codes), threshold=1e-3))
    assert found <= 1e-3 * tested * 1.3
    assert len(scan([sp1], codes, UNIFORM, threshold=1e-3)) > 3 * 1e-3 * tested  # why the background matters


def test_fisher_is_scipys():
    table = [[12, 38], [5, 65]]
    expected = fisher_exact(table, alternative="greater").pvalue
    assert fisher_greater(12, 50, 5, 70) == pytest.approx(expected)


def test_enrichment_counts_sequences_not_sites():
    def sites(rows):
        n = len(rows)
        zeros = np.zeros(n)
        return Sites(("m",) * n, np.array(rows), zeros, zeros, ("+",) * n, zeros, zeros, ("A",) * n)

    result, absent = enrichment(["m", "absent"], sites([0, 0, 0, 1, 2]), sites([4]), 10, 20)
    assert (result.n_with_pos, result.n_with_neg) == (3, 1)
    assert result.pvalue == pytest.approx(fisher_exact([[3, 7], [1, 19]], alternative="greater").pvalue)
    assert result.qvalue == pytest.approx(2 * result.pvalue)
    assert absent.pvalue == 1
    with pytest.raises(InputError, match="positive and negative"):
        enrichment(["m"], sites([0]), sites([0]), 0, 3)


def test_names_must_differ():
    with pytest.raises(InputError, match="gata"):
        scan([GATA, GATA], encode("ACGT"))
