"""The page of a build at the gateway, and the links that lead to it."""

from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from shiplift.v1 import access_pb2, environments_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.commands import refusal
from tests.support.gateway import Answer, Caller
from tests.support.harness import Gateway, Shipliftd
from tests.support.repository import COMMIT, Repository, change
from tests.support.ruled import change_rules, declare, hold, second_person
from tests.support.runner_wire import DroneRunner, Work
from tests.support.staged import FAILURE, Staged

HOSTILE = "<script>alert(1)</script>\"&'"


class Page(HTMLParser):
    """The rows of a page's tables, its links, and its elements."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[str | None] = []
        self.tags: set[str] = set()
        self.texts: dict[str, str] = {}
        self._open = ""
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        self.feed(answer.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for each element."""
        self.tags.add(tag)
        self._open = tag
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append("")
        elif tag == "a":
            self.links.append(dict(attrs)["href"])
        assert not any(name.startswith("on") or name in ("src", "style") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        """Called for each text."""
        self.texts[self._open] = self.texts.get(self._open, "") + data
        if self.rows and self._open in ("td", "a"):
            self.rows[-1][-1] += data


@pytest.fixture
def public(server: Shipliftd, name: str) -> Repository:
    """A repository that anybody may read."""
    request = access_pb2.CreateRepositoryRequest(
        owner="octocat", repo=f"public-{name}", visibility=access_pb2.VISIBILITY_PUBLIC
    )
    server.access().CreateRepository(request)
    return Repository(server, "octocat", f"public-{name}")


def test_a_build_of_a_public_repository_is_shown_to_anybody(caller: Caller, public: Repository) -> None:
    public.record(
        message="mend it", author_name="Ann", target="main", link="https://example.org/a?b&c", release="v1"
    )
    public.promote(1, params={"REGION": "eu"})
    answer = caller.having("").get(f"/{public.slug}/2")
    page = Page(answer)
    assert (answer.status, page.texts["h1"]) == (200, f"{public.slug} 2: pending")
    created = f"{public.get(2).created.ToDatetime():%Y-%m-%d %H:%M:%S} UTC"
    assert page.rows == [
        ["status", "pending"],
        [
            "waiting for",
            "stage 'default' waits for a deployer of production: none that may take it has asked in the"
            " last hour (shiplift take production -- COMMAND)",
        ],
        ["event", "promote"],
        ["promoted build", "1"],
        ["environment", "production"],
        ["release", "v1"],
        ["commit", COMMIT],
        ["branch", "main"],
        ["message", "mend it"],
        ["author", "Ann"],
        ["link", "https://example.org/a?b&c"],
        ["by", "admin"],
        ["created", created],
        ["parameter", "REGION=eu"],
        ["status", "pending"],
        ["kind", "external"],
    ]
    assert page.links == ["1", "https://example.org/a?b&c"]
    assert caller.having("").call("HEAD", f"/{public.slug}/2").status == 200


def test_steps_and_what_failed_are_shown(server: Shipliftd, caller: Caller, repository: Repository) -> None:
    staged = Staged.of(repository)
    [step] = staged.stepping("greet")
    staged.runner.report_step(step.id, FAILURE, exit_code=3)
    assert ["step 1", "greet: failure, exit code 3"] in Page(caller.get(f"/{repository.slug}/2")).rows


def when(time: Timestamp) -> str:
    """A time as the page has it."""
    return f"{time.ToDatetime():%Y-%m-%d %H:%M:%S} UTC"


def test_gates_and_approvals_are_shown(caller: Caller, public: Repository) -> None:
    declare(public, required_approvals=2)
    public.record(status=pb.BUILD_STATUS_SUCCESS)
    public.promote(1, comment="for the fair")
    second = public.seen_by(second_person(public))
    named = {"owner": public.owner, "repo": public.name, "build": 2}
    second.builds.ApproveBuild(pb.ApproveBuildRequest(**named, comment="looks <b>good</b>"))  # type: ignore[arg-type]
    build = public.get(2)
    page = Page(caller.having("").get(f"/{public.slug}/2"))
    assert page.texts["h1"] == f"{public.slug} 2: blocked"
    login = f"second-{public.name}"
    gates = {verdict.gate: verdict for verdict in build.verdicts}
    reason = gates["approvals"].reason
    assert reason.startswith(f"1 of 2 approvals ({login}); wanted is an admin of {public.slug}, not admin")
    assert page.rows == [
        ["status", "blocked"],
        ["waiting for", build.waiting_for],
        ["event", "promote"],
        ["promoted build", "1"],
        ["environment", "production"],
        ["commit", COMMIT],
        ["by", "admin"],
        ["comment", "for the fair"],
        ["created", when(build.created)],
        *(
            [gate, f"passed: {verdict.reason}"]
            if gate != "approvals"
            else [gate, f"waiting: {reason}; cleared by an admin of {public.slug}"]
            for gate, verdict in gates.items()
        ),
        [login, f"approved at {when(build.approvals[0].at)}: looks <b>good</b>"],
        ["status", "blocked"],
        ["kind", "external"],
    ]
    assert page.texts["h2"] == "GatesApprovalsStage 1: default"
    # A change of rules voids them.
    change_rules(public, required_approvals=3)
    rows = Page(caller.having("").get(f"/{public.slug}/2")).rows
    approved = (
        f"approved at {when(build.approvals[0].at)}, which counts no more, since the rules have changed"
    )
    assert [login, f"{approved}: looks <b>good</b>"] in rows
    second.builds.DeclineBuild(pb.DeclineBuildRequest(**named))  # type: ignore[arg-type]
    declined = public.get(2)
    rows = Page(caller.having("").get(f"/{public.slug}/2")).rows
    assert rows[:2] == [["status", "declined"], ["error", f"declined by {login}"]]
    assert [login, f"declined at {when(declined.approvals[1].at)}"] in rows


def test_who_is_to_approve_is_led_to_what_changes(caller: Caller, public: Repository) -> None:
    change(public, link="https://github.com/o/r")
    old, new = "a" * 40, "b" * 40
    for commit in (old, new):
        public.record(status=pb.BUILD_STATUS_SUCCESS, after=commit)
    public.report(public.promote(1).number, pb.BUILD_STATUS_SUCCESS)
    declare(public, required_approvals=1)
    public.promote(2)
    page = Page(caller.having("").get(f"/{public.slug}/4"))
    link = f"https://github.com/o/r/compare/{old}...{new}"
    assert ["compare", link] in page.rows
    assert link in page.links
    assert "compare" not in [name for name, *_ in Page(caller.having("").get(f"/{public.slug}/3")).rows]


def test_when_a_gate_clears_is_shown(caller: Caller, public: Repository) -> None:
    declare(public, "staging")
    declare(public, requires="staging", soak=timedelta(hours=1))
    public.record(status=pb.BUILD_STATUS_SUCCESS)
    public.promote(1, "staging")
    public.report(2, pb.BUILD_STATUS_SUCCESS)
    public.promote(1)
    [soak] = [verdict for verdict in public.get(3).verdicts if verdict.gate == "soak"]
    rows = Page(caller.having("").get(f"/{public.slug}/3")).rows
    assert ["soak", f"waiting: {soak.reason}; at the earliest {when(soak.earliest)}"] in rows
    assert ["waiting for", public.get(3).waiting_for] in rows
    assert rows[0] == ["status", "pending"]


def other_builds(page: Page) -> list[list[str]]:
    """The rows that lead to other builds."""
    names = ("promoted build", "repeats", "rolls back", "rolled back by", "superseded by")
    return [row for row in page.rows if row[0] in names]


def test_a_rollback_and_what_it_replaced_lead_to_each_other(caller: Caller, public: Repository) -> None:
    for release in ("v1", "v2"):
        recorded = public.record(status=pb.BUILD_STATUS_SUCCESS, release=release)
        public.report(public.promote(recorded.number).number, pb.BUILD_STATUS_SUCCESS)
    public.builds.RollbackBuild(
        pb.RollbackRequest(owner=public.owner, repo=public.name, target="production")
    )
    bad, back = (Page(caller.having("").get(f"/{public.slug}/{number}")) for number in (4, 5))
    assert other_builds(bad) == [["promoted build", "3"], ["rolled back by", "5"]]
    assert bad.links == ["3", "5"]
    assert other_builds(back) == [["promoted build", "1"], ["rolls back", "4"]]
    assert back.links == ["1", "4"]


def test_what_was_superseded_leads_to_its_successor(caller: Caller, public: Repository) -> None:
    declare(public, queue_policy=environments_pb2.QUEUE_POLICY_SUPERSEDE)
    public.record(status=pb.BUILD_STATUS_SUCCESS)
    for _ in range(3):
        public.promote(1)
    page = Page(caller.having("").get(f"/{public.slug}/3"))
    assert page.rows[:2] == [["status", "killed"], ["error", "superseded by 4"]]
    assert other_builds(page) == [["promoted build", "1"], ["superseded by", "4"]]
    assert page.links == ["1", "4"]


def test_nothing_that_gates_and_people_say_is_run(caller: Caller, public: Repository) -> None:
    declare(public, required_approvals=1)
    public.record(status=pb.BUILD_STATUS_SUCCESS)
    public.promote(1, comment=HOSTILE)
    hold(public, "", HOSTILE)
    second = public.seen_by(second_person(public))
    second.builds.ApproveBuild(
        pb.ApproveBuildRequest(owner=public.owner, repo=public.name, build=2, comment=HOSTILE)
    )
    answer = caller.having("").get(f"/{public.slug}/2")
    page = Page(answer)
    assert b"<script" not in answer.body
    assert page.links == ["1"]
    assert ["comment", HOSTILE] in page.rows
    [held] = [cell for name, cell in page.rows if name == "hold"]
    assert held == (
        f"failed: {public.slug} is held by admin: {HOSTILE}; cleared by who may write to {public.slug}"
    )
    [said] = [cell for name, cell in page.rows if name == f"second-{public.name}"]
    assert said.endswith(f": {HOSTILE}")


def test_nothing_of_a_build_is_run(caller: Caller, public: Repository) -> None:
    texts = ("message", "title", "author_name", "release", "ref", "target")
    stage = pb.StageSpec(name=HOSTILE, type=HOSTILE, os=HOSTILE)
    public.record(
        **dict.fromkeys(texts, HOSTILE), link="javascript:alert(1)", params={"A": HOSTILE}, stages=[stage]
    )
    answer = caller.get(f"/{public.slug}/1")
    page = Page(answer)
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body"),
        *("h1", "h2", "table", "tr", "td", "a"),
    }
    assert b"<script" not in answer.body
    assert page.links == []
    for row in (["message", HOSTILE], ["link", "javascript:alert(1)"], ["parameter", f"A={HOSTILE}"]):
        assert row in page.rows
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert policy[1].startswith("style-src 'sha256-")
    assert policy[2:] == ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
    assert [answer.headers[k] for k in ("x-content-type-options", "referrer-policy", "cache-control")] == [
        "nosniff",
        "no-referrer",
        "no-store",
    ]


