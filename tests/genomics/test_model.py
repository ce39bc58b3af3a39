"""The detector: what it must not depend on, and what its attention must say when the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zoo.attention import Rotary, UniformBackbone
from zoo.attention.gates import gated
from zoo.attention.observe import attentions
from zoo.domain.errors import InputError
from zoo.domain.optim import AdamW
from zoo.genomics.attribution import attention_evidence, best_windows, coverage, logits, mutagenesis
from zoo.genomics.batch import Batch, SequenceSet, collate, reverse_complement
from zoo.genomics.embed import PAD, ConvStem, KmerEmbedding, one_hot
from zoo.genomics.evidence import known_sites
from zoo.genomics.inputs import input_loader
from zoo.genomics.model import PromoterDetector
from zoo.genomics.sequences import from_strings
from zoo.genomics.sequences import reverse_complement as reference_reverse_complement


def detector(strands="given", embedding=None, **changes) -> PromoterDetector:
    torch.manual_seed(0)
    backbone = UniformBackbone(dim=20, depth=2, num_heads=2, positions=Rotary())
    embedding = ConvStem(20, kernel=7, layers=2, inner_kernel=3) if embedding is None else embedding
    return PromoterDetector(backbone, AdamW(), embedding, strands=strands, pool_heads=2, **changes).eval()


def codes(*texts: str) -> torch.Tensor:
    return torch.from_numpy(from_strings(texts).codes)


TEXTS = ("ACGTTGACCATGCATTACGGA", "GGATCNACGTA", "TTGACCA")


@pytest.mark.parametrize(
    "embedding", [ConvStem(20, 7, 2, 3), ConvStem(20, 9, 1, stride=3, both_strands=True), KmerEmbedding(20, 4)]
)
@pytest.mark.parametrize("strands", ["given", "both"])
def test_a_sequence_has_the_same_logit_alone_and_padded(embedding, strands):
    model = detector(strands, embedding)
    together = logits(model, codes(*TEXTS))
    for text, expected in zip(TEXTS, together, strict=True):
        torch.testing.assert_close(logits(model, codes(text))[0], expected, atol=1e-5, rtol=1e-4)


def test_both_strands_means_that_the_strand_means_nothing():
    x = codes(*TEXTS)
    both, given = detector("both"), detector("given")
    torch.testing.assert_close(logits(both, x), logits(both, reverse_complement(x)), atol=1e-6, rtol=1e-5)
    assert (logits(given, x) - logits(given, reverse_complement(x))).abs().max() > 1e-3


def test_reverse_complement_equals_the_reference_and_keeps_padding_behind():
    x = codes(*TEXTS)
    assert np.array_equal(reverse_complement(x).numpy(), reference_reverse_complement(x.numpy()))
    assert torch.equal(reverse_complement(reverse_complement(x)), x)
    assert (reverse_complement(x)[2, 7:] == PAD).all()


def test_one_hot_by_hand():
    x = one_hot(torch.tensor([[0, 3, 4, 5]]))
    assert x[0].T.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0.25] * 4, [0] * 4]


def test_a_stem_of_both_strands_reads_the_other_strand_as_the_mirrored_tokens():
    forward = codes("ACGTTGACCATGCATTACGGA")
    for both, same in ((True, True), (False, False)):
        stem = ConvStem(20, 7, 1, both_strands=both)
        a, b = stem(forward).tokens, stem(reverse_complement(forward)).tokens.flip(1)
        assert torch.allclose(a, b, atol=1e-5) == same


def test_a_stem_of_both_strands_takes_the_better_strand():
    stem = ConvStem(1, 3, 1, both_strands=True)
    with torch.no_grad():
        stem.first.weight.copy_(one_hot(codes("AAC").long())[0][None])  # 3 on AAC, and 3 on GTT
        stem.first.bias.zero_()
    for word in ("AAC", "GTT"):
        assert stem._sites(one_hot(codes(word)))[0, 0, 1].item() == pytest.approx(3)
    assert stem._sites(one_hot(codes("CAA")))[0, 0, 1].item() == pytest.approx(1)


def test_kmer_tokens_by_hand():
    embedding = KmerEmbedding(1, 2)
    with torch.no_grad():
        embedding.table.weight.copy_(torch.arange(17.0)[:, None])
    tokens = embedding(codes("ACGTN")).tokens[0, :, 0]
    assert tokens.tolist() == [1, 6, 11, 16, 16]  # AC CG GT TN N-


def test_mutation_redraws_its_share_of_the_bases_in_training_alone():
    model = detector(mutation=0.2).train()
    x = torch.zeros(200, 100, dtype=torch.uint8)
    x[:, 90:] = PAD
    moved = model._augmented(x)
    assert torch.equal(moved == PAD, x == PAD)
    changed = (moved != x)[:, :90].float().mean().item()
    assert changed == pytest.approx(0.2 * 3 / 4, abs=0.01)  # one in four draws the same base
    assert torch.equal(model.eval()(x), detector()(x))


def test_evidence_of_a_token_lies_on_the_bases_that_it_sees():
    stem = ConvStem(20, kernel=5, layers=1, stride=2)
    tokens = stem(codes("ACGTACGTAC"))
    track = tokens.to_bases(torch.tensor([[0, 0, 6.0, 0, 0]]), 10)
    assert track[0].tolist() == pytest.approx([0, 0, 1, 1, 1, 1, 1, 1, 0, 0])
    kmers = KmerEmbedding(20, 3)(codes("ACGTAC"))
    track = kmers.to_bases(torch.tensor([[0, 3.0, 0, 0, 0, 0]]), 6)
    assert track[0].tolist() == pytest.approx([0, 1, 1, 1, 0, 0])


def trained_to_find(site: str, seed: int = 0, shuffle: bool = False):
    """A small detector trained for seconds to tell sequences with `site` from those without."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(list("ACGT"), (512, 40))
    labels = np.arange(512) % 2
    starts = rng.integers(0, 40 - len(site), 512)
    for row, start, label in zip(rows, starts, labels, strict=True):
        if label:
            row[start : start + len(site)] = list(site)
    x, y = codes(*("".join(row) for row in rows)), torch.from_numpy(labels).float()
    if shuffle:
        y = y[torch.randperm(512, generator=torch.Generator().manual_seed(seed))]
    model = detector("given", ConvStem(20, 7, 1)).train()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(240):
        at = torch.arange(step * 64, step * 64 + 64) % 512
        optimizer.zero_grad()
        model.outcome(Batch(x[at], y[at], ())).loss.backward()
        optimizer.step()
    return model.eval(), x[y == 1], [[(s, s + len(site))] for s in starts[(y == 1).numpy()]]


