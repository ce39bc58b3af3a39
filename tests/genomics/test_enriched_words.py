"""Plain enrichment finds what is planted and what is known of real peaks, and nothing where nothing is."""

import time

import numpy as np
import pytest

from tests.genomics.planting import markov, sample_sites
from tests.realdata import real
from zoo.domain.errors import InputError
from zoo.genomics.enriched_words import enriched_motifs
from zoo.genomics.jaspar import load_jaspar, match
from zoo.genomics.merge import align
from zoo.genomics.motifs import spell
from zoo.genomics.planted import plant
from zoo.genomics.reading import read_sequences
from zoo.genomics.sequences import PAD, take
from zoo.genomics.shuffle import dinucleotide_shuffle


def classes(sequences):
    return (sequences.codes[sequences.labels == label] for label in (1, 0))


def names(found):
    """The factor that JASPAR names for each motif at q < 0.05, or nothing."""
    best = {m.motif: m.name for m in match([d.motif for d in found], load_jaspar(), top=1) if m.qvalue < 0.05}
    return [best.get(d.motif.name, "") for d in found]


@pytest.fixture(scope="module")
def planted():
    truth = plant(4000, 150, seed=1)
    return truth, enriched_motifs(*classes(truth.sequences))


def test_every_factor_that_tells_the_classes_apart_is_found_and_no_decoy(planted):
    truth, found = planted
    for factor in truth.factors:
        lies = [align(factor.reference.motif, d.motif) for d in found]
        like = any(lie.similarity > 0.9 and lie.shared > 0.8 for lie in lies)
        assert like == (factor.role != "decoy"), factor.name
    assert len(found) <= len(truth.predictive) + 1


def test_sites_lie_where_they_were_planted(planted):
    """Of a factor whose matrix is long enough to be told from chance: CTCF."""
    truth, found = planted
    (ctcf,) = (f for f in truth.factors if f.name == "CTCF")
    best = max(found, key=lambda d: align(ctcf.reference.motif, d.motif).similarity)
    rows = np.flatnonzero(truth.sequences.labels == 1)
    ours = {(rows[i], s, e) for i, s, e in zip(best.sites.sequence, best.sites.start, best.sites.end, strict=True)}
    planted_sites = truth.sites[truth.sites["name"] == "CTCF"]
    by_row = dict(zip(planted_sites["sequence"], planted_sites["start"], strict=True))
    inside = [
        row in by_row and abs((s + e) / 2 - by_row[row] - len(ctcf.reference.motif) / 2) < 6 for row, s, e in ours
    ]
    assert np.mean(inside) > 0.9 and len(ours) > 0.6 * len(by_row)


def test_permuted_labels_give_nothing():
    for seed in range(3):
        assert enriched_motifs(*classes(plant(1200, 150, shuffle_labels=True, seed=seed).sequences)) == ()


def test_long_and_unequal_sequences_are_cut_into_pieces_with_sites_in_their_own_coordinates():
    truth = plant(1200, 150, singles=("MA0139",), pairs=(), decoys=(), seed=2)
    positive, negative = classes(truth.sequences)
    long = np.concatenate([negative[:200], positive[:200], negative[200:400]], axis=1)  # CTCF in the middle third
    negative = np.pad(negative[400:], ((0, 0), (0, 7)), constant_values=PAD)
    (found,) = enriched_motifs(long, negative)
    assert names([found]) == ["CTCF"]
    assert np.mean((found.sites.start >= 145) & (found.sites.end <= 305)) > 0.9
    width = len(found.motif)
    for row, start, strand, word in zip(
        found.sites.sequence[:20], found.sites.start, found.sites.strand, found.sites.matched, strict=False
    ):
        codes = long[row, start : start + width]
        assert spell((3 - codes[::-1] if strand == "-" else codes)[None])[0] == word


