"""How much each base speaks for the positive class: attention x gradient, raw attention, in-silico mutagenesis.

Where a sequence is called with certainty, more attention to the site that decided it would change nothing, and may even
lower the logit: the gradient there says the opposite of what the site did. So the gradient is taken along the way
from half of all attention to all of it (Hao et al. 2021, "Self-Attention Attribution", section 3):

    sum_i A_ij 1/m sum_s dlogit/dA_ij,    each of the m gradients where all attention is faded to s A

Axes: N sequences, L bases, H heads, n tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from zoo.attention import Received, ReceivedGradient, observe
from zoo.attention.gates import gated
from zoo.attention.observe import attentions
from zoo.genomics.batch import reverse_complement
from zoo.genomics.embed import PAD

FADED = (0.5, 1.0)  # of all attention; more shares gain nothing, smaller ones miss what two sites say together

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector


@dataclass(frozen=True)
class Attention:
    """What the attention of one model says of N sequences, on the strand as written.

    score: attention x gradient per base, summed over layers and heads: the default evidence.
    raw:   attention received per base, summed likewise.
    heads: (layer, head) -> attention x gradient per base.
    """

    score: Float[Tensor, "N L"]
    raw: Float[Tensor, "N L"]
    heads: dict[tuple[str, int], Float[Tensor, "N L"]]


def attention_evidence(
    model: PromoterDetector,
    codes: Integer[Tensor, "N L"],
    batch_size: int = 256,
    faded: Sequence[float] = FADED,
) -> Attention:
    """Run `model` with its attention observed, forward and backward from the logit of the positive class.

    Attention x gradient, positive and negative, received by token j, for every head of every layer, the pooling
    attention included. faded: shares of all attention at which the gradient is taken, the last of them 1. If the model
    averages the strands, so does the evidence: the other strand's track is turned back.
    """
    parts = []
    for chunk in codes.split(batch_size):
        forward = _strand(model, chunk, faded)
        if model.strands == "both":
            lengths = (chunk != PAD).sum(1)
            back = _map(
                _strand(model, reverse_complement(chunk), faded), lambda t, lengths=lengths: _turned(t, lengths)
            )
            forward = _merge(forward, back, lambda a, b: (a + b) / 2)
        parts.append(forward)
    out = parts[0]
    for part in parts[1:]:
        out = _merge(out, part, lambda a, b: torch.cat([a, b]))
    return out


def _strand(model: PromoterDetector, codes: Integer[Tensor, "N L"], faded: Sequence[float]) -> Attention:
    seen = [_faded(model, codes, share) for share in faded]
    heads = {at: torch.stack([one.heads[at] for one in seen]).mean(0) for at in seen[-1].heads}
    return Attention(sum(heads.values()), seen[-1].raw, heads)


def _faded(model: PromoterDetector, codes: Integer[Tensor, "N L"], share: float) -> Attention:
    """What the model says while every head gives `share` times its output."""
    codes = codes.to(model.device)
    embedded = model.embedding(codes)
    tokens = replace(embedded, tokens=embedded.tokens.detach().requires_grad_())
    raw, gradient = Received(), ReceivedGradient()
    gates = {layer: torch.tensor([share]) for layer in attentions(model)}
    with torch.enable_grad(), observe(model, raw, gradient), gated(model, gates):
        torch.autograd.grad(model.logit_of(tokens).sum(), tokens.tokens)
    n, length = tokens.tokens.shape[1], codes.shape[1]

    def bases(received: Float[Tensor, "N m"]) -> Float[Tensor, "N L"]:
        return tokens.to_bases(received[:, -n:], length).cpu()  # class and register tokens stand in front

    heads = {
        (layer, head): bases(per_head[:, head]) / share  # A . dlogit/d(share A)
        for layer, per_head in gradient.result().items()
        for head in range(per_head.shape[1])
    }
    return Attention(sum(heads.values()), sum(bases(r.sum(1)) for r in raw.result().values()), heads)


def _turned(track: Float[Tensor, "N L"], lengths: Integer[Tensor, " N"]) -> Float[Tensor, "N L"]:
    place = torch.arange(track.shape[1])
    lengths = lengths[:, None].cpu()
    return track.gather(1, torch.where(place < lengths, lengths - 1 - place, place))


def _map(a: Attention, f: Callable[[Tensor], Tensor]) -> Attention:
    return Attention(f(a.score), f(a.raw), {k: f(v) for k, v in a.heads.items()})


def _merge(a: Attention, b: Attention, f: Callable[[Tensor, Tensor], Tensor]) -> Attention:
    return Attention(f(a.score, b.score), f(a.raw, b.raw), {k: f(v, b.heads[k]) for k, v in a.heads.items()})


@torch.no_grad()
def logits(model: PromoterDetector, codes: Integer[Tensor, "N L"], batch_size: int = 512) -> Float[Tensor, " N"]:
    """The model's logit for each sequence, on the CPU."""
    return torch.cat([model(chunk.to(model.device)).float().cpu() for chunk in codes.split(batch_size)])


def mutagenesis(model: PromoterDetector, codes: Integer[Tensor, "N L"]) -> Float[Tensor, "N L"]:
    """In-silico mutagenesis: how far the logit falls when a base is replaced, mean over the three other bases.

    Costs 3 x L forward passes a sequence. Unknown and padded bases score 0.
    """
    whole = logits(model, codes)
    fall = torch.zeros(codes.shape)
    for j in range(codes.shape[1]):
        known = codes[:, j] < 4
        if not known.any():
            continue
        mutants = codes[known].repeat(3, 1)
        mutants[:, j] = (mutants[:, j] + torch.arange(1, 4).repeat_interleave(int(known.sum())).to(codes.dtype)) % 4
        fall[known, j] = whole[known] - logits(model, mutants).view(3, -1).mean(0)
    return fall


def best_windows(track: Float[Tensor, "N L"], width: int, present: Bool[Tensor, "N L"]) -> Integer[Tensor, " N"]:
    """Start of the window of `width` bases around the highest peak, inside the sequence.

    The track is smoothed with a triangle of that width: a plain average would be as high with the peak at the
    window's edge as at its centre.
    """
    width = min(width, track.shape[1])
    triangle = torch.minimum(torch.arange(1, width + 1), torch.arange(width, 0, -1)).to(track)
    sums = F.conv1d(track[:, None], (triangle / triangle.sum())[None, None])[:, 0]
    inside = present.unfold(1, width, 1).all(-1)
    return sums.masked_fill(~inside, float("-inf")).argmax(1)


def coverage(starts: Iterable[int], width: int, sites: Iterable[Iterable[tuple[int, int]]]) -> float:
    """Share of sequences whose window [start, start + width) holds at least one of its sites [a, b) whole."""
    hits = [any(s <= a and b <= s + width for a, b in where) for s, where in zip(starts, sites, strict=True)]
    return sum(hits) / max(1, len(hits))
