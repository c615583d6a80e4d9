"""An EventSource of a real browser: it reads the stream, and comes back by itself where it was cut off."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import Repository
from tests.support.staged import PENDING, SUCCESS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
PAGE = """<!doctype html><title>watching</title><script>
let last = Promise.resolve();
const tell = (told) => last = last.then(() => fetch("/told", {method: "POST", body: JSON.stringify(told)}));
const source = new EventSource(%s);
source.onopen = () => tell({open: true});
source.onmessage = (event) => tell({id: event.lastEventId, ...JSON.parse(event.data)});
</script>"""


class Site:
    """A page of another origin, and what it tells."""

    def __init__(self) -> None:
        self.told: Queue[dict[str, Any]] = Queue()
        self.page = ""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the library's name
                self._answer(site.page.encode() if self.path == "/" else b"")

            def do_POST(self) -> None:
                site.told.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self._answer(b"")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def next(self) -> dict[str, Any]:
        """What it tells next, but that it is open."""
        while True:
            told = self.told.get(timeout=SECONDS)
            if "open" not in told:
                return told

    def close(self) -> None:
        """Serves it no more."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    """A page that is not the gateway's."""
    made = Site()
    yield made
    made.close()


@contextmanager
def browser(folder: Path, url: str) -> Iterator[None]:
    """A browser that shows a page."""
    process = subprocess.Popen(
        [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            url,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def test_an_event_source_comes_back_and_misses_nothing(site: Site, tmp_path: Path) -> None:
    arguments = ("--http", "127.0.0.1:0", "--cors-origin", site.origin)
    with Shipliftd(tmp_path / "shiplift.db", arguments) as server:
        repository = Repository.make(server, "octocat", "app")
        repository.record(status=PENDING)
        stream = f"http://{server.http}/api/repos/octocat/app/stream?access_token={server.admin_token}"
        site.page = PAGE % json.dumps(stream)
        with browser(tmp_path / "browser", site.origin):
            assert site.next()["snapshot"]["number"] == 1
            end = site.next()
            assert end["id"] == end["cursor"]
            repository.report(1, SUCCESS)
            seen = [site.next() for _ in range(2)]
            server.listen, http = server.address, server.http
            server.stop(9)
            server.arguments = ("--http", http, "--cors-origin", site.origin)
            server.start()
            for _ in range(3):
                repository.record(status=SUCCESS)
            seen += [site.next() for _ in range(3)]
    assert [each["change"]["build"] for each in seen] == [1, 1, 2, 3, 4]
    assert len({each["id"] for each in seen}) == 5
