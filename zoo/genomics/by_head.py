"""Motifs of all heads together and of each head alone, the same ones merged.

Summed over heads, what one head sees is drowned by what the others do: of E. coli's promoters the sum shows the -10
box, and one head of the second layer the -35 box. A head is read at its single highest window in each sequence; the sum
at its five highest, and again at the highest one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8
from scipy.stats import false_discovery_control

from zoo.genomics.discover import FDR, discover
from zoo.genomics.merge import Discovery, align
from zoo.genomics.seqlets import find_seqlets
from zoo.genomics.sequences import PAD

NO_HEAD = "no head (plain enrichment)"
MAX_HEADS = 24  # those with most evidence; more searches cost power in the correction for their number
ALL = "all heads"


@dataclass(frozen=True, eq=False)
class Found:
    """A motif, and the heads (or `ALL`) whose evidence shows it, alone or in a composite; or `NO_HEAD`."""

    discovery: Discovery
    sources: tuple[str, ...]


def discover_by_head(
    score: Float[np.ndarray, "n length"],
    heads: Mapping[str, Float[np.ndarray, "n length"]],
    codes: UInt8[np.ndarray, "n length"],
    background: UInt8[np.ndarray, "m length_b"],
    stranded: bool = False,
    seed: int = 0,
) -> tuple[tuple[Found, ...], int]:
    """(motifs, number of seqlets behind the sum over heads). The best supported motif first.

    score: evidence summed over heads; heads: of each one. codes: the sequences, padding as `PAD`. background: sequences
    without the motifs. p-values are multiplied by the number of
    searches, q-values are Benjamini-Hochberg over what those left. Motifs that lie on each other
    and are alike (`zoo.genomics.merge`) are one: the better supported stands for it.
    """
    present, plain, others = codes != PAD, np.minimum(codes, 4), np.minimum(background, 4)
    seqlets = find_seqlets(score.astype(float), present, seed=seed)
    found = [(ALL, d) for d in discover(plain, seqlets, others, stranded=stranded, seed=seed)]
    searches = list(_searched(score, heads))
    for name, track in searches:
        alone = find_seqlets(track.astype(float), present, max_per_sequence=1, seed=seed)
        found += [(name, d) for d in discover(plain, alone, others, stranded=stranded, seed=seed)]
    return _merged(found, 1 + len(searches), stranded), len(seqlets)


def _searched(score: np.ndarray, heads: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    yield ALL, score
    yield from sorted(heads.items(), key=lambda item: -np.abs(item[1]).sum())[:MAX_HEADS]


def _merged(found: list[tuple[str, Discovery]], searches: int, stranded: bool) -> tuple[Found, ...]:
    if not found:
        return ()
    pvalues = [min(1.0, searches * d.evidence.pvalue) for _, d in found]  # what failed in its search is not among them
    qvalues = false_discovery_control(pvalues)
    groups: list[tuple[Discovery, list[str]]] = []
    for i in np.argsort([d.evidence.pvalue for _, d in found], kind="stable"):
        source, discovery = found[i]
        if qvalues[i] > FDR:
            continue
        for head, sources in groups:
            if align(head.motif, discovery.motif, stranded=stranded).same:
                sources += [] if source in sources else [source]
                break
        else:
            evidence = replace(discovery.evidence, qvalue=float(qvalues[i]))
            groups.append((replace(discovery, evidence=evidence), [source]))
    return tuple(
        Found(numbered(discovery, number), tuple(sources)) for number, (discovery, sources) in enumerate(groups, 1)
    )


def numbered(discovery: Discovery, number: int) -> Discovery:
    """Named by its number and its consensus."""
    name = f"{number}-{discovery.motif.consensus}"
    sites = replace(discovery.sites, motif=(name,) * len(discovery.sites))
    return Discovery(discovery.motif.renamed(name), sites, replace(discovery.evidence, motif=name))
