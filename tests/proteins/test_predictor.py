"""The predictor: what its map may not depend on, what goes in and what comes out, and a run from end to end."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.proteins.writing import written
from zoo.attention import Rotary, UniformBackbone
from zoo.domain.errors import InputError
from zoo.domain.insight import file_stems
from zoo.domain.optim import AdamW
from zoo.proteins import pair_features as pair_features_module
from zoo.proteins.alignment import Alignment
from zoo.proteins.alphabet import decode
from zoo.proteins.batch import Example, FamilySet, collate, truth
from zoo.proteins.couplings import apc
from zoo.proteins.data import PlantedFamilies, held_out
from zoo.proteins.family_attention import FamilySettings
from zoo.proteins.formats import casp_rr, ranked_pairs
from zoo.proteins.insight import loudness, told
from zoo.proteins.model import ContactPredictor
from zoo.proteins.pair_features import (
    COUPLINGS,
    FEATURES,
    CouplingMaps,
    conservation,
    coupling_maps,
    pair_features,
    standardised,
)
from zoo.proteins.pair_map import AxialMap, DilatedMap
from zoo.proteins.planted import plant
from zoo.proteins.precision import long_range
from zoo.proteins.query import query_letters, query_residues
from zoo.proteins.sources import input_loader, own_example
from zoo.proteins.weights import effective_depth
from zoo.run.finish import write_insight

QUICK = FamilySettings(heads=4, steps=3)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def family() -> Example:
    made = plant(depth=60, order=(0, 2, 1), strand=9, sweeps=4)
    return Example("three", made.alignment, made.native)


def maps(kind: str, features: int = len(FEATURES)):
    torch.manual_seed(0)
    if kind != "dilated":
        encoder = UniformBackbone(dim=16, depth=2, num_heads=2, mlp_ratio=1.0, positions=Rotary())
        return AxialMap(encoder, features, stem=(1, 2) if kind == "stem" else (), reach=(1, 2)).eval()
    return DilatedMap(features, dim=6, reach=(1, 2)).eval()


def predictor(kind: str = "axial", **changes) -> ContactPredictor:
    return ContactPredictor(maps(kind), AdamW(), family=QUICK, **changes).eval()


# ---- the map of pairs


@pytest.mark.parametrize("kind", ["axial", "stem", "dilated"])
def test_a_symmetric_map_stays_symmetric_and_padding_changes_nothing(kind):
    model = maps(kind, 5)
    x = torch.randn(1, 5, 13, 13)
    x = x + x.mT
    alone = model(x, torch.ones(1, 13, dtype=torch.bool))
    torch.testing.assert_close(alone, alone.transpose(1, 2), atol=1e-5, rtol=1e-4)
    wide = torch.randn(1, 5, 17, 17)
    wide[:, :, :13, :13] = x
    present = torch.arange(17)[None] < 13
    padded = model(wide, present)
    torch.testing.assert_close(padded[:, :13, :13], alone, atol=1e-5, rtol=1e-4)
    assert (padded[:, 13:] == 0).all()


def test_attention_carries_news_along_the_whole_row_and_a_convolution_does_not():
    for kind, far in (("axial", True), ("stem", True), ("dilated", False)):
        model = maps(kind, 5)
        x = torch.zeros(1, 5, 31, 31)
        moved = x.clone()
        moved[0, 0, 2, 28] = moved[0, 0, 28, 2] = 5.0
        everyone = torch.ones(1, 31, dtype=torch.bool)
        changed = (model(moved, everyone) - model(x, everyone)).abs().amax(-1)[0]
        assert changed[2, 28] > 0 and (changed[2, 10] > 1e-6) == far


# ---- features


def test_features_are_symmetric_named_and_kept(family, tmp_path):
    found = coupling_maps(family.alignment, QUICK)
    features = pair_features(found)
    assert features.shape == (len(FEATURES), family.alignment.length, family.alignment.length)
    assert np.allclose(features, features.transpose(0, 2, 1), atol=1e-5)
    kept = list((tmp_path / "cache" / "couplings").glob("*.npz"))
    assert len(kept) == 1
    again = coupling_maps(family.alignment, QUICK)
    assert all(np.allclose(again.maps[name], found.maps[name], atol=1e-5) for name in COUPLINGS)
    assert again.effective_depth == pytest.approx(effective_depth(family.alignment.codes))


def test_standardised_by_hand():
    score = np.add.outer(np.arange(9.0), np.arange(9.0))
    scaled = standardised(score)
    far = np.abs(np.subtract.outer(range(9), range(9))) >= 6
    assert scaled[far].mean() == pytest.approx(0) and scaled[far].std() == pytest.approx(1)


def test_conservation_by_hand():
    single = np.zeros((3, 21))
    single[0, 4] = 1.0
    single[1, :20] = 0.04
    single[1, 20] = 0.2
    single[2, [3, 7]] = 0.5
    entropy, gaps = conservation(single)
    assert entropy.tolist() == pytest.approx([0, 1, np.log(2) / np.log(20)]) and gaps.tolist() == [0, 0.2, 0]


def test_what_is_too_near_or_unseen_is_not_trained_on(family):
    answer = truth(family.native, family.alignment.length)
    assert np.isnan(answer[5, 9]) and answer[0, 20] in (0, 1)
    batch = collate([FamilySet([family], QUICK)[0]])
    assert torch.equal(batch.contact.isnan()[0], torch.from_numpy(np.isnan(answer)))
    assert np.isnan(truth(None, 4)).all()


# ---- the model


def test_a_family_has_the_same_map_alone_and_beside_a_longer_one(family):
    longer = plant(depth=60, order=(0, 2, 1), strand=12, sweeps=4)
    pair = FamilySet([family, Example("long", longer.alignment, longer.native)], QUICK)
    model = predictor()
    with torch.no_grad():
        (alone,) = model.probabilities(collate([pair[0]]))
        together, _ = model.probabilities(collate([pair[0], pair[1]]))
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_the_outcome_is_the_loss_and_the_precision_of_each_family(family):
    batch = collate([FamilySet([family], QUICK)[0]])
    model = predictor()
    outcome = model.outcome(batch)
    logit = model(batch)[0].detach()
    known = ~batch.contact[0].isnan()
    p, y = logit[known].sigmoid(), batch.contact[0][known]
    assert outcome.loss.item() == pytest.approx(-(y * p.log() + (1 - y) * (1 - p).log()).mean().item(), rel=1e-4)
    assert outcome.prediction[0].tolist() == pytest.approx(long_range(logit.numpy(), family.native))


def test_noise_and_dropped_maps_are_of_training_alone(family):
    batch = collate([FamilySet([family], QUICK)[0]])
    model = predictor(noise=1.0, drop=0.5)
    assert torch.equal(model(batch), model(batch))
    seen = model.train().features(batch)
    torch.testing.assert_close(seen[:, len(COUPLINGS) :], batch.features[:, len(COUPLINGS) :])
    assert torch.allclose(seen, seen.mT, atol=1e-5) and not torch.equal(seen, batch.features)
    with pytest.raises(InputError, match="trained with another version"):
        model(batch._replace(features=batch.features[:, 1:]))


@pytest.mark.parametrize("kind", ["axial", "dilated"])
def test_it_learns_one_family_by_heart(kind, family):
    model = predictor(kind, noise=0.0, drop=0.0).train()
    batch = collate([FamilySet([family], QUICK)[0]])
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        losses.append(model.outcome(batch).loss)
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < 0.6 * losses[0]


def test_whole_families_are_held_out():
    names = [f"family {i}" for i in range(28)]
    tested = []
    for fold in range(4):
        parts = held_out(names, fold, 4)
        assert sum(map(len, parts.values())) == 28 and len(set().union(*parts.values())) == 28
        assert (len(parts["train"]), len(parts["valid"]), len(parts["test"])) == (17, 4, 7)
        tested += parts["test"]
    assert sorted(tested) == sorted(names)


def test_the_shuffled_control_keeps_columns_and_truth():
    plain, control = (
        PlantedFamilies(num_families=7, depth=30, family=QUICK, shuffle_columns=s).part("test") for s in (False, True)
    )
    for a, b in zip(plain.examples, control.examples, strict=True):
        assert np.array_equal(np.sort(a.alignment.codes, 0), np.sort(b.alignment.codes, 0))
        assert not np.array_equal(a.alignment.codes, b.alignment.codes)
        assert np.array_equal(a.native.contact, b.native.contact)


# ---- files in and out


def test_a_structure_is_named_with_its_chain_or_without(family, tmp_path):
    alignment = written(tmp_path, family, structure=True)
    elsewhere = (tmp_path / "mine.pdb").rename(tmp_path / "other.pdb")
    assert own_example(alignment).native is None
    for named in (elsewhere, Path(f"{elsewhere}:A")):
        assert own_example(alignment, named).native.num_resolved == family.alignment.length
    with pytest.raises(InputError, match="no protein chain Q: there is A"):
        own_example(alignment, Path(f"{elsewhere}:Q"))
    with pytest.raises(InputError, match=r"none\.pdb: there is no such file"):
        own_example(alignment, tmp_path / "none.pdb")


def test_an_alignment_with_a_structure_beside_it_can_be_scored(family, tmp_path):
    example = own_example(written(tmp_path, family, structure=True))
    assert example.native is not None and example.native.num_resolved == family.alignment.length
    known = example.native.known & (example.native.separation >= 6)
    betas = np.array([letter != "G" for letter in decode(family.alignment.codes[0])])
    assert betas.any() and (example.native.contact == family.native.contact)[known].all()


def test_without_a_structure_it_predicts_and_is_not_scored(family, tmp_path):
    path = written(tmp_path, family, structure=False)
    (batch,) = input_loader(path, family=QUICK)
    table = pd.DataFrame(predictor().predictions(batch))
    assert list(table.columns) == ["family", "i", "j", "residue_i", "residue_j", "probability"]
    assert (table.j - table.i).min() == 6 and table.probability.is_monotonic_decreasing
    with pytest.raises(InputError, match="no structure to score against"):
        input_loader(path, labelled=True)


def test_columns_without_a_residue_of_the_query_are_left_out_and_numbered_as_in_the_file(tmp_path):
    path = tmp_path / "my.fa"
    path.write_text(
        ">q\nMK-VLEAGHKW\n" + "".join(f">s{i}\nMKAVLEAG{c}KW\n" for i, c in enumerate("DEHKR")) + ">t\nCCPPPFFFRRR\n"
    )
    example = own_example(path)
    assert example.alignment.length == 10 and example.alignment.kept[:4] == (0, 1, 3, 4)
    table = ranked_pairs(np.arange(100.0).reshape(10, 10) / 100, "MKVLEAGHKW", example.alignment.kept)
    assert table.iloc[0][["i", "j", "residue_i", "residue_j"]].tolist() == [5, 11, "L", "W"]


def test_sequences_that_are_all_alike_are_refused(tmp_path):
    (tmp_path / "same.fasta").write_text(">a\nMKVLWYPH\n" + ">b\nMKVLWYPH\n" * 20)
    with pytest.raises(InputError, match="21 sequences count as"):
        own_example(tmp_path / "same.fasta")


def test_a_head_that_looks_everywhere_says_nothing():
    flat = (1 - np.eye(9)) / 8
    sharp = np.roll(np.eye(9), 1, axis=1)
    heads = np.stack([flat, sharp, sharp]), np.array([3.0, 1.0, 2.0])
    found = CouplingMaps({}, np.zeros((9, 21)), 5.0, np.zeros((0, 9, 9)), *heads)
    said = loudness(found)
    assert said[0] == pytest.approx(0) and said[2] == pytest.approx(2 * said[1])
    assert said[1] == pytest.approx(np.sqrt(9 * ((7 / 8) ** 2 + 7 / 8**2)))


def test_too_few_columns_are_refused_and_a_short_map_is_told_by_what_it_has(tmp_path):
    (tmp_path / "few.fasta").write_text(">a\nMKVLWY\n>b\nAAAGGG\n>c\nPQRSTV\n")
    with pytest.raises(InputError, match="6 columns"):
        own_example(tmp_path / "few.fasta")
    made = plant(depth=30, order=(0, 1), strand=7, sweeps=2)
    probability = np.zeros((17, 17))
    probability[3, 12] = probability[12, 3] = 0.9
    line = told([(Example("short", made.alignment, None), probability)]).headline
    assert "6 columns apart and more" in line and "4-13 (0.90)" in line


def test_rr_counts_residues_of_the_query():
    draw = np.random.default_rng(0).uniform(0.02, 1, (11, 11))
    p = (draw + draw.T) / 2
    whole = Alignment.of(("q", "s"), np.zeros((2, 14), dtype=np.uint8), "--MKXVLEAGH-KW")
    sequence, residue = query_residues(whole.columns([1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 13]))
    assert sequence == "MKXVLEAGHKW" and residue.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11]
    lines = casp_rr(p, sequence, residue, "T0001").splitlines()
    assert lines[0] == "PFRMAT RR" and lines[-1] == "END" and "MKXVLEAGHKW" in lines
    pairs = [line.split() for line in lines[6:-1]]
    assert len(pairs) == 12 and all(int(j) - int(i) >= 6 for i, j, *_ in pairs)
    said = {(int(i), int(j)): float(v) for i, j, _, _, v in pairs}
    assert said[1, 7] == pytest.approx(p[1, 6], abs=1e-5) and said[2, 11] == pytest.approx(p[2, 10], abs=1e-5)
    assert [float(v) for *_, v in pairs] == sorted((float(v) for *_, v in pairs), reverse=True)


def test_names_of_a_file_become_safe_and_distinct_file_names(tmp_path):
    names = ["../../evil/x", "a b", "a_b", "A_B", "...", "heads", "a" * 300, "sp|P1|x y"]
    stems = file_stems(names, ("heads",))
    assert stems[:6] == ["_.._evil_x", "a_b", "a_b_2", "A_B_3", "unnamed", "heads_2"]
    assert len(stems[6]) == 80 and stems[7] == "sp_P1_x_y"
    made = plant(depth=30, order=(0, 1), strand=7, sweeps=2)
    seen = [
        (Example(name, made.alignment, None), np.zeros((17, 17))) for name in ("/tmp/evil", "my family", "my family")
    ]
    insight = told(seen)
    assert {n.rpartition(".")[0] for n in insight.files} == {"_tmp_evil", "my_family", "my_family_2"}
    assert {f.name for f in insight.figures} == {"map__tmp_evil", "map_my_family", "map_my_family_2"}
    assert "\nTARGET my_family_2\n" in insight.files["my_family_2.rr"]
    write_insight(tmp_path / "insight", insight)
    assert (tmp_path / "insight" / "_tmp_evil.rr").is_file()


def test_many_families_are_counted_and_what_has_no_picture_is_said():
    made = plant(depth=30, order=(0, 1), strand=7, sweeps=2)
    told_of = told([(Example(f"f{i}", made.alignment, None), np.zeros((17, 17))) for i in range(15)])
    assert len(told_of.figures) == 12 and "Only the first 12 of 15" in told_of.figures[0].caption
    assert len(told_of.headline.splitlines()) == 11 and told_of.headline.endswith("... and 5 more.")


def test_without_a_long_range_there_is_no_precision_of_it():
    made = plant(depth=30, order=(0, 1), strand=7, sweeps=2)
    insight = told([(Example("short", made.alignment, made.native), made.native.contact * 0.9)])
    assert "no long-range pairs" in insight.headline and "nan" not in insight.headline
    assert "long P@L" not in insight.scores


def test_two_that_make_the_same_maps_do_not_disturb_each_other(family, monkeypatch):
    written_to = []
    save = np.savez_compressed
    monkeypatch.setattr(np, "savez_compressed", lambda path, **maps: written_to.append(path) or save(path, **maps))
    for _ in range(2):
        coupling_maps(family.alignment, QUICK)
        for kept in written_to[-1].parent.iterdir():
            kept.unlink()
    assert len(set(written_to)) == 2


def gapped(tmp_path, family: Example, gaps: slice) -> Path:
    """The family with the query's residues in `gaps` taken out, and the structure of the whole query beside."""
    written(tmp_path, family, structure=True)
    rows = [decode(codes) for codes in family.alignment.codes]
    letters = list(rows[0])
    letters[gaps] = "-" * len(letters[gaps])
    path = tmp_path / "mine.fasta"
    path.write_text(f">q\n{''.join(letters)}\n" + "".join(f">s{i}\n{row}\n" for i, row in enumerate(rows)))
    return path


