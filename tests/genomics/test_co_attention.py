"""Attention between sites, beside the whole matrices summed by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from zoo.attention import FullMap, Rotary, UniformBackbone, observe
from zoo.attention.gates import gated
from zoo.attention.observe import attentions
from zoo.domain.optim import AdamW
from zoo.genomics.attribution import FADED
from zoo.genomics.co_attention import co_attention
from zoo.genomics.embed import ConvStem
from zoo.genomics.kmer_blocks import KmerBlocks
from zoo.genomics.model import PromoterDetector
from zoo.genomics.motifs import Sites
from zoo.genomics.sequences import from_strings

#        0         1         2
#        012345678901234567890123456
TEXTS = ("ACGTACGGTTACGATTACAGGCATCAT", "TTGACAGGTANACGTGCATTGACCAGT")
CODES = from_strings(TEXTS).codes
SITES = Sites(
    ("A", "B", "A", "B"), np.array([0, 0, 1, 1]), np.array([3, 15, 3, 17]), np.array([9, 21, 9, 23]),
    ("+",) * 4, np.ones(4), np.ones(4), ("",) * 4,
)  # fmt: skip
PAIRS = pd.DataFrame({"sequence": [0, 1], "site_a": [0, 2], "site_b": [1, 3]})


def model(embedding, strands="given") -> PromoterDetector:
    torch.manual_seed(0)
    backbone = UniformBackbone(8, 2, 2, 2.0, positions=Rotary(4))
    return PromoterDetector(backbone, AdamW(), embedding, strands, pool_heads=2).eval()


def by_hand(detector: PromoterDetector, tokens_of: list[tuple[list[int], list[int]]]) -> list[float]:
    """Mean attention between two lists of tokens, both directions added, summed over layers and heads."""
    with torch.no_grad(), observe(detector, full := FullMap(), layers="backbone"):
        detector(torch.from_numpy(CODES))
    whole = sum(layer.sum(1) for layer in full.result().values())
    return [
        float(whole[i][a][:, b].mean() + whole[i][b][:, a].mean()) for i, (a, b) in enumerate(tokens_of)
    ]  # fmt: skip


def test_one_token_a_base():
    detector = model(ConvStem(8, kernel=1, layers=1, stride=1, both_strands=False))
    spans = [(list(range(3, 9)), list(range(15, 21))), (list(range(3, 9)), list(range(17, 23)))]
    np.testing.assert_allclose(co_attention(detector, CODES, SITES, PAIRS)[1], by_hand(detector, spans), rtol=1e-5)


def test_words_of_three_bases_behind_a_class_token():
    """Token 0 is the class token. In the second sequence N is a token of its own, which shifts the words after it."""
    detector = model(KmerBlocks(8, k=3))
    #        3-8 -> tokens 2, 3; 15-20 -> tokens 6, 7. Second: TTG ACA GGT A N ACG TGC ATT GAC: 17-22 -> words 5, 6
    spans = [([2, 3], [6, 7]), ([2, 3], [8, 9])]
    names = detector.embedding.names(torch.from_numpy(CODES))
    assert [names[1][t] for t in spans[1][1]] == ["ATT", "GAC"]
    np.testing.assert_allclose(co_attention(detector, CODES, SITES, PAIRS)[1], by_hand(detector, spans), rtol=1e-5)


@pytest.mark.parametrize("embedding", [lambda: ConvStem(8, kernel=5, stride=2), lambda: KmerBlocks(8, k=3)])
def test_bases_share_out_their_tokens(embedding):
    """A span over the whole sequence holds all of every token that has bases."""
    tokens = embedding()(torch.from_numpy(CODES))
    whole = tokens.shares(torch.tensor([[[0, 26]]] * 2))[..., 0]
    assert ((whole == 0) | ((whole > 0.3) & (whole <= 1))).all()
    parts = tokens.shares(torch.tensor([[[0, 10], [10, 26]]] * 2)).sum(-1)
    torch.testing.assert_close(parts, whole)


def test_nothing_runs_where_the_gradient_does_not():
    """The gradient of a constant head is 0, whatever attention there is."""
    detector = model(ConvStem(8, kernel=1, layers=1, stride=1))
    before = co_attention(detector, CODES, SITES, PAIRS)
    for name, weight in detector.named_parameters():
        if "head" in name:
            torch.nn.init.zeros_(weight)
    after = co_attention(detector, CODES, SITES, PAIRS)
    assert (np.abs(before[0]) > 0).all() and (after[0] == 0).all()
    np.testing.assert_allclose(after[1], before[1])


def test_the_gradient_is_the_mean_along_the_way(monkeypatch):
    detector = model(ConvStem(8, kernel=1, layers=1, stride=1))
    whole = co_attention(detector, CODES, SITES, PAIRS)
    parts = []
    for share in FADED:
        monkeypatch.setattr("zoo.genomics.co_attention.FADED", (share,))
        parts.append(co_attention(detector, CODES, SITES, PAIRS)[0])
    np.testing.assert_allclose(whole[0], np.mean(parts, 0), rtol=1e-5)
    assert not np.allclose(parts[0], parts[1], rtol=0.05)
    with gated(detector, {layer: torch.full((1,), 0.5) for layer in attentions(detector)}):
        seen = by_hand(detector, [(list(range(3, 9)), list(range(15, 21))), (list(range(3, 9)), list(range(17, 23)))])
    assert not np.allclose(whole[1], seen, rtol=1e-3)  # raw attention is that of the model as it is
