"""The page of heads: what it holds can be read back, nothing reaches out, and nothing given to it can run."""

import base64
import hashlib
import html
import json
import re
import zlib

import numpy as np
import pandas as pd
import pytest

from zoo.heads.page import Example, cell_texts, render_page, role_letters

EVIL = "</script><img src=x onerror=alert(1)>"
LAYERS, HEADS, TOKENS, KEPT = 2, 3, 7, 5


def table(layers: int = LAYERS, heads: int = HEADS) -> pd.DataFrame:
    rows = [
        {
            "layer": f"blocks.{layer}",
            "head": head,
            "role": ["first", "local", ""][head % 3],
            "entropy": layer + head / 7,
        }
        for layer in range(layers)
        for head in range(heads)
    ]
    return pd.DataFrame(rows)


def example(name="a", tokens=TOKENS, kept=KEPT, layers=LAYERS, heads=HEADS, seed=0) -> Example:
    """Random attention; `tokens` is their number or the tokens themselves."""
    rng = np.random.default_rng(seed)
    tokens = tuple(f"t{i}" for i in range(tokens)) if isinstance(tokens, int) else tuple(tokens)
    scores = rng.exponential(size=(layers, heads, len(tokens), len(tokens))).astype(np.float32) ** 3
    keys = np.argsort(-scores, axis=-1)[..., :kept]
    weights = np.take_along_axis(scores, keys, -1) / scores.sum(-1, keepdims=True)
    return Example(name, tokens, keys.astype(np.uint16), np.round(255 * weights).astype(np.uint8))


def block(page: str, name: str) -> str:
    """The content of the script element with this id."""
    (found,) = re.findall(rf'<script type="[^"]+" id="{name}">(.*?)</script>', page, flags=re.DOTALL)
    return found


def unpacked(page: str, name: str, dtype: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(block(page, name))), dtype)


def text_of(page: str) -> str:
    page = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_what_is_embedded_is_what_was_given():
    given = [example("one"), example("two", tokens=11, kept=3, seed=1)]
    page = render_page("Heads", table(), given)
    facts = json.loads(block(page, "facts"))
    assert facts["layers"] == ["blocks.0", "blocks.1"] and facts["heads"] == HEADS
    assert facts["roles"] == ["first", "local", ""] * LAYERS
    assert facts["columns"] == [{"name": "entropy", "values": list(table()["entropy"])}]
    for i, one in enumerate(given):
        assert facts["examples"][i] == {"name": one.name, "tokens": list(one.tokens), "k": one.keys.shape[-1]}
        assert (unpacked(page, f"keys-{i}", "<u2").reshape(one.keys.shape) == one.keys).all()
        assert (unpacked(page, f"weights-{i}", "u1").reshape(one.weights.shape) == one.weights).all()


def test_rows_are_sorted_into_layers_and_heads():
    shuffled = table().iloc[[4, 1, 5, 0, 3, 2]]  # blocks.1 comes first: so it stays the first layer
    page = render_page("Heads", shuffled, [])
    facts = json.loads(block(page, "facts"))
    assert facts["layers"] == ["blocks.1", "blocks.0"]
    assert facts["columns"][0]["values"] == pytest.approx([1, 8 / 7, 9 / 7, 0, 1 / 7, 2 / 7])


def test_the_table_reads_as_a_person_wants_it():
    heads = table()
    heads["distance"] = [np.nan, 31.04, 2.0, 250.21, np.inf, -4.0]
    heads["kept"] = [True, False] * 3
    heads["nearest_motif"] = "TATA"
    heads["cluster"] = pd.array([1, 2, None, 1, 2, 12], dtype="Int64")
    page = render_page("Heads", heads, [])
    assert "blocks.0 1 local 0.14 31.0 no TATA 2 blocks.0 2 0.29 2.0 yes TATA –" in text_of(page)
    columns = json.loads(block(page, "facts"))["columns"]  # what can colour the overview
    assert [column["name"] for column in columns] == ["entropy", "distance", "cluster"]
    assert columns[1]["values"] == [None, 31.04, 2.0, 250.21, None, -4.0]
    assert columns[2]["values"] == [1, 2, None, 1, 2, 12]
    assert "nearest motif" in text_of(page)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.45, 0.052, 0.0004], ["0.450", "0.052", "4.0e-04"]),
        ([98.42, -3.2, 0.0], ["98.4", "−3.2", "0.0"]),
        ([1234.5, None], ["1,234.5", "–"]),
        ([12, 3400], ["12", "3,400"]),
        ([np.nan, np.nan], ["–", "–"]),
    ],
)
def test_a_column_has_one_number_of_decimals(values, said):
    assert cell_texts(pd.Series(values)) == said


