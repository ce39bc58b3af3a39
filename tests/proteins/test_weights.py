"""One vote a clan, and Meff as a peer counts it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from realdata import real

from zoo.proteins.reading import read_alignment
from zoo.proteins.weights import effective_depth, sequence_weights


def plain(codes: np.ndarray, identity: float) -> np.ndarray:
    alike = (codes[:, None] == codes[None]).sum(2) >= identity * codes.shape[1] - 1e-9
    return 1 / alike.sum(1)


@given(
    st.integers(1, 41), st.integers(1, 150), st.integers(1, 4), st.sampled_from([0.62, 0.8, 1.0]), st.integers(0, 99)
)
def test_equals_the_comparison_of_all_pairs(depth, length, letters, identity, seed):
    codes = np.random.default_rng(seed).integers(0, letters, (depth, length)).astype(np.uint8)
    assert np.allclose(sequence_weights(codes, identity), plain(codes, identity))


def test_blocks_change_nothing(monkeypatch):
    codes = np.random.default_rng(5).integers(0, 3, (97, 13)).astype(np.uint8)
    whole = sequence_weights(codes, 0.6)
    monkeypatch.setattr("zoo.proteins.weights.BLOCK_WORDS", 500)
    assert np.array_equal(sequence_weights(codes, 0.6), whole)


def test_by_hand():
    codes = np.array([[0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 2, 1], [5, 6, 7, 8, 9]], dtype=np.uint8)
    assert sequence_weights(codes).tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 2, 1])


def test_meff_equals_ccmpredpy():
    """`neff` in the header of its map: 1149.4357714155785."""
    alignment = read_alignment(real("proteins/ccmgen_1atza/1atzA.fas"))
    assert effective_depth(alignment.codes) == pytest.approx(1149.4357714155785, rel=1e-12)
