"""Contacts from sequence alone: chains, homologues, the simple baselines, the model and its verbs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from zoo.attention import UniformBackbone
from zoo.attention.positions import Rotary
from zoo.domain.errors import InputError
from zoo.domain.optim import AdamW
from zoo.proteins.alignment import Alignment
from zoo.proteins.alphabet import LETTERS, encode
from zoo.proteins.batch import Example
from zoo.proteins.chain_data import ChainSet, collate_chains
from zoo.proteins.chains import read_cgdms
from zoo.proteins.contacts import Native
from zoo.proteins.homologues import clusters, whole_clusters
from zoo.proteins.propensity import Propensity
from zoo.proteins.query import query_residues
from zoo.proteins.residues import Residues
from zoo.proteins.sequence_insight import explain
from zoo.proteins.sequence_map import SequenceMap, separation_bins
from zoo.proteins.sequence_model import SequencePredictor
from zoo.proteins.sources import own_sequences, with_native

RNG = np.random.default_rng(0)


def random_sequence(length: int = 60) -> str:
    return "".join(RNG.choice(list(LETTERS[:20]), length))


def example(name: str, letters: str, contact: np.ndarray | None = None) -> Example:
    length = len(letters)
    native = None
    if contact is not None:
        native = Native(name, np.where(contact, 5.0, 15.0), np.arange(length))
    return Example(name, Alignment.of((name,), encode(letters)[None]), native)


def model(**change) -> SequencePredictor:
    encoder = UniformBackbone(dim=16, depth=2, num_heads=2, positions=Rotary())
    return SequencePredictor(SequenceMap(Residues(encoder), dim=8, reach=(1, 2)), AdamW(learning_rate=3e-3), **change)


def test_a_chain_is_read_and_its_beta_placed(tmp_path):
    atoms = np.array([[0.0, 0, 0], [1.46, 0, 0], [2.0, 1.42, 0], [9, 9, 9]])
    rows = [" ".join(map(str, (atoms + np.array([4 * i, 0, 0])).ravel())) for i in range(2)]
    (tmp_path / "a.txt").write_text("AG\nCC\n" + "\n".join(rows) + "\n")
    chain = read_cgdms(tmp_path / "a.txt")
    assert chain.sequence == "AG" and len(chain) == 2
    np.testing.assert_allclose(chain.beta[1], atoms[1] + np.array([4, 0, 0]))  # C-alpha of glycine
    distance = np.linalg.norm(chain.beta[0] - atoms[1])
    assert 1.45 < distance < 1.6
    (tmp_path / "b.txt").write_text("AG\nCC\n" + rows[0] + "\n")
    with pytest.raises(InputError, match="2 residues and 1 lines"):
        read_cgdms(tmp_path / "b.txt")


def test_mutated_copies_are_homologues_and_strangers_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    first, stranger = random_sequence(80), random_sequence(80)
    mutated = "".join(c if RNG.random() < 0.6 else RNG.choice(list(LETTERS[:20])) for c in first)
    assert clusters([first, stranger, mutated[10:]]) == [[0, 2], [1]]
    assert clusters([mutated[10:], first, stranger]) == [[0, 1], [2]]  # of the cache, in another order


def test_clusters_are_dealt_out_whole():
    found = [list(range(i, i + n)) for i, n in zip((0, 30, 40, 45, 46), (30, 10, 5, 1, 1), strict=True)]
    parts = whole_clusters(found, (7, 1, 2), seed=0)
    assert sorted(np.concatenate(parts).tolist()) == list(range(47))
    owner = {i: n for n, part in enumerate(parts) for i in part.tolist()}
    assert all(len({owner[i] for i in part}) == 1 for part in found)
    assert all(len(part) for part in parts)


def chains_where_cysteines_touch(count: int, length: int = 40) -> list[Example]:
    found = []
    for n in range(count):
        letters = list(RNG.choice(list("ADEFGHIKLMNPQRSTVWY"), length))
        for place in RNG.choice(length, 5, replace=False):
            letters[place] = "C"
        c = np.array(letters) == "C"
        found.append(example(f"chain {n}", "".join(letters), c[:, None] & c[None]))
    return found


def test_propensity_learns_who_touches_and_at_what_separation():
    learnt = Propensity(chains_where_cysteines_touch(60))
    c, others = LETTERS.index("C"), [i for i in range(20) if LETTERS[i] != "C"]
    assert learnt.by_residues[c, c] > 0.5 > learnt.by_residues[c, others].max()
    np.testing.assert_array_equal(learnt.by_residues, learnt.by_residues.T)
    codes = encode("C" + "A" * 29 + "C" + "A" * 9)
    score = learnt.scores(codes)
    assert (
        score[0, 30] == score.max()
        and score[0, 30] > score[1, 31] == learnt.separation(codes)[0, 30] + learnt.by_residues[0, 0]
    )


def test_a_sequence_alone_says_what_it_says_in_a_batch_and_symmetrically():
    predictor = model().eval()
    pair = [example("a", random_sequence(50)), example("b", random_sequence(33))]
    together = predictor.probabilities(collate_chains([ChainSet(pair)[i] for i in range(2)]))
    for i, one in enumerate(pair):
        (alone,) = predictor.probabilities(collate_chains([ChainSet([one])[0]]))
        assert alone.shape == (one.alignment.length,) * 2
        torch.testing.assert_close(alone, together[i], atol=1e-5, rtol=0)
        torch.testing.assert_close(alone, alone.mT, atol=1e-6, rtol=0)


def test_bins_of_separation_grow():
    bins = separation_bins(200)[0]
    assert bins[:12].tolist() == list(range(12)) and (bins.diff() >= 0).all() and bins.max() == 19


def test_cysteines_are_learnt():
    torch.manual_seed(0)
    predictor, train, test = model(), chains_where_cysteines_touch(64), chains_where_cysteines_touch(8)
    data, optimizer = ChainSet(train), torch.optim.AdamW(predictor.parameters(), 1e-2)
    for _ in range(10):
        for start in range(0, 64, 8):
            optimizer.zero_grad()
            predictor.train().outcome(collate_chains([data[i] for i in range(start, start + 8)])).loss.backward()
            optimizer.step()
    predictor.eval()
    said = np.concatenate([
        m.numpy()[np.triu(e.native.contact, 6)]
        for e, m in zip(test, predictor.probabilities(collate_chains([ChainSet(test)[i] for i in range(8)])),
                        strict=True)
    ])  # fmt: skip
    assert np.median(said) > 0.5
    insight = explain(predictor, torch.utils.data.DataLoader(ChainSet(test), 4, collate_fn=collate_chains))
    table = {t.name: t.frame for t in insight.tables}
    assert len(table["heads"]) == 4 and table["heads"]["layer"].tolist() == [0, 0, 1, 1]
    assert len(table["precision"]) == 8


def test_sequences_of_a_person(tmp_path):
    path = tmp_path / "my.fasta"
    path.write_text(f">one first\n{random_sequence(40)}\n>two\n{random_sequence(30).lower()}\n")
    assert [(e.name, e.alignment.length) for e in own_sequences(path)] == [("one", 40), ("two", 30)]
    path.with_name("x.fasta").write_text(">x\nMK-XVLEAGH*\n")
    (unknown,) = own_sequences(path.with_name("x.fasta"))
    assert unknown.alignment.kept == (0, 1, 3, 4, 5, 6, 7, 8) and query_residues(unknown.alignment)[0] == "MKXVLEAGH"
    with pytest.raises(InputError, match="holds 2 sequences"):
        with_native(own_sequences(path), path, Path("my.pdb"))
    wrong = {
        ">a\nACGTACGTACGT\n": "nucleotides",
        ">a\nMKV\n": "has 3 residues",
        ">a\nMKV1LLLLLLL\n": "no residue letter",
        f">a\n{'M' * 1001}\n": "1,001 residues",
    }
    for text, said in wrong.items():
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            own_sequences(path)


def test_the_card_is_whole():
    from zoo.domain.cards import load_card

    card = load_card("cgdms-chains")
    assert len(card.files) == 1317 and len({f.path for f in card.files}) == 1317


def test_predictions_are_tables_of_pairs(tmp_path):
    path = tmp_path / "my.fasta"
    path.write_text(f">one\n{random_sequence(20)}\n")
    predictor = model().eval()
    (batch,) = predictor.open_input(path)
    table = pd.DataFrame(predictor.predictions(batch))
    assert len(table) == 14 * 15 // 2 and table.probability.is_monotonic_decreasing
    assert predictor.embeddings(batch).shape == (1, 16)