def test_what_is_hidden_looks_like_what_is_not_there(
    caller: Caller, public: Repository, repository: Repository
) -> None:
    repository.record()
    outsider = repository.of(f"outsider-{repository.name}").token or ""

    def seen(token: str, slug: str, number: str = "1", **query: str) -> str:
        answer = caller.having(token).get(f"/{slug}/{number}", **query)
        assert answer.status == 404
        assert Page(answer).texts["h1"] == "No such build"
        return answer.body.decode().replace(slug, "SLUG").replace(f"show {number} ", "show N ")

    hidden = seen("", repository.slug)
    assert "shiplift show N -R SLUG" in hidden
    assert {
        seen(outsider, repository.slug),
        seen("shl_x", repository.slug),
        seen("", "no/such"),
        seen("", public.slug),
        seen("", public.slug, "99999999999"),
        # It would stay in the browser's history.
        seen("", repository.slug, access_token=caller.token),
    } == {hidden}
    assert caller.get(f"/{repository.slug}/1").status == 200


def test_other_paths_of_three_parts_are_no_builds(caller: Caller, public: Repository) -> None:
    assert caller.get(f"/{public.slug}/x").told == (
        404,
        f"there is no route '/{public.slug}/x': /docs lists those there are",
    )
    assert caller.post(f"/{public.slug}/1").status == 405


