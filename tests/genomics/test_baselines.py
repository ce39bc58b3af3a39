from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from tests.realdata import real
from zoo.genomics.baselines import (
    base_at_position,
    combined_regression,
    kmer_counts,
    kmer_regression,
    position_regression,
    position_regression_alone,
)
from zoo.genomics.reading import read_sequences
from zoo.genomics.sequences import from_strings, take


def test_kmer_counts_by_hand():
    counts = kmer_counts(from_strings(["ACAC", "GTNA"]), (2,), canonical=False).toarray()
    assert counts[0, [0b0001, 0b0100]] == pytest.approx([2 / 5**0.5, 1 / 5**0.5])
    assert counts[1].nonzero()[0].tolist() == [0b1011]
    canonical = kmer_counts(from_strings(["AC", "GT"]), (2,), canonical=True).toarray()
    assert np.array_equal(canonical[0], canonical[1])


def test_base_at_position_by_hand():
    features = base_at_position(from_strings(["CNA", "ACGTT"]), length=4).toarray().reshape(2, 4, 4)
    assert features[0, 0, 1] == features[0, 2, 0] == pytest.approx(0.5**0.5)
    assert features.astype(bool).sum(axis=(1, 2)).tolist() == [2, 4]
    assert base_at_position(from_strings(["AC"]), length=4).shape == (1, 16)


def toy(place: str):
    """Label = an inserted GATTACA, at one place or anywhere."""
    draw = np.random.default_rng(0)
    texts, labels = [], np.arange(600) % 2
    for label in labels:
        text = "".join(draw.choice(list("ACGT"), 60))
        at = 30 if place == "fixed" else int(draw.integers(0, 53))
        texts.append(text[:at] + "GATTACA" + text[at + 7 :] if label else text)
    seqs = from_strings(texts, labels=labels)
    return take(seqs, np.arange(400)), take(seqs, np.arange(400, 500)), take(seqs, np.arange(500, 600))


def test_each_baseline_sees_its_own_kind_of_evidence():
    fixed, free = toy("fixed"), toy("free")
    assert roc_auc_score(free[2].labels, kmer_regression(*free)) > 0.95
    assert roc_auc_score(free[2].labels, position_regression(*free)) < 0.75
    assert roc_auc_score(fixed[2].labels, position_regression(*fixed)) > 0.95
    both = combined_regression(*fixed)
    assert roc_auc_score(fixed[2].labels, both) > 0.95
    assert both.shape == (100,) and (both >= 0).all() and (both <= 1).all()


def test_without_a_validation_part_the_strength_is_chosen_inside_the_training_part():
    """Labels that say nothing must not look better for having been chosen by."""
    (train, valid, test), (free, _, other) = toy("fixed"), toy("free")
    assert roc_auc_score(test.labels, position_regression_alone(train, test)) > 0.95
    assert roc_auc_score(other.labels, position_regression_alone(free, other)) < 0.75
    relabelled = replace(valid, labels=1 - valid.labels)
    first, second = (position_regression_alone(train, held_out) for held_out in (valid, relabelled))
    assert np.array_equal(first, second)


def test_the_published_figures_on_jund():
    folder = real("genomics/gue-mouse-jund")
    train, validation, test = (read_sequences(folder / f"{part}.csv", True) for part in ("train", "dev", "test"))
    score = kmer_regression(train, validation, test, k=(6,))
    assert matthews_corrcoef(test.labels, score > 0.5) == pytest.approx(0.835, abs=0.02)
