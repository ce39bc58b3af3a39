"""Attention trained on one alignment: places are queries and keys, residues are values (factored attention).

    W_ij(a, b) = sum_h A_h[i, j] V_h[a, b]        A_h = softmax_j(q_hi . k_hj / sqrt(d)),  j != i
    logit of residue a in column i = h_i(a) + sum_j W_ij(a, x_j)

(Bhattacharya et al. 2022, "Interpreting Potts and Transformer protein models through the lens of simplified
attention", section 2.3; Caredda & Pagnani 2025, eq. 3). Where attention goes depends on the place alone, and the heads'
value matrices are shared by all pairs of columns: a Potts model whose couplings are of few kinds.

Attention is linear in its values, so the heads' maps are made once (the shared `Attend`, with one value for each
place), and all sequences pass through the couplings that they imply.

Axes: H heads, L columns, d head width, q = 20 residues, n sequences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from zoo.attention import Attend, SelfExcluding
from zoo.proteins.couplings import apc, contact_scores
from zoo.proteins.frequencies import frequencies
from zoo.proteins.meanfield import information_scores
from zoo.proteins.potts import check_length
from zoo.proteins.pseudolikelihood import Observed, column_fields, loss


@dataclass(frozen=True)
class FamilySettings:
    """heads, width (d): of the attention. steps, batch, learning_rate: of Adam, cosine to zero; batches are drawn by
    weight. pair: L2 on the implied couplings, per column and effective sequence as in `zoo.proteins.potts`, but ten
    times as strong. noise: how far heads start from each other, in logits.

    First values, from a dozen trials on PF01833 and one look at PF00041 and PF00076 (tuning families all); not yet
    tuned: P@L .42 on PF00041 and .44 on PF00076, where mean field has .46 and .47.
    """

    heads: int = 32
    width: int = 32
    steps: int = 100
    batch: int = 256
    learning_rate: float = 0.01
    pair: float = 2.0
    noise: float = 0.3
    seed: int = 0


class FamilyAttention(nn.Module):
    """fields: where h_i(a) starts, the log frequencies of the columns. noise: spread of the first queries and keys."""

    def __init__(
        self,
        fields: Float[Tensor, "L q"],
        heads: int,
        width: int,
        noise: float = 1.0,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        length, states = fields.shape

        def normal(*shape: int, scale: float) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) * scale)

        self.query = normal(1, heads, length, width, scale=noise)
        self.key = normal(1, heads, length, width, scale=noise)
        self.values = normal(heads, states, states, scale=0.02)
        self.fields = nn.Parameter(fields.clone())
        self.attend = Attend()

    @torch.no_grad()
    def look_along(self, logits: Float[np.ndarray, "L L"]) -> None:
        """Adds to every head's queries and keys what makes q . k / sqrt(d) the best approximation of rank d of a
        symmetric map of logits: (u_r |s_r|^.5) . (sign(s_r) u_r |s_r|^.5) over the d largest |s_r|."""
        width = self.query.shape[-1]
        value, vector = np.linalg.eigh(logits * width**0.5)
        largest = np.argsort(-np.abs(value))[:width]
        query = torch.from_numpy(vector[:, largest] * np.abs(value[largest]) ** 0.5).float()
        self.query[..., : len(largest)] += query
        self.key[..., : len(largest)] += query * torch.from_numpy(np.sign(value[largest])).float()

    def attention(self) -> Float[Tensor, "H L L"]:
        """A_h: each place's value is a number of its own, so what a query receives is its row."""
        heads, length = self.query.shape[1:3]
        places = torch.eye(length).expand(1, heads, length, length)
        return self.attend(self.query, self.key, places, SelfExcluding())[0]

    def coupling(self, attention: Float[Tensor, "H L L"]) -> Float[Tensor, "qL Lq"]:
        """W[(a, i), (j, b)]: in the one order of axes that both products leave and take without a copy."""
        length, states = attention.shape[1], self.values.shape[1]
        pairs = attention.flatten(1).mT
        blocks = torch.stack([pairs @ from_state for from_state in self.values.unbind(1)])
        return blocks.view(states * length, length * states)

    def forward(self, residues: Float[Tensor, "n L q"]) -> Float[Tensor, "n L q"]:
        return self.logits(residues, self.attention())

    def logits(self, residues: Float[Tensor, "n L q"], attention: Float[Tensor, "H L L"]) -> Float[Tensor, "n L q"]:
        coupling = self.coupling(attention)
        said = residues.flatten(1) @ coupling.mT
        return self.fields + said.view(len(residues), residues.shape[2], residues.shape[1]).mT

    def size(self, attention: Float[Tensor, "H L L"]) -> Float[Tensor, ""]:
        """|W|^2 without W: sum_hg (A_h . A_g)(V_h . V_g)."""
        attention, values = attention.flatten(1), self.values.flatten(1)
        return ((attention @ attention.mT) * (values @ values.mT)).sum()


