"""Training the regression from attention to contacts, as ESM did on 20 proteins (Rao et al. 2021, section 3.3).

L1-regularised logistic regression on the corrected attention of all heads, over the pairs of residues at least 6 apart.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from zoo.attention import observe
from zoo.domain.errors import InputError
from zoo.proteins.esm import EsmProteins
from zoo.proteins.esm_contacts import ContactRegression, ResidueSums

SEPARATION = 6  # along the chain; closer pairs touch anyway


class PairAttention(ResidueSums):
    """A_ij + A_ji of every head, at chosen pairs of tokens of one sequence, beside the sums. pairs: [P, 2]"""

    def __init__(self, residue: Tensor, pairs: Int[Tensor, "P 2"]) -> None:
        super().__init__(residue)
        self.pairs = pairs
        self._at: dict[str, Float[Tensor, "H P"]] = {}

    def rows(self, layer: str, start: int, probabilities: Tensor, queries: int) -> None:
        super().rows(layer, start, probabilities, queries)
        if start == 0:
            self._at[layer] = probabilities.new_zeros(probabilities.shape[1], len(self.pairs))
        for query, key in (self.pairs.T, self.pairs.flip(1).T):
            here = ((query >= start) & (query < start + probabilities.shape[2])).nonzero()[:, 0]
            self._at[layer][:, here] += probabilities[0][:, query[here] - start, key[here]]

    @property
    def symmetric(self) -> Float[Tensor, "all P"]:
        return torch.cat(list(self._at.values()))


@torch.no_grad()
def contact_features(model: EsmProteins, sequence: str, pairs: Int[Tensor, "P 2"]) -> Float[Tensor, "P all"]:
    """The corrected attention of every head of every layer at pairs of residues, counted from 0.

    Only these pairs are kept: P x layers x heads numbers, never n x n of each head.
    """
    ids = model.alphabet.numbers([sequence]).to(model.language_model.table.weight.device)
    at = pairs.to(ids.device) + 1  # behind the class token
    with observe(model.language_model, seen := PairAttention(model.residues(ids), at)):
        model.language_model.encode(ids)
    r = seen.sums[0]
    product = r[:, at[:, 0]] * r[:, at[:, 1]] / r.sum(-1, keepdim=True)
    return (seen.symmetric - product).T.cpu()


def fit_contacts(
    model: EsmProteins, examples: Iterable[tuple[str, NDArray]], strength: float = 0.15, separation: int = SEPARATION
) -> ContactRegression:
    """From (sequence, contact map) pairs. A map is [L, L] of 0 and 1; NaN where a residue is unresolved.

    strength: scikit-learn's C, the inverse of the penalty. Twenty proteins of 250 residues and ESM-2 8M (120 heads)
    give 600,000 pairs, and the solver takes some 2 GB for them; both grow with the number of heads.

    Raises InputError if a map does not belong to its sequence, or if the pairs are all of one kind.
    """
    features, labels = [], []
    for i, (sequence, contacts) in enumerate(examples, start=1):
        contacts = np.asarray(contacts, dtype=float)
        if contacts.shape != (len(sequence), len(sequence)):
            raise InputError(
                f"example {i}: a sequence of {len(sequence)} residues needs a contact map of {len(sequence)} x "
                f"{len(sequence)}, got {' x '.join(map(str, contacts.shape))}"
            )
        row, column = np.triu_indices(len(sequence), separation)
        known = ~np.isnan(contacts[row, column])
        pairs = np.stack([row[known], column[known]], axis=1)
        features.append(contact_features(model, sequence, torch.from_numpy(pairs)).numpy())
        labels.append(contacts[pairs[:, 0], pairs[:, 1]] > 0.5)
    found = np.concatenate(labels) if labels else np.empty(0)
    if len(np.unique(found)) < 2:
        raise InputError(
            f"{len(found)} pairs of residues at least {separation} apart, {int(found.sum())} of them contacts: a "
            "regression needs contacts and others; give more or longer proteins"
        )
    fitted = LogisticRegression(C=strength, l1_ratio=1, solver="liblinear", random_state=0, max_iter=1000)
    fitted.fit(np.concatenate(features), found)
    blocks = model.language_model.backbone.blocks
    weight = torch.from_numpy(fitted.coef_).float().view(len(blocks), blocks[0].attention.num_heads)
    return ContactRegression(weight, torch.tensor(float(fitted.intercept_[0])))
