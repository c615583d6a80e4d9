"""`shiplift explain`, `approve`, `decline`, `rollback`, and what `promote` says of gates."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from shiplift import Client
from shiplift.v1 import access_pb2
from shiplift.v1 import builds_pb2 as pb

from tests.support.cli import Cli
from tests.support.repository import Repository
from tests.support.staged import FAILURE, SUCCESS
from tests.support.terminal import TIME, answered, screen

SECONDS = re.compile(r"03:04:\d\d")


class Place:
    """A repository whose production wants an approval, a region, and what has been in staging."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        server = repository.server
        self.repository = repository
        self.slug = repository.slug
        self.admin = Cli(folder, server.address, server.admin_token, repository.slug)
        mona = repository.of(f"mona-{repository.name}", access_pb2.ACCESS_LEVEL_ADMIN)
        self.mona = Cli(folder, server.address, mona.token or "", repository.slug)
        self.client = Client(server.address, server.admin_token)
        self.declare({"name": "staging"})
        self.declare(
            {
                "name": "production",
                "required_approvals": 1,
                "requires": "staging",
                "params": [{"name": "REGION", "required": True}],
            }
        )
        repository.record(status=FAILURE, release="v1")
        repository.record(status=SUCCESS, release="v2")

    def declare(self, environment: dict[str, object]) -> None:
        """CreateEnvironment."""
        owner, name = self.slug.split("/")
        self.client.create_environment(owner=owner, repo=name, environment=environment)

    def arrived(self, build: int, environment: str, **fields: object) -> int:
        """Promotes a build, and reports that it is there; the promotion's number."""
        promoted = self.repository.promote(build, environment, **fields)
        if promoted.status == pb.BUILD_STATUS_BLOCKED:
            assert self.mona.run("approve", str(promoted.number)).code == 0
        self.repository.report(promoted.number, SUCCESS)
        return promoted.number


@pytest.fixture
def place(repository: Repository, tmp_path: Path) -> Place:
    """Such a repository of the test's own."""
    return Place(repository, tmp_path)


def timeless(text: str) -> str:
    """A text whose times are all alike, and as long as they were."""
    return SECONDS.sub("03:04:05", TIME.sub("2026-01-02 03:04", text))


def lines(text: str) -> list[str]:
    """Its lines, times alike, and one blank for the padding between columns."""
    return [re.sub(r"  +", "  ", line) for line in timeless(text).splitlines()]


def test_explain_shows_every_gate_and_what_clears_it(place: Place) -> None:
    said = place.admin.run("explain", "1", "production")
    slug = place.slug
    assert said.code == 1
    assert said.err == (
        "A site admin, or whom production names, can pass with --override: success, predecessor\n"
    )
    assert lines(said.out) == [
        f"build 1 of {slug} may not go to production: success, predecessor, parameters",
        "Nothing is in production yet; v1, build 1, 9fc1ad6e, would come",
        "",
        "GATE  RESULT  WHY  CLEARED BY",
        f"access  passed  admin may promote in {slug}",
        f"repository  passed  {slug} is active",
        "environment  passed  production is declared",
        "promoters  passed  admin may promote to production",
        "commit  passed  build 1 is of commit 9fc1ad6ebf12",
        "success  failed  build 1 is failure, and production takes builds that ended in success",
        "predecessor  failed  build 1 has not succeeded in staging yet: promote it there first",
        "soak  passed  production asks for no time in an environment before it",
        "parameters  failed  REGION is missing",
        "hold  passed  nobody holds production",
        "freeze  passed  production is not frozen",
        f"approvals  waiting  0 of 1 approvals; wanted is an admin of {slug}, not admin,"
        f" by 2026-01-02 03:04:05 UTC  an admin of {slug}",
        "queue  passed  no promotion to production is ahead",
        "uncertain  passed  what is in production is known, or the caller knows that it is not",
        "stages  passed  there are stages to run",
        "",
        "STAGE  NAME  STATUS  KIND",
        "1  default  blocked  external",
    ]
    # Nothing was promoted.
    assert place.repository.numbers() == [2, 1]


