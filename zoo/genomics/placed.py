"""Sites of motifs that keep a place in anchored sequences: a weak word counts where it belongs.

A box of six loose bases is found by chance in every second promoter, but hardly ever ten bases before its start. Where
the sites that a motif was made of keep to a short stretch, sites are sought there alone, at a p-value that such a
stretch allows; a motif without a place is sought everywhere, at a stricter one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from zoo.genomics.motifs import Motif, Sites
from zoo.genomics.scan import CHANCE, scan, site_threshold

SHARE = 0.5  # of the sites must lie in the stretch
LONGEST = 0.2  # of the sequence; a longer stretch is no place
MARGIN = 2  # bases on either side
IN_COMPANY = 0.2  # sites that a random sequence may hold in the stretch, where a partner must stand beside them
MIN_SITES = 30  # of fewer, half lie in some short stretch by chance


def usual_place(starts: Int[np.ndarray, " n"], length: int) -> tuple[int, int] | None:
    """[first, last) start of the shortest stretch that holds half of the sites, and a margin; None if that is long, or
    the sites are too few to tell."""
    if len(starts) < MIN_SITES:
        return None
    ordered = np.sort(starts)
    held = max(1, int(np.ceil(SHARE * len(ordered))))
    spans = ordered[held - 1 :] - ordered[: len(ordered) - held + 1]
    best = int(spans.argmin())
    if spans[best] + 1 > LONGEST * length:
        return None
    return int(ordered[best]) - MARGIN, int(ordered[best + held - 1]) + MARGIN + 1


def sites_in_place(
    motifs: Sequence[Motif],
    places: Sequence[tuple[int, int] | None],
    codes: UInt8[np.ndarray, "n length"],
    background: Float[np.ndarray, " 4"],
    length: float,
    stranded: bool,
    chance: float = CHANCE,
) -> Sites:
    """The sites of each motif: in its place where it has one, anywhere else.

    length: mean of the sequences, bases. chance: how many sites a random sequence may hold in a motif's place.
    """
    parts = []
    for motif, place in zip(motifs, places, strict=True):
        if place is None:
            parts.append(scan([motif], codes, background, site_threshold(length, stranded), stranded))
        else:
            threshold = site_threshold(place[1] - place[0], stranded, chance)
            sites = scan([motif], codes, background, threshold, stranded)
            parts.append(sites[(sites.start >= place[0]) & (sites.start < place[1])])
    return Sites.concatenate(parts)
