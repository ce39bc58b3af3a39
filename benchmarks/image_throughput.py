"""A training step on images of different sizes: packed in one row, against padding, against timm's NaFlexViT.

    python -m benchmarks.image_throughput bccd        crops at their own scale: padding to the largest is mostly waste
    python -m benchmarks.image_throughput clothing    photographs brought to one budget of tokens
    python -m benchmarks.image_throughput equal       images of one size, against timm's VisionTransformer

The same images and the same shape (depth, width, heads, patch, a class token, learned positions interpolated to each
image's grid) for all; NaFlexViT gets the patches already cut, padded to the longest of the batch, with their mask, as
its own loader would hand them over. Equal weights are not needed: time does not depend on them. Steps (forward,
cross-entropy, backward) are timed in turns; a ratio is the median of paired ratios with its 95 % interval. Useful
tokens are those of images, without padding.
"""

from __future__ import annotations

import statistics

import numpy as np
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.results import Report, device, options
from benchmarks.timing import in_turns, ratio
from zoo.domain.cards import load_card
from zoo.domain.download import fetch
from zoo.vision.backbone import VisionBackbone
from zoo.vision.batch import ImageSet, Sizing
from zoo.vision.batching import pad_fraction
from zoo.vision.catalogue import looked_at
from zoo.vision.data import card_items
from zoo.vision.embed import ImageEmbedding
from zoo.vision.network import ImageNetwork
from zoo.vision.patches import LinearPatches, cut
from zoo.vision.positions import Interpolated
from zoo.vision.readout import FrontTokens

SETS = {"bccd": ("bccd", "voc", "native"), "clothing": ("clothing-small", "folders", "fit")}
CLASSES = 10


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("images", choices=["bccd", "clothing", "equal"])
    parser.add_argument("--batch", type=int, default=24, help="images (default: %(default)s)")
    parser.add_argument("--patch", type=int, default=16)
    parser.add_argument("--budget", type=int, default=256, help="most patches of an image (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=192)
    parser.add_argument("--depth", type=int, default=12)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0, help="of timing (default: %(default)s)")
    arguments = parser.parse_args()
    report = Report(f"image_throughput_{arguments.images}", arguments)
    pixels = batch_of(arguments)
    lengths = [p.shape[1] * p.shape[2] // arguments.patch**2 for p in pixels]
    network = ours(arguments)
    steps = {"packed": lambda: step(network, network(pixels, "packed"))}
    if arguments.images == "equal":
        peer = timm.create_model(
            "vit_tiny_patch16_224", img_size=tuple(pixels[0].shape[1:]), patch_size=arguments.patch,
            embed_dim=arguments.dim, depth=arguments.depth, num_heads=arguments.heads, num_classes=CLASSES,
        ).to(device())  # fmt: skip
        together = torch.stack(pixels)
        steps["timm VisionTransformer"] = lambda: step(peer, peer(together))
    else:
        peer = naflex(arguments)
        given = naflex_input(pixels, arguments.patch)
        steps["padded"] = lambda: step(network, network(pixels, "padded"))
        steps["timm NaFlexVit"] = lambda: step(peer, peer(given))
    times = in_turns(steps, arguments.seconds)
    rows = [
        {
            "way": name,
            "useful tokens a second": sum(lengths) / statistics.median(times[name]),
            "rate against packed": str(ratio(times, "packed", to=name)),
            "padding": 0.0 if name == "packed" else pad_fraction([lengths]),
        }
        for name in steps
    ]
    title = f"{arguments.images}: {len(pixels)} images of {min(lengths)} to {max(lengths)} tokens"
    report.table(title, rows, "Rate against packed: above 1, packed is slower; below 1, faster.")
    report.write()


def batch_of(arguments) -> list[Tensor]:
    if arguments.images == "equal":
        side = int(arguments.budget**0.5) * arguments.patch
        return [torch.randn(3, side, side, device=device()) for _ in range(arguments.batch)]
    name, layout, scale = SETS[arguments.images]
    card = load_card(name)
    found = looked_at(card_items(card, fetch(card), layout))
    images = ImageSet(found.items, found.classes, Sizing(arguments.patch, arguments.budget, scale))
    chosen = np.random.default_rng(0).permutation(len(images))[: arguments.batch]
    return [images[int(i)].pixels.to(device()) for i in chosen]


def ours(arguments) -> ImageNetwork:
    side, dim = int(arguments.budget**0.5), arguments.dim
    embedding = ImageEmbedding(LinearPatches(dim, arguments.patch), Interpolated(side, side, dim), dim, front=1)
    backbone = VisionBackbone(dim, arguments.depth, arguments.heads)
    return ImageNetwork(embedding, backbone, FrontTokens(dim), nn.Linear(dim, CLASSES)).to(device()).train()


def naflex(arguments) -> nn.Module:
    side = int(arguments.budget**0.5)
    return timm.create_model(
        "naflexvit_base_patch16_gap", patch_size=arguments.patch, embed_dim=arguments.dim, depth=arguments.depth,
        num_heads=arguments.heads, num_classes=CLASSES, class_token=True, reg_tokens=0, global_pool="token",
        pos_embed="learned", pos_embed_grid_size=(side, side), init_values=None, fc_norm=False,
    ).to(device()).train()  # fmt: skip


def naflex_input(pixels: list[Tensor], patch: int) -> dict[str, Tensor]:
    """Patches [N, longest, p p 3] (channels last, as its loader has them), their places (y, x), and which there are."""
    grids = [(p.shape[1] // patch, p.shape[2] // patch) for p in pixels]
    longest = max(h * w for h, w in grids)
    patches = torch.zeros(len(pixels), longest, patch * patch * 3, device=device())
    places = torch.zeros(len(pixels), longest, 2, dtype=torch.long, device=device())
    valid = torch.zeros(len(pixels), longest, dtype=torch.bool, device=device())
    for i, (image, (h, w)) in enumerate(zip(pixels, grids, strict=True)):
        patches[i, : h * w] = cut(image, patch).unflatten(1, (3, -1)).mT.flatten(1)
        places[i, : h * w] = torch.cartesian_prod(torch.arange(h), torch.arange(w)).view(-1, 2).to(places)
        valid[i, : h * w] = True
    return {"patches": patches, "patch_coord": places, "patch_valid": valid}


def step(model: nn.Module, logits: Tensor) -> None:
    F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device)).backward()
    model.zero_grad(set_to_none=True)


if __name__ == "__main__":
    main()