def test_attention_and_mutagenesis_land_on_the_planted_site_and_a_shuffled_control_does_not():
    """Attention x gradient gets a lower bar than the two others: this model's training is chaotic, and one and the same
    seed came out at .79 and at .98 with one thread and with two."""
    model, x, sites = trained_to_find("TGACTCA")
    present = torch.ones(x.shape, dtype=torch.bool)
    seen = attention_evidence(model, x)
    assert coverage(best_windows(seen.raw, 15, present).tolist(), 15, sites) > 0.9
    assert coverage(best_windows(seen.score, 15, present).tolist(), 15, sites) > 0.55
    assert coverage(best_windows(mutagenesis(model, x[:40]), 15, present[:40]).tolist(), 15, sites[:40]) > 0.9
    control, x, sites = trained_to_find("TGACTCA", shuffle=True)
    seen = attention_evidence(control, x)
    assert coverage(best_windows(seen.score, 15, present[: len(x)]).tolist(), 15, sites) < 0.5


def test_along_the_whole_way_evidence_adds_up_to_what_attention_did():
    """The integral from no attention to all of it is the difference of the logits (Hao et al. 2021)."""
    model = detector(embedding=ConvStem(20, 1, 1))  # a token for each base, which sees no other
    x = codes("ACGTTGACCATGCATTACGGAACGTTGAC", "GGATCAACGTAACCG")
    steps = 64
    seen = attention_evidence(model, x, faded=[(k + 0.5) / steps for k in range(steps)])
    with gated(model, {layer: torch.zeros(1) for layer in attentions(model)}):
        without = logits(model, x)
    expected = logits(model, x) - without
    torch.testing.assert_close(seen.score.sum(1), expected, rtol=1e-3, atol=1e-4)
    alone = attention_evidence(model, x, faded=(1.0,)).score.sum(1)
    assert (alone - expected).abs().min() > 0.01  # the gradient at the end of the way says something else


def test_evidence_of_both_strands_is_turned_back():
    model = detector("both")
    x = codes("ACGTTGACCATGCATTACGGA", "GGATCAACGTAACC")
    seen = attention_evidence(model, x)
    turned = attention_evidence(model, reverse_complement(x))
    torch.testing.assert_close(turned.score[0].flip(0), seen.score[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(turned.score[1, :14].flip(0), seen.score[1, :14], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(sum(seen.heads.values()), seen.score)
    assert len(seen.heads) == 2 * 2 + 2


def test_best_window_is_centred_on_its_peak_and_inside_the_sequence():
    track = torch.zeros(2, 30)
    track[0, 13] = 1.0
    track[1, 29] = 1.0
    present = torch.ones(2, 30, dtype=torch.bool)
    present[1, 20:] = False
    assert best_windows(track, 11, present)[0] == 8  # 8 to 18 around 13
    assert best_windows(track, 11, present)[1] + 11 <= 20


def test_coverage_and_known_sites_by_hand():
    sites = known_sites(["AATGAGTCAAA", "CCCCCCC", "TGACTCATGACTCA"], "TGASTCA")
    assert sites == [[(2, 9)], [], [(0, 7), (7, 14)]]
    assert coverage([0, 0, 5], 9, sites) == pytest.approx(2 / 3)


def test_collate_pads_and_marks_missing_labels():
    batch = collate([SequenceSet(from_strings(TEXTS))[i] for i in range(3)])
    assert batch.codes.shape == (3, 21) and (batch.codes[2, 7:] == PAD).all()
    assert batch.labels.isnan().all()


def test_a_chromosome_is_read_as_windows_unless_it_has_a_label(tmp_path):
    path = tmp_path / "long.fa"
    path.write_text(">a\n" + "ACGT" * 10 + "\n>b\n" + "ACGT" * 6000 + "\n")
    found = input_loader(path).dataset.sequences
    assert found.names[:3] == ("a", "b:0-1000", "b:500-1500") and found.names[-1] == "b:23000-24000"
    assert len(found) == 48 and found.strings()[0] == "ACGT" * 10
    path = tmp_path / "long.csv"
    path.write_text("sequence,label\n" + "ACGT" * 6000 + ",1\nACGT,0\n")
    with pytest.raises(InputError, match="24,000 bases, the limit is 20,000"):
        input_loader(path, labelled=True)