def test_each_role_has_its_letter():
    roles = ["previous"] * 3 + ["position"] * 2 + ["pop", "ppo", ""]
    assert role_letters(roles) == {"previous": "P", "position": "O", "pop": "A", "ppo": "B"}
    many = role_letters([f"role {i}" for i in range(40)])
    assert len(set(many.values())) == 37 and list(many.values()).count("?") == 4  # 26 letters, 10 digits, then no more


def test_nothing_is_loaded_from_elsewhere():
    page = render_page("Heads", table(), [example()])
    assert "default-src 'none'" in page
    for outside in ("http:", "https:", "@import", "url(", "src=", "href=", "import(", "fetch(", "XMLHttpRequest"):
        assert outside not in page, outside


def test_only_our_script_may_run():
    page = render_page("Heads", table(), [example()])
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "innerHTML" not in script and "insertAdjacentHTML" not in script and "document.write" not in script


def test_everything_given_is_escaped():
    tokens = (EVIL, "<!--<script>", "\u2028", "\u202e", "&amp;", "'\"`", "\ud800")  # the last one: half a character
    heads = table().assign(layer=[EVIL + "0"] * HEADS + [EVIL + "1"] * HEADS, role=EVIL, note=EVIL)
    heads[EVIL] = 1.0
    page = render_page(EVIL, heads, [example(EVIL, tokens)])
    page.encode("utf-8")
    assert "<img" not in page and "<!--" not in page and "\u2028" not in page
    assert len(re.findall("<script", page)) == len(re.findall("</script", page)) == 4  # facts, keys, weights, ours
    facts = json.loads(block(page, "facts"))
    assert tuple(facts["examples"][0]["tokens"]) == tokens and facts["examples"][0]["name"] == EVIL
    assert facts["layers"][0] == EVIL + "0" and facts["columns"][-1]["name"] == EVIL
    assert text_of(page).count(EVIL) >= 2 + 1 + 3 * len(heads)  # and still said


def test_the_page_says_what_it_shows():
    text = text_of(render_page("Heads of a toy", table(), [example("a sentence")]))
    for words in ("Heads of a toy", "6 heads in 2 layers", "1 example", "a sentence", "square root", "looks at"):
        assert words in text
    script = re.findall(r"<script>(.*?)</script>", render_page("t", table(), []), flags=re.DOTALL)[0]
    assert "strongest keys of each query are kept" in script and "no DecompressionStream" in script


def test_without_examples_or_numbers():
    text = text_of(render_page("Bare", table()[["layer", "head", "role"]], []))
    assert "6 heads in 2 layers." in text and "Example" not in text and "Colour by" not in text


def test_a_large_model_stays_a_small_file():
    large = example(tokens=512, kept=32, layers=12, heads=12)
    page = render_page("Large", table(12, 12), [large])
    assert len(page) < 8e6
    assert page.count("<td") == 12 * 12 * 4 and len(re.findall("<(span|div|li|canvas)", page)) < 60  # no cell is a node


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        (table().drop(columns="role"), "lacks role"),
        (table().head(0), "is empty"),
        (table().drop(index=4), r"'blocks.1' has heads \[0, 2\]; expected 0 to 2"),
        (table().assign(head=1), r"heads \[1, 1, 1\]"),
    ],
)
def test_a_table_that_is_no_table_of_heads(heads, said):
    with pytest.raises(ValueError, match=said):
        render_page("Heads", heads, [])


def test_an_example_that_does_not_fit_says_all_that_is_wrong():
    good = example()
    with pytest.raises(ValueError, match=r"'a'.*expected \[2, 3, 6, k\]"):
        render_page("Heads", table(), [Example("a", good.tokens[:6], good.keys, good.weights)])
    wrong = Example("b", good.tokens, good.keys.astype(np.int64) + 100, good.weights[..., ::-1])
    with pytest.raises(ValueError, match=r"int64.*position 106 of 7.*must fall"):
        render_page("Heads", table(), [wrong])


def test_a_key_without_weight_may_stand_anywhere():
    """How a short row (a causal model's first token) is filled up."""
    given = example()
    keys, weights = given.keys.copy(), given.weights.copy()
    keys[..., 1:], weights[..., 1:] = 65535, 0
    page = render_page("Heads", table(), [Example("causal", given.tokens, keys, weights)])
    np.testing.assert_array_equal(unpacked(page, "keys-0", "<u2").reshape(keys.shape), keys)
    weights[0, 0, 0, 1] = 1
    with pytest.raises(ValueError, match="position 65535 of 7"):
        render_page("Heads", table(), [Example("causal", given.tokens, keys, weights)])
