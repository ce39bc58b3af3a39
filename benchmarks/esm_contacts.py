"""Contacts from a protein language model: our one pass over blocks, and transformers' predict_contacts.

    python -m benchmarks.esm_contacts

Random weights of ESM-2 8M's shape (6 layers of 20 heads, width 320), one random sequence, without gradients; the two
maps and the logits are compared first. Each is timed once, its peak above the built model taken, in a fresh process.
"""

from __future__ import annotations

import random
import tempfile

import torch

from benchmarks.memory import FreshProcesses, MiB, peak_bytes
from benchmarks.results import Report, options
from benchmarks.timing import seconds
from zoo.proteins.esm import EsmProteins

WAYS = ("ours", "transformers")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--residues", type=int, default=1000)
    arguments = parser.parse_args()
    report = Report("esm_contacts", arguments)
    with tempfile.TemporaryDirectory() as folder:
        theirs, processes = built(folder), FreshProcesses("transformers.models.esm.modeling_esm")
        far = differences(folder, theirs, arguments.residues)
        rows = []
        for name in WAYS:
            taken, most = processes.call(timed_peak, name, folder, arguments.residues)
            rows.append({"": name, "s": taken, "peak MiB": most / MiB, **far})
    report.table(f"{arguments.residues} residues, 6 layers x 20 heads, width 320", rows)
    report.write()


def built(folder: str):
    """A model of transformers, saved to `folder`."""
    from transformers import EsmConfig, EsmForMaskedLM

    torch.manual_seed(0)
    config = EsmConfig(
        vocab_size=33, hidden_size=320, num_hidden_layers=6, num_attention_heads=20, intermediate_size=1280,
        mask_token_id=32, pad_token_id=1, position_embedding_type="rotary", token_dropout=True, layer_norm_eps=1e-5,
        attn_implementation="eager",
    )  # fmt: skip
    model = EsmForMaskedLM(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape) * 0.05)
        model.esm.contact_head.regression.weight *= 20
    model.save_pretrained(folder)
    return model


def sequence(residues: int) -> str:
    return "".join(random.Random(0).choices("LAGVSERTIDPKQNFYMHWC", k=residues))


@torch.no_grad()
def differences(folder: str, theirs, residues: int) -> dict[str, float]:
    ours, text = EsmProteins.load(folder), sequence(residues)
    ids = ours.alphabet.numbers([text])
    contacts, logits = theirs.predict_contacts(ids, torch.ones_like(ids))[0], theirs(ids).logits[0, 1:-1]
    return {
        "contacts differ by": f"{(ours.contacts([text])[0] - contacts).abs().max():.1e}",
        "their spread": contacts.std().item(),
        "logits differ by": f"{(ours.logits([text])[0] - logits).abs().max():.1e}",
        "largest logit": logits.abs().max().item(),
    }


@torch.no_grad()
def timed_peak(name: str, folder: str, residues: int) -> tuple[float, int]:
    ours = EsmProteins.load(folder)
    if name == "ours":
        passes = [lambda n=n: ours.contacts([sequence(n)]) for n in (64, residues)]
    else:
        from transformers import EsmForMaskedLM

        theirs = EsmForMaskedLM.from_pretrained(folder, attn_implementation="eager").eval()
        inputs = [ours.alphabet.numbers([sequence(n)]) for n in (64, residues)]
        passes = [lambda ids=ids: theirs.predict_contacts(ids, torch.ones_like(ids)) for ids in inputs]
    taken: list[float] = []
    most = peak_bytes(lambda: taken.append(seconds(passes[1])), passes[0])
    return taken[0], most


if __name__ == "__main__":
    main()
