"""One HTML page in which a person clicks through a graph: who acts on whom, how strongly, and over which links.

Like the page of heads it loads nothing from anywhere (its own policy forbids it), runs one script, ours, and escapes
what the data bring. It asks no server, so it can be sent by mail.
"""

from __future__ import annotations

import base64
import hashlib
import html
from importlib.resources import files

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from zoo.graphs.graph import SupplyGraph
from zoo.graphs.influence import Influence
from zoo.graphs.pictures import layout

WIDTH, HEIGHT, EDGE = 900, 620, 50
STRONGEST = 40  # influences of one agent that the page holds


def render_page(graph: SupplyGraph, found: Influence, title: str = "Who acts on whom") -> str:
    """The whole page."""
    script, style = (files("zoo.graphs").joinpath(name).read_text(encoding="utf-8") for name in ("page.js", "page.css"))
    templates = Environment(loader=PackageLoader("zoo.graphs", "."), autoescape=True, undefined=StrictUndefined)
    return templates.get_template("page.html.j2").render(
        title=title,
        facts=_facts(graph, found),
        drawing=Markup(_drawing(graph)),
        script=Markup(script),
        style=Markup(style),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _facts(graph: SupplyGraph, found: Influence) -> dict:
    layers, heads = found.weights.shape[:2]
    effect, kinds = found.effect, graph.shares.argmax(1)
    return {
        "names": list(graph.names),
        "relations": list(graph.relations),
        "links": [[int(s), int(b), int(r)] for s, b, r in zip(graph.supplier, graph.buyer, kinds, strict=True)],
        "attention": np.round(found.weights.reshape(layers * heads, -1), 4).tolist(),
        "heads": [f"layer {i + 1}, head {h}" for i in range(layers) for h in range(heads)],
        "acts": {
            "gradient": [_strongest(effect[i], i) for i in range(len(graph))],
            "attention": [_strongest(found.attention[i], i) for i in range(len(graph))],
        },
    }


def _strongest(row: np.ndarray, own: int) -> list[list[float]]:
    """[agent, number] of whoever acts on an agent, the strongest first."""
    order = [int(j) for j in np.argsort(-np.abs(row)) if j != own and abs(row[j]) > 1e-9][:STRONGEST]
    return [[j, round(float(row[j]), 4)] for j in order]


def _drawing(graph: SupplyGraph) -> str:
    place = layout(graph)
    low, high = place.min(0), place.max(0)
    place = (place - low) / np.maximum(high - low, 1e-9) * (WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE) + EDGE
    marks = [
        f'<line class="link" data-link="{e}" x1="{place[s, 0]:.1f}" y1="{place[s, 1]:.1f}" x2="{place[b, 0]:.1f}" '
        f'y2="{place[b, 1]:.1f}" marker-end="url(#tip)"/>'
        for e, (s, b) in enumerate(zip(graph.supplier, graph.buyer, strict=True))
    ]
    for i, ((x, y), name) in enumerate(zip(place, graph.names, strict=True)):
        marks.append(
            f'<g class="agent" data-agent="{i}" tabindex="0" role="button"><title>{html.escape(name)}</title>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8"/>'
            f'<text x="{x:.1f}" y="{y - 12:.1f}">{html.escape(name)}</text></g>'
        )
    return "\n".join(marks)
