"""The gateway's document: that it is a valid one, covers everything, and says what the gateway does.

`SHIPLIFT_DEEP=1` (`make check-deep`) asks for 2,000 examples of each operation, others each time.
"""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from shiplift.v1 import access_pb2
from shipliftd import __version__
from shipliftd.descriptors import SERVICES, path_of
from shipliftd.gateway.drone import OPERATIONS, SVG
from shipliftd.gateway.runners import ROUTES

from tests.support import demo
from tests.support.gateway import Caller
from tests.support.harness import Shipliftd

DEEP = os.environ.get("SHIPLIFT_DEEP") == "1"
CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def document(server: Shipliftd) -> Any:  # noqa: ANN401
    answer = Caller(server.http).get("/openapi.json")
    assert answer.status == 200
    return answer.json


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    OPENAPI_31_VALIDATOR.validate(document)
    assert (document["openapi"], document["info"]["version"]) == ("3.1.0", __version__)


def test_the_document_has_every_operation_every_unary_rpc_and_the_probes(document: dict[str, Any]) -> None:
    found = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    unary = [method for s in SERVICES for method in s.methods if not method.server_streaming]
    rpcs = {("POST", path_of(method)) for method in unary}
    routes = {(operation.method, operation.path) for operation in OPERATIONS}
    runners = {(method, path) for path, handlers in ROUTES.items() for method in handlers}
    assert found == routes | rpcs | runners | {("GET", "/healthz"), ("GET", "/readyz")}
    assert ("POST", "/api/repos/{owner}/{repo}/builds/{build}/promote") in found
    assert ("POST", "/shiplift.v1.BuildService/PromoteBuild") in found


def references(part: object) -> set[str]:
    """Everything that a part of the document points to."""
    if isinstance(part, dict):
        own = {part["$ref"]} if "$ref" in part else set()
        return own.union(*map(references, part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


def test_the_document_points_to_nothing_that_it_has_not(document: dict[str, Any]) -> None:
    found = {name.removeprefix("#/components/schemas/") for name in references(document)}
    assert found == document["components"]["schemas"].keys()


def test_what_is_not_in_this_release_has_no_answer_but_errors(document: dict[str, Any]) -> None:
    for operation in OPERATIONS:
        responses = document["paths"][operation.path][operation.method.lower()]["responses"]
        assert ("200" in responses) == (operation.answer is not None or operation.kind == SVG)
        assert ("204" in responses) == operation.is_silent
        assert {"400", "401", "404", "501", "503"} <= responses.keys()


@pytest.mark.parametrize(("verb", "more"), [("promote", [("query", "despite-lost")]), ("rollback", [])])
def test_parameters_of_the_contract_are_described(
    document: dict[str, Any], verb: str, more: list[tuple[str, str]]
) -> None:
    operation = document["paths"][f"/api/repos/{{owner}}/{{repo}}/builds/{{build}}/{verb}"]["post"]
    assert [(one["in"], one["name"]) for one in operation["parameters"]] == [
        ("path", "owner"),
        ("path", "repo"),
        ("path", "build"),
        ("query", "target"),
        *more,
        ("header", "Idempotency-Key"),
        ("header", "Shiplift-Expected-Current"),
        ("query", "parameters"),
    ]
    assert operation["responses"]["200"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Build"
    }
    assert operation["requestBody"]["content"].keys() == {"application/x-www-form-urlencoded"}
    assert "412" in operation["responses"]


def test_decisions_are_described_and_answered_with_nothing(document: dict[str, Any]) -> None:
    for route in ("approve/{stage}", "decline/{stage}", "decline"):
        operation = document["paths"][f"/api/repos/{{owner}}/{{repo}}/builds/{{build}}/{route}"]["post"]
        assert [one["name"] for one in operation["parameters"]] == [
            *("owner", "repo", "build"),
            *(("stage",) if "stage" in route else ()),
            "Idempotency-Key",
        ]
        assert operation["responses"]["204"] == {"description": "Done."}
        assert "requestBody" not in operation


# The page.


class Loads(HTMLParser):
    """What a browser would load, run or follow."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for each element."""
        kept = ("src", "href", "srcset", "data", "action", "style", "poster", "background")
        self.found += [(tag, name, value) for name, value in attrs if name in kept or name[:2] == "on"]
        if tag in ("script", "iframe", "object", "embed", "link", "base", "img"):
            self.found.append((tag, "", None))


def test_the_page_loads_nothing(caller: Caller) -> None:
    answer = caller.having("").get("/docs")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = answer.body.decode()
    loads = Loads()
    loads.feed(page)
    assert loads.found == [("a", "href", "/openapi.json")]
    assert "@import" not in page
    assert "url(" not in page
    # What does not stand in the page itself, a browser would not load.
    policy = answer.headers["content-security-policy"]
    assert re.fullmatch(r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_shows_every_operation_and_schema(caller: Caller, document: dict[str, Any]) -> None:
    page = caller.get("/docs").body.decode()
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"{method.upper()}</span><code>{path}</code>" in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page


# What the gateway does.


@pytest.mark.timeout(3600 if DEEP else 900)
def test_the_gateway_does_what_its_document_says(document: dict[str, Any], tmp_path: Path) -> None:
    examples = "-n 2000 --generation-database none" if DEEP else "-n 10 --generation-deterministic"
    with Shipliftd(tmp_path / "shiplift.db", ("--http", "127.0.0.1:0")) as server:
        demo.fill(server)
        access = server.access()
        access.CreateUser(access_pb2.CreateUserRequest(login="short-lived"))
        done = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                *("--config-file", CONFIG, "--no-color", "run", f"http://{server.http}/openapi.json"),
                *("--checks", "all", "--continue-on-failure", *examples.split()),
            ],
            cwd=tmp_path,
            env={
                **os.environ,
                "FUZZ_TOKEN": server.admin_token,
                "FUZZ_SHORT_LIVED_TOKEN": access.CreateToken(
                    access_pb2.CreateTokenRequest(login="short-lived")
                ).secret,
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        tried = {path: methods for path, methods in document["paths"].items() if path not in ROUTES}
        count = sum(map(len, tried.values()))
        assert f"Tested: {count}\n" in done.stdout
    assert [line for line in server.log if line["level"] not in ("debug", "info", "warning")] == []
