"""The protocol by hand, by a peer's published numbers, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from realdata import real

from zoo.domain.errors import InputError
from zoo.proteins.alignment import Alignment
from zoo.proteins.alphabet import GAP, decode
from zoo.proteins.contacts import Native, native
from zoo.proteins.dca_protocol import ppv_curve, read_distances
from zoo.proteins.families import TUNING, listed, read_families
from zoo.proteins.mapping import place_of_columns
from zoo.proteins.precision import ceilings, compared, long_range, mean_precision, precisions
from zoo.proteins.reading import read_alignment
from zoo.proteins.structure import Chain, read_chain


def made(length: int, contacts: list[tuple[int, int]], unknown: tuple[int, ...] = ()) -> Native:
    distance = np.full((length, length), 20.0)
    for i, j in contacts:
        distance[i, j] = distance[j, i] = 5.0
    distance[list(unknown)] = np.nan
    distance[:, list(unknown)] = np.nan
    return Native("made", distance, np.arange(length))


def ranked(length: int, pairs: list[tuple[int, int]]) -> np.ndarray:
    score = np.zeros((length, length))
    for rank, (i, j) in enumerate(pairs):
        score[i, j] = score[j, i] = 100 - rank
    return score


def test_by_hand():
    truth = made(40, [(0, 24), (1, 30), (2, 35), (5, 11), (0, 12)])
    rows = {(p.range, p.top): p for p in precisions(ranked(40, [(0, 24), (3, 39), (1, 30), (5, 11)]), truth)}
    assert rows["long", "L/5"].precision == pytest.approx(2 / 8)
    assert rows["long", "L/5"].ceiling == pytest.approx(3 / 8)
    assert rows["long", "L"].precision == pytest.approx(2 / 40)
    assert (rows["short", "L"].contacts, rows["medium", "L"].contacts, rows["long", "L"].contacts) == (1, 1, 3)
    assert rows["short", "L/5"].precision == pytest.approx(1 / 8)


def test_unknown_pairs_take_no_rank_and_no_length():
    truth = made(40, [(0, 24), (1, 30)], unknown=(39, 38))
    score = ranked(40, [(3, 39), (2, 38), (0, 24), (1, 30)])
    assert truth.num_resolved == 38
    assert long_range(score, truth)[2] == pytest.approx(2 / 7)  # 38 // 5


def test_separation_is_of_residues_not_of_columns():
    place = np.concatenate([np.arange(10), [-1, -1], np.arange(30, 40)])
    distance = np.full((22, 22), 5.0)
    distance[[10, 11]] = np.nan
    distance[:, [10, 11]] = np.nan
    truth = Native("gapped", distance, place)
    rows = {(p.range, p.top): p for p in precisions(distance, truth)}
    assert rows["long", "L"].pairs == sum(30 + b - a >= 24 for a in range(10) for b in range(10))
    assert rows["medium", "L"].pairs == 100 - rows["long", "L"].pairs  # none is nearer than 21 across the break


@given(st.integers(26, 60), st.integers(0, 999))
def test_a_perfect_map_reaches_the_ceiling_and_nothing_passes_it(length, seed):
    draw = np.random.default_rng(seed)
    distance = draw.uniform(2, 30, (length, length))
    truth = Native("random", (distance + distance.T) / 2, np.arange(length))
    noise = draw.normal(size=(length, length))
    for value, best in zip(long_range(noise + noise.T, truth), ceilings(truth), strict=True):
        assert value <= best + 1e-12
    monotone = np.exp((noise + noise.T) / 3)
    assert long_range(noise + noise.T, truth) == long_range(monotone, truth)


def test_ccmpredpy_scores_as_published():
    """Its map and its own precision on the structure: 0.400 / 0.568 / 0.800."""
    truth = native(read_chain(real("proteins/ccmgen_1atza/1atzA.pdb")))
    found = long_range(np.loadtxt(real("proteins/ccmgen_1atza/1atzA.apc.mat")), truth)
    assert found == pytest.approx((0.400, 0.568, 0.800), abs=5e-4)
    assert precisions(truth.distance, truth)[-1].contacts == 69


def test_intervals_over_proteins_are_paired():
    draw = np.random.default_rng(0)
    base = draw.uniform(0, 0.8, (22, 3))
    table = compared({"better": (base + 0.1).tolist(), "base": base.tolist()}, reference="base").set_index("model")
    row = table.loc["better"]
    assert row["P@L"] == pytest.approx(base[:, 0].mean() + 0.1)
    assert row["P@L_low"] < row["P@L"] < row["P@L_high"]
    assert (row["P@L_diff_low"], row["P@L_diff_high"]) == pytest.approx((0.1, 0.1))


def test_equal_first_precisions_do_not_tie_the_three_together():
    metrics = mean_precision()
    metrics.update(torch.tensor([[0.5, 0.5, 0.5]]), torch.zeros(1))
    metrics.update(torch.tensor([[0.0, 0.5, 1.0]]), torch.zeros(1))
    assert {name: float(v) for name, v in metrics.compute().items()} == {"P@L": 0.25, "P@L/2": 0.5, "P@L/5": 0.75}


# ---- structures beside alignments


def test_columns_find_their_residues_as_the_collection_says():
    folder = real("proteins/kortemme_covariation")
    for name, least in (("PF00249", 1.0), ("PF00327", 1.0), ("PF01451", 0.95)):
        (family,) = read_families(folder, [name])
        entry = next(row.entry for row in listed(folder) if row.name == name)
        place = place_of_columns(family.alignment, read_chain(folder / f"{entry}_A.pdb"))
        assert (family.native.place >= 0).all() and len(place) == family.native.num_resolved
        assert (place == family.native.place).mean() >= least


def test_a_structure_that_is_not_the_first_row_is_found():
    alignment = read_alignment(real("proteins/ccmgen_1atza/1atzA.fas"))
    chain = read_chain(real("proteins/ccmgen_1atza/1atzA.pdb"))
    assert alignment.sequence(0) != chain.sequence
    assert place_of_columns(alignment, chain).tolist() == list(range(75))


def test_residues_where_the_nearest_row_has_a_gap_have_the_columns_between():
    alignment = read_alignment(real("proteins/ccmgen_1atza/1atzA.fas"))
    chain = read_chain(real("proteins/ccmgen_1atza/1atzA.pdb"))
    nearest = int(np.argmax([alignment.sequence(i) == chain.sequence for i in range(alignment.depth)]))
    codes = alignment.codes[[nearest, *range(50)]].copy()
    codes[0, 20:28] = GAP
    names = tuple(map(str, range(len(codes))))
    assert place_of_columns(Alignment.of(names, codes), chain).tolist() == list(range(75))
    shorter = np.delete(codes, 22, axis=1)  # seven columns for eight residues
    assert (place_of_columns(Alignment.of(names, shorter), chain)[20:27] == -1).all()


def test_a_structure_of_another_fold_is_refused():
    alignment = read_alignment(real("proteins/kortemme_covariation/PF00249.align.80"))
    with pytest.raises(InputError, match="does not match the alignment"):
        place_of_columns(alignment, read_chain(real("proteins/ccmgen_1atza/1atzA.pdb")))


def test_a_structure_that_is_alike_by_chance_is_refused():
    """A local alignment chooses its place: among many short random rows one has a quarter of its residues in common."""
    draw = np.random.default_rng(0)
    alignment = Alignment.of(tuple(map(str, range(200))), draw.integers(0, 20, (200, 33)).astype(np.uint8))
    chain = decode(draw.integers(0, 20, 70))
    with pytest.raises(InputError, match="does not match the alignment"):
        place_of_columns(alignment, Chain("random", chain, ("",) * 70, np.zeros((70, 3))))


def test_the_collection():
    rows = listed(real("proteins/kortemme_covariation"))
    assert len(rows) == 28 and set(TUNING) < {row.name for row in rows}
    by_class = {c: [r.name for r in rows if r.scop_class == c] for c in {r.scop_class for r in rows}}
    assert sorted(name for names in by_class.values() for name in (names[1:2] + names[6:7])) == sorted(TUNING)


# ---- the other protocol


def test_distance_tables_by_hand(tmp_path):
    path = tmp_path / "my.dat"
    path.write_text("1 8 0.3 4.0\n2 9 0.2 12.5\n1 9 0.1 7.9\n1 2 .1 1.3\n")
    distance = read_distances(path, 9)
    assert distance[7, 0] == 4.0 and distance[1, 8] == 12.5 and np.isnan(distance[0, 6])
    score = np.zeros((9, 9))
    score[0, 7], score[1, 8], score[0, 8], score[0, 6] = 3, 2, 1, 9  # the best pair is unknown
    assert ppv_curve(score, distance).tolist() == pytest.approx([1, 1 / 2, 2 / 3])


@pytest.mark.parametrize(
    ("text", "complaint"), [("1 b 3.0\n", "line 1"), ("1 99 3.0\n", "no pair of the 9"), ("", "no distances")]
)
def test_a_wrong_table_is_one_sentence(text, complaint, tmp_path):
    (tmp_path / "my.dat").write_text(text)
    with pytest.raises(InputError, match=complaint):
        read_distances(tmp_path / "my.dat", 9)


def test_real_tables():
    distance = read_distances(real("proteins/attentiondca_pfam/PF00014_struct.dat"), 53)
    assert np.nanmin(distance) > 1 and (~np.isnan(distance)).sum() > 2000
    two_columns = read_distances(real("proteins/attentiondca_pfam/Atomic_distances_PF00677.dat"), 87)
    assert two_columns[85, 86] == pytest.approx(1.307)
