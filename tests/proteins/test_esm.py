"""ESM on sequences of residues: tokens, logits and contacts beside transformers; the contact regression, trained."""

from __future__ import annotations

import copy
import re

import numpy as np
import pytest
import torch
from esm_checkpoints import DEPTH, HEADS, reference, saved, sharp_esm2
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from transformers import EsmTokenizer
from transformers.models.esm.modeling_esm import average_product_correct, symmetrize

from zoo.attention import FullMap, observe
from zoo.attention.pretrained import Checkpoint
from zoo.domain.errors import InputError
from zoo.proteins.esm import EsmAlphabet, EsmProteins
from zoo.proteins.esm_contacts import ContactRegression
from zoo.proteins.esm_regression import contact_features, fit_contacts

SEQUENCES = ["MKTVRQERLKSIVRILERSKEPVSGAQLAEELSVSRQ", "GAVLIXBUZOJ.-KR", "mkt", "W"]


def with_vocabulary(folder):
    (folder / "vocab.txt").write_text("\n".join(EsmAlphabet().tokens))
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = with_vocabulary(tmp_path_factory.mktemp("esm"))
    theirs = sharp_esm2()
    return theirs, EsmProteins.load(saved(theirs, folder)), EsmTokenizer(str(folder / "vocab.txt"))


def asked(tokenizer):
    return tokenizer([s.upper() for s in SEQUENCES], return_tensors="pt", padding=True)


def test_tokens_are_those_of_transformers(pair):
    _, ours, tokenizer = pair
    assert torch.equal(ours.alphabet.numbers(SEQUENCES), asked(tokenizer)["input_ids"])
    assert EsmAlphabet().tokens[4:9] == tuple("LAGVS") and len(EsmAlphabet().tokens) == 33


@torch.no_grad()
def test_logits_states_and_contacts_are_those_of_transformers(pair):
    theirs, ours, tokenizer = pair
    batch = asked(tokenizer)
    logits = theirs(**batch).logits
    states = theirs.esm(**batch).last_hidden_state
    contacts = theirs.predict_contacts(batch["input_ids"], batch["attention_mask"])
    found = zip(SEQUENCES, ours.logits(SEQUENCES), ours.states(SEQUENCES), ours.contacts(SEQUENCES), strict=True)
    for i, (sequence, a, b, c) in enumerate(found):
        n = len(sequence)
        torch.testing.assert_close(a, logits[i, 1 : n + 1], atol=1e-5, rtol=0)
        torch.testing.assert_close(b, states[i, 1 : n + 1], atol=1e-5, rtol=0)
        torch.testing.assert_close(c, contacts[i, :n, :n], atol=1e-6, rtol=0)
    assert contacts.std() > 0.05


@torch.no_grad()
def test_one_pass_equals_the_maps_written_out(pair):
    """In double precision, so that nothing but the algebra is compared: transformers' own functions on whole maps."""
    ours = copy.deepcopy(pair[1]).double()
    for sequence in SEQUENCES:
        ids = ours.alphabet.numbers([sequence])
        with observe(ours, maps := FullMap()):
            ours.language_model(ids)
        inner = torch.cat(list(maps.result().values()), 1)[0, :, 1:-1, 1:-1]
        weight = ours.regression.weight.double().flatten()[:, None, None]
        expected = ((average_product_correct(symmetrize(inner)) * weight).sum(0) + ours.regression.bias).sigmoid()
        (found,) = ours.contacts([sequence])
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_contacts_are_the_same_in_small_blocks_alone_and_in_a_batch(pair, monkeypatch):
    _, ours, _ = pair
    together = ours.contacts(SEQUENCES)
    monkeypatch.setattr("zoo.attention.blockwise.BLOCK_ELEMENTS", 1)  # four rows at a time
    for sequence, expected in zip(SEQUENCES, together, strict=True):
        (alone,) = ours.contacts([sequence])
        torch.testing.assert_close(alone, expected, atol=1e-6, rtol=0)
        assert torch.allclose(alone, alone.T)


def test_more_sequences_than_a_batch_holds(pair):
    _, ours, _ = pair
    many = ours.contacts(SEQUENCES * 5)
    assert [len(m) for m in many] == [len(s) for s in SEQUENCES] * 5
    torch.testing.assert_close(many[18], many[2], atol=1e-6, rtol=0)


@torch.no_grad()
def test_features_are_those_of_transformers(pair):
    theirs, ours, tokenizer = pair
    sequence = SEQUENCES[0]
    pairs = torch.tensor([[0, 1], [3, 30], [36, 2], [5, 5]])
    maps = torch.stack(theirs(**tokenizer(sequence, return_tensors="pt"), output_attentions=True).attentions, 1)
    expected = average_product_correct(symmetrize(maps[0, ..., 1:-1, 1:-1].flatten(0, 1)))
    found = contact_features(ours, sequence, pairs)
    torch.testing.assert_close(found, expected[:, pairs[:, 0], pairs[:, 1]].T, atol=1e-6, rtol=0)


def planted(ours: EsmProteins, head: int, number: int = 12, length: int = 40):
    """Random sequences whose contacts are, by fiat, the pairs that one head prefers."""
    rng = np.random.default_rng(0)
    examples = []
    for _ in range(number):
        sequence = "".join(rng.choice(list("LAGVSERTIDPKQNFYMHWC"), length))
        row, column = np.triu_indices(length, 6)
        feature = contact_features(ours, sequence, torch.tensor(np.stack([row, column], 1)))[:, head].numpy()
        contacts = np.zeros((length, length))
        contacts[row, column] = feature > np.quantile(feature, 0.9)
        examples.append((sequence, contacts + contacts.T))
    return examples


