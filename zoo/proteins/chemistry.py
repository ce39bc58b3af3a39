"""What residues are like, and which likenesses two columns look for in each other.

How strongly two columns depend on each other is one number of a coupling; its 400 say how, too. In contacts opposite
charges attract, large residues go with small ones, greasy ones with greasy ones. Axes: L columns, S scales, M maps.
"""

from __future__ import annotations

import numpy as np
from Bio.SeqUtils.ProtParamData import kd as HYDROPATHY  # Kyte & Doolittle 1982
from jaxtyping import Float

from zoo.proteins.alphabet import LETTERS, RESIDUES
from zoo.proteins.couplings import zero_sum

LETTER = LETTERS[:RESIDUES]
VOLUME = dict(zip("ARNDCQEGHILKMFPSTWYV", (  # cubic Angstrom, Zamyatnin 1972
    88.6, 173.4, 114.1, 111.1, 108.5, 143.8, 138.4, 60.1, 153.2, 166.7,
    166.7, 168.6, 162.9, 189.9, 112.7, 89.0, 116.1, 227.8, 193.6, 140.0,
), strict=True))  # fmt: skip
HELIX = dict(zip("ARNDCQEGHILKMFPSTWYV", (  # Chou & Fasman 1978
    1.42, 0.98, 0.67, 1.01, 0.70, 1.11, 1.51, 0.57, 1.00, 1.08,
    1.21, 1.16, 1.45, 1.13, 0.57, 0.77, 0.83, 1.08, 0.69, 1.06,
), strict=True))  # fmt: skip
SHEET = dict(zip("ARNDCQEGHILKMFPSTWYV", (  # the same
    0.83, 0.93, 0.89, 0.54, 1.19, 1.10, 0.37, 0.75, 0.87, 1.60,
    1.30, 0.74, 1.05, 1.38, 0.55, 0.75, 1.19, 1.37, 1.47, 1.70,
), strict=True))  # fmt: skip
CHARGE = dict.fromkeys(LETTER, 0.0) | {"K": 1.0, "R": 1.0, "H": 0.3, "D": -1.0, "E": -1.0}  # at pH 7, H in part


def _standard(of_letter: dict[str, float]) -> Float[np.ndarray, " 20"]:
    values = np.array([of_letter[letter] for letter in LETTER])
    return (values - values.mean()) / values.std()


_KINDS = {"hydropathy": HYDROPATHY, "volume": VOLUME, "helix": HELIX, "sheet": SHEET, "charge": CHARGE}
SCALES = {name: _standard(kind) for name, kind in _KINDS.items()}
SINGLED_OUT = "GPC"  # what turns the chain, and what is bridged
COMPOSITION = (*SCALES, *SINGLED_OUT)
LIKENESSES = (
    ("hydropathy", "hydropathy"), ("volume", "volume"), ("charge", "charge"), ("sheet", "sheet"),
    ("hydropathy", "volume"), ("hydropathy", "charge"), ("helix", "helix"),
)  # fmt: skip


def composition(single: Float[np.ndarray, "L q"]) -> Float[np.ndarray, "L S"]:
    """Of each column, the mean of each scale over its residues and the shares of glycine, proline and cysteine."""
    residues = single[:, :RESIDUES] / np.maximum(single[:, :RESIDUES].sum(1, keepdims=True), 1e-9)
    return np.column_stack([*(residues @ scale for scale in SCALES.values()),
                            *(residues[:, LETTER.index(letter)] for letter in SINGLED_OUT)])  # fmt: skip


def likeness_maps(coupling: Float[np.ndarray, "L q L q"]) -> Float[np.ndarray, "M L L"]:
    """s^T J_ij t + t^T J_ij s of the couplings in the zero-sum gauge, for each two scales s, t of `LIKENESSES`:
    positive where a residue with much of the one favours a residue with much of the other."""
    residues = zero_sum((coupling + coupling.transpose(2, 3, 0, 1)) / 2)[:, :RESIDUES, :, :RESIDUES]
    maps = []
    for s, t in LIKENESSES:
        one = np.einsum("a,iajb,b->ij", SCALES[s], residues, SCALES[t], optimize=True)
        maps.append(one + one.T)
    return np.stack(maps)
