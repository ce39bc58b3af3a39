"""What gives the class of a DNA sequence away: composition, length, letter case, places, copies.

The rule for what is flagged is `zoo.domain.audit`'s. Every score is of a model fitted on the training part, on the
validation and test parts together.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from zoo.domain.audit import (
    Finding,
    Score,
    by_score,
    by_share,
    findings_headline,
    findings_picture,
    findings_table,
    from_feature,
    scored,
    worst,
)
from zoo.domain.errors import InputError
from zoo.domain.insight import Figure, Insight, Table
from zoo.genomics.audit_pictures import profile
from zoo.genomics.baselines import position_regression_alone
from zoo.genomics.copies import SHARED, Copies, copies
from zoo.genomics.fixed_words import MIN_SHARE, FixedWord, K, fixed_table, fixed_words, telling
from zoo.genomics.sequences import UNKNOWN, Sequences, gc_content, join, take

MIN_CLASS = 10  # held-out sequences of each class; fewer bound nothing

GC, LENGTH, CASE, N, PLACE = "GC content", "length", "letter case", "unknown bases", "bases at places"
COPIES, CONFLICT = "copies in training", "one sequence, two labels"

WORDS_CAPTION = (
    "Words of five bases that stand at one place more often than 10 to 60 bases away and more often than in the other "
    "class (binomial and Fisher's tests, Bonferroni, the larger p); the 40 most frequent. Nothing aligns random "
    "negatives: a word fixed in them was put there by how they were made. base: 0-based."
)
PROFILE_CAPTION = "All parts together. Difference: total variation distance of the classes' bases at each place."


def audit(train: Sequences, valid: Sequences, test: Sequences) -> Insight:
    """All checks of labelled sequences. Raises InputError where a class has too few held-out ones to say anything."""
    held_out = join(valid, test)
    few = min(int((held_out.labels == label).sum()) for label in (0, 1))
    if few < MIN_CLASS:
        raise InputError(
            f"an audit needs at least {MIN_CLASS} sequences of each class in validation and test together, got {few}: "
            "give more sequences"
        )
    features = {GC: gc_content, LENGTH: _length, CASE: _lowercase, N: _unknown}
    predictions = {
        check: from_feature(feature(train), train.labels, feature(held_out)) for check, feature in features.items()
    }
    copied = copies(train, held_out)
    predictions[COPIES] = copied.remembered if copied.related else None
    aligned = len(np.unique(np.concatenate([train.lengths, held_out.lengths]))) == 1
    if aligned:
        predictions[PLACE] = position_regression_alone(train, held_out)
    scores = scored(predictions, held_out.labels)

    everything = join(train, held_out)
    positive, negative = (take(everything, everything.labels == label) for label in (1, 0))
    words = fixed_words(positive.codes, negative.codes) if aligned else ()
    found = [
        _composition(positive, negative, scores.get(GC)),
        _lengths(positive, negative, scores.get(LENGTH)),
        _case(positive, negative, scores.get(CASE)),
        _unknowns(positive, negative, scores.get(N)),
        _places(words, scores.get(PLACE), scores.get(GC), aligned),
        _copied(copied, scores.get(COPIES)),
        _conflicts(copied),
    ]
    tables = [findings_table(found)]
    if words:
        tables.append(Table("fixed_words", "Words that stand at one place", fixed_table(words), WORDS_CAPTION))
    title = "Composition and places"
    figures = (
        Figure("audit", "What gives the label away", findings_picture(found)),
        Figure("profile", title, profile(positive, negative, aligned), PROFILE_CAPTION),
    )
    values = {f"{f.check.replace(' ', '_').replace(',', '')}/auroc": f.score.auroc for f in found if f.score}
    return Insight(findings_headline(found), tuple(tables), figures, scores=values)


def _length(sequences: Sequences) -> Float[np.ndarray, " n"]:
    return sequences.lengths.astype(float)


def _lowercase(sequences: Sequences) -> Float[np.ndarray, " n"]:
    return np.zeros(len(sequences)) if sequences.lowercase is None else sequences.lowercase.astype(float)


def _unknown(sequences: Sequences) -> Float[np.ndarray, " n"]:
    return (sequences.codes == UNKNOWN).sum(1) / np.maximum(sequences.lengths, 1)


# ---- one sentence each


def _composition(positive: Sequences, negative: Sequences, score: Score | None) -> Finding:
    severity = by_score(score)
    shares = f"{gc_content(positive).mean():.1%} G+C in positives, {gc_content(negative).mean():.1%} in negatives"
    advice = "; compare with negatives of matched GC or shuffled from the positives" if severity != "none" else ""
    return Finding(GC, severity, f"{shares}{advice}", score)


def _lengths(positive: Sequences, negative: Sequences, score: Score | None) -> Finding:
    severity = by_score(score)
    if score is None:
        return Finding(LENGTH, severity, f"all have {int(positive.lengths[0])} bases")
    medians = (
        f"median {np.median(positive.lengths):.0f} bases in positives, {np.median(negative.lengths):.0f} in negatives"
    )
    return Finding(LENGTH, severity, medians + ("; cut all to one length" if severity != "none" else ""), score)


def _case(positive: Sequences, negative: Sequences, score: Score | None) -> Finding:
    severity = by_score(score)
    if score is None:
        known = positive.lowercase is not None and negative.lowercase is not None
        return Finding(CASE, severity, "the same in all sequences" if known else "not known: not read from text")
    shares = (
        f"{_lowercase(positive).mean():.1%} lower case in positives, {_lowercase(negative).mean():.1%} in negatives"
    )
    advice = "; all is upper-cased on reading, so models here cannot use it, but a tool that keeps case will"
    return Finding(CASE, severity, shares + (advice if severity != "none" else ""), score)


def _unknowns(positive: Sequences, negative: Sequences, score: Score | None) -> Finding:
    severity = by_score(score)
    if score is None:
        alike = float(_unknown(positive).max(initial=0))
        return Finding(N, severity, "none" if alike == 0 else "the same share in all sequences")
    shares = f"{_unknown(positive).mean():.2%} N in positives, {_unknown(negative).mean():.2%} in negatives"
    return Finding(N, severity, shares + ("; leave out sequences with N" if severity != "none" else ""), score)


def _places(words: tuple[FixedWord, ...], score: Score | None, gc: Score | None, aligned: bool) -> Finding:
    """A word fixed in the negatives is `look` in itself; a score that GC alone reaches is none of the places' doing."""
    if not aligned:
        return Finding(PLACE, "none", "not tried: the sequences differ in length")
    severity = by_score(score)
    if severity != "none" and not words and gc is not None and score.auroc <= gc.high:
        return Finding(PLACE, "none", "no more than GC content tells by itself", score)
    made = tuple(w for w in words if not w.positive)
    real = tuple(w for w in words if w.positive)
    said = []
    if made:
        severity = worst(severity, "look")
        said.append(f"the negatives hold {_listed(made)}, which only how they were made can explain")
    if real:
        said.append(
            f"the positives hold {_listed(real)}: biology if they are aligned at a landmark, and a model that reads "
            "places needs to know no more"
        )
    if not words:
        said.append(
            f"no word is fixed in {MIN_SHARE:.0%} of either class"
            + (", but the composition differs along the sequence" if severity != "none" else "")
        )
    return Finding(PLACE, severity, "; ".join(said), score)


def _listed(words: tuple[FixedWord, ...]) -> str:
    """`TATAA at base 218 (13.4 %, positives 7.2 %) and ...` with the most telling two."""
    other = "negatives" if words[0].positive else "positives"
    named = [f"{w.word} at base {w.start} ({w.share:.1%}, {other} {w.other:.1%})" for w in telling(words)]
    first, last = min(w.start for w in words), max(w.start for w in words) + K
    return " and ".join(named) + f", {len(words)} words between bases {first} and {last}" * (len(words) > 2)


def _copied(copied: Copies, score: Score | None) -> Finding:
    severity = worst(by_share(copied.related), by_score(score))
    said = (
        f"{copied.related:.1%} of the held-out sequences share {SHARED} bases with a training sequence, "
        f"{copied.identical:.1%} are one"
    )
    advice = "; report also on those that share none, or split by shared words" if severity != "none" else ""
    return Finding(COPIES, severity, said + advice, score)


def _conflicts(copied: Copies) -> Finding:
    share = copied.conflicting
    return Finding(
        CONFLICT, by_share(share), f"{share:.1%} of all sequences stand in both classes" if share else "none"
    )
