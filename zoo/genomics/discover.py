"""Motif discovery: what do the places that a model looks at have in common?

seed (a gapped word over-represented in the seqlets) -> refine (align, count, rescan) -> test on sequences kept
apart -> erase its sites -> again, until no seed is significant -> merge what is the same.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, UInt8
from scipy.stats import false_discovery_control

from zoo.domain.errors import InputError
from zoo.genomics.enrichment import Enrichment, fisher_greater, fold_enrichment
from zoo.genomics.jaspar import MIN_BITS
from zoo.genomics.merge import Discovery, Trial, assemble, merge_same
from zoo.genomics.motifs import UNKNOWN, Motif
from zoo.genomics.refine import Candidate, distinct, refine, weighted_sites
from zoo.genomics.scan import base_frequencies
from zoo.genomics.seeds import Seed, best_seed
from zoo.genomics.seqlets import Seqlets
from zoo.genomics.windows import Windows, best_sites, control_windows, erase, seqlet_windows

MAX_SEQLETS = 10_000  # the highest-scoring are kept; more change nothing but the time
CONTROLS_PER_SEQLET = 1.5
HELD_OUT = 0.25  # of the sequences
SEED_PVALUE = 0.5  # lenient: the held-out sequences decide
FDR = 0.05
MIN_SITES = 10
_FAILURES = 3  # stop after so many candidates in succession that the held-out sequences do not confirm


def discover(
    codes: UInt8[np.ndarray, "n length"],
    seqlets: Seqlets,
    background: UInt8[np.ndarray, "m length_b"],
    max_motifs: int = 10,
    stranded: bool = False,
    seed: int = 0,
) -> tuple[Discovery, ...]:
    """The motifs of the seqlets, the best supported first; none where chance would do as well.

    codes:      the sequences the seqlets were found in.
    background: sequences without the motifs (the negatives), of any length; may have no rows. Controls are drawn
                from them and, clear of every seqlet, from `codes`.
    stranded:   read the strand as written alone (sequences anchored at a TSS), and not both.

    Each motif is read in the direction of most of its sites, trimmed to the stretch whose columns have most beyond
    0.5 bits each, has at least 6 bits and 10 sites, and passes q < 0.05 on sequences kept apart. **Condition**: these
    p-values take sequences as independent; copies of one repeat in both parts make anything look confirmed.
    """
    if codes.ndim != 2 or background.ndim != 2:
        raise InputError(f"sequences {codes.shape} and background {background.shape} must be [sequences, length].")
    if len(seqlets) < MIN_SITES:
        return ()
    rng = np.random.default_rng(seed)
    windows = seqlet_windows(codes, _highest(seqlets, MAX_SEQLETS), stranded)
    controls = control_windows(codes, seqlets, background, int(CONTROLS_PER_SEQLET * len(windows)), rng, stranded)
    if len(controls) < MIN_SITES:
        return ()
    apart = rng.random(len(codes) + len(background)) < HELD_OUT
    return motifs_of(windows, controls, apart, codes.shape[1], max_motifs)


def motifs_of(
    windows: Windows,
    controls: Windows,
    apart: Bool[np.ndarray, " n"],
    length: int,
    max_motifs: int,
    chance: Windows | None = None,
) -> tuple[Discovery, ...]:
    """What more of the windows hold than of the controls, as `discover` says it.

    apart:  by sequence number: kept for the tests.
    length: of the sequences the windows were cut from.
    chance: windows without motifs, to read off how likely a score is to be a true site; not given, the controls are.
    """
    letters = base_frequencies(controls.codes)
    tested = _search(windows, controls, apart, letters, max_motifs, chance)
    if not tested:
        return ()
    qvalues = false_discovery_control([t.evidence.pvalue for t in tested])
    tested = [replace(t, evidence=replace(t.evidence, qvalue=float(q))) for t, q in zip(tested, qvalues, strict=True)]
    confirmed = [t for t in tested if t.evidence.qvalue <= FDR]
    confirmed.sort(key=lambda t: (t.evidence.pvalue, -t.evidence.n_with_pos))
    found = (
        assemble(group, windows, length, letters, number)
        for number, group in enumerate(merge_same(confirmed, windows.stranded), start=1)
    )
    return tuple(d for d in found if _is_motif(d.motif))  # counted again over all sequences, it may fall short


def _highest(seqlets: Seqlets, n: int) -> Seqlets:
    kept = np.sort(np.argsort(-seqlets.score, kind="stable")[:n])
    return Seqlets(
        seqlets.sequence[kept],
        seqlets.start[kept],
        seqlets.end[kept],
        seqlets.score[kept],
        seqlets.threshold,
    )


def _search(
    windows: Windows,
    controls: Windows,
    apart: np.ndarray,
    letters: np.ndarray,
    max_motifs: int,
    chance: Windows | None,
) -> list[Trial]:
    """Candidates one after the other, each from what those before have left."""
    tested, failures, confirmed = [], 0, 0
    pos_apart, neg_apart = apart[windows.sequence], apart[controls.sequence]
    while confirmed < max_motifs and failures < _FAILURES:
        train, train_controls = windows[~pos_apart], controls[~neg_apart]
        seed = best_seed(train, train_controls)
        if seed is None or seed.pvalue > SEED_PVALUE:
            break
        by_chance = train_controls if chance is None else chance[~apart[chance.sequence]]
        candidate = refine(seed, train, by_chance, letters)
        failures += 1
        if candidate is not None and _is_motif(candidate.motif):
            evidence = _evidence(candidate, windows[pos_apart], controls[neg_apart])
            sites, weight = weighted_sites(candidate.weights, windows, controls if chance is None else chance)
            tested.append(Trial(candidate, evidence, sites, np.where(sites.score >= candidate.threshold, weight, 0)))
            before, unread = _with_word(seed, windows), _unread(windows)
            windows, controls = (erase(candidate.weights, candidate.threshold, w) for w in (windows, controls))
            if evidence.pvalue <= FDR:
                failures, confirmed = 0, confirmed + 1
            if _with_word(seed, windows) > before / 2 and _unread(windows) > unread:
                continue  # it grew into another motif than the one that it came from, which still waits
        windows, controls = (erase(seed.weights(), seed.full_score, w) for w in (windows, controls))
    return tested


def _unread(windows: Windows) -> int:
    return int((windows.codes == UNKNOWN).sum())


def _with_word(seed: Seed, windows: Windows) -> int:
    return int((best_sites(seed.weights(), windows).score >= seed.full_score).sum())


def _is_motif(motif: Motif) -> bool:
    return motif.n_sites >= MIN_SITES and motif.total_information >= MIN_BITS


def _evidence(candidate: Candidate, windows: Windows, controls: Windows) -> Enrichment:
    """Fisher's test on the held-out windows, at the threshold that was fixed without them."""
    if len(windows) == 0 or len(controls) == 0:
        return Enrichment("", 0, len(windows), 0, len(controls), 1.0, 1.0, 1.0)
    sites = best_sites(candidate.weights, windows)
    own = distinct(sites, windows)
    n_pos, n_neg = int(own.sum()), len(controls)
    hits_pos = int((own & (sites.score >= candidate.threshold)).sum())
    hits_neg = int((best_sites(candidate.weights, controls).score >= candidate.threshold).sum())
    pvalue = float(fisher_greater(hits_pos, n_pos, hits_neg, n_neg))
    fold = fold_enrichment(hits_pos, n_pos, hits_neg, n_neg)
    return Enrichment("", hits_pos, n_pos, hits_neg, n_neg, fold, pvalue, pvalue)
