"""What one head sees must not drown in what the others do."""

from __future__ import annotations

import numpy as np

from tests.genomics.planting import markov, sample_sites
from zoo.genomics.by_head import ALL, NO_HEAD, discover_by_head
from zoo.genomics.enriched_words import enriched_motifs
from zoo.genomics.merge import align
from zoo.genomics.motifs import Motif
from zoo.genomics.sequences import PAD
from zoo.genomics.shuffle import dinucleotide_shuffle
from zoo.genomics.stands_for import standing


def sharp(consensus: str) -> Motif:
    return Motif(consensus, np.eye(4)[["ACGT".index(x) for x in consensus]] * 17 + 1)


STRONG, WEAK = sharp("TGACTCATC"), sharp("GGGCGTAAC")


def planted(n: int = 500, length: int = 80):
    """Both motifs in every sequence; one head on each, and a loud head on nothing."""
    rng = np.random.default_rng(0)
    codes = markov(n, length, rng)
    tracks = {name: np.abs(rng.normal(size=(n, length))) * 0.2 for name in ("first", "second", "loud")}
    tracks["loud"] = np.repeat(np.abs(rng.normal(size=(n, length // 8))) * 6, 8, axis=1)
    for motif, head, at in ((STRONG, "first", 10), (WEAK, "second", 50)):
        starts = at + rng.integers(0, 12, n)
        sites = sample_sites(motif.ppm, n, rng)
        for i, start in enumerate(starts):
            codes[i, start : start + 9] = sites[i]
            tracks[head][i, start : start + 9] += 2.0
    return codes, tracks, markov(n, length, rng)


def like(found, motif: Motif) -> list[str]:
    return [s for f in found if align(motif, f.discovery.motif).same for s in f.sources]


def test_each_head_gives_its_motif_and_none_twice():
    codes, tracks, background = planted()
    found, _ = discover_by_head(sum(tracks.values()), tracks, codes, background)
    assert "first" in like(found, STRONG) and "second" in like(found, WEAK)
    assert "second" not in like(found, STRONG) and "first" not in like(found, WEAK)
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            assert not align(one.discovery.motif, other.discovery.motif).same
    names = [f.discovery.motif.name for f in found]
    assert len(set(names)) == len(names)
    for f in found:
        assert set(f.discovery.sites.motif) <= {f.discovery.motif.name} == {f.discovery.evidence.motif}


def test_what_no_head_sees_stands_behind_what_heads_see():
    """One head alone is read; plain enrichment knows both motifs, and adds the one that is missing."""
    codes, tracks, background = planted()
    found, _ = discover_by_head(tracks["first"], {"first": tracks["first"]}, codes, background)
    assert like(found, WEAK) == []
    shuffled = dinucleotide_shuffle(codes, 0)
    more = standing(found, enriched_motifs(codes, shuffled), codes, shuffled)
    assert NO_HEAD in like(more, WEAK) and NO_HEAD not in like(more, STRONG) and "first" in like(more, STRONG)
    names = [f.discovery.motif.name for f in more]
    assert len(set(names)) == len(names)
    for f in more:
        assert set(f.discovery.sites.motif) <= {f.discovery.motif.name}


def test_scrambled_heads_give_nothing():
    codes, tracks, background = planted()
    rng = np.random.default_rng(1)
    scrambled = {name: rng.permuted(track, axis=1) for name, track in tracks.items()}
    found, _ = discover_by_head(sum(scrambled.values()), scrambled, codes, background)
    assert like(found, STRONG) == like(found, WEAK) == []


def test_padding_is_no_evidence():
    codes, tracks, background = planted(200)
    padded = np.pad(codes, ((0, 0), (0, 30)), constant_values=PAD)
    wide = {name: np.pad(track, ((0, 0), (0, 30))) for name, track in tracks.items()}
    found, number = discover_by_head(wide["first"], wide, padded, background)
    assert number > 0 and ALL in like(found, STRONG)
    assert all((f.discovery.sites.end <= 80).all() for f in found)