def test_explain_tells_what_would_wait_with_the_parameters(place: Place) -> None:
    place.arrived(2, "staging")
    said = place.admin.run("explain", "v2", "production", "-p", "REGION=eu")
    assert (said.code, said.err) == (0, "v2 is build 2, 9fc1ad6e\n")
    found = lines(said.out)
    assert found[0] == f"build 2 of {place.slug} may go to production, and would wait: approvals"
    assert "predecessor  passed  build 2 succeeded in staging at 2026-01-02 03:04:05 UTC" in found
    assert found[-5:] == [
        "",
        "params  REGION=eu",
        "",
        "STAGE  NAME  STATUS  KIND",
        "1  default  blocked  external",
    ]
    there = place.admin.run("explain", "2", "staging")
    assert (there.code, lines(there.out)[0]) == (0, f"build 2 of {place.slug} may go to staging")


def test_explain_tells_when_a_gate_clears_by_itself(place: Place) -> None:
    place.declare({"name": "shop", "requires": "staging", "soak": timedelta(hours=1)})
    place.arrived(2, "staging")
    assert place.admin.run("hold", "shop", "--reason", "sales", "--until", "2h").code == 0
    said = place.admin.run("explain", "2", "shop")
    found = lines(said.out)
    assert (said.code, found[3]) == (1, "GATE  RESULT  WHY  CLEARED BY  EARLIEST")
    soak = "build 2 is to have been in staging for 1 hour, which it has at 2026-01-02 03:04:05 UTC"
    assert f"soak  waiting  {soak}  2026-01-02 03:04" in found
    held = "shop is held by admin until 2026-01-02 03:04:05 UTC: sales"
    assert f"hold  failed  {held}  who may write to {place.slug}  2026-01-02 03:04" in found


def test_explain_for_programs(place: Place) -> None:
    said = place.admin.run("explain", "1", "production", "-o", "name")
    assert said == (1, "success\npredecessor\nparameters\napprovals\n", "")
    words = ("explain", "2", "production", "-p", "REGION=eu", "--override", "predecessor=late")
    found = place.admin.run(*words, "--json=verdicts").json()["verdicts"]
    assert [(each["gate"], each["result"]) for each in found if each["result"] != "passed"] == [
        ("predecessor", "overridden"),
        ("approvals", "waiting"),
    ]
    # It is stored nowhere, and neither it nor its stages have an id.
    build = place.admin.run(*words, "--json=build").json()["build"]
    (stage,) = build["stages"]
    assert (build["id"], build["number"], stage["id"], stage["build_id"], stage["number"]) == (
        0,
        0,
        0,
        0,
        1,
    )


def test_explain_fits_a_terminal_with_its_reasons_whole(place: Place) -> None:
    *shown, advice = screen(place.admin, 80, "explain", "1", "production")
    assert advice.startswith("A site admin, or whom production names, ")
    # But for the first two lines, which are no table.
    assert max(map(len, shown[2:])) <= 80
    assert not any("…" in line for line in shown)
    told = "build 1 has not succeeded in staging yet: promote it there first"
    cells = [line[22:].split("  ")[0].strip() for line in shown]
    begin = next(n for n, line in enumerate(shown) if line.startswith("predecessor"))
    folded = " ".join(cells[begin : begin + 3])
    assert folded.startswith(told), shown


def test_a_refusal_has_a_line_for_each_gate(place: Place) -> None:
    said = place.admin.run("promote", "1", "production")
    assert said == (
        1,
        "",
        f"shiplift: refused (FAILED_PRECONDITION): {place.slug} may not go to production:\n"
        "  success: build 1 is failure, and production takes builds that ended in success\n"
        "  predecessor: build 1 has not succeeded in staging yet: promote it there first\n"
        "  parameters: REGION is missing\n"
        "All gates, and who clears them: shiplift explain 1 production\n",
    )
    # What is near is said by the server, once.
    said = place.admin.run("promote", "1", "stagin")
    assert said.err.splitlines()[1:-1] == [
        f"  environment: stagin is none of the environments of {place.slug} (production, staging):"
        " did you mean staging?"
    ]
    assert place.repository.numbers() == [2, 1]