@dataclass(frozen=True, eq=False)
class FamilyMaps:
    """What a trained family attention says.

    scores: strength of the implied couplings with APC, the map that is ranked. mean_attention: over heads, both
    directions, with APC. attention: the heads. gain: norm of each head's values, how much it says.
    """

    coupling: Float[np.ndarray, "L q L q"]
    scores: Float[np.ndarray, "L L"]
    mean_attention: Float[np.ndarray, "L L"]
    attention: Float[np.ndarray, "H L L"]
    gain: Float[np.ndarray, " H"]

    def head_scores(self) -> Float[np.ndarray, "H L L"]:
        """Each head's map alone, both directions, with APC."""
        return np.stack([apc(a + a.T) for a in self.attention])


def train_family_attention(
    codes: UInt8[np.ndarray, "N L"], weights: Float[np.ndarray, " N"], settings: FamilySettings = FamilySettings()
) -> FamilyAttention:
    """Fitted by pseudo-likelihood: every residue is predicted from the others of its sequence, its own hidden."""
    check_length(codes.shape[1])
    with torch.inference_mode(False), torch.enable_grad():  # it may be asked for while another model only predicts
        return _fitted(codes, weights, settings)


def shared_information(codes: UInt8[np.ndarray, "N L"], weights: Float[np.ndarray, " N"]) -> Float[np.ndarray, "L L"]:
    """Where attention starts: mutual information with APC, in deviations, clipped to [-2, 6].

    From random queries and keys the attention is flat, and its values fit what all pairs of columns have in common: on
    PF01833 long-range P@L was .17 after 50 steps and .30 after 300 (at pair = .2), where this start alone has .36.
    """
    score = information_scores(frequencies(codes, weights))
    apart = ~np.eye(len(score), dtype=bool)
    return np.where(apart, ((score - score[apart].mean()) / (score[apart].std() or 1.0)).clip(-2, 6), 0.0)


def _fitted(codes: np.ndarray, weights: np.ndarray, settings: FamilySettings) -> FamilyAttention:
    generator = torch.Generator().manual_seed(settings.seed)
    seen = Observed.of(codes, weights)
    model = FamilyAttention(column_fields(seen), settings.heads, settings.width, settings.noise, generator)
    model.look_along(shared_information(codes, weights))
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.steps)
    penalty = settings.pair * (codes.shape[1] - 1) / 2 / seen.effective_depth
    for _ in range(settings.steps):
        batch = _drawn(seen, settings.batch, generator)
        attention = model.attention()
        value = loss(model.logits(batch.residues, attention), batch) + penalty * model.size(attention)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def _drawn(seen: Observed, size: int, generator: torch.Generator) -> Observed:
    """`size` sequences by weight, or all of them where they are no more; the weights sum to 1."""
    if len(seen.codes) <= size:
        return Observed(seen.residues, seen.codes, seen.weight / seen.weight.sum())
    rows = torch.multinomial(seen.weight, size, replacement=True, generator=generator)
    return Observed(seen.residues[rows], seen.codes[rows], torch.full((size,), 1 / size))


@torch.no_grad()
def family_maps(model: FamilyAttention) -> FamilyMaps:
    """The maps of a trained model."""
    length = model.fields.shape[0]
    heads = model.attention()
    one_way = model.coupling(heads).double().view(-1, length, length, model.values.shape[1]).transpose(0, 1).numpy()
    coupling = (one_way + one_way.transpose(2, 3, 0, 1)) / 2  # both directions tell of the same contact
    attention = heads.double().numpy()
    mean = apc((attention + attention.transpose(0, 2, 1)).mean(0))
    gain = model.values.double().flatten(1).norm(dim=1).numpy()
    return FamilyMaps(coupling, contact_scores(coupling), mean, attention, gain)
