"""Attention between binding sites: how much of the model's evidence runs from one site to another.

Axes: N sequences, S sites of a sequence (filled up with empty ones), n tokens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from zoo.attention import Between, BetweenGradient, observe
from zoo.attention.gates import gated
from zoo.attention.observe import attentions
from zoo.genomics.attribution import FADED
from zoo.genomics.batch import reverse_complement
from zoo.genomics.embed import PAD
from zoo.genomics.motifs import Sites

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

BATCH = 40_000  # bases: sequences times their length


def co_attention(
    model: PromoterDetector, codes: np.ndarray, sites: Sites, pairs: pd.DataFrame
) -> tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]:
    """(attention x gradient, raw attention) between the two sites of each pair, both directions, all layers and heads.

    codes: [N, L]; pairs: as `zoo.genomics.spacing.site_pairs` gives them. Raw attention is divided by the number of
    token pairs, so that wide sites do not win by width. Where the model reads both strands, so do the sums.
    """
    gradient, raw = np.zeros(len(pairs)), np.zeros(len(pairs))
    used = np.unique(np.concatenate([pairs.site_a, pairs.site_b])).astype(int)
    by_sequence = {int(row): used[sites.sequence[used] == row] for row in np.unique(sites.sequence[used])}
    rows = np.array(sorted(by_sequence), dtype=int)
    slot = {int(site): k for members in by_sequence.values() for k, site in enumerate(members)}
    size = max(1, BATCH // codes.shape[1])
    for at in range(0, len(rows), size):
        chunk = rows[at : at + size]
        spans = _spans(sites, [by_sequence[int(r)] for r in chunk])
        seen = _between(model, torch.from_numpy(codes[chunk]), spans)
        place = {int(r): i for i, r in enumerate(chunk)}
        mine = np.flatnonzero(np.isin(pairs.sequence, chunk))
        i = [place[r] for r in pairs.sequence.iloc[mine]]
        a, b = ([slot[s] for s in pairs[side].iloc[mine]] for side in ("site_a", "site_b"))
        for out, matrix in zip((gradient, raw), seen, strict=True):
            out[mine] = (matrix[i, a, b] + matrix[i, b, a]).numpy()
    return gradient, raw


def _spans(sites: Sites, members: list[np.ndarray]) -> Int[np.ndarray, "B S 2"]:
    """[start, end) of each sequence's sites; empty ones are [0, 0)."""
    spans = np.zeros((len(members), max(len(m) for m in members), 2), dtype=int)
    for i, m in enumerate(members):
        spans[i, : len(m)] = np.stack([sites.start[m], sites.end[m]], axis=1)
    return spans


def _between(
    model: PromoterDetector, codes: Int[Tensor, "B L"], spans: np.ndarray
) -> tuple[Float[Tensor, "B S S"], Float[Tensor, "B S S"]]:
    forward = _strand(model, codes, spans)
    if model.strands == "given":
        return forward
    lengths = (codes != PAD).sum(1).numpy()[:, None, None]
    turned = np.where(spans[:, :, 1:] > 0, lengths - spans[:, :, ::-1], 0)
    back = _strand(model, reverse_complement(codes), turned)
    return tuple((f + b) / 2 for f, b in zip(forward, back, strict=True))


def _strand(
    model: PromoterDetector, codes: Int[Tensor, "B L"], spans: np.ndarray
) -> tuple[Float[Tensor, "B S S"], Float[Tensor, "B S S"]]:
    """The gradient is the mean along the way to all attention, as in `zoo.genomics.attribution`."""
    embedded = model.embedding(codes.to(model.device))
    tokens = replace(embedded, tokens=embedded.tokens.detach().requires_grad_())
    groups = tokens.shares(torch.from_numpy(spans).to(model.device))
    prefix = model.backbone.num_prefix
    size = groups.sum(1)
    per_pair = (size[:, :, None] * size[:, None, :]).clamp_min(1e-6).cpu()
    total = torch.zeros_like(per_pair)
    for share in FADED:
        gradient, raw = BetweenGradient(groups, prefix), Between(groups, prefix)
        gates = {layer: torch.tensor([share]) for layer in attentions(model)}
        with torch.enable_grad(), observe(model, gradient, raw, layers="backbone"), gated(model, gates):
            torch.autograd.grad(model.logit_of(tokens).sum(), tokens.tokens)
        total += _over_heads(gradient) / share / len(FADED)
    return total, _over_heads(raw) / per_pair  # the last share is 1


def _over_heads(seen: Between) -> Float[Tensor, "B S S"]:
    return sum(layer.sum(1) for layer in seen.result().values()).cpu()
