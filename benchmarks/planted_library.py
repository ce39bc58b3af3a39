"""What is found in the strict planted library, by attention and by other means, against the whole truth.

    python train.py experiment=promoter_library seed=0        (and 1, 2; and data.shuffle_labels=true)
    python -m benchmarks.planted_library RUN [RUN ...]

No factor is commoner in one class, nor is any pair of factors; ten pairs make a positive at their own spacing. The test
part of each run's data is scored, by what `zoo explain` finds (`zoo.genomics.insight.find`). Raw attention and random
windows are clustered as attention x gradient is, but in one search and untested. It can be stopped and goes on with the
same command; what is kept is of the code as it was, so delete `benchmarks/results/.planted_library` after a change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.over_runs import CAPTION, over_runs
from benchmarks.results import FOLDER, Report, options
from zoo.genomics.attribution import attention_evidence, best_windows, coverage, logits, mutagenesis
from zoo.genomics.by_head import NO_HEAD
from zoo.genomics.cooperation import REACH
from zoo.genomics.discover import discover
from zoo.genomics.enriched_words import enriched_motifs
from zoo.genomics.enrichment import fisher_greater
from zoo.genomics.findings import Findings
from zoo.genomics.insight import find
from zoo.genomics.jaspar import Match, load_jaspar, match
from zoo.genomics.library import is_strict
from zoo.genomics.merge import align
from zoo.genomics.motifs import Motif
from zoo.genomics.placing import Planted
from zoo.genomics.recovered import UNSPECIFIC
from zoo.genomics.scan import scan, site_threshold
from zoo.genomics.seqlets import find_seqlets
from zoo.genomics.sequences import Sequences, join, take
from zoo.genomics.shuffle import dinucleotide_shuffle
from zoo.genomics.spacing import MAX_SPACING, WAYS, site_pairs
from zoo.run.folder import RunFolder

MUTATED = 200  # test positives, at most, in which every base is mutated
SPACED = "Fisher at the spacing, with the motifs found"
BESIDE = "partner at a set distance"
VERDICT = ("pairs called of 10", "decoys called of 30", "others called of 150", "spacing within 1")
MOST = 40  # motifs of one kind of evidence
LOOKED_IN = 3000  # training positives in which motifs are looked for


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    arguments = parser.parse_args()
    runs, arguments.runs = arguments.runs, [run.name for run in arguments.runs]
    report = Report("planted_library", arguments)
    scored = [kept(run) for run in runs]
    for title in scored[0]:
        rows = pd.concat([pd.DataFrame(s[title]).assign(run=run.name) for s, run in zip(scored, runs, strict=True)])
        report.table(title, rows.to_dict("records"))
        if len(runs) > 1:
            report.table(f"{title}: mean over the runs", over_runs(rows), CAPTION)
    report.write()


def kept(path: Path) -> dict[str, list[dict]]:
    """The score, made once for each checkpoint: a benchmark that was stopped goes on with the same command."""
    weights = hashlib.sha256((path / "checkpoints" / "best.ckpt").read_bytes()).hexdigest()[:24]
    file = FOLDER / ".planted_library" / f"{weights}.json"
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = json.dumps(score(path), default=float)
        file.write_text(made)
    return json.loads(file.read_text())


def score(path: Path) -> dict[str, list[dict]]:
    run = RunFolder.open(path)
    model, data = run.model().eval(), run.data()
    data.setup()
    planted, test = data.truth, data.sequences("test")
    seen_by = join(data.sequences("train"), data.sequences("valid"))
    positives = take(seen_by, np.flatnonzero(seen_by.labels == 1))
    background = take(seen_by, np.flatnonzero(seen_by.labels == 0))
    found = find(model, positives, background, test)
    lists = {
        "confirmed": [r for r in found.motifs if r.confirmed],
        "confirmed, shown by a head": [r for r in found.motifs if r.confirmed and NO_HEAD not in r.sources],
        "shown by a head, untested": [r for r in found.motifs if NO_HEAD not in r.sources],
    }
    named = {what: [_named(r.matches, planted) for r in some] for what, some in lists.items()}
    chosen = take(positives, np.arange(LOOKED_IN))
    named |= {what: _matched(some, planted) for what, some in _others(model, chosen, background).items()}
    factors = [
        {
            "evidence": what,
            "factors of 20": len({name for name in names if name}),
            "motifs": len(names),
            "precision": float(np.mean([bool(name) for name in names])) if names else float("nan"),
        }
        for what, names in named.items()
    ]
    return {
        "Test score": [_auroc(model, test, is_strict(planted)[data.rows["test"]])],
        "Factors": factors,
        "Sites": _sites(model, data, planted, take(test, np.flatnonzero(test.labels == 1))),
        "Pairs": _pairs(planted, test, found),
    }


def _others(model, chosen: Sequences, background: Sequences) -> dict[str, list[Motif]]:
    """Motifs by other evidence, clustered in the same way, in one search and untested."""
    shape = chosen.codes.shape
    raw = attention_evidence(model, torch.from_numpy(chosen.codes)).raw.numpy()
    tracks = {"raw attention": raw, "random windows": np.random.default_rng(0).random(shape)}
    shuffled = dinucleotide_shuffle(chosen.codes, 0)
    found = {
        name: discover(
            chosen.codes, find_seqlets(track.astype(float), np.ones(shape, bool)), background.codes, max_motifs=MOST
        )
        for name, track in tracks.items()
    }
    found["plain enrichment over shuffles"] = enriched_motifs(chosen.codes, shuffled)
    found["plain enrichment over negatives"] = enriched_motifs(chosen.codes, background.codes)
    return {name: [d.motif for d in some] for name, some in found.items()}


def _auroc(model, test: Sequences, strict: np.ndarray) -> dict[str, float]:
    said = logits(model, torch.from_numpy(test.codes)).numpy()
    return {
        "test AUROC": float(roc_auc_score(test.labels, said)),
        "against strict negatives": float(roc_auc_score(test.labels[strict], said[strict])),
    }


def _matched(motifs: list[Motif], planted: Planted) -> list[str]:
    renamed = [m.renamed(f"{i}-{m.name}") for i, m in enumerate(motifs)]
    hits = match(renamed, load_jaspar(), top=5)
    return [_named([hit for hit in hits if hit.motif == m.name], planted) for m in renamed]


def _named(matches: Iterable[Match], planted: Planted) -> str:
    """The planted factor that a motif stands for by its best TOMTOM match of five at q < .05, or ''."""
    for hit in (hit for hit in matches if hit.qvalue < 0.05):
        for factor in planted.factors:
            family = factor.reference.family
            if hit.name == factor.name or (hit.family == family and family not in ("", UNSPECIFIC)):
                return factor.name
    return ""


def _sites(model, data, planted: Planted, positives) -> list[dict]:
    """Does the evidence lie on the sites of the cooperating pairs?"""
    rows = data.rows["test"][data.sequences("test").labels == 1]
    sites = planted.sites[planted.sites["cooperates"]]
    by_row = {row: list(zip(g["start"], g["end"], strict=True)) for row, g in sites.groupby("sequence")}
    where = [by_row.get(int(row), []) for row in rows]
    some = np.flatnonzero([len(w) > 0 for w in where])[:MUTATED]
    codes = torch.from_numpy(positives.codes[some])
    where = [where[i] for i in some]
    truth = np.zeros(codes.shape, bool)
    for row, spans in zip(truth, where, strict=True):
        for a, b in spans:
            row[a:b] = True
    seen = attention_evidence(model, codes)
    tracks = {
        "attention x gradient": seen.score,
        "raw attention": seen.raw,
        "mutagenesis": mutagenesis(model, codes),
        "random": torch.rand(codes.shape, generator=torch.Generator().manual_seed(0)),
    }
    width, present = 15, torch.ones(codes.shape, dtype=torch.bool)
    starts = {name: best_windows(track, width, present).tolist() for name, track in tracks.items()}
    held = {
        name: np.array([coverage([start], width, [w]) for start, w in zip(some, where, strict=True)])
        for name, some in starts.items()
    }
    return [
        {
            "evidence": name,
            "site AUPRC": float(average_precision_score(truth.ravel(), track.numpy().ravel())),
            "coverage": held[name].mean(),
            **_of_mutagenesis(held[name], held["mutagenesis"]),
            "sequences": len(where),
        }
        for name, track in tracks.items()
    ]


def _of_mutagenesis(held: np.ndarray, mutated: np.ndarray) -> dict[str, float]:
    """Coverage as a share of mutagenesis', with a 95 % bootstrap interval over the sequences."""
    drawn = np.random.default_rng(0).integers(len(held), size=(2000, len(held)))
    low, high = np.quantile(held[drawn].mean(1) / mutated[drawn].mean(1), [0.025, 0.975])
    return {"of mutagenesis": held.mean() / mutated.mean(), "low": float(low), "high": float(high)}