def test_what_will_take_long_is_announced(family, monkeypatch, capsys):
    coupling_maps(family.alignment, QUICK)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(pair_features_module, "LONG", 0.0)
    coupling_maps(family.alignment, QUICK)  # of the cache
    assert capsys.readouterr().err == ""
    coupling_maps(family.alignment.rows(np.arange(1, 60)), QUICK)
    assert "33 columns and 59 sequences take about 0 minutes" in capsys.readouterr().err


def test_residues_of_the_structure_count_where_the_query_has_a_gap(family, tmp_path):
    path = gapped(tmp_path, family, slice(4, 9))
    length = family.alignment.length
    example = own_example(path)
    assert example.native.num_resolved == example.alignment.length == length
    (tmp_path / "mine.pdb").unlink()
    assert own_example(path).alignment.length == length - 5


def test_a_query_of_few_residues_stays_the_query_and_one_of_none_is_refused(family, tmp_path):
    path = gapped(tmp_path, family, slice(4, None))
    example = own_example(path)
    assert example.alignment.names[0] == "q" and example.alignment.length == family.alignment.length
    letters = query_letters(example.alignment)
    assert letters[:4].isupper() and letters[4:].islower()
    path = gapped(tmp_path, family, slice(0, None))
    with pytest.raises(InputError, match="the query, is nothing but gaps"):
        own_example(path)


