"""Tracks: every base at its place, and the planted site where the letters are."""

import numpy as np
import pytest
import torch

from tests.genomics.test_model import codes, detector
from zoo.domain.insight import Insight
from zoo.genomics import tracks
from zoo.genomics.attribution import attention_evidence, logits
from zoo.genomics.tracks import DRAWN, draw_tracks, to_bedgraph, with_tracks


def test_bedgraph_by_hand():
    x = codes("ACGT", "AC", "ACGT").numpy()
    evidence = np.array([[1.0, 1.0, 2.0, 0.5], [3.0, 4.0, 9.0, 9.0], [1.0, 2.0, 2.0, 3.0]])
    lines = to_bedgraph(evidence, x, ["chr2:100-104", "mine some words", "chr1:10-14(-)"]).splitlines()
    assert lines[0].startswith("track type=bedGraph")
    assert lines[1:] == [
        "chr1\t10\t11\t3",  # read from the other strand
        "chr1\t11\t13\t2",
        "chr1\t13\t14\t1",
        "chr2\t100\t102\t1",
        "chr2\t102\t103\t2",
        "chr2\t103\t104\t0.5",
        "mine\t0\t1\t3",
        "mine\t1\t2\t4",
    ]


def test_an_insight_gets_a_picture_and_a_file_of_the_clearest_sequences():
    draw = np.random.default_rng(0)
    x = codes(*("".join(draw.choice(list("ACGT"), n)) for n in (60, 45, 60, 60, 60, 60, 60)))
    model = detector()
    names = tuple(f"s{i}" for i in range(7))
    before = Insight("said", files={"a.txt": "a"})
    after = with_tracks(before, model, x.numpy(), names, attention_evidence(model, x).score)
    assert after.headline == "said" and set(after.files) == {"a.txt", "evidence.bedgraph"}
    assert after.figures[-1].name == "tracks" and after.figures[-1].png.startswith(b"\x89PNG")
    bases = dict.fromkeys(names, 0)
    for line in after.files["evidence.bedgraph"].splitlines()[1:]:
        name, start, end, _ = line.split("\t")
        bases[name] += int(end) - int(start)
    assert bases == {name: 45 if name == "s1" else 60 for name in names}
    assert "5" in after.figures[-1].caption and DRAWN == 5 and torch.isfinite(logits(model, x)).all()


@pytest.mark.parametrize(("length", "strands", "drawn"), [(60, "both", True), (1001, "both", False)])
def test_mutagenesis_is_left_out_where_it_would_take_too_many_passes(monkeypatch, length, strands, drawn):
    asked = []
    monkeypatch.setattr(tracks, "mutagenesis", lambda _, x: asked.append(x) or torch.zeros(x.shape))
    x = torch.randint(4, (6, length), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    names = tuple(f"s{i}" for i in range(6))
    caption = with_tracks(Insight(""), detector(strands), x.numpy(), names, torch.rand(x.shape)).figures[-1].caption
    assert bool(asked) is drawn
    assert ("orange" in caption) is drawn and ("would take more than 30,000 passes" in caption) is not drawn


def test_letters_stand_on_unknown_bases_and_flat_tracks_too():
    x = codes("ACGTN" * 10, "A" * 50).numpy()
    flat = np.zeros((2, 50))
    assert draw_tracks(x, ["a", "b"], flat, flat).startswith(b"\x89PNG")
