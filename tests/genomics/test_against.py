"""A word that stands in negatives alone speaks against the class, and one of the positives does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from zoo.attention import Rotary, UniformBackbone
from zoo.domain.optim import AdamW
from zoo.genomics.against import against_headline, against_table, opposite, speaks_against
from zoo.genomics.attribution import attention_evidence, logits
from zoo.genomics.batch import Batch
from zoo.genomics.embed import ConvStem
from zoo.genomics.jaspar import load_jaspar
from zoo.genomics.model import PromoterDetector
from zoo.genomics.sequences import Sequences, from_strings, take

FOR, AGAINST = "TGACTCAT", "CCGGAAGT"  # AP-1, ETS


def planted(n: int, seed: int) -> Sequences:
    """Each class has its word in nine of ten sequences, at any place."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 2).astype(np.float32)
    rows = []
    for label in labels:
        row = rng.choice(list("ACGT"), 60)
        if rng.random() < 0.9:
            at = rng.integers(0, 52)
            row[at : at + 8] = list(FOR if label else AGAINST)
        rows.append("".join(row))
    made = from_strings(rows)
    return Sequences(made.names, made.codes, made.lengths, labels)


@pytest.fixture(scope="module")
def trained() -> tuple[PromoterDetector, Sequences]:
    torch.manual_seed(0)
    backbone = UniformBackbone(dim=20, depth=1, num_heads=2, positions=Rotary())
    model = PromoterDetector(backbone, AdamW(), ConvStem(20, 9, 1), "both", pool_heads=2).train()
    data = planted(1200, 0)
    x, y = torch.from_numpy(data.codes), torch.from_numpy(data.labels)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(260):
        at = torch.arange(step * 64, step * 64 + 64) % len(x)
        optimizer.zero_grad()
        model.outcome(Batch(x[at], y[at], ())).loss.backward()
        optimizer.step()
    return model.eval(), data


def of_class(data: Sequences, label: int) -> Sequences:
    return take(data, np.flatnonzero(data.labels == label))


def test_inside_the_logit_and_the_evidence_are_those_of_the_other_class(trained):
    model, data = trained
    x = torch.from_numpy(data.codes[:20])
    before, seen = logits(model, x), attention_evidence(model, x).score
    with opposite(model):
        torch.testing.assert_close(logits(model, x), -before)
        torch.testing.assert_close(attention_evidence(model, x).score, -seen)
    torch.testing.assert_close(logits(model, x), before)


def test_the_word_of_the_negatives_is_found_and_that_of_the_positives_is_not(trained):
    model, data = trained
    references, test = load_jaspar(), planted(400, 1)
    found = speaks_against(model, of_class(data, 0), of_class(data, 1), test, references, asked=True)
    confirmed = [r for r in found if r.confirmed]
    assert confirmed and all("Ets" in r.best.family for r in confirmed)
    as_common = replace(confirmed[0].enriched, qvalue=0.5)
    assert not replace(confirmed[0], enriched=as_common).confirmed  # a partner of the positives, alone
    assert "speak" in (said := against_headline(found)) and "% of negatives" in said
    table = against_table(found, references)
    assert table["in negatives"][0] > 0.7 > 0.2 > table["in positives"][0] and table["logit rise"][0] > 0.5
    unasked = speaks_against(model, of_class(data, 0), of_class(data, 1), test, references, asked=False)
    assert not any(r.confirmed for r in unasked) and against_headline(unasked) == ""
