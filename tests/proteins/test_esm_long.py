"""Contacts between chains and in windows: beside transformers' attention cut by hand, and by averages by hand."""

from __future__ import annotations

import pytest
import torch
from esm_checkpoints import PLACES, reference, saved, sharp_esm2
from transformers.models.esm.modeling_esm import average_product_correct, symmetrize

from zoo.domain.errors import InputError
from zoo.proteins.esm import EsmProteins
from zoo.proteins.esm_long import chain_contacts, tiled_contacts

CHAINS = ["MKTVRQERLKSIV", "GAVLI", "MKWYHHE"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    theirs = sharp_esm2()
    return theirs, EsmProteins.load(saved(theirs, tmp_path_factory.mktemp("esm")))


@torch.no_grad()
def test_chains_are_joined_and_the_linker_is_left_out(pair):
    theirs, ours = pair
    found = chain_contacts(ours, CHAINS, linker="GGG")
    ids = ours.alphabet.numbers(["GGG".join(CHAINS)])
    maps = torch.cat(theirs.esm(ids, output_attentions=True).attentions, dim=1)  # [1, heads of all layers, n, n]
    kept = [*range(1, 14), *range(17, 22), *range(25, 32)]
    corrected = average_product_correct(symmetrize(maps[:, :, kept][..., kept]))
    head = theirs.esm.contact_head.regression
    expected = (torch.einsum("bhij,h->bij", corrected, head.weight[0]) + head.bias).sigmoid()[0]
    edges = [0, 13, 18, 25]
    for a in range(3):
        for b in range(3):
            block = expected[edges[a] : edges[a + 1], edges[b] : edges[b + 1]]
            torch.testing.assert_close(found[a][b], block, atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(found[a][b], found[b][a].T)


def test_without_a_linker_chains_are_one_sequence(pair):
    _, ours = pair
    (whole,) = ours.contacts(["".join(CHAINS)])
    torch.testing.assert_close(chain_contacts(ours, CHAINS, linker="")[0][2], whole[:13, 18:], atol=1e-6, rtol=1e-5)


def test_windows_are_averaged_and_nobody_looked_beyond(pair):
    _, ours = pair
    sequence = "MKTVRQERLKSIV"
    torch.testing.assert_close(tiled_contacts(ours, sequence), ours.contacts([sequence])[0])
    found = tiled_contacts(ours, sequence, window=8, overlap=4)
    first, second, third = (ours.contacts([sequence[i : i + 8]])[0] for i in (0, 4, 5))
    assert found[0, 8].isnan() and found[12, 4].isnan()
    torch.testing.assert_close(found[0, 7], first[0, 7])
    torch.testing.assert_close(found[5, 7], (first[5, 7] + second[1, 3] + third[0, 2]) / 3)
    torch.testing.assert_close(found[6, 12], third[1, 7])


def test_a_table_of_positions_ends(tmp_path):
    """Stretched, it would change what every sequence of the batch is told; transformers refuses too."""
    ours = EsmProteins.load(saved(reference("esm1b", vocab_size=33), tmp_path))
    assert ours.longest == PLACES - 4  # padding, what lies before it, and the two tokens around a sequence
    sequence = ("MKTVR" * 20)[: ours.longest + 1]
    with pytest.raises(InputError, match=f"sequence 2 has {ours.longest + 1} residues, the model has positions for"):
        ours.contacts(["MKT", sequence])
    assert ours.contacts([sequence[:-1]])[0].shape == (ours.longest, ours.longest)
    assert tiled_contacts(ours, sequence, window=ours.longest).shape == (len(sequence), len(sequence))


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda m: chain_contacts(m, ["MKT", ""]), "sequence 2 is empty"),
        (
            lambda m: chain_contacts(EsmProteins(m.language_model, m.alphabet), ["MKT", "W"]),
            "has no contact regression",
        ),
        (lambda m: tiled_contacts(m, "MKTW", window=3, overlap=3), "overlap=3 must be at least 0 and less than"),
        (lambda m: tiled_contacts(m, ""), "sequence 1 is empty"),
    ],
)
def test_what_cannot_be_read_is_said(pair, do, said):
    with pytest.raises(InputError, match=said):
        do(pair[1])