def _pairs(planted: Planted, test: Sequences, found: Findings) -> list[dict]:
    labels, letters = test.labels == 1, found.tested.letters
    motifs = {r.motif.name: r.motif for r in found.motifs}
    stands_for = {r.motif.name: _named(r.matches, planted) for r in found.motifs}
    columns = ["a", "b", "cooperates", "keeps a spacing", "orientation", "spacing", "epistasis", "co-attention",
               "raw attention", "at spacing q"]  # fmt: skip
    table = found.together.table if len(found.together.table) else pd.DataFrame(columns=columns)
    table = table.assign(
        pair=[frozenset((stands_for[a], stands_for[b])) for a, b in zip(table.a, table.b, strict=True)],
        certainty=-np.log10(table["at spacing q"].clip(lower=1e-300)),
    )
    partners = _partners(planted, found, stands_for)
    true = {frozenset((p.first, p.second)): p for p in planted.pairs}
    decoys = {frozenset((p.first, p.second)) for p in planted.decoy_pairs}
    every = [frozenset((a.name, b.name)) for i, a in enumerate(planted.factors) for b in planted.factors[i + 1 :]]
    scores = {
        "epistasis": _best(table, "epistasis"),
        SPACED: _best(table, "certainty"),
        BESIDE: _best(partners, "certainty"),
        "attention x gradient": _best(table, "co-attention"),
        "raw attention": _best(table, "raw attention"),
        "Fisher, given the true matrices": _fisher(planted, test.codes, labels, letters),
    }
    verdicts = {
        "epistasis": table[table.cooperates == "yes"],
        SPACED: table[table["keeps a spacing"] == "yes"],
        BESIDE: partners[partners["stands out"]],
    }
    rows = []
    for name, score in scores.items():
        lowest = min(score.values(), default=0.0) - 1.0
        value = {pair: score.get(pair, lowest) for pair in every}
        forty = [pair for pair in every if pair in true or pair in decoys]
        row = {"score": name}
        row |= {
            f"AUPRC of {len(pairs)}": float(
                average_precision_score([p in true for p in pairs], [value[p] for p in pairs])
            )
            for pairs in (every, forty)
        }
        called = verdicts.get(name)
        row |= dict.fromkeys(VERDICT, "") if called is None else _verdict(called, true, decoys, every)
        if called is not None and "orientation" in called:
            errors = _spacing_errors(called, true, motifs, planted, stands_for)
            row["spacing within 1"] = f"{sum(abs(e) <= 1 for e in errors)} of {len(errors)}"
        rows.append(row)
    return rows