def test_what_waits_for_people_is_approved_by_another(place: Place) -> None:
    place.arrived(2, "staging")
    slug, mona = place.slug, f"mona-{place.repository.name}"
    said = place.admin.run("promote", "2", "production", "-p", "REGION=eu", "--comment", "v2 at last")
    assert (said.code, said.err) == (
        0,
        f"{slug}: promoted build 2, release v2, commit 9fc1ad6ebf12, to production as build 4\n"
        f"It waits for people to approve it: shiplift approve 4 -R {slug}\n",
    )
    assert "comment  v2 at last" in lines(said.out)
    wanted = f"0 of 1 approvals; wanted is an admin of {slug}, not admin, by 2026-01-02 03:04:05 UTC"
    assert f"approvals  waiting  {wanted}  an admin of {slug}" in lines(said.out)
    assert place.admin.run("approve", "4") == (
        1,
        "",
        "Nothing is in production yet; v2, build 4, 9fc1ad6e, would come\n"
        "shiplift: refused (PERMISSION_DENIED): build 4 is from admin, so somebody else approves it\n",
    )
    waits = place.admin.run("wait", "4", "--timeout", "0.5")
    told = timeless(waits.err).splitlines()[0]
    assert (waits.code, told) == (6, f"{slug}: build 4 is blocked: approvals: {wanted}")
    said = place.mona.run("approve", "4", "--comment", "seen it")
    assert (said.code, said.out.partition(": stage ")[0]) == (0, f"{slug}: build 4 is pending")
    shown = lines(place.admin.run("show", "4").out)
    assert f"approvals  approved by {mona}, 2026-01-02 03:04: seen it" in shown
    assert place.mona.run("decline", "4").err == (
        "shiplift: refused (FAILED_PRECONDITION): build 4 is pending: it waits for nobody's approval\n"
    )


def test_what_waits_for_people_is_declined_by_another(place: Place) -> None:
    overridden = ("--override", "predecessor=it is late")
    said = place.admin.run("promote", "2", "production", "-p", "REGION=eu", *overridden)
    assert said.code == 0
    passed = (
        "passed by admin: it is late (build 2 has not succeeded in staging yet: promote it there first)"
    )
    assert f"predecessor  overridden  {passed}" in lines(said.out)
    said = place.mona.run("decline", "3", "--comment", "not on a Friday")
    told = f"declined by mona-{place.repository.name}: not on a Friday"
    assert said == (0, f"{place.slug}: build 3 is declined: {told}\n", "")
    # It takes the same words again.
    again = place.admin.run("retry", "3", *overridden, "--comment", "on Monday", "--json")
    build = again._replace(err="").json()
    assert (build["number"], build["status"], build["comment"]) == (4, "BUILD_STATUS_BLOCKED", "on Monday")


def test_overrides_are_read_before_anything_is_sent(place: Place) -> None:
    for words in (("--override", "hold"), ("--override", "=x")):
        assert place.admin.run("promote", "2", "production", *words) == (
            2,
            "",
            "shiplift: --override wants GATE=REASON; one of those given has no gate or no '='\n",
        )
    said = place.admin.run("promote", "2", "production", "--override", "approvals=x")
    assert (said.code, "'approvals' cannot be overridden" in said.err) == (1, True)
    said = place.mona.run("promote", "2", "production", "--override", "hold=x")
    assert said.err.startswith("shiplift: refused (PERMISSION_DENIED): ")
    assert place.repository.numbers() == [2, 1]


def test_an_environment_that_asks_is_asked_about_on_a_terminal(place: Place) -> None:
    place.declare({"name": "shop", "confirm": True})
    asked = "".join(f"Promote build 2 of {place.slug} to shop [y/N]: ".split())
    code, shown = answered(place.admin, "n\n", "promote", "2", "shop")
    assert (code, asked in shown) == (1, True)
    assert "shiplift:nothingwaspromotedtoshop" in shown
    assert place.repository.numbers() == [2, 1]
    code, shown = answered(place.admin, "y\n", "promote", "2", "shop")
    assert (code, asked in shown) == (0, True)
    code, shown = answered(place.admin, "", "promote", "2", "shop", "--yes")
    assert (code, asked in shown) == (0, False)
    # Nobody is there to be asked.
    assert place.admin.run("promote", "2", "shop").code == 0
    assert place.repository.numbers() == [5, 4, 3, 2, 1]


