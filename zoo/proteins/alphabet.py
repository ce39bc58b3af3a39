"""Twenty residues and the gap as small numbers.

Letters that say less than a residue (X, B, Z, J) count as gaps; selenocysteine U reads as C, pyrrolysine O as K.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

LETTERS = "ACDEFGHIKLMNPQRSTVWY-"
RESIDUES = 20  # codes below are residues
GAP = 20

_CODE = np.full(256, 255, dtype=np.uint8)
for _code, _letter in enumerate(LETTERS):
    _CODE[ord(_letter)] = _code
for _letter, _same in {"X": "-", "B": "-", "Z": "-", "J": "-", ".": "-", "*": "-", "U": "C", "O": "K"}.items():
    _CODE[ord(_letter)] = LETTERS.index(_same)


def encode(text: str) -> UInt8[np.ndarray, " L"]:
    """Codes of upper-case letters; 255 where a letter is of no residue."""
    return _CODE[np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8)]


def decode(codes: UInt8[np.ndarray, " L"]) -> str:
    return "".join(LETTERS[code] for code in codes)
