"""Which motifs are one, how they lie on each other, and the motif that comes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from zoo.genomics.enrichment import Enrichment
from zoo.genomics.jaspar import MIN_BITS
from zoo.genomics.motifs import (
    HALF_SITE_BITS,
    LOOSE_GAP,
    UNKNOWN,
    Motif,
    Sites,
    bits_against,
    core_span,
    informative_span,
    spell,
)
from zoo.genomics.refine import LOCAL_FDR, MIN_COLUMN_BITS, Candidate
from zoo.genomics.scan import gridded, score_tail
from zoo.genomics.windows import BestSites, Windows, column_counts

WORTH = 0.5  # bits of a column that is worth having; a partner's blur, spread over its spacings, has less
NEAR_HALF_SITE_BITS = 3.0  # of a half-site no further off than the spacers inside one motif are


@dataclass(frozen=True, eq=False)
class Discovery:
    """A motif, the seqlets' sites it was counted from, and how it fares on the held-out sequences.

    evidence: windows (not sequences) with a site, seqlets against controls, of the quarter of the sequences that
              took no part in finding it; qvalue by Benjamini-Hochberg over all candidates of the search.
    """

    motif: Motif
    sites: Sites
    evidence: Enrichment


@dataclass(frozen=True, eq=False)
class Trial:
    """A candidate with its held-out evidence and its best site in every window.

    weight: probability that the site is a true one; 0 where another window has it already.
    """

    candidate: Candidate
    evidence: Enrichment
    sites: BestSites
    weight: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Alignment:
    """The second motif lies with its first column on column `offset` of the first, turned round if `minus`.

    similarity: cosine of the two matrices, less 1/4, over the columns in common.
    shared:     the fraction of its information that a motif has in them, the larger of the two.
    balance:    information of the poorer motif over that of the richer.
    """

    offset: int
    minus: bool
    similarity: float
    shared: float
    balance: float

    @property
    def same(self) -> bool:
        """Alike where they overlap, one lying there almost whole, and neither a mere half of the other (a factor's
        own motif is not its composite with a partner)."""
        return self.similarity >= 0.85 and self.shared >= 0.75 and self.balance >= 0.65


def align(first: Motif, second: Motif, min_overlap: int = 5, stranded: bool = False) -> Alignment:
    """The best alignment over all offsets and (unless `stranded`) both strands, by similarity times what is shared."""
    information = first.total_information, second.total_information
    balance = min(information) / max(max(information), 1e-9)
    best = Alignment(0, False, 0.0, 0.0, balance)
    min_overlap = min(min_overlap, len(first), len(second))
    for minus in (False,) if stranded else (False, True):
        other = second.reverse_complement() if minus else second
        for offset in range(min_overlap - len(other), len(first) - min_overlap + 1):
            here = slice(max(offset, 0), min(offset + len(other), len(first)))
            there = slice(here.start - offset, here.stop - offset)
            a, b = first.ppm[here] - 0.25, other.ppm[there] - 0.25
            norm = np.sqrt((a * a).sum() * (b * b).sum())
            similarity = float((a * b).sum() / norm) if norm > 0 else 0.0
            inside = first.information[here].sum(), other.information[there].sum()
            shared = max(float(part / max(whole, 1e-9)) for part, whole in zip(inside, information, strict=True))
            if similarity * shared > best.similarity * best.shared:
                best = Alignment(offset, minus, similarity, shared, balance)
    return best


def merge_same(candidates: list[Trial], stranded: bool = False) -> list[list[tuple[Trial, Alignment]]]:
    """Groups of candidates that are the same motif, each headed by its best (the first given), to which the
    others are aligned."""
    groups: list[list[tuple[Trial, Alignment]]] = []
    for tested in candidates:
        motif = tested.candidate.motif
        for group in groups:
            lie = align(group[0][0].candidate.motif, motif, stranded=stranded)
            if lie.same:
                group.append((tested, lie))
                break
        else:
            groups.append([(tested, Alignment(0, False, 1.0, 1.0, 1.0))])
    return groups


def assemble(
    group: list[tuple[Trial, Alignment]],
    windows: Windows,
    length: int,
    letters: np.ndarray,
    number: int,
) -> Discovery:
    """One motif counted from the sites of the whole group, over all sequences, in its more frequent direction.

    length: of the sequences; sites that hang over an end are counted but not listed, nor are those with an N.
    """
    width = len(group[0][0].candidate.motif)
    window, column, minus, weight = _placed(group, width, windows)
    if weight[minus].sum() > weight[~minus].sum():
        minus = ~minus
    counts = column_counts(windows[window].codes_at(column, width, minus), weight)
    first, last = _trimmed(bits_against(counts, letters))
    column = column + np.where(minus, width - last, first)
    motif = Motif("", counts[first:last])
    motif = motif.renamed(f"{number}-{motif.consensus}")
    likely = weight >= 1 - LOCAL_FDR
    sites = _sites(motif, windows[window[likely]], column[likely], minus[likely], length, letters)
    return Discovery(motif, sites, replace(group[0][0].evidence, motif=motif.name))


def _trimmed(bits: Float[np.ndarray, " width"]) -> tuple[int, int]:
    """The core, and on either side what may be a half-site; or all of it, if the core is too poor for a motif."""
    begin, end = informative_span(bits, MIN_COLUMN_BITS)
    first, last = (begin + at for at in core_span(bits[begin:end], WORTH))
    if bits[first:last].sum() < MIN_BITS:
        return begin, end
    left, right = _half_site(bits[begin:first][::-1]), _half_site(bits[last:end])
    return first - left, last + right


def _half_site(bits: Float[np.ndarray, " width"]) -> int:
    """Columns from a core to the end of the half-site beside it; 0 if there is none. bits: outwards from the core."""
    if not len(bits):
        return 0
    first, last = core_span(bits, WORTH)
    enough = NEAR_HALF_SITE_BITS if first <= LOOSE_GAP else HALF_SITE_BITS
    return last if bits[first:last].sum() >= enough else 0


def _placed(group: list[tuple[Trial, Alignment]], width: int, windows: Windows) -> tuple[np.ndarray, ...]:
    """(window, column, minus, weight) of every site, as a site of the group's head; a place counts once."""
    parts = []
    for tested, lie in group:
        own = len(tested.candidate.motif)
        window = np.flatnonzero(tested.weight > 0.01)
        column = tested.sites.column[window]
        minus = tested.sites.minus[window] ^ lie.minus
        column = np.where(minus, column + own + lie.offset - width, column - lie.offset)
        parts.append((window, column, minus, tested.weight[window]))
    window, column, minus, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    likeliest_first = np.argsort(-weight, kind="stable")
    place = np.stack([windows.sequence[window], windows.start[window] + column])[:, likeliest_first]
    kept = likeliest_first[np.unique(place, axis=1, return_index=True)[1]]
    return window[kept], column[kept], minus[kept], weight[kept]


def _sites(
    motif: Motif, windows: Windows, column: np.ndarray, minus: np.ndarray, length: int, letters: np.ndarray
) -> Sites:
    """The sites in coordinates of their sequences."""
    width, weights = len(motif), gridded(motif.log_odds(letters))
    codes = windows.codes_at(column, width, minus)
    start = windows.start + column
    inside = (start >= 0) & (start + width <= length) & (codes != UNKNOWN).all(1)
    codes = codes[inside]
    score = weights[np.arange(width), codes].sum(1)
    return Sites(
        motif=(motif.name,) * int(inside.sum()),
        sequence=windows.sequence[inside],
        start=start[inside],
        end=start[inside] + width,
        strand=tuple(np.where(minus[inside], "-", "+").tolist()),
        score=score,
        pvalue=score_tail(weights, letters).pvalue(score),
        matched=spell(codes),
    )
