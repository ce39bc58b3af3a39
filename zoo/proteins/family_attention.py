"""Attention trained on one alignment: places are queries and keys, residues are values (factored attention).

    W_ij(a, b) = sum_h A_h[i, j] V_h[a, b]        A_h = softmax_j(q_hi . k_j / sqrt(L)),  j != i
    J_ij(a, b) = (W_ij(a, b) + W_ji(b, a)) / 2
    logit of residue a in column i = h_i(a) + sum_j J_ij(a, x_j)

(Bhattacharya et al. 2022, "Interpreting Potts and Transformer protein models through the lens of simplified
attention", section 2.3; Caredda & Pagnani 2025, eq. 3). Where attention goes depends on the place alone, and the heads'
value matrices are shared by all pairs of columns: a Potts model whose couplings are of no more kinds than values. With
the 512 heads of `FamilySettings` that is no small model: 512 L^2 attention logits and 256 matrices, beside the 200 L^2
couplings of Potts.

Four things are ours. A pair of columns is coupled alike in both directions. Keys are the places themselves, one-hot and
long (`reach`), so that a step moves attention as readily as values. Heads come in pairs that say the opposite, V and
-V: at first all look everywhere, and nothing is said. And values start as the leading kinds of coupling of the
mean-field model of the same alignment.

Attention is linear in its values, so the heads' maps are made once (the shared `Attend`, with one value for each
place), and all sequences pass through the couplings that they imply.

Axes: H heads, K = H / 2 pairs of heads, L columns, q = 20 residues, n sequences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from zoo.attention import Attend, SelfExcluding
from zoo.proteins.alphabet import RESIDUES
from zoo.proteins.couplings import apc, contact_scores, zero_sum
from zoo.proteins.frequencies import frequencies
from zoo.proteins.meanfield import meanfield_couplings
from zoo.proteins.potts import BLOCK, check_length
from zoo.proteins.pseudolikelihood import Observed, column_fields, loss

MOST_QUERIES = 1 << 23  # numbers in all heads' queries; a long alignment has fewer heads
MEMORY = 5  # steps that L-BFGS remembers


@dataclass(frozen=True)
class FamilySettings:
    """heads: an even number. steps: of L-BFGS. pair: L2 on the implied couplings, as in `zoo.proteins.potts`. reach:
    length of the keys. size: norm of a head's values at the start. most: sequences that are trained on, drawn without
    replacement where there are more.

    Chosen in some thirty trials, most of them on PF00041, the last on PF00041, PF00691 and PF01833 (tuning families
    all). There the mean long-range P@L is .452; Potts has .474, mean field .442. With 256 heads it is .437, after 40
    steps .432, and .422 where couplings are of one direction alone (.382 of them at pair = .05). On all six tuning
    families it is .415, beside .425 and .407.
    """

    heads: int = 512
    steps: int = 20
    pair: float = 0.2
    reach: float = 30.0
    size: float = 20.0
    most: int = 4000
    seed: int = 0


class FamilyAttention(nn.Module):
    """fields: where h_i(a) starts, the log frequencies of the columns. kinds: where the values of the first head of
    each pair start; the second's are their opposite, always. reach: length of the keys."""

    def __init__(self, fields: Float[Tensor, "L q"], kinds: Float[Tensor, "K q q"], reach: float = 30.0):
        super().__init__()
        length = len(fields)
        self.query = nn.Parameter(torch.zeros(1, 2 * len(kinds), length, length))
        self.said = nn.Parameter(kinds.clone())
        self.fields = nn.Parameter(fields.clone())
        self.reach = reach
        self.attend = Attend()

    @property
    def values(self) -> Float[Tensor, "H q q"]:
        return torch.cat([self.said, -self.said])

    @property
    def key(self) -> Float[Tensor, "1 H L L"]:
        """The places, one-hot, as long as makes q . k / sqrt(L) = reach q."""
        length = len(self.fields)
        return (torch.eye(length) * self.reach * length**0.5).expand_as(self.query)

    def attention(self) -> Float[Tensor, "H L L"]:
        """A_h: each place's value is a number of its own, so what a query receives is its row."""
        places = torch.eye(len(self.fields)).expand_as(self.query)
        return self.attend(self.query, self.key, places, SelfExcluding())[0]

    def coupling(self, attention: Float[Tensor, "H L L"]) -> Float[Tensor, "qL Lq"]:
        """J[(a, i), (j, b)]: in the one order of axes that both products leave and take without a copy."""
        length, states = attention.shape[1], self.said.shape[1]
        first, second = attention.flatten(1).chunk(2)
        pairs = (first - second).mT
        blocks = torch.stack([pairs @ from_state for from_state in self.said.unbind(1)])
        one_way = blocks.view(states * length, length * states)
        return (one_way + blocks.view(states, length, length, states).permute(3, 2, 1, 0).reshape_as(one_way)) / 2

    def forward(self, residues: Float[Tensor, "n L q"]) -> Float[Tensor, "n L q"]:
        return self.logits(residues, self.coupling(self.attention()))

    def logits(self, residues: Float[Tensor, "n L q"], coupling: Float[Tensor, "qL Lq"]) -> Float[Tensor, "n L q"]:
        said = residues.flatten(1) @ coupling.mT
        return self.fields + said.view(len(residues), residues.shape[2], residues.shape[1]).mT


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
    length = codes.shape[1]
    check_length(length)
    number = max(1, min(settings.heads, MOST_QUERIES // length**2) // 2)
    kinds = kinds_of_coupling(codes, weights, number) * settings.size
    seen = Observed.of(*_drawn(codes, weights, settings))
    with torch.inference_mode(False), torch.enable_grad():  # it may be asked for while another model only predicts
        model = FamilyAttention(column_fields(seen), torch.from_numpy(kinds).float(), settings.reach)
        return _fitted(model, seen, settings)


def kinds_of_coupling(
    codes: UInt8[np.ndarray, "N L"], weights: Float[np.ndarray, " N"], number: int
) -> Float[np.ndarray, "K q q"]:
    """Which residues go with which: the leading directions, of norm 1, of all pairs' mean-field couplings."""
    length = codes.shape[1]
    coupling = zero_sum(meanfield_couplings(frequencies(codes, weights))[:, :RESIDUES, :, :RESIDUES])
    pairs = coupling.transpose(0, 2, 1, 3)[~np.eye(length, dtype=bool)].reshape(-1, RESIDUES**2)
    vectors = np.linalg.eigh(pairs.T @ pairs)[1]
    return vectors[:, ::-1][:, :number].T.reshape(-1, RESIDUES, RESIDUES)


def _drawn(codes: np.ndarray, weights: np.ndarray, settings: FamilySettings) -> tuple[np.ndarray, np.ndarray]:
    if len(codes) <= settings.most:
        return codes, weights
    rows = np.random.default_rng(settings.seed).permutation(len(codes))[: settings.most]
    return codes[rows], weights[rows]


def _fitted(model: FamilyAttention, seen: Observed, settings: FamilySettings) -> FamilyAttention:
    """By L-BFGS on all sequences; the couplings are made once a step, and their gradient gathered over blocks."""
    penalty = settings.pair * (len(model.fields) - 1) / 2
    blocks = torch.arange(len(seen.codes)).split(BLOCK)
    optimiser = torch.optim.LBFGS(
        model.parameters(), max_iter=settings.steps, history_size=MEMORY, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimiser.zero_grad()
        coupling = model.coupling(model.attention())
        alone = coupling.detach().requires_grad_()
        total = penalty * alone.square().sum()
        for block in blocks:
            total = total + loss(model.logits(seen.residues[block], alone), seen.rows(block))
        total = total / seen.effective_depth
        total.backward()
        coupling.backward(alone.grad)
        for parameter in model.parameters():  # torch's L-BFGS takes no transposed gradient
            parameter.grad = parameter.grad.contiguous()
        return total.detach()

    optimiser.step(objective)
    return model.eval()


@torch.no_grad()
def family_maps(model: FamilyAttention) -> FamilyMaps:
    """The maps of a trained model."""
    length = len(model.fields)
    heads = model.attention()
    coupling = model.coupling(heads).double().view(-1, length, length, model.said.shape[1]).transpose(0, 1).numpy()
    attention = heads.double().numpy()
    mean = apc((attention + attention.transpose(0, 2, 1)).mean(0))
    gain = model.values.double().flatten(1).norm(dim=1).numpy()
    return FamilyMaps(coupling, contact_scores(coupling), mean, attention, gain)
