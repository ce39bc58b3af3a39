"""An audit must name the trap that was laid, and stay silent where none was."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.realdata import real
from zoo.domain.errors import InputError
from zoo.genomics.audit import CASE, CONFLICT, COPIES, GC, LENGTH, PLACE, N, audit
from zoo.genomics.copies import copies
from zoo.genomics.fixed_words import class_difference, fixed_words
from zoo.genomics.planted import plant
from zoo.genomics.reading import read_sequences
from zoo.genomics.sequences import from_strings, join, labelled, take
from zoo.genomics.split import homology_split

SIZES = (600, 150, 150)


def parts(sequences):
    """Train, validation and test, as they come."""
    edges = np.cumsum([0, *SIZES])
    return [take(sequences, np.arange(a, b)) for a, b in pairwise(edges)]


def random_dna(num=900, length=60, seed=0, gc=None):
    """Random bases; gc: share of G and C in each class, negatives first."""
    draw = np.random.default_rng(seed)
    labels = draw.permutation(np.arange(num) % 2)
    share = np.array([0.5, 0.5] if gc is None else gc)[labels, None]
    strong, weak = draw.integers(1, 3, (num, length)), 3 * draw.integers(0, 2, (num, length))
    codes = np.where(draw.random((num, length)) < share, strong, weak)
    texts = ["".join("ACGT"[b] for b in row) for row in codes]
    return from_strings(texts, labels=labels)


def severities(found):
    return dict(zip(found.tables[0].frame.check, found.tables[0].frame.severity, strict=True))


def flagged(found):
    return {check for check, severity in severities(found).items() if severity != "none"}


@pytest.mark.parametrize("shuffle_labels", [False, True])
def test_planted_promoters_and_random_labels_raise_no_alarm(shuffle_labels):
    found = audit(*parts(plant(900, 150, shuffle_labels=shuffle_labels, seed=3).sequences))
    assert flagged(found) == set() and "none flagged" in found.headline


def test_random_bases_raise_no_alarm_and_gc_does():
    assert flagged(audit(*parts(random_dna()))) == set()
    found = audit(*parts(random_dna(gc=(0.45, 0.55))))
    assert GC in flagged(found)
    assert PLACE not in flagged(found), "GC tells as much; the places add nothing"


def test_gc_is_scored_as_an_independent_reckoning_has_it():
    from sklearn.metrics import roc_auc_score

    sequences = random_dna(gc=(0.4, 0.6), seed=2)
    found = audit(*parts(sequences)).tables[0].frame.set_index("check")
    held_out = slice(600, 900)
    share = [(t.count("G") + t.count("C")) / len(t) for t in sequences.strings()[held_out]]
    assert found.auroc[GC] == pytest.approx(roc_auc_score(sequences.labels[held_out], share), abs=1e-3)
    assert found.auroc_low[GC] < found.auroc[GC] < found.auroc_high[GC]


def test_letter_case_is_looked_at_before_it_is_lost():
    sequences = random_dna()
    texts = [t.lower() if y else t for t, y in zip(sequences.strings(), sequences.labels, strict=True)]
    found = audit(*parts(from_strings(texts, labels=sequences.labels)))
    assert severities(found)[CASE] == "serious" and flagged(found) == {CASE}
    row = found.tables[0].frame.set_index("check").loc[CASE]
    assert row.auroc == 1 and "100.0% lower case in positives, 0.0% in negatives" in row.verdict
    unread = audit(*parts(replace(sequences, lowercase=None))).tables[0].frame.set_index("check").loc[CASE]
    assert unread.verdict == "not known: not read from text"


def test_length_and_unknown_bases():
    sequences = random_dna()
    texts = [t[: 50 if y else 60] for t, y in zip(sequences.strings(), sequences.labels, strict=True)]
    found = audit(*parts(from_strings(texts, labels=sequences.labels)))
    assert flagged(found) == {LENGTH}
    assert "differ in length" in found.tables[0].frame.set_index("check").verdict[PLACE]
    texts = [t[:-1] + ("N" if y else t[-1]) for t, y in zip(sequences.strings(), sequences.labels, strict=True)]
    assert severities(audit(*parts(from_strings(texts, labels=sequences.labels))))[N] == "serious"


@pytest.mark.parametrize("label", [0, 1])
def test_a_word_fixed_in_one_class_is_named_with_its_place(label):
    """In a fifth of the class; in negatives it is a trap by itself, in positives only if it tells enough."""
    sequences = random_dna(length=120)
    rows = np.flatnonzero(sequences.labels == label)[::5]
    sequences.codes[rows, 40:45] = [3, 0, 3, 0, 0]  # TATAA
    words = fixed_words(*(sequences.codes[sequences.labels == y] for y in (1, 0)))
    first = max(words, key=lambda w: w.share)
    assert (first.word, first.start, first.positive) == ("TATAA", 40, label == 1)
    assert first.share == pytest.approx(0.2, abs=0.01) and first.other < 0.02 and first.elsewhere < 0.01
    found = audit(*parts(sequences))
    assert (PLACE in flagged(found)) == (label == 0)
    verdict = found.tables[0].frame.set_index("check").verdict[PLACE]
    assert "TATAA at base 40" in verdict and ("negatives hold" in verdict) == (label == 0)
    assert found.tables[1].frame.word[0] == "TATAA"


def test_class_difference_by_hand():
    here, there = np.array([[0, 1], [0, 1]], np.uint8), np.array([[0, 1], [3, 2]], np.uint8)
    assert class_difference(here, there).tolist() == [0.5, 0.5]


def test_copies_by_hand():
    draw = np.random.default_rng(0)
    a, b, c, d = ("".join(draw.choice(list("ACGT"), 40)) for _ in range(4))
    turned = b[::-1].translate(str.maketrans("ACGT", "TGCA"))
    train = from_strings([a, b, b, c], labels=[1, 0, 1, 0])
    held_out = from_strings([a, turned, c[:30] + "ACGTACGTAC", d], labels=[1, 1, 0, 0])
    found = copies(train, held_out)
    assert found.identical == 0.5 and found.related == 0.75
    assert found.conflicting == 3 / 8  # b, b and b turned round
    assert found.remembered.tolist() == [1, 0.5, 0, 0.5]


def test_copies_and_contradictions_are_flagged():
    sequences = random_dna()
    codes, labels = sequences.codes, sequences.labels
    codes[600:660] = codes[:60]
    labels[600:660] = labels[:60]
    found = audit(*parts(sequences))
    assert severities(found)[COPIES] == "serious" and flagged(found) == {COPIES}
    labels[600:630] = 1 - labels[:30]
    assert severities(audit(*parts(sequences)))[CONFLICT] == "look"


def test_too_few_to_say_anything():
    with pytest.raises(
        InputError, match=r"at least 10 sequences of each class in validation and test together, got \d:"
    ):
        audit(*(take(random_dna(), rows) for rows in (np.arange(50), [50, 51], [52, 53])))


def test_human_tata_promoters_are_flagged_for_how_their_negatives_were_made():
    folder = real("genomics/gue-prom300-tata")
    found = audit(*(read_sequences(folder / f"{part}.csv", labelled=True) for part in ("train", "dev", "test")))
    assert flagged(found) == {PLACE, COPIES} and severities(found)[PLACE] == "serious"
    row = found.tables[0].frame.set_index("check").loc[PLACE]
    assert row.mcc == pytest.approx(0.75, abs=0.03) and "the negatives hold" in row.verdict
    table = found.tables[1].frame
    (tata,) = table[(table.word == "TATAA") & (table.base == 218)].itertuples()
    assert tata._3 == "negatives" and tata._5 == pytest.approx(330 / 2460, abs=0.01)


def test_sigma70_is_flagged_for_case_and_gc():
    folder = real("genomics/ecoli-sigma70")
    classes = [read_sequences(folder / f, labelled=False) for f in ("sigma70promoter.txt", "negative2860.txt")]
    everything = join(*(labelled(s, y) for s, y in zip(classes, (1.0, 0.0), strict=True)))
    found = audit(*(take(everything, rows) for rows in homology_split(everything)))
    assert {CASE, GC} <= flagged(found) <= {CASE, GC, PLACE}
    frame = found.tables[0].frame.set_index("check")
    assert frame.mcc[CASE] == 1 and frame.mcc[GC] == pytest.approx(0.588, abs=0.06)
