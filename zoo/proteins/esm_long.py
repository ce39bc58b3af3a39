"""Contacts where one pass over one chain is not enough: between chains, and in chains longer than the model knows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from zoo.domain.errors import InputError
from zoo.proteins.esm import EsmProteins
from zoo.proteins.esm_contacts import contact_maps

LINKER = "G" * 25  # long enough that two chains are not read as one fold's neighbours
WINDOW = 1022  # residues that ESM models were trained on, with two tokens around them


def chain_contacts(
    model: EsmProteins, chains: Sequence[str], linker: str = LINKER
) -> list[list[Float[Tensor, "La Lb"]]]:
    """The probability of each residue of chain a to touch each of chain b, at [a][b]; [a][a] is within a chain.

    The chains are read as one, joined by a flexible linker, which is no residue afterwards: neither its rows nor what
    the average product correction would take from them.
    """
    if model.regression is None:
        model.contacts(chains[:1])  # says what to do
    model.alphabet.numbers(chains)  # refuses an empty chain
    ids = model.alphabet.numbers([linker.join(chains)]).to(model.language_model.table.weight.device)
    ends = list(itertools.accumulate(len(chain) + len(linker) for chain in chains))
    places = [
        range(end - len(linker) - len(chain) + 1, end - len(linker) + 1)
        for chain, end in zip(chains, ends, strict=True)
    ]
    residue = torch.zeros_like(ids, dtype=torch.bool)
    residue[0, [i for place in places for i in place]] = True
    (whole,) = contact_maps(model.language_model, ids, residue, model.regression).cpu()
    return [[whole[a.start : a.stop, b.start : b.stop] for b in places] for a in places]


def tiled_contacts(
    model: EsmProteins, sequence: str, window: int = WINDOW, overlap: int | None = None
) -> Float[Tensor, "L L"]:
    """Of a sequence of any length: the mean over windows, each of which shares `overlap` residues with the next (half
    a window if nothing is said). NaN where two residues are in no window together: nobody has looked.
    """
    overlap = window // 2 if overlap is None else overlap
    if not 0 <= overlap < window:
        raise InputError(f"overlap={overlap} must be at least 0 and less than window={window}")
    length = len(sequence)
    last = max(0, length - window)
    starts = [*range(0, last, window - overlap), last]
    total, count = torch.zeros(length, length), torch.zeros(length, length)
    for start in starts:
        tile = slice(start, start + window)
        total[tile, tile] += model.contacts([sequence[tile]])[0]
        count[tile, tile] += 1
    return total / count
