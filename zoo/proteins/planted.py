"""Families whose answer is known: a fold is made, and an alignment is drawn from a Potts model on its contacts.

    p(x) ~ exp( sum_i h_i(x_i) + sum_{i<j in contact} J_ij(x_i, x_j) )

The fold is a sheet: strands side by side, in an order that is not the chain's, joined by turns that bulge out. Residues
of neighbouring strands touch (4.8 A across, 3.3 A along). Sequences are drawn by Gibbs sampling, each with a chain of
its own, so there is no family tree: what makes real families harder is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from zoo.domain.errors import InputError
from zoo.proteins.alignment import Alignment
from zoo.proteins.alphabet import RESIDUES
from zoo.proteins.contacts import Native, native
from zoo.proteins.structure import Chain

ACROSS, ALONG = 4.8, 3.3  # Angstrom, between strands and between residues of a strand
BULGE = 14.0  # Angstrom, from a strand's end to the top of a turn
LEAST_SEPARATION = 3  # nearer pairs touch because they are bonded; they are not coupled


@dataclass(frozen=True, eq=False)
class Planted:
    """coupling: J_ij(a, b) of the model, zero away from contacts. fields: h_i(a)."""

    alignment: Alignment
    native: Native
    fields: Float[np.ndarray, "L q"]
    coupling: Float[np.ndarray, "L q L q"]


def plant(
    depth: int = 2500,
    order: tuple[int, ...] = (0, 2, 4, 1, 3, 5),
    strand: int = 10,
    turn: int = 3,
    coupling: float = 0.6,
    sweeps: int = 40,
    seed: int = 0,
) -> Planted:
    """order: the strands, numbered along the chain, as they lie in the sheet. strand, turn: residues in each.

    coupling: standard deviation of the couplings of a contact. sweeps: of the Gibbs sampler, from a random start.
    """
    if depth < 2 or strand < 2 or turn < 1 or sweeps < 1:
        raise InputError(
            f"depth={depth}, strand={strand}, turn={turn}, sweeps={sweeps}: at least 2, 2, 1 and 1 are needed"
        )
    if sorted(order) != list(range(len(order))):
        raise InputError(f"order={order}: expected each of the strands 0 to {len(order) - 1} once")
    draw = np.random.default_rng(seed)
    beta = sheet(order, strand, turn)
    chain = Chain(f"planted_{seed}", "A" * len(beta), tuple(str(i + 1) for i in range(len(beta))), beta)
    truth = native(chain)
    touching = truth.contact & (truth.separation >= LEAST_SEPARATION)
    fields = draw.normal(0, 0.5, (len(beta), RESIDUES))
    couplings = _couplings(touching, coupling, draw)
    codes = gibbs(fields, couplings, touching, depth, sweeps, draw)
    names = tuple(f"planted {i + 1}" for i in range(depth))
    return Planted(Alignment.of(names, codes), truth, fields, couplings)


def plant_family(depth: int, seed: int, strands: int = 6) -> Planted:
    """A family with a fold of its own: the strands in an order drawn at random."""
    order = np.random.default_rng([seed, 1]).permutation(strands)
    return plant(depth=depth, order=tuple(int(s) for s in order), seed=seed)


def sheet(order: tuple[int, ...], strand: int, turn: int) -> Float[np.ndarray, "L 3"]:
    """C-betas: x across the sheet, y along the strands, z away from it (turns alone)."""
    beside = {which: place for place, which in enumerate(order)}
    parts = []
    height = (strand - 1) * ALONG
    for s in range(len(order)):
        y = np.arange(strand) * ALONG
        y = y if s % 2 == 0 else height - y
        parts.append(np.stack([np.full(strand, beside[s] * ACROSS), y, np.zeros(strand)], 1))
        if s + 1 < len(order):
            way = (np.arange(turn) + 1) / (turn + 1)
            x = (beside[s] + way * (beside[s + 1] - beside[s])) * ACROSS
            end = height if s % 2 == 0 else 0.0
            out = BULGE * np.sin(np.pi * way) * (1 if s % 2 == 0 else -1)
            # each turn at a height of its own, or turns would touch where they cross
            parts.append(np.stack([x, end + out, np.sin(np.pi * way) * 9.0 * (s + 1)], 1))
    return np.concatenate(parts)


def _couplings(touching: np.ndarray, size: float, draw: np.random.Generator) -> Float[np.ndarray, "L q L q"]:
    length = len(touching)
    coupling = np.zeros((length, RESIDUES, length, RESIDUES))
    for i, j in np.argwhere(np.triu(touching)):
        block = draw.normal(0, size, (RESIDUES, RESIDUES))
        block = block - block.mean(0) - block.mean(1, keepdims=True) + block.mean()
        coupling[i, :, j, :] = block
        coupling[j, :, i, :] = block.T
    return coupling


def gibbs(
    fields: Float[np.ndarray, "L q"],
    coupling: Float[np.ndarray, "L q L q"],
    touching: np.ndarray,
    depth: int,
    sweeps: int,
    draw: np.random.Generator,
) -> UInt8[np.ndarray, "N L"]:
    """One state of each of `depth` independent chains after `sweeps` passes over all sites."""
    length, states = fields.shape
    codes: Int[np.ndarray, "L N"] = draw.integers(0, states, (length, depth))
    neighbours = [np.flatnonzero(row) for row in touching]
    for _ in range(sweeps):
        for i in draw.permutation(length):
            logit = np.repeat(fields[i][:, None], depth, 1)
            for j in neighbours[i]:
                logit += coupling[i, :, j, :][:, codes[j]]
            # the largest of logit + Gumbel noise is a draw from the softmax
            codes[i] = (logit + draw.gumbel(size=logit.shape)).argmax(0)
    return codes.T.astype(np.uint8)


def shuffled_columns(alignment: Alignment, seed: int = 0) -> Alignment:
    """The control: each column's residues dealt out anew, so that every column is as it was and no two are coupled."""
    draw = np.random.default_rng(seed)
    return Alignment(alignment.names, draw.permuted(alignment.codes, axis=0), alignment.kept)
