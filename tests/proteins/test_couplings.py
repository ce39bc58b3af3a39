"""Coupling models against formulas by hand, scikit-learn, a peer's map, and a planted answer with its control."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from realdata import real
from scipy.special import log_softmax
from sklearn.metrics import mutual_info_score

from zoo.attention import FullMap, SelfExcluding, observe
from zoo.domain.errors import InputError
from zoo.proteins.alphabet import GAP, LETTERS
from zoo.proteins.chemistry import LIKENESSES, SCALES, composition, likeness_maps
from zoo.proteins.couplings import apc, contact_scores, strength, zero_sum
from zoo.proteins.family_attention import (
    FamilyAttention,
    FamilySettings,
    family_maps,
    kinds_of_coupling,
    train_family_attention,
)
from zoo.proteins.frequencies import frequencies
from zoo.proteins.meanfield import information_scores, meanfield_couplings, meanfield_scores, mutual_information
from zoo.proteins.planted import plant, shuffled_columns
from zoo.proteins.potts import PottsSettings, _Objective, potts_couplings
from zoo.proteins.precision import long_range
from zoo.proteins.pseudolikelihood import Observed
from zoo.proteins.reading import read_alignment
from zoo.proteins.weights import sequence_weights

QUICK = FamilySettings(heads=32, steps=12)


@pytest.fixture(scope="module")
def planted():
    return plant(depth=800, sweeps=12, coupling=0.8)


@pytest.fixture(scope="module")
def control(planted):
    return shuffled_columns(planted.alignment)


def drawn(depth: int, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 21, (depth, length)).astype(np.uint8)


# ---- from couplings to scores


def test_apc_by_hand():
    score = np.array([[9.0, 1, 2], [1, 9, 3], [2, 3, 9]])
    mean = np.array([1.5, 2.0, 2.5])  # the diagonal is no pair
    expected = np.array([[score[i, j] - mean[i] * mean[j] / 2 for j in range(3)] for i in range(3)])
    np.fill_diagonal(expected, 0)
    assert np.allclose(apc(score), expected)


def test_apc_takes_away_what_columns_give_to_all_alike():
    entropy = np.random.default_rng(1).uniform(0.5, 2, 40)
    background = np.outer(entropy, entropy)
    hidden = background.copy()
    hidden[3, 30] = hidden[30, 3] = background[3, 30] + 0.3
    assert background[3, 30] + 0.3 < background.max()
    found = np.unravel_index(apc(hidden).argmax(), hidden.shape)
    assert sorted(found) == [3, 30]


def test_the_gauge_changes_no_score():
    draw = np.random.default_rng(0)
    coupling = draw.normal(size=(5, 20, 5, 20))
    coupling = coupling + coupling.transpose(2, 3, 0, 1)
    shift = draw.normal(size=(5, 20, 5))
    moved = coupling + shift[..., None] + shift.transpose(2, 0, 1)[:, None]
    assert np.allclose(zero_sum(moved).sum(1), 0) and np.allclose(zero_sum(moved).sum(3), 0)
    assert np.allclose(strength(moved), strength(coupling))


# ---- mutual information and mean field


def test_frequencies_by_hand():
    codes = np.array([[0, 1], [0, 2], [3, 1]], dtype=np.uint8)
    f = frequencies(codes, np.array([1.0, 0.5, 0.5]))
    assert f.single[0, [0, 3]].tolist() == [0.75, 0.25] and f.single[1, [1, 2]].tolist() == [0.75, 0.25]
    assert f.pair[0, 0, 1, 1] == 0.5 and f.pair[1, 2, 0, 0] == 0.25 and f.pair[0, 3, 1, 2] == 0
    mixed = f.with_pseudocount(0.5)
    assert mixed.pair.sum((1, 3)) == pytest.approx(np.ones((2, 2)))
    assert mixed.pair[0, :, 1, :].sum(1) == pytest.approx(mixed.single[0])


def test_mutual_information_equals_scikit_learn():
    codes = drawn(300, 4)
    codes[:, 2] = (codes[:, 0] * 3 + drawn(300, 1, 9)[:, 0] // 10) % 21
    found = mutual_information(frequencies(codes, np.ones(300)), pseudocount=0.0)
    expected = [[mutual_info_score(codes[:, i], codes[:, j]) if i != j else 0 for j in range(4)] for i in range(4)]
    assert np.allclose(found, expected, atol=1e-6)


def test_mean_field_is_the_inverse_covariance():
    """Of three columns by numpy's own covariance of the one-hot rows, the gap's state left out."""
    codes = drawn(4000, 3)
    counted = frequencies(codes, np.ones(4000))
    found = meanfield_couplings(counted, pseudocount=0.0)
    rows = np.eye(21)[codes][:, :, :20].reshape(4000, 60)
    expected = -np.linalg.inv(np.cov(rows.T, bias=True)).reshape(3, 20, 3, 20)
    assert np.allclose(found[0, :20, 2, :20], expected[0, :, 2], atol=1e-4)
    assert (found[:, 20] == 0).all() and (found[1, :, 1] == 0).all()


# ---- Potts


def test_the_objective_is_the_formula_and_so_is_its_gradient():
    draw = np.random.default_rng(2)
    codes, weights = drawn(7, 3, 2), draw.uniform(0.2, 1, 7)
    codes[0, 1] = GAP
    objective = _Objective(Observed.of(codes, weights), PottsSettings(pair=0.3, fields=2.0))
    vector = draw.normal(0, 0.3, len(objective.start()))
    fields, matrix = (part.double().numpy() for part in objective.unpacked(vector))
    coupling = matrix.reshape(3, 20, 3, 20)
    assert (coupling[1, :, 1] == 0).all() and np.allclose(matrix, matrix.T)
    total = 0.0
    for row, weight in zip(codes, weights, strict=True):
        for i in (i for i in range(3) if row[i] != GAP):
            logit = fields[i] + sum(coupling[i, :, j, row[j]] for j in range(3) if j != i and row[j] != GAP)
            total -= weight * log_softmax(logit)[row[i]]
    total += 2.0 * ((fields - objective.prior.numpy()) ** 2).sum()
    total += 0.3 * 2 * sum((coupling[i, :, j] ** 2).sum() for i in range(3) for j in range(i + 1, 3))
    value, gradient = objective(vector)
    assert value == pytest.approx(total, rel=1e-5)
    way = draw.normal(size=len(vector))
    ahead, behind = (objective(vector + step * way)[0] for step in (1e-3, -1e-3))
    assert (ahead - behind) / 2e-3 == pytest.approx(gradient @ way, rel=2e-3)


def test_potts_equals_ccmpredpy():
    """The peer stopped after 11 iterations; both maps are with APC, pairs six apart and more."""
    alignment = read_alignment(real("proteins/ccmgen_1atza/1atzA.fas"))
    weights = sequence_weights(alignment.codes)
    coupling = potts_couplings(alignment.codes, weights, PottsSettings(iterations=11))
    apart = np.triu_indices(75, 6)
    for ours, file, least in ((contact_scores(coupling), "apc", 0.96), (strength(coupling), "noapc", 0.985)):
        theirs = np.loadtxt(real(f"proteins/ccmgen_1atza/1atzA.{file}.mat"))
        assert np.corrcoef(ours[apart], theirs[apart])[0, 1] > least


def test_too_many_columns_are_refused():
    with pytest.raises(InputError, match="3,000 columns, the limit is 500"):
        potts_couplings(np.zeros((2, 3000), dtype=np.uint8), np.ones(2))


# ---- family attention


def model(length: int = 7, pairs: int = 2) -> FamilyAttention:
    """Heads that look somewhere: training starts from queries of zero."""
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(pairs, 20, 20, generator=generator)
    family = FamilyAttention(torch.randn(length, 20, generator=generator), kinds, reach=3.0)
    with torch.no_grad():
        family.query.normal_(generator=generator)
    return family


def test_implied_couplings_are_the_attention_over_residues():
    """The same as attending in each sequence on its own, half from where a place looks, half from who looks at it."""
    family = model()
    seen = Observed.of(drawn(11, 7), np.ones(11))
    value = torch.einsum("nlb,hab->nhla", seen.residues, family.values)
    many = [p.expand(11, -1, -1, -1) for p in (family.query, family.key)]
    looking = family.attend(*many, value, SelfExcluding()).sum(1)
    looked_at = torch.einsum("hji,hba,njb->nia", family.attention(), family.values, seen.residues)
    expected = family.fields + (looking + looked_at) / 2
    torch.testing.assert_close(family(seen.residues), expected, atol=1e-5, rtol=1e-4)


def test_attention_is_a_softmax_without_oneself_and_can_be_observed():
    family = model()
    attention = family.attention()
    logits = 3.0 * family.query[0]
    expected = logits.masked_fill(torch.eye(7, dtype=torch.bool), float("-inf")).softmax(-1)
    torch.testing.assert_close(attention, expected, atol=1e-6, rtol=1e-5)
    with observe(family, full := FullMap()):
        family.attention()
    torch.testing.assert_close(next(iter(full.result().values()))[0], attention, atol=1e-6, rtol=1e-5)


def test_at_first_all_heads_look_everywhere_and_nothing_is_said():
    family = FamilyAttention(torch.zeros(5, 20), torch.randn(3, 20, 20))
    assert torch.equal(family.values[3:], -family.values[:3])
    assert torch.allclose(family.attention(), (1 - torch.eye(5)) / 4) and not family.coupling(family.attention()).any()


def test_values_start_as_the_kinds_that_mean_field_couplings_are_of():
    """Two kinds make up all couplings of a toy alignment but what its pseudocount adds."""
    draw = np.random.default_rng(0)
    codes = draw.integers(0, 20, (3000, 6)).astype(np.uint8)
    codes[:, 1] = np.where(draw.random(3000) < 0.8, codes[:, 0], codes[:, 1])
    (leading,) = kinds_of_coupling(codes, np.ones(3000), 1)
    alike = np.eye(20) - 1 / 20
    assert abs((leading * alike).sum() / np.linalg.norm(alike)) > 0.9 and np.linalg.norm(leading) == pytest.approx(1)


def test_a_residue_does_not_see_itself():
    family = model()
    codes = drawn(4, 7)
    changed = codes.copy()
    changed[:, 3] = (codes[:, 3] + 5) % 20
    one, two = (family(Observed.of(c, np.ones(4)).residues) for c in (codes, changed))
    assert torch.equal(one[:, 3], two[:, 3]) and not torch.equal(one[:, 2], two[:, 2])


def test_long_alignments_have_fewer_heads(monkeypatch):
    monkeypatch.setattr("zoo.proteins.family_attention.MOST_QUERIES", 7 * 7 * 5)
    family = train_family_attention(drawn(20, 7), np.ones(20), FamilySettings(heads=8, steps=1))
    assert len(family.values) == 4


# ---- the planted answer, and its control


@pytest.mark.parametrize("method", ["mutual information", "mean field", "Potts", "family attention"])
def test_a_planted_fold_is_recovered_and_shuffled_columns_give_nothing(method, planted, control):
    def score(codes):
        ones = np.ones(len(codes))
        if method == "Potts":
            return contact_scores(potts_couplings(codes, ones, PottsSettings(iterations=15)))
        if method == "family attention":
            return family_maps(train_family_attention(codes, ones, QUICK)).scores
        counted = frequencies(codes, ones)
        return information_scores(counted) if method == "mutual information" else meanfield_scores(counted)

    assert long_range(score(planted.alignment.codes), planted.native)[0] >= 0.9
    by_chance = np.triu(planted.native.contact & (planted.native.separation >= 24)).sum() / (51 * 52 / 2)
    assert long_range(score(control.codes), planted.native)[0] < by_chance + 0.15


def test_the_control_keeps_each_column_and_no_pair(planted, control):
    assert np.array_equal(np.sort(control.codes, 0), np.sort(planted.alignment.codes, 0))
    assert not np.array_equal(control.codes, planted.alignment.codes)


def test_the_planted_potts_model_is_found_again(planted):
    """Not only which pairs, but which residues: the couplings themselves correlate, over the true contacts."""
    coupling = potts_couplings(planted.alignment.codes, np.ones(800), PottsSettings(iterations=15))
    touching = np.triu(planted.native.contact & (planted.native.separation >= 3))
    i, j = np.nonzero(touching)
    assert np.corrcoef(coupling[i, :, j].ravel(), planted.coupling[i, :, j].ravel())[0, 1] > 0.6


def test_a_head_tells_where_it_looks(planted):
    maps = family_maps(train_family_attention(planted.alignment.codes, np.ones(800), QUICK))
    assert maps.attention.shape == (32, 75, 75) and maps.head_scores().shape == (32, 75, 75)
    assert np.allclose(maps.attention.sum(-1), 1, atol=1e-5)
    assert long_range(maps.mean_attention, planted.native)[0] > 0.6


@pytest.mark.parametrize(
    ("wrong", "complaint"), [({"order": (0, 2)}, "each of the strands"), ({"depth": 1}, "at least 2")]
)
def test_a_wrong_plan_is_one_sentence(wrong, complaint):
    with pytest.raises(InputError, match=complaint):
        plant(**wrong)


def test_likeness_says_what_two_columns_look_for():
    """Columns 0 and 1 hold opposite charges together, 0 and 2 the same."""
    charge = np.zeros((3, 21, 3, 21))
    between = np.pad(np.outer(SCALES["charge"], SCALES["charge"]), ((0, 1), (0, 1)))
    charge[0, :, 1], charge[1, :, 0], charge[0, :, 2], charge[2, :, 0] = -between, -between, between, between
    maps = likeness_maps(charge)
    signs = maps[LIKENESSES.index(("charge", "charge"))]
    assert signs[0, 1] < 0 < signs[0, 2] and signs[1, 2] == 0
    np.testing.assert_allclose(maps, maps.transpose(0, 2, 1), atol=1e-12)
    assert np.abs(maps[LIKENESSES.index(("charge", "charge"))]).max() > 3 * np.abs(np.delete(maps, 2, 0)).max()
    single = np.zeros((2, 21))
    single[0, LETTERS.index("K")], single[1, LETTERS.index("G")] = 1, 1
    found = composition(single)
    assert found[0, 4] == SCALES["charge"][LETTERS.index("K")] and found[:, 5].tolist() == [0, 1]
