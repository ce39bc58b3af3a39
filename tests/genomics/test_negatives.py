"""Negatives made from positives: what they keep and what they lose."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.domain.errors import InputError
from zoo.genomics.data import OwnSequences
from zoo.genomics.negatives import KEPT, MADE, SEGMENTS, partly_shuffled
from zoo.genomics.sequences import from_strings

DNA = st.lists(st.text("ACGTN", min_size=1, max_size=70), min_size=1, max_size=5)


@given(DNA, st.integers(0, 99))
def test_partly_shuffled_keeps_the_bases_of_every_segment(texts, seed):
    sequences = from_strings(texts)
    made = partly_shuffled(sequences.codes, sequences.lengths, seed)
    assert np.array_equal(made == 5, sequences.codes == 5)
    for before, after, length in zip(sequences.codes, made, sequences.lengths, strict=True):
        segment = np.arange(length) * SEGMENTS // length
        for s in range(SEGMENTS):
            assert sorted(before[:length][segment == s]) == sorted(after[:length][segment == s])


def test_partly_shuffled_keeps_eight_segments_of_twenty_as_they_are():
    codes = np.tile(np.array([0, 1, 2, 3] * 5, np.uint8), (300, 20))  # segments of 20 bases, never the same shuffled
    made = partly_shuffled(codes, np.full(300, 400), 1)
    whole = (made == codes).reshape(300, SEGMENTS, 20).all(2)
    assert (whole.sum(1) == KEPT).all()
    assert np.allclose(whole.mean(0), KEPT / SEGMENTS, atol=0.1)  # any segment alike
    assert np.array_equal(made, partly_shuffled(codes, np.full(300, 400), 1))
    assert not np.array_equal(made, partly_shuffled(codes, np.full(300, 400), 2))


def test_too_short_to_be_shuffled_in_part():
    with pytest.raises(InputError, match="a sequence of 30 bases has segments of 1; 60 bases are needed"):
        MADE["partly_shuffled"](from_strings(["GGGTTTACAC" * 3] * 2), 0)


def test_made_negatives_are_of_class_0_and_say_what_they_are():
    positives = from_strings(["ACGTACGTTGCA" * 8, "GGGTTTACAC" * 6], names=["a", "b"])
    for kind, make in MADE.items():
        negatives = make(positives, 0)
        assert negatives.labels.tolist() == [0, 0] and negatives.names == (f"a_{kind}", f"b_{kind}")
        assert negatives.lengths.tolist() == [96, 60]
        assert [sorted(t) for t in negatives.strings()] == [sorted(t) for t in positives.strings()]


@pytest.mark.parametrize("short", [0, 12])
def test_shuffles_that_are_what_they_were_made_of_are_counted_in_one_warning(tmp_path, short):
    """`ACGT` and `AAAAAA` have one order of their dinucleotides."""
    draw = np.random.default_rng(0)
    texts = ["".join(draw.choice(list("ACGT"), 50)) for _ in range(60)] + ["ACGT", "AAAAAA"] * (short // 2)
    path = tmp_path / "a.txt"
    path.write_text("\n".join(texts) + "\n")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        OwnSequences(str(path)).setup()
    about = [str(w.message) for w in said if "shuffled from" in str(w.message)]
    assert [text[:17] for text in about] == ["12 of 72 negative"] * bool(short)