# Links.


def linked(staged: Staged) -> dict[str, str]:
    """What the steps of a promotion find of the server."""
    environment = staged.running().plan.environment
    names = ("BUILD_LINK", "SYSTEM_PROTO", "SYSTEM_HOST", "SYSTEM_HOSTNAME")
    return {name: environment[f"DRONE_{name}"] for name in names}


def test_a_link_leads_to_the_page(server: Shipliftd, caller: Caller, repository: Repository) -> None:
    found = linked(Staged.of(repository))
    assert found == {
        "BUILD_LINK": f"http://{server.http}/{repository.slug}/2",
        "SYSTEM_PROTO": "http",
        "SYSTEM_HOST": server.http,
        "SYSTEM_HOSTNAME": server.http,
    }
    at_server = Caller(server.http, caller.token)
    assert at_server.get(found["BUILD_LINK"].removeprefix(f"http://{server.http}")).status == 200


def system(runner: DroneRunner, work: Work) -> dict[str, str]:
    """What a Drone runner is told of the server."""
    work.promoted()
    stage = runner.accept(runner.request().json).json
    told: dict[str, str] = runner.call("GET", f"/stage/{stage['id']}").json["system"]
    return {name: told[name] for name in ("proto", "host", "link")}


def test_links_begin_with_the_public_address_where_it_is_told(tmp_path: Path) -> None:
    options = ("--public-url", "https://deploy.example.org/x/")
    with Shipliftd(tmp_path / "shiplift.db", ("--http", "127.0.0.1:0", *options)) as server:
        assert linked(Staged.of(Repository.make(server, "octocat", "app"))) == {
            "BUILD_LINK": "https://deploy.example.org/x/octocat/app/2",
            "SYSTEM_PROTO": "https",
            "SYSTEM_HOST": "deploy.example.org",
            "SYSTEM_HOSTNAME": "deploy.example.org",
        }
        told = {"proto": "https", "host": "deploy.example.org", "link": "https://deploy.example.org/x"}
        work = Work.at(server, server.http, "drone")
        assert system(work.runner, work) == told
        with Gateway(server.address, options) as gateway:
            assert system(DroneRunner(gateway.http, work.runner.token), work) == told


def test_without_a_gateway_there_is_no_link(own_server: Shipliftd) -> None:
    found = linked(Staged.of(Repository.make(own_server, "octocat", "app")))
    assert (found["BUILD_LINK"], found["SYSTEM_HOST"]) == ("", "localhost")


@pytest.mark.parametrize(
    "url", ["deploy.example.org", "ftp://a", "https://", "https://a?b", "https://a/#b", "https://u@a"]
)
def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    for command in (
        ("serve", "--database", tmp_path / "shiplift.db"),
        ("gateway", "--upstream", "127.0.0.1:1"),
    ):
        assert refusal(*command, "--public-url", url) == (
            f"--public-url {url!r} is not an address: wanted http:// or https://, a host, perhaps a port"
            " and a path, such as https://deploy.example.org"
        )