def test_the_insight_tells_precision_and_draws_the_map(family):
    perfect = family.native.contact * 0.8 + 0.1
    insight = told([(family, perfect)])
    row = insight.tables[0].frame.iloc[0]
    assert row["medium P@L/5"] <= 1 and row["long P@L"] == pytest.approx(row["long ceiling @L"])
    assert {f.name for f in insight.figures} == {"map_three", "space_three", "reliability"}
    assert all(f.png.startswith(b"\x89PNG") for f in insight.figures)
    assert {"three.rr", "three.csv"} <= set(insight.files) and "1 family" in insight.headline
    found = FamilySet([family], QUICK).couplings(0)
    heads = told([(family, perfect)], [found]).tables[0].frame
    assert len(heads) == 4 and heads.says.is_monotonic_decreasing and heads["mean distance"].between(1, 32).all()
    assert heads["long P@L"].iloc[0] == pytest.approx(
        long_range(apc(found.attention[heads["head"][0]] + found.attention[heads["head"][0]].T), family.native)[0]
    )
    blind = told([(family._replace(native=None), perfect)])
    assert "No structure was given" in blind.headline and not blind.tables


def test_a_run_from_end_to_end(tmp_path, monkeypatch, family, capsys):
    from zoo.run.cli import main as zoo
    from zoo.run.train import main as train

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    folder = tmp_path / "run"
    small = ["model.family.steps=3", "model.family.heads=4", "backbone.encoder.depth=1", "backbone.encoder.dim=8"]
    train(["experiment=contacts_planted", *small, "data.num_families=7", "data.depth=40", "trainer.max_epochs=1",
           "logger=csv", "callbacks.progress=null", "trainer.enable_progress_bar=false",
           f"hydra.run.dir={folder}"])  # fmt: skip
    scores = pd.read_csv(folder / "scores.csv")
    assert list(scores.model) == ["attention", *COUPLINGS] and "P@L_low" in scores
    assert (folder / "report.html").is_file() and list((folder / "insight").glob("*.rr"))
    mine = written(tmp_path, family, structure=True)
    zoo(["predict", str(folder), "--input", str(mine), "--output", str(tmp_path / "pairs.csv")])
    assert len(pd.read_csv(tmp_path / "pairs.csv")) > 100
    (tmp_path / "mine.pdb").rename(tmp_path / "seen.pdb")
    zoo(["explain", str(folder), "--input", str(mine), "--structure", str(tmp_path / "seen.pdb")])
    zoo(["test", str(folder), "--input", str(mine), "--structure", str(tmp_path / "seen.pdb")])
    assert "1 example: no interval" in " ".join(capsys.readouterr().out.split())
    assert np.load(folder / "insight_mine" / "mine.npy").shape == (33, 33)
    assert (folder / "insight_mine" / "mine.rr").is_file() and (folder / "insight_mine" / "precision.csv").is_file()
