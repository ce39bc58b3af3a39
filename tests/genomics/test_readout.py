"""The strongest tokens decide, and are seen to; shuffles as a second task."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.attention import Padding, Received, UniformBackbone, observe
from zoo.domain.optim import AdamW
from zoo.genomics.batch import Batch
from zoo.genomics.embed import ConvStem
from zoo.genomics.model import PromoterDetector
from zoo.genomics.readout import StrongestPool
from zoo.genomics.sequences import PAD


def model(**arguments) -> PromoterDetector:
    torch.manual_seed(0)
    return PromoterDetector(UniformBackbone(16, 1, 2), AdamW(), ConvStem(16, 5, 1), **arguments)


def test_softmax_weighted_scores_by_hand():
    torch.manual_seed(0)
    pool, tokens = StrongestPool(8, 3), torch.randn(2, 5, 8)
    z = pool.score(tokens)
    expected = (z.softmax(1) * z).sum(1)
    torch.testing.assert_close(pool(tokens), expected)
    present = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    torch.testing.assert_close(pool(tokens, Padding(present))[1], (z[1, :3].softmax(0) * z[1, :3]).sum(0))
    with observe(pool, seen := Received()):
        pool(tokens)
    (received,) = seen.result().values()
    torch.testing.assert_close(received, z.softmax(1).transpose(1, 2))


def test_one_strong_token_among_many_is_not_buried():
    pool = StrongestPool(4, 1)
    with torch.no_grad():
        pool.score[2].weight.copy_(torch.tensor([[8.0, 0, 0, 0]]))
        pool.score[2].bias.zero_()
    calm = torch.tensor([-1.0, 1.0, 0.5, -0.5]).repeat(1, 500, 1)
    loud = calm.clone()
    loud[0, 123] = torch.tensor([3.0, -1, -1, -1])
    assert pool(loud) > pool(calm) + 10


def test_whole_model_with_the_strongest_readout_ignores_padding():
    detector = model(readout="strongest").eval()
    codes = torch.randint(0, 4, (3, 30), dtype=torch.uint8)
    padded = torch.nn.functional.pad(codes, (0, 7), value=PAD)
    torch.testing.assert_close(detector(codes), detector(padded), atol=1e-5, rtol=1e-5)
    batch = Batch(codes, torch.ones(3), ("a", "b", "c"))
    assert detector.embeddings(batch).shape == (3, 4) and detector(codes).shape == (3,)


def test_the_second_task_is_learnt_without_labels():
    """Every sequence holds one motif and the labels say nothing: real against shuffled must still come apart."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (128, 40)).astype(np.uint8)
    codes[:, 15:25] = [3, 2, 0, 1, 3, 1, 0, 3, 0, 0]
    batch = Batch(torch.from_numpy(codes), torch.from_numpy(rng.integers(0, 2, 128)).float(), ("",) * 128)
    detector = model(shuffle_weight=1.0).train()
    optimizer = torch.optim.AdamW(detector.parameters(), 5e-3)
    for _ in range(90):
        optimizer.zero_grad()
        detector.outcome(batch).loss.backward()
        optimizer.step()
    tokens = detector.embedding(torch.cat([batch.codes, detector.shuffle_task.shuffles(batch.codes)]))
    encoded = detector.backbone(tokens.tokens, tokens.mask)
    assert detector.shuffle_task.loss(encoded, 128) < 0.2


def test_the_second_task_takes_no_part_in_what_is_predicted():
    told, plain = (model(shuffle_weight=w).eval() for w in (1.0, 0.0))
    plain.load_state_dict({k: v for k, v in told.state_dict().items() if "shuffle_task" not in k})
    codes = torch.randint(0, 4, (3, 30), dtype=torch.uint8)
    assert torch.equal(told(codes), plain(codes))
    batch = Batch(codes, torch.ones(3), ("a", "b", "c"))
    assert torch.equal(told.outcome(batch).loss, plain.outcome(batch).loss), "nor in the loss that is validated"


def test_the_same_random_state_draws_the_same_shuffles():
    detector = model(shuffle_weight=1.0)
    codes = torch.randint(0, 4, (8, 30), dtype=torch.uint8)
    torch.manual_seed(3)
    first = detector.shuffle_task.shuffles(codes)
    torch.manual_seed(3)
    assert torch.equal(first, detector.shuffle_task.shuffles(codes)) and first.shape == (2, 30)


@pytest.mark.parametrize("arguments", [{"shuffle_weight": -1}, {"dropout": 2}])
def test_bad_arguments_are_named(arguments):
    (name,) = arguments
    assert name in PromoterDetector.problems(**arguments)[0]
