"""Contacts from the attention of a protein language model (Rao et al. 2021, section 3.3), in one pass.

With A_h the attention of head h between residues, S_h = A_h + A_h^T its symmetric part, r_h the row sums of S_h and
t_h their sum, the average product correction (Dunn et al. 2008) of a head is S_h - r_h r_h^T / t_h, and the logit of a
pair is a weighted sum over all heads of all layers:

    logit = b + sum_h w_h (S_h - r_h r_h^T / t_h) = b + W + W^T - sum_h (w_h / t_h) r_h r_h^T,    W = sum_h w_h A_h

So W and the sums are all that is kept of blocks of attention that stream by: n^2 + 2 layers heads n numbers for a
sequence, where the maps of all heads would be layers heads n^2 (ESM-2 650M, 1,000 residues: 9 MB against 2.6 GB).

Axes: B batch, H heads of one layer, n tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from safetensors.torch import save_file
from torch import Tensor

from zoo.attention import Observer, observe
from zoo.attention.esm import PREFIX
from zoo.attention.masked_lm import MaskedLM
from zoo.attention.pretrained import Checkpoint, WeightsError

WEIGHT, BIAS = "contact_head.regression.weight", "contact_head.regression.bias"


@dataclass(frozen=True)
class ContactRegression:
    """weight: of each head of each layer. bias: one number."""

    weight: Float[Tensor, "layers H"]
    bias: Float[Tensor, ""]

    @classmethod
    def of(cls, checkpoint: Checkpoint, layers: int, heads: int) -> ContactRegression | None:
        """The one in a checkpoint, if there is one."""
        weights = checkpoint.without_prefix(PREFIX)
        if WEIGHT not in weights or BIAS not in weights:
            return None
        weight = weights[WEIGHT].float()
        if weight.numel() != layers * heads:
            raise WeightsError(
                f"{checkpoint.source}: its contact regression is over {weight.numel()} heads, "
                f"the model has {layers} x {heads}"
            )
        return cls(weight.view(layers, heads), weights[BIAS].float().reshape(()))

    def save(self, file: str | Path) -> None:
        """As .safetensors, under the names that ESM checkpoints have."""
        save_file({WEIGHT: self.weight.reshape(1, -1).contiguous(), BIAS: self.bias.reshape(1)}, file)


class ResidueSums(Observer):
    """What every head gives and gets between residues, summed: r_h of all layers.

    residue: which tokens are residues, [B, n].
    """

    def __init__(self, residue: Bool[Tensor, "B n"]) -> None:
        self.residue = residue.float()
        self._sums: dict[str, Float[Tensor, "B H n"]] = {}

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        rows = slice(start, start + probabilities.shape[2])
        if start == 0:
            b, h, _, n = probabilities.shape
            self._sums[layer] = probabilities.new_zeros(b, h, n)
        sums, residue = self._sums[layer], self.residue.to(probabilities)
        sums[:, :, rows] += torch.einsum("bhqn,bn->bhq", probabilities, residue)
        sums += torch.einsum("bhqn,bq->bhn", probabilities, residue[:, rows])

    @property
    def sums(self) -> Float[Tensor, "B all n"]:
        """r_h, of all layers' heads one after the other."""
        return torch.cat(list(self._sums.values()), dim=1) * self.residue[:, None]


class WeightedMap(ResidueSums):
    """W: the weighted sum of all heads' maps. weight: of each head of each layer, in the order in which they run."""

    def __init__(self, residue: Bool[Tensor, "B n"], weight: Float[Tensor, "layers H"]) -> None:
        super().__init__(residue)
        self.weight = weight
        self.map = weight.new_zeros(len(residue), residue.shape[1], residue.shape[1])

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        super().rows(layer, start, probabilities, queries)
        weight = self.weight[list(self._sums).index(layer)]
        block = self.map[:, start : start + probabilities.shape[2]]
        block += torch.einsum("h,bhqn->bqn", weight.to(probabilities), probabilities).to(self.map)


@torch.no_grad()
def contact_maps(
    model: MaskedLM, ids: Int[Tensor, "B n"], residue: Bool[Tensor, "B n"], regression: ContactRegression
) -> Float[Tensor, "B n n"]:
    """The probability of a contact, meaningful where both tokens are residues. `model` in eval mode."""
    kind = model.table.weight
    weight = regression.weight.to(kind.device, torch.promote_types(kind.dtype, torch.float32))
    with observe(model, seen := WeightedMap(residue, weight)):
        model.encode(ids)
    r = seen.sums
    share = weight.flatten()[:, None] / r.sum(-1, keepdim=True)
    correction = (r * share).mT @ r
    return (seen.map + seen.map.mT - correction + regression.bias.to(weight)).sigmoid()