def test_so_is_a_rollback(place: Place) -> None:
    place.declare({"name": "shop", "confirm": True})
    first = place.arrived(2, "shop")
    bad = place.arrived(place.repository.record(status=SUCCESS).number, "shop")
    asked = "".join(f"Roll shop of {place.slug} back to what was there before [y/N]: ".split())
    code, shown = answered(place.admin, "n\n", "rollback", "shop")
    assert (code, asked in shown, "shiplift:nothingwasrolledbackinshop" in shown) == (1, True, True)
    assert place.repository.numbers()[0] == bad
    named = "".join(f"Roll shop of {place.slug} back to build {first} [y/N]: ".split())
    code, shown = answered(place.admin, "y\n", "rollback", "shop", str(first))
    assert (code, named in shown) == (0, True)
    code, shown = answered(place.admin, "", "rollback", "shop", "--cancel-running", "--yes")
    assert (code, "[y/N]" in shown) == (0, False)
    # Nobody is there to be asked.
    assert place.admin.run("rollback", "shop", "--cancel-running").code == 0
    assert place.repository.numbers()[:3] == [bad + 3, bad + 2, bad + 1]


def test_rollback_puts_back_what_was_there(place: Place) -> None:
    slug = place.slug
    place.arrived(2, "staging")
    there = place.arrived(2, "production", params={"REGION": "eu"})
    assert place.admin.run("rollback", "production") == (
        1,
        "",
        "shiplift: refused (FAILED_PRECONDITION): nothing else has succeeded in production that was not"
        " rolled back itself: promote what is to be there\n",
    )
    recorded = place.repository.record(status=SUCCESS, release="v3").number
    overrides = [pb.Override(gate="predecessor", reason="late")]
    bad = place.arrived(recorded, "production", params={"REGION": "us"}, overrides=overrides)
    # What was to go there is what can be explained, whatever was named.
    for call, build in ((("rollback", "production"), 2), (("retry", str(bad)), recorded)):
        refused = place.admin.run(*call, "-p", "REGION-")
        assert refused.err.endswith(
            "  parameters: REGION is missing\n"
            f"All gates, and who clears them: shiplift explain {build} production\n"
        )
    said = place.admin.run("rollback", "production", "--comment", "the shop is down")
    assert (said.code, said.err) == (
        0,
        f"{slug}: rolls production back to build 2, release v2, commit 9fc1ad6ebf12, as build {bad + 1},"
        f" in place of {bad}\n"
        f"Machine users deploy there again after: shiplift resume production -R {slug}\n",
    )
    shown = lines(said.out)
    for line in ("event  rollback of 2", f"rollback of  {bad}", "comment  the shop is down"):
        assert line in shown
    assert "params  REGION=eu" in shown
    assert any(line.startswith("approvals  skipped  a rollback passes it over: 0 of 1") for line in shown)
    assert f"rolled back by  {bad + 1}" in lines(place.admin.run("show", str(bad)).out)
    # Somebody else does so as well, and is told.
    assert place.mona.run("rollback", "production") == (
        1,
        "",
        f"shiplift: refused (FAILED_PRECONDITION): rollback {bad + 1} of production, which puts back build"
        " 2, is under way: wait for its end, name the build to put back, or have what is on its way stopped"
        " (cancel_running)\n"
        f"To wait for it: shiplift wait {bad + 1} -R {slug}\n"
        f"To stop it and put back the same: shiplift rollback production --cancel-running -R {slug}\n",
    )
    # What is on its way is stopped, and the build that is named waits for people: it had another parameter.
    words = ("rollback", "production", str(there), "--cancel-running", "-p", "REGION=us", "--json")
    build = place.admin.run(*words)._replace(err="").json()
    assert (build["parent"], build["params"], build["status"]) == (
        2,
        {"REGION": "us"},
        "BUILD_STATUS_BLOCKED",
    )
    assert place.repository.get(bad + 1).status == pb.BUILD_STATUS_KILLED
    # Another try of a rollback holds off machines, too.
    assert place.admin.run("retry", str(bad + 1)).err == (
        f"{slug}: build {bad + 3} tries build {bad + 1} again\n"
        f"Machine users deploy there again after: shiplift resume production -R {slug}\n"
    )