def _partners(planted: Planted, found: Findings, stands_for: dict[str, str]) -> pd.DataFrame:
    """What stands at a set distance, by the factors that it and its motif stand for; sure of by the class test."""
    motifs = [b.partner.motif.renamed(str(i)) for i, b in enumerate(found.beside)]
    hits = match(motifs, load_jaspar(), top=5)
    rows = []
    for i, b in enumerate(found.beside):
        other = stands_for.get(b.also) or _named([hit for hit in hits if hit.motif == str(i)], planted)
        certainty = -np.log10(max(b.class_q, 1e-300)) if b.distance_q < 0.05 else 0.0
        rows.append((frozenset((stands_for[b.partner.beside], other)), certainty, b.stands_out))
    return pd.DataFrame(rows, columns=["pair", "certainty", "stands out"])


def _verdict(called: pd.DataFrame, true, decoys, every) -> dict[str, object]:
    pairs = set(called.pair)
    counts = len(pairs & set(true)), len(pairs & decoys), len(pairs & set(every) - set(true) - decoys), ""
    return dict(zip(VERDICT, counts, strict=True))


def _best(table: pd.DataFrame, column: str) -> dict[frozenset, float]:
    return table.groupby("pair")[column].max().to_dict()


def _fisher(planted, codes, labels, letters) -> dict[frozenset, float]:
    """-log10 p of the best orientation and spacing (+- 2), Bonferroni."""
    motifs = [f.reference.motif.renamed(f.name) for f in planted.factors]
    names = [motif.name for motif in motifs]
    palindromes = {motif.name for motif in motifs if motif.palindromic}
    threshold = site_threshold(codes.shape[1], stranded=False)
    pairs = site_pairs(scan(motifs, codes, letters, threshold), names, palindromes)
    positive = labels[pairs.sequence]
    n_pos, n_neg = int(labels.sum()), int((~labels).sum())
    found = {}
    for (a, b), group in pairs.groupby(["a", "b"]):
        if a == b:
            continue
        mine, best = positive[group.index], 1.0
        for way in range(len(WAYS)):
            held = [_sequences_at(group[(group.way == way) & (mine == y)]) for y in (True, False)]
            best = min(best, float(fisher_greater(held[0], n_pos, held[1], n_neg).min()))
        found[frozenset((names[a], names[b]))] = -np.log10(max(best * len(WAYS) * (MAX_SPACING + 1), 1e-300))
    return found


