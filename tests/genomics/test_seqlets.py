import numpy as np
import pytest

from zoo.domain.errors import InputError
from zoo.genomics.seqlets import fdr_threshold, find_seqlets


def bumps(n=60, length=120, height=3.0, seed=0):
    """Unit noise with one bump of 11 bases in each row, at a known start."""
    rng = np.random.default_rng(seed)
    scores, starts = rng.normal(size=(n, length)), rng.integers(0, length - 11, n)
    for row, start in zip(scores, starts, strict=True):
        row[start : start + 11] += height
    return scores, starts


def test_bumps_are_found_where_they_are():
    scores, starts = bumps()
    found = find_seqlets(scores, np.ones(scores.shape, bool))
    near = np.abs(found.start - starts[found.sequence]) <= 3
    assert near.sum() >= 55
    assert near.mean() >= 0.7  # the promised share of true ones is 0.8
    assert (found.end - found.start == 11).all()
    assert (np.diff(found.sequence) >= 0).all()


def test_seqlets_do_not_overlap_and_keep_to_bases():
    scores, _ = bumps(height=1.5)
    valid = np.ones(scores.shape, bool)
    valid[:, 90:] = False
    valid[:, :7] = False
    scores[~valid] = np.nan
    found = find_seqlets(scores, valid, fdr=0.9)
    assert len(found) and found.start.min() >= 7 and found.end.max() <= 90
    for row in np.unique(found.sequence):
        assert (np.diff(found.start[found.sequence == row]) >= 11).all()


def test_shuffled_scores_give_none():
    found = 0
    for seed in range(5):
        scores, _ = bumps(seed=seed)
        shuffled = np.random.default_rng(seed).permuted(scores, axis=1)
        found += len(find_seqlets(shuffled, np.ones(scores.shape, bool)))
    assert found <= 5


def test_the_scale_of_a_track_does_not_matter():
    scores, _ = bumps()
    valid = np.ones(scores.shape, bool)
    scaled = scores * np.random.default_rng(0).uniform(0.01, 100, (len(scores), 1))
    first, second = find_seqlets(scores, valid), find_seqlets(scaled, valid)
    np.testing.assert_array_equal(first.start, second.start)


@pytest.mark.parametrize("shape", [(0, 50), (3, 5), (3, 50)])
def test_nothing_to_find(shape):
    assert len(find_seqlets(np.zeros(shape), np.ones(shape, bool))) == 0


def test_fdr_threshold_by_hand():
    assert fdr_threshold(np.array([1.0, 2, 3, 4, 5]), np.array([1.5, 0.5]), 0.3) == 2  # (1 + 0) / 4; at 1, (1 + 1) / 5
    assert fdr_threshold(np.array([1.0, 2]), np.zeros(0), 0.4) == np.inf  # (1 + 0) / 2 is the least possible
    assert fdr_threshold(np.zeros(0), np.zeros(0), 0.5) == np.inf


def test_mistakes_are_sentences():
    with pytest.raises(InputError, match="same shape"):
        find_seqlets(np.zeros((2, 30)), np.ones((2, 31), bool))
    with pytest.raises(InputError, match="NaN"):
        find_seqlets(np.full((2, 30), np.nan), np.ones((2, 30), bool))
