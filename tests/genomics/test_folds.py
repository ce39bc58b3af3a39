"""Folds share no 30-mer, hold out everything once, and never touch the test part."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.genomics.data import OwnSequences
from zoo.genomics.folds import FOLDS, folded
from zoo.genomics.sequences import Sequences
from zoo.genomics.split import shares_kmer


def sequences(n: int, seed: int, prefix: str) -> Sequences:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (n, 60)).astype(np.uint8)
    codes[1::3, :40] = codes[0::3, :40][: len(codes[1::3])]  # neighbours that overlap
    names = tuple(f"{prefix}{i}" for i in range(n))
    return Sequences(names, codes, np.full(n, 60), (np.arange(n) % 2).astype(np.float32))


def test_each_sequence_is_held_out_once_and_none_is_shared():
    parts = {"train": sequences(150, 0, "t"), "valid": sequences(30, 1, "v"), "test": sequences(40, 2, "x")}
    held = []
    for fold in range(FOLDS):
        made = folded(parts, fold)
        held += made["test"].names
        everything = [name for part in made.values() for name in part.names]
        assert sorted(everything) == sorted(parts["train"].names + parts["valid"].names)
        for a, b in (("test", "train"), ("test", "valid"), ("valid", "train")):
            assert not shares_kmer(made[a], made[b]).any()
    assert sorted(held) == sorted(parts["train"].names + parts["valid"].names)


@pytest.mark.parametrize("fold", [-1, FOLDS])
def test_a_fold_that_is_none(fold, tmp_path):
    (tmp_path / "a.fa").write_text(">a\nACGT\n")
    (said,) = OwnSequences.problems(str(tmp_path / "a.fa"), fold=fold)
    assert said == f"fold={fold}: expected 0 to 4, or null for the set's own test part"


@pytest.mark.parametrize("fold", [None, 2])
@pytest.mark.parametrize("negatives", [None, "shuffled", "partly_shuffled"])
def test_a_positive_and_what_was_made_of_it_are_in_one_part(fold, negatives, tmp_path):
    letters = np.array(list("ACGT"))[np.random.default_rng(0).integers(0, 4, (200, 80))]
    (tmp_path / "a.fa").write_text("".join(f">s{i}\n{''.join(row)}\n" for i, row in enumerate(letters)))
    data = OwnSequences(str(tmp_path / "a.fa"), negatives, fold=fold)
    parts = {name: part.sequences for name, part in data.parts().items()}
    for part in parts.values():
        of = {label: [n for n, y in zip(part.names, part.labels, strict=True) if y == label] for label in (0, 1)}
        assert len(of[1]) and [name.split("_")[0] for name in of[0]] == of[1]
    whole = data.read()
    known = sum(len(part) for name, part in whole.items() if fold is None or name != "test")
    assert sum(len(part) for part in parts.values()) == 2 * known
