"""The unbiased estimator against its definition, on data whose answer is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from zoo.attention import Padding
from zoo.heads.cka import MinibatchCKA, gram, hsic
from zoo.heads.features import HeadKernels
from zoo.heads.study import clusters


def test_hsic_is_the_u_statistic():
    """HSIC_1 is the mean, over all ordered quadruples of different examples, of the U-statistic's kernel."""
    torch.manual_seed(0)
    k, l = (x @ x.T for x in torch.randn(2, 6, 3, dtype=torch.double))  # noqa: E741
    total = 0.0
    quadruples = list(itertools.permutations(range(6), 4))
    for i, j, q, r in quadruples:
        total += k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q])
    both = torch.stack([k, l])
    both.diagonal(dim1=-2, dim2=-1).zero_()
    torch.testing.assert_close(hsic(both)[0, 1], total / len(quadruples))


def biased(x, y):
    center = torch.eye(len(x)) - 1 / len(x)
    k, l = center @ x @ x.T @ center, center @ y @ y.T @ center  # noqa: E741
    return float((k * l).sum() / (k.norm() * l.norm()))


def test_independent_data_read_zero_where_the_biased_estimator_does_not():
    generator = torch.Generator().manual_seed(0)
    cka, old = MinibatchCKA(), []
    for _ in range(50):
        features = torch.randn(2, 32, 8, generator=generator)
        cka.update(features)
        old.append(biased(*features))
    assert np.mean(old) > 0.15
    assert abs(float(cka.result()[0, 1])) < 0.02


def test_turned_and_scaled_is_the_same_and_a_half_is_a_half():
    generator = torch.Generator().manual_seed(1)
    cka = MinibatchCKA()
    for _ in range(40):
        x, noise = torch.randn(2, 64, 5, generator=generator)
        turn = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(2))).Q
        mixed = (x + noise) / 2**0.5  # half of its kernel's variance is x's: CKA 1/2
        cka.update(torch.stack([x, 3 * x @ turn + 7, mixed]))
    result = cka.result()
    torch.testing.assert_close(result.diagonal(), torch.ones(3, dtype=torch.double))
    assert result[0, 1] == pytest.approx(1, abs=1e-9)
    assert result[0, 2] == pytest.approx(0.5, abs=0.05)


def test_a_kernel_that_does_not_vary_cannot_be_compared():
    cka = MinibatchCKA()
    cka.update(torch.stack([torch.randn(9, 3), torch.ones(9, 3)]))
    assert cka.result()[1].isnan().all() and not cka.result()[0, 0].isnan()
    with pytest.raises(ValueError, match="at least 4 examples"):
        hsic(gram(torch.randn(2, 3, 5)))
    with pytest.raises(ValueError, match="no batch"):
        MinibatchCKA().result()


def test_clusters_join_what_is_alike():
    cka = np.array([[1, 0.95, 0.1, np.nan], [0.95, 1, 0.1, np.nan], [0.1, 0.1, 1, np.nan], [np.nan] * 4])
    first, second, third, fourth = clusters(cka)
    assert first == second and len({first, third, fourth}) == 3
    assert clusters(np.ones((1, 1))) == [1]


def test_heads_that_share_only_their_sequences_are_independent():
    """Tokens of one sequence say the same; drawn as if they were examples, they made independent heads look alike."""
    kernels, generator = HeadKernels(), torch.Generator().manual_seed(0)
    mask = Padding(torch.ones(32, 20, dtype=torch.bool))
    q = torch.zeros(32, 2, 20, 4)
    for _ in range(40):
        out = torch.randn(32, 2, 1, 4, generator=generator).expand(32, 2, 20, 4)
        kernels.begins("a", q, q, q, mask, None)
        kernels.ends("a", out)
        kernels.close()
    assert abs(float(kernels.heads.result()[0, 1])) < 0.05


def test_only_present_tokens_and_different_sequences_are_compared():
    kernels = HeadKernels()
    out = torch.randn(8, 1, 5, 3)
    out[:, :, 2:] = 1e6  # padding
    mask = Padding((torch.arange(5) < 2).expand(8, 5))
    q = torch.zeros(8, 1, 5, 3)
    kernels.begins("a", q, q, q, mask, None)
    kernels.ends("a", out)
    assert kernels._features["a"].abs().max() < 100
    kernels.close(4)
    assert kernels.names == [("a", 0)]