def test_the_regression_finds_the_head_that_knows_and_none_where_nobody_does(pair, tmp_path):
    _, ours, _ = pair
    examples = planted(ours, head=7)
    found = fit_contacts(ours, examples, strength=1e3)
    assert found.weight.shape == (DEPTH, HEADS) and found.weight.abs().argmax() == 7
    model = EsmProteins(ours.language_model, ours.alphabet, found)
    precision = []
    for sequence, contacts in planted(ours, head=7, number=3):
        (probability,) = model.contacts([sequence])
        row, column = np.triu_indices(40, 6)
        best = probability.numpy()[row, column].argsort()[-40:]
        precision.append(contacts[row, column][best].mean())
    assert np.mean(precision) > 0.9
    rng = np.random.default_rng(1)
    shuffled = [(s, (lambda m: m + m.T)(np.triu(rng.permuted(c.ravel()).reshape(c.shape), 6))) for s, c in examples]
    assert fit_contacts(ours, shuffled).weight.abs().max() < 0.05 * fit_contacts(ours, examples).weight.abs().max()
    found.save(tmp_path / "regression.safetensors")
    again = ContactRegression.of(Checkpoint.open(tmp_path / "regression.safetensors"), DEPTH, HEADS)
    assert torch.equal(again.weight, found.weight) and torch.equal(again.bias, found.bias)


def test_the_regression_is_scikit_learns_on_the_resolved_pairs_with_esms_penalty(pair):
    _, ours, _ = pair
    examples, features, labels = [], [], []
    for sequence, contacts in planted(ours, head=7, number=3):
        contacts[5] = contacts[:, 5] = contacts[30:] = contacts[:, 30:] = np.nan
        kept = [i for i in range(30) if i != 5]
        pairs = np.array([(i, j) for i in kept for j in kept if j - i >= 6])
        examples.append((sequence, contacts))
        features.append(contact_features(ours, sequence, torch.from_numpy(pairs)).numpy())
        labels.append(contacts[pairs[:, 0], pairs[:, 1]] == 1)
    for strength in (0.15, 1e5):
        expected = LogisticRegression(l1_ratio=1, C=strength, solver="liblinear", random_state=0, max_iter=1000)
        expected.fit(np.concatenate(features), np.concatenate(labels))
        found = fit_contacts(ours, examples, **({} if strength == 0.15 else {"strength": strength}))
        np.testing.assert_allclose(found.weight.flatten(), expected.coef_[0], rtol=1e-6)
        assert found.bias.item() == pytest.approx(expected.intercept_[0])
    i, j = np.array([(i, j) for i in kept for j in kept if j - i >= 6]).T
    (contacts,) = EsmProteins(ours.language_model, ours.alphabet, found).contacts([sequence])
    np.testing.assert_allclose(contacts[i, j], expected.predict_proba(features[-1])[:, 1], atol=2e-5)


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda m: m.contacts([]), "there is no sequence to read"),
        (lambda m: m.contacts(["MKT", ""]), "sequence 2 is empty"),
        (lambda m: m.logits(["MK1T"]), "sequence 1 holds '1': expected the one-letter codes"),
        (lambda m: EsmProteins(m.language_model, m.alphabet).contacts(["MKT"]), "has no contact regression: fit one"),
        (
            lambda m: fit_contacts(m, [("MKT", np.zeros((4, 4)))]),
            "of 3 residues needs a contact map of 3 x 3, got 4 x 4",
        ),
        (lambda m: fit_contacts(m, []), "0 pairs of residues at least 6 apart, 0 of them contacts"),
        (lambda m: fit_contacts(m, [("M" * 9, np.zeros((9, 9)))]), "6 pairs of residues at least 6 apart, 0 of them"),
    ],
)
def test_what_cannot_be_read_is_said(pair, do, said):
    with pytest.raises(InputError, match=re.escape(said)):
        do(pair[1])


def test_a_checkpoint_that_cannot_be_used_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        EsmProteins.load(tmp_path / "nowhere" / "at" / "all")
    saved(reference("esm2", vocab_size=40), tmp_path)
    with pytest.raises(InputError, match=r"vocab\.txt is missing, and this is not ESM-2's alphabet"):
        EsmProteins.load(tmp_path)
    (tmp_path / "vocab.txt").write_text("<cls>\n<pad>\nAAA\nAAC")
    with pytest.raises(InputError, match=r"is no alphabet of proteins: it lacks <eos>, <unk>, A, C"):
        EsmProteins.load(tmp_path)


def test_a_regression_over_other_heads_is_said(tmp_path):
    saved(reference("esm2"), tmp_path)
    weights = dict(Checkpoint.open(tmp_path).weights)
    weights["esm.contact_head.regression.weight"] = torch.zeros(1, 12)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="its contact regression is over 12 heads, the model has 3 x 5"):
        EsmProteins.load(tmp_path)


def test_an_alphabet_without_its_file_is_esm2s(tmp_path):
    assert EsmProteins.load(saved(reference("esm2"), tmp_path)).alphabet == EsmAlphabet()