def test_sites_of_a_sample_name_the_sequences_they_were_drawn_from(monkeypatch):
    monkeypatch.setattr("zoo.genomics.enriched_words.MAX_SEQUENCES", 150)
    positive, negative = classes(plant(1200, 60, singles=("MA0139",), pairs=(), decoys=(), seed=2).sequences)
    (found,) = enriched_motifs(positive, negative)
    assert found.sites.sequence.max() > 300
    for row, start, end, strand, word in zip(
        found.sites.sequence, found.sites.start, found.sites.end, found.sites.strand, found.sites.matched, strict=True
    ):
        codes = positive[row, start:end]
        assert spell((3 - codes[::-1] if strand == "-" else codes)[None])[0] == word


def test_stranded_words_are_read_as_written():
    truth = plant(1500, 100, singles=("MA0035",), pairs=(), decoys=(), seed=3)
    forward = truth.sites.groupby("sequence")["strand"].agg(lambda s: set(s) == {"+"})
    rows = [i for i in range(1500) if forward.get(i, truth.sequences.labels[i] == 0)]
    (found,) = enriched_motifs(*classes(take(truth.sequences, rows)), stranded=True)
    assert set(found.sites.strand) == {"+"}
    gata = next(f for f in truth.factors).reference.motif
    assert align(gata, found.motif, stranded=True).similarity > 0.9


def test_too_few_sequences_are_refused():
    with pytest.raises(InputError, match="at least 10 sequences of each class, got 12 positives and 9 negatives"):
        enriched_motifs(np.zeros((12, 50), np.uint8), np.zeros((9, 50), np.uint8))


def test_ctcf_is_the_top_motif_of_its_peaks_within_seconds():
    codes = read_sequences(real("genomics/chip-ctcf-gm12878/Gm12878.CTCF.top500.w200.fa")).codes
    start = time.perf_counter()
    found = enriched_motifs(codes, dinucleotide_shuffle(codes, 0))
    assert time.perf_counter() - start < 40
    assert names(found)[0] == "CTCF" and found[0].evidence.qvalue < 1e-20
    assert enriched_motifs(dinucleotide_shuffle(codes, 1), dinucleotide_shuffle(codes, 0)) == ()


def test_ap1_is_the_top_motif_of_junds_peaks_but_for_their_ga_repeats():
    """(GA)n stands in half of these positives and few of their negatives: enrichment cannot know what it is."""
    start = time.perf_counter()
    found = enriched_motifs(*classes(read_sequences(real("genomics/gue-mouse-jund/train.csv"))))
    assert time.perf_counter() - start < 40
    told = [d for d in found if "GAGAGAGAGA" not in d.motif.consensus]
    assert "TGASTCA" in told[0].motif.consensus or names(told)[0].startswith(("FOS", "JUN"))
    assert told[0].evidence.qvalue < 1e-15


def test_a_neighbour_at_changing_distances_is_a_motif_of_its_own_and_no_end_of_the_first():
    """Half of Runx1's sites stand beside half of PBX1's, 0 to 4 bases between them: a blur, and no part of either."""
    pair = [next(r.motif for r in load_jaspar() if r.name == name) for name in ("Runx1", "PBX1")]
    rng = np.random.default_rng(0)
    codes = markov(2000, 150, rng)
    sites = [sample_sites(motif.ppm, len(codes), rng) for motif in pair]
    for i in np.flatnonzero(rng.random(len(codes)) < 0.5):
        alone = rng.random() < 0.5
        begin = int(rng.integers(10, 40))
        for site, motif in zip(sites, pair, strict=True):
            codes[i, begin : begin + len(motif)] = site[i]
            begin += len(motif) + int(rng.integers(25, 50) if alone else rng.integers(5))
    found = [d.motif for d in enriched_motifs(codes, dinucleotide_shuffle(codes, 0), stranded=True)]
    lies = [max((align(motif, f, stranded=True) for f in found), key=lambda lie: lie.similarity) for motif in pair]
    widths = [len(max(found, key=lambda f: align(motif, f, stranded=True).similarity)) for motif in pair]
    for motif, lie, width in zip(pair, lies, widths, strict=True):
        assert lie.similarity > 0.9 and lie.offset >= -1 and lie.offset + width <= len(motif) + 1, [
            f.consensus for f in found
        ]