def _sequences_at(pairs: pd.DataFrame) -> np.ndarray:
    """How many sequences hold a pair at each spacing, +- `REACH`."""
    wide = pd.concat([pairs[["sequence", "spacing"]].assign(at=pairs.spacing + k) for k in range(-REACH, REACH + 1)])
    wide = wide[wide["at"].between(0, MAX_SPACING)].drop_duplicates(["sequence", "at"])
    return np.bincount(wide["at"], minlength=MAX_SPACING + 1)


def _spacing_errors(called, true, motifs, planted, stands_for) -> list[int]:
    """Spacing found less spacing planted, between the matrices: what a motif lacks of its matrix belongs to the gap."""
    references = {f.name: f.reference.motif for f in planted.factors}
    errors = []
    for row in called.itertuples():
        if row.pair not in true:
            continue
        ends = [_beyond(references[stands_for[name]], motifs[name]) for name in (row.a, row.b)]
        sides = {"A> B>": (1, 0), "B> A>": (0, 1), "A> <B": (1, 1), "<A B>": (0, 0)}[row.orientation]
        gap = row.spacing - sum(end[side] for end, side in zip(ends, sides, strict=True))
        errors.append(gap - true[row.pair].spacing)
    return errors


def _beyond(reference: Motif, motif: Motif) -> tuple[int, int]:
    """Columns of the matrix that the motif lacks before its first and after its last column."""
    lie = align(reference, motif)
    before, after = lie.offset, len(reference) - lie.offset - len(motif)
    return (after, before) if lie.minus else (before, after)


if __name__ == "__main__":
    main()
