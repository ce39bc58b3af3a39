import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pooch
import pytest

from tests.realdata import MIRROR, real
from zoo.domain.cards import Card, CardFile, load_card
from zoo.domain.download import cache_dir, fetch, locate
from zoo.domain.errors import InputError

CONTENT = b">a\nACGT\n" * 300
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Upstream(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012

    def do_GET(self):
        self.asked.append(self.path)
        if self.path == "/absent":
            return self.send_error(404)
        body = {"/good": CONTENT, "/other": CONTENT[::-1], "/short": CONTENT[:-9], "/broken": CONTENT[:100]}[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT) if self.path == "/broken" else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def upstream():
    server = HTTPServer(("127.0.0.1", 0), Upstream)
    Upstream.asked.clear()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


def card(url: str, *paths: str) -> Card:
    files = tuple(CardFile(path, url, len(CONTENT), SHA256) for path in paths or ("a.fa",))
    return Card("toy", "Toy", "genomics", "x", "0", "MIT", "x", "genomics/toy", files)


def cached_files() -> list[str]:
    return sorted(p.name for p in cache_dir().rglob("*") if p.is_file() and p.parent.name != "verified")


def test_a_good_download_is_kept_and_not_repeated(upstream, capsys):
    toy = card(f"{upstream}/good", "a.fa", "sub/b.fa")
    assert locate(toy) is None
    folder = fetch(toy)
    assert (folder / "a.fa").read_bytes() == (folder / "sub/b.fa").read_bytes() == CONTENT
    assert locate(toy) == folder == cache_dir() / "genomics/toy"
    assert fetch(toy, progress=False) == folder
    assert Upstream.asked == ["/good", "/good"]


def test_a_verified_file_is_not_hashed_again(upstream, monkeypatch):
    toy = card(f"{upstream}/good")
    folder = fetch(toy, progress=False)
    monkeypatch.setattr(pooch, "file_hash", lambda *_, **__: pytest.fail("hashed again"))
    assert fetch(toy, progress=False) == folder


def test_a_cached_file_that_was_changed_is_fetched_again(upstream):
    toy = card(f"{upstream}/good")
    folder = fetch(toy, progress=False)
    (folder / "a.fa").write_bytes(CONTENT[::-1])
    assert (fetch(toy, progress=False) / "a.fa").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("other", "is not the file of the data set 'toy'"),
        ("short", "is not the file of the data set 'toy'"),
        ("broken", "broke off"),
        ("absent", "HTTP status 404"),
    ],
)
def test_a_bad_download_is_one_sentence_and_leaves_nothing(upstream, path, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        fetch(card(f"{upstream}/{path}"), progress=False)
    assert "\n" not in str(caught.value)
    assert cached_files() == []
    assert locate(card(f"{upstream}/{path}")) is None


def test_no_network_says_what_to_do():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=r"cannot be reached.*ZOO_DATA") as caught:
        fetch(card(f"http://127.0.0.1:{port}/good"), progress=False)
    assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written_is_named(upstream, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot be saved in"):
        fetch(card(f"{upstream}/good"), progress=False)


@pytest.mark.parametrize("place", ["genomics/toy", "toy", "."])
def test_a_mirror_is_used_in_place_without_a_network(tmp_path, monkeypatch, place):
    folder = tmp_path / "mirror" / place
    folder.mkdir(parents=True)
    (folder / "a.fa").write_bytes(CONTENT)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "mirror"))
    toy = card("http://127.0.0.1:9/never")
    assert locate(toy).samefile(folder)
    assert fetch(toy).samefile(folder)
    assert [p.name for p in (tmp_path / "mirror").rglob("*") if p.is_file()] == ["a.fa"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(CONTENT[::-1], "sha256 is"), (CONTENT[:-1], "truncated"), (None, "does not hold the data set 'toy'")],
)
def test_a_mirror_that_is_wrong_is_not_replaced_by_the_network(upstream, tmp_path, monkeypatch, content, complaint):
    folder = tmp_path / "mirror" / "genomics/toy"
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "a.fa").write_bytes(content)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "mirror"))
    with pytest.raises(InputError, match=complaint) as caught:
        fetch(card(f"{upstream}/good"))
    assert "\n" not in str(caught.value)
    assert Upstream.asked == []


def test_the_cache_serves_where_the_mirror_lacks_the_set(upstream, tmp_path, monkeypatch):
    toy = card(f"{upstream}/good")
    folder = fetch(toy, progress=False)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    assert fetch(toy, progress=False) == folder


@pytest.mark.parametrize("name", ["gue-prom300-tata", "gue-mouse-jund", "chip-ctcf-gm12878", "ecoli-sigma70"])
def test_the_real_mirror_holds_what_the_cards_say(name, monkeypatch):
    shipped = load_card(name)
    folder = real(shipped.mirror)
    monkeypatch.setenv("ZOO_DATA", str(MIRROR))
    assert fetch(shipped).samefile(folder)
