"""Attention -> motifs: found on one set of sequences, tested on another, matched to JASPAR, written in the field's
own formats.

    evidence   attention x gradient of every base                                    (attribution)
    seqlets    windows where it is clustered, for all heads and for each              (seqlets)
    motifs     what the seqlets have in common, on both strands                       (discover, by_head);
               behind them, what plain enrichment adds                                (enriched_words);
               one matrix for each, and no composites of two                          (stands_for)
    tests      on sequences that took no part: are sites more frequent than in shuffles (Fisher), and does the
               model's logit fall when they are destroyed (knock-out)?                (enrichment, knockout)
    against    what speaks for the negatives, by the same search and tests             (against)
    pairs      which of them act together, and at what spacing                        (cooperation);
               what stands at a set distance, too weak to be seen alone               (beside)
    names      TOMTOM against JASPAR                                                  (jaspar)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from zoo.domain.insight import Insight
from zoo.genomics.against import speaks_against
from zoo.genomics.attribution import attention_evidence, logits
from zoo.genomics.beside_tests import Beside, Part, stand_beside
from zoo.genomics.by_head import discover_by_head
from zoo.genomics.confirmed import Confirmed
from zoo.genomics.cooperation import Cooperation, cooperation
from zoo.genomics.core_elements import core_elements
from zoo.genomics.discover import MIN_SITES
from zoo.genomics.enriched_words import enriched_motifs
from zoo.genomics.enrichment import enrichment
from zoo.genomics.evidence import KnownSites, head_name, site_coverage
from zoo.genomics.findings import LEAST_AUROC, Findings, Origin, Tested
from zoo.genomics.jaspar import CORE_PROMOTER_RELEASE, RELEASE, load_jaspar, match
from zoo.genomics.knockout import knockouts
from zoo.genomics.motifs import Motif
from zoo.genomics.partners import recovered_pairs
from zoo.genomics.placed import IN_COMPANY, sites_in_place, usual_place
from zoo.genomics.placing import Planted
from zoo.genomics.recovered import recovered
from zoo.genomics.scan import base_frequencies
from zoo.genomics.sequences import Sequences, take
from zoo.genomics.shuffle import dinucleotide_shuffle
from zoo.genomics.stands_for import standing
from zoo.genomics.tell import tell
from zoo.genomics.tracks import with_tracks

if TYPE_CHECKING:
    from zoo.genomics.model import PromoterDetector

MATCHES = 5  # of each motif
MAX_DISCOVERY = 3000  # positives in which motifs are looked for


def explain(model: PromoterDetector, found: Findings, test: Sequences) -> Insight:
    """What `find` found, tested on `test`, in words, tables and pictures."""
    positives = take(test, np.flatnonzero(test.labels == 1)).codes
    return with_tracks(tell(found), model, positives, found.tested.names, found.tested.seen.score)


def find(
    model: PromoterDetector,
    discovery: Sequences,
    background: Sequences,
    test: Sequences,
    known: KnownSites | None = None,
    planted: Planted | None = None,
    origin: Origin | None = None,
    seed: int = 0,
) -> Findings:
    """Motifs of `discovery` (positives), tested on `test` (labelled).

    background: sequences without the motifs. known: sites that are known to matter in each positive of `test`.
    planted: the whole answer, where it is known. origin: where the sequences are from, for the captions.
    """
    chosen = discovery
    if len(discovery) > MAX_DISCOVERY:
        chosen = take(discovery, np.random.default_rng(seed).permutation(len(discovery))[:MAX_DISCOVERY])
    seen = attention_evidence(model, torch.from_numpy(chosen.codes))
    stranded = model.strands == "given"
    heads = {head_name(layer, head): track.numpy() for (layer, head), track in seen.heads.items()}
    found, num_seqlets = discover_by_head(
        seen.score.numpy(), heads, chosen.codes, background.codes, stranded=stranded, seed=seed
    )
    anchored = stranded and bool((chosen.lengths == chosen.codes.shape[1]).all())
    if len(chosen) >= MIN_SITES:  # behind heads' motifs those that no head need have seen
        shuffled = dinucleotide_shuffle(chosen.codes, seed)
        more = enriched_motifs(chosen.codes, shuffled, stranded, seed)
        found = standing(found, more, chosen.codes, shuffled, stranded, anchored)
    motifs = [f.discovery.motif for f in found]
    places = [usual_place(f.discovery.sites.start, chosen.codes.shape[1]) if anchored else None for f in found]
    tested = _tested(model, motifs, places, test)
    names = [m.name for m in motifs]
    n_pos = len(tested.positive)
    present = enrichment(names, tested.sites, tested.sites_shuffled, n_pos, n_pos)
    enriched = enrichment(names, tested.sites, tested.sites_negative, n_pos, len(tested.negative))
    positives = take(test, np.flatnonzero(test.labels == 1)).codes
    there = {e.motif for e in present if e.qvalue < 0.05}  # of the others it does not matter whether they are needed
    needed = knockouts(model, positives, tested.sites[np.isin(tested.sites.motif, list(there))], names, seed=seed)
    references = [*load_jaspar(RELEASE, tax_groups=(model.jaspar,)), *load_jaspar(CORE_PROMOTER_RELEASE, "POLII", None)]
    matches = match(motifs, references, top=MATCHES)
    results = [
        Confirmed(m, f.sources, len(f.discovery.sites), p, e, k, tuple(x for x in matches if x.motif == m.name))
        for m, f, p, e, k in zip(motifs, found, present, enriched, needed, strict=True)
    ]
    present_in = [(m, place) for m, place in zip(motifs, places, strict=True) if m.name in there]
    together = _cooperation(model, test, tested.letters, present_in, seed)
    auroc = roc_auc_score(test.labels, logits(model, torch.from_numpy(test.codes)))
    asked = bool(auroc >= LEAST_AUROC)
    results = [replace(r, paired=r.motif.name in together.partners, asked=asked) for r in results]
    results.sort(key=lambda r: (not r.confirmed, r.enriched.pvalue, r.present.pvalue))
    against = speaks_against(model, background, chosen, test, references, asked, seed)
    place_of = {m.name: place for m, place in zip(motifs, places, strict=True)}
    beside = _beside(model, chosen, test, results, place_of, tested.letters, seed)
    elements = None
    if stranded:
        elements = core_elements(tested.positive, tested.negative, tested.letters, tested.seen.score.numpy())
    covered = None if known is None else site_coverage(model, positives, tested.seen, known)
    found_of_planted = None if planted is None else recovered(planted, results)
    pairs_of_planted = None
    if planted is not None and planted.pairs:
        pairs_of_planted = recovered_pairs(planted, results, together)
    return Findings(
        results,
        against,
        references,
        num_seqlets,
        tested,
        together,
        beside,
        elements,
        covered,
        found_of_planted,
        pairs_of_planted,
        origin or Origin(),
        float(auroc),
        model.jaspar,
    )


def _cooperation(
    model: PromoterDetector,
    test: Sequences,
    letters: np.ndarray,
    present: list[tuple[Motif, tuple[int, int] | None]],
    seed: int,
) -> Cooperation:
    """The pairs of motifs (each with its place, if it has one) in both classes of the test sequences."""
    motifs, places = [motif for motif, _ in present], [place for _, place in present]
    length, stranded = float(test.lengths.mean()), model.strands == "given"
    plain = np.minimum(test.codes, 4)
    sites = sites_in_place(motifs, places, plain, letters, length, stranded, IN_COMPANY)
    placed = {motif.name for motif, place in present if place is not None}
    return cooperation(model, test.codes, sites, test.labels == 1, motifs, placed, seed)


def _beside(
    model: PromoterDetector,
    learn: Sequences,
    test: Sequences,
    results: list[Confirmed],
    place_of: dict[str, tuple[int, int] | None],
    letters: np.ndarray,
    seed: int,
) -> list[Beside]:
    """What stands at a set distance from the confirmed motifs."""
    motifs, stranded = [r.motif for r in results if r.confirmed], model.strands == "given"
    places, length = [place_of[m.name] for m in motifs], float(test.lengths.mean())
    parts = []
    for codes in (learn.codes, *(take(test, np.flatnonzero(test.labels == label)).codes for label in (1, 0))):
        plain = np.minimum(codes, 4)
        parts.append(Part(codes, sites_in_place(motifs, places, plain, letters, length, stranded, IN_COMPANY)))
    palindromes = set() if stranded else {m.name for m in motifs if m.palindromic}
    return stand_beside(model, [m.name for m in motifs], *parts, palindromes, seed)


def _tested(
    model: PromoterDetector, motifs: list[Motif], places: list[tuple[int, int] | None], test: Sequences
) -> Tested:
    rows = np.flatnonzero(test.labels == 1)
    positive, negative = take(test, rows), take(test, np.flatnonzero(test.labels == 0))
    plain = [np.minimum(part.codes, 4) for part in (positive, negative)]
    shuffled = np.minimum(dinucleotide_shuffle(positive.codes, seed=0), 4)
    letters = base_frequencies(np.minimum(test.codes, 4))
    stranded = model.strands == "given"
    length = float(test.lengths.mean())
    return Tested(
        *plain,
        positive.lengths,
        positive.names,
        *(sites_in_place(motifs, places, codes, letters, length, stranded) for codes in (*plain, shuffled)),
        *(attention_evidence(model, torch.from_numpy(part.codes)) for part in (positive, negative)),
        letters,
    )
