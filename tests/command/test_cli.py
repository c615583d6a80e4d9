"""The `shiplift` command against a real server: what it shows, and its exit codes."""

import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest
from shiplift import Client

from tests.support.cli import Cli
from tests.support.harness import Shipliftd
from tests.support.patience import SECONDS
from tests.support.repository import COMMIT

AFTER = "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e"
# A commit's message as somebody malicious writes it: markup, colours, a window title, a fake line.
EVIL = "fix \x1b]0;title\x07[bold red]this[/bold red] \x1b[31m\x9b1mnow\u202e\r\x08\nshiplift: done"
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d \+0000)?")


@pytest.fixture
def cli(server: Shipliftd, repo: str, tmp_path: Path) -> Cli:
    """The site admin, in a repository of their own."""
    return Cli(tmp_path, server.address, server.admin_token, repo)


@pytest.fixture
def client(server: Shipliftd) -> Client:
    """A client with the site admin's token."""
    return Client(server.address, server.admin_token)


def timeless(text: str) -> str:
    """A text with its times as `TIME`, and without the padding that depends on them."""
    return TIME.sub("TIME", text)


def record(client: Client, repo: str, **fields: str) -> int:
    """Records a build and returns its number."""
    owner, name = repo.split("/")
    fields = {"after": COMMIT, **fields}
    made = client.create_build(owner=owner, repo=name, status="success", **fields)  # type: ignore[arg-type]
    return made.number


def test_promotes_and_echoes_what_goes_where(cli: Cli, client: Client, repo: str) -> None:
    record(client, repo, after=AFTER, release="v1.4.2", message="updated README", target="main")
    said = cli.run("promote", "1", "production", "-p", "REGION=eu", "-p", "EMPTY=", "-p", "EQUATION=a=b")
    assert said.code == 0
    assert said.err == (
        f"{repo}: promoted build 1, release v1.4.2, commit 9fc1ad6ebf12, to production as build 2\n"
    )
    assert timeless(said.out) == (
        f"repository   {repo}\n"
        "build        2\n"
        "status       pending\n"
        "waiting for  stage 'default' waits for a deployer of production: none that may take it has asked"
        " in the last hour (shiplift take production -- COMMAND)\n"
        "event        promote of 1\n"
        "environment  production\n"
        "release      v1.4.2\n"
        f"commit       {AFTER}\n"
        "branch       main\n"
        "message      updated README\n"
        "by           admin\n"
        "created      TIME\n"
        "params       EMPTY=\n"
        "             EQUATION=a=b\n"
        "             REGION=eu\n"
        "\n"
        "STAGE  NAME     STATUS   KIND\n"
        "1      default  pending  external\n"
    )
    assert cli.run("show", "2") == (0, said.out, "")


def test_promotes_with_json_alone_on_standard_output(cli: Cli, client: Client, repo: str) -> None:
    record(client, repo, after=AFTER)
    params = ("-p", "B=1", "-p", "C=1", "-p", "A=1")
    said = cli.run("promote", "1", "qa", "--request-id", "r1", *params, "--json")
    assert said.err == f"{repo}: promoted build 1, release (none), commit 9fc1ad6ebf12, to qa as build 2\n"
    build = said._replace(err="").json()
    assert (build["number"], build["parent"], build["status"]) == (2, 1, "BUILD_STATUS_PENDING")
    # Zeros are there, unset times are not; ids of 64 bits are strings, as protobuf's JSON has them.
    assert (build["error"], build["version"], "started" in build) == ("", 1, False)
    assert list(build["params"]) == ["A", "B", "C"]
    assert build["id"] == str(int(build["id"]))
    assert [stage["exit_code"] for stage in build["stages"]] == [0]
    assert list(build)[:6] == ["id", "repo_id", "owner", "repo", "number", "parent"]
    again = cli.run("promote", "1", "qa", "--request-id", "r1", *params)
    assert again.err == (
        f"{repo}: promoted build 1, release (none), commit 9fc1ad6ebf12, to qa as build 2"
        " (by an earlier call)\n"
    )


def test_a_build_is_named_by_release_external_id_or_commit(cli: Cli, client: Client, repo: str) -> None:
    record(client, repo, after=AFTER, release="v1.4.2", external_id="jenkins/app#1043")
    # A promotion has its parent's release and commit, and makes neither ambiguous.
    for name in ("v1.4.2", "jenkins/app#1043", "9FC1AD6"):
        said = cli.run("promote", name, "qa", "--json")
        assert (said.code, said._replace(err="").json()["parent"]) == (0, 1), name


def test_digits_are_a_number_before_they_are_a_commit(cli: Cli, client: Client, repo: str) -> None:
    owner, name = repo.split("/")
    record(client, repo, after="1234567" + "a" * 33)
    record(client, repo, external_id="98765432109876")
    assert cli.run("show", "1234567").err == "1234567 is build 1, 1234567a\n"
    assert cli.run("show", "98765432109876").err == "98765432109876 is build 2, 9fc1ad6e\n"
    client.create_build(owner=owner, repo=name, after=COMMIT, number=1234567)
    assert cli.run("show", "1234567", "--json").json()["number"] == 1234567


def test_an_ambiguous_name_is_refused_with_the_list(cli: Cli, client: Client, repo: str) -> None:
    record(client, repo, after=AFTER, external_id="ci#1", target="main", message=EVIL)
    record(client, repo, after=AFTER, release="9fc1ad6", external_id="ci#2")
    said = cli.run("promote", "9fc1ad6", "production")
    assert (said.code, said.out) == (1, "")
    assert timeless(said.err) == (
        f"shiplift: '9fc1ad6' names several builds of {repo}; say the number:\n"
        "  2  push  success  9fc1ad6  9fc1ad6ebf12  ci#2  TIME\n"
        "  1  push  success  9fc1ad6ebf12  main  ci#1  TIME"
        "  fix ]0;title[bold red]this[/bold red] [31m1mnow\n"
    )
    assert cli.run("builds", "--event", "promote", "--json").json() == []


def test_a_name_that_nothing_has_is_not_there(cli: Cli, repo: str) -> None:
    assert cli.run("promote", "v9", "production") == (
        1,
        "",
        f"shiplift: {repo} has no build 'v9': no number, release, external id or commit (7 digits or more)"
        " is that, no branch with a build that succeeded, and no environment with anything in it\n",
    )
    said = cli.run("show", "7")
    assert (said.code, said.err.startswith("shiplift: refused (NOT_FOUND): build 7 of ")) == (1, True)
    assert cli.run("show", "").code == 2


def test_a_refusal_names_every_fault_and_ends_with_1(cli: Cli, client: Client, repo: str) -> None:
    record(client, repo)
    said = cli.run("promote", "1", "a b", "-p", "PATH=/x", "-p", "1=x")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("shiplift: refused (INVALID_ARGUMENT): ")
    assert all(fault in said.err for fault in ("target: 'a b'", "PATH", "'1'")), said.err
    said = cli.run("promote", "1", "production", "--expected-current", "7")
    assert (said.code, said.err.startswith("shiplift: refused (ABORTED): production is empty")) == (1, True)


def test_an_inherited_parameter_is_dropped(cli: Cli) -> None:
    cli.run("record", "--commit", COMMIT, "-p", "REGION=eu", "-p", "ZONE=1", "-p", "SIZE=3")
    promoted = cli.run("promote", "1", "production", "-p", "REGION-", "-p", "ZONE=-", "--json")
    assert json.loads(promoted.out)["params"] == {"SIZE": "3", "ZONE": "-"}
    cli.run("report", "1", "success")
    again = cli.run("retry", "1", "-p", "SIZE-", "-p", "ZONE-", "--json")
    assert json.loads(again.out)["params"] == {"REGION": "eu"}
    for wrong in (("-p", "REGION-"), ("-p", "-")):
        assert cli.run("record", *wrong).code == 2
    said = cli.run("promote", "1", "production", "-p", "region-")
    assert said == (
        1,
        "",
        "shiplift: refused (INVALID_ARGUMENT): drop_params: 'region' is not inherited: build 1 has REGION,"
        " SIZE, ZONE\n",
    )


def test_a_stranger_is_told_to_log_in(server: Shipliftd, repo: str, tmp_path: Path) -> None:
    said = Cli(tmp_path, server.address, "", repo).run("whoami")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("shiplift: refused (UNAUTHENTICATED): ")
    assert said.err.endswith("Run `shiplift login`, or set SHIPLIFT_TOKEN or SHIPLIFT_TOKEN_FILE.\n")


def test_a_server_that_is_away_ends_with_3_and_the_id_to_repeat_with(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        cli = Cli(tmp_path, f"127.0.0.1:{taken.getsockname()[1]}", "", "octocat/hello")
        read = cli.start("builds")
        write = cli.start("promote", "1", "production")
        (read_out, read_err), (write_out, write_err) = (
            each.communicate(timeout=SECONDS) for each in (read, write)
        )
    assert (read.returncode, read_out, write.returncode, write_out) == (3, "", 3, "")
    assert read_err.startswith(f"shiplift: no answer from {cli.server}: ")
    assert read_err.count("\n") == 1
    advice = r"It may have been done. To repeat it safely, add: --request-id [0-9a-f-]{36}"
    assert re.fullmatch(advice, write_err.splitlines()[1])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("builds",), "which repository? Say -R owner/repo, set SHIPLIFT_REPO, or have a git remote"),
        (("builds", "-R", "hello"), "repository 'hello': wanted owner/repo"),
        (("builds", "-R", "a/b/c"), "repository 'a/b/c': wanted owner/repo"),
        (
            ("whoami", "--server", "https://example.com"),
            "server 'https://example.com': wanted host, host:port or unix:PATH, with no scheme",
        ),
        (("whoami", "--token-file", "gone"), "gone: No such file or directory"),
        (("whoami", "--ca", "gone"), "gone: No such file or directory"),
        (
            ("whoami", "--token", "a", "--token-file", "b"),
            "--token and --token-file are both given: leave one out",
        ),
        (
            ("builds", "-R", "a/b", "--event", "pushed"),
            "--event 'pushed': wanted one of push, ",
        ),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...], error: str, tmp_path: Path) -> None:
    said = Cli(tmp_path).run(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(f"shiplift: {error}")
    assert said.err.count("\n") == 1


def test_typer_s_own_usage_errors_end_with_2_and_without_colour(tmp_path: Path) -> None:
    said = Cli(tmp_path).run("promote", "42", GITHUB_ACTIONS="true", FORCE_COLOR="1")
    assert said == (
        2,
        "",
        "Usage: shiplift promote [OPTIONS] {BUILD} {ENVIRONMENT}\nTry 'shiplift promote -h' for help.\n\n"
        "Error: Missing argument 'ENVIRONMENT'.\n",
    )


def test_lists_builds_newest_first(cli: Cli, client: Client, repo: str) -> None:
    owner, name = repo.split("/")
    record(client, repo, after=AFTER, release="v1", message="first\n\nbody", target="main")
    record(client, repo, after="e3320539a4c0", message=EVIL, ref="refs/heads/next")
    client.promote_build(owner=owner, repo=name, build=1, target="production")
    said = cli.run("builds")
    assert timeless(said.out) == (
        "BUILD  STATUS   EVENT         ENVIRONMENT  RELEASE  COMMIT    BRANCH  BY     CREATED         "
        "  MESSAGE\n"
        "3      pending  promote of 1  production   v1       9fc1ad6e  main    admin  TIME  first\n"
        "2      success  push                                e3320539          admin  TIME  fix"
        " ]0;title[bold red]this[/bold red] [31m1mnow\n"
        "1      success  push                       v1       9fc1ad6e  main    admin  TIME  first\n"
    )

    def numbers(*filters: str) -> list[int]:
        return [build["number"] for build in cli.run("builds", *filters, "--json").json()]

    assert numbers("-e", "production", "--status", "pending", "--status", "error") == [3]
    assert numbers("--event", "push", "--event", "tag", "-n", "1") == [2]
    assert numbers("--commit", "E3320539", "--branch", "next") == [2]
    assert numbers("--release", "v1", "--origin", "1") == [3, 1]


def test_builds_are_listed_by_time_by_whom_and_across_repositories(
    cli: Cli, client: Client, repo: str
) -> None:
    owner, name = repo.split("/")
    record(client, repo, after=AFTER)
    promoted = client.promote_build(owner=owner, repo=name, build=1, target=f"to-{name}")
    created = promoted.created.ToDatetime().isoformat(timespec="milliseconds")

    def found(*filters: str) -> list[str]:
        return [f"{each['repo']} {each['number']}" for each in cli.run("builds", *filters, "--json").json()]

    mine = ("--all", "-e", f"to-{name}")
    assert found("--since", "1h") == [f"{name} 2", f"{name} 1"]
    assert found("--until", "1h") == []
    assert found(*mine, "--since", created[:16], "--by", "admin") == [f"{name} 2"]
    assert found(*mine, "--since", created[:10] + "T00:00+00:00") == [f"{name} 2"]
    assert found(*mine, "--until", created[:10]) == found(*mine, "--by", "nobody") == []
    said = cli.run("builds", *mine, "--by", "nobody")
    assert said.err == "No builds of any repository that fit.\n"
    assert cli.run("builds", *mine).out.split()[0] == "REPOSITORY"
    for wrong in ("yesterday", "2026-13-01", "99999999999d"):
        said = cli.run("builds", "--since", wrong)
        told = "wanted how long ago, such as 10m, 1h30m, 7d or 90 (seconds), or a time, such as"
        assert (said.code, said.err) == (2, f"shiplift: --since {wrong!r}: {told} 2026-12-24T18:00\n")


def test_untrusted_text_reaches_neither_markup_nor_terminal(cli: Cli, client: Client, repo: str) -> None:
    record(client, repo, message=EVIL, title=EVIL, author_name=EVIL, link=EVIL, release="v1\x1b[2J")
    for arguments in (("builds",), ("promote", "1", "qa"), ("show", "1", "--json")):
        said = cli.run(*arguments)
        assert said.code == 0
        printed = (said.out + said.err).replace("\n", "")
        assert [c for c in printed if not c.isprintable()] == [], arguments
        assert "[bold red]this[/bold red]" in said.out


def test_administers_repositories_users_tokens_and_grants(cli: Cli, name: str, server: Shipliftd) -> None:
    repo = f"octocat/{name}-2"
    made = cli.run("repo", "add", repo, "--visibility", "internal", "--default-branch", "trunk")
    assert made.code == 0
    assert timeless(made.out) == (
        f"repository      {repo}\n"
        "visibility      internal\n"
        "builds          0\n"
        "default branch  trunk\n"
        "timeout         60 minutes\n"
        "you may         read, write, admin\n"
        "created         TIME\n"
    )
    assert cli.run("repo", "show", repo) == made
    assert repo in [each["slug"] for each in cli.run("repo", "list", "octocat", "--json").json()]
    assert cli.run("user", "add", name, "--machine") == (0, f"User {name} created\n", "")
    assert cli.run("user", "disable", name) == (0, f"User {name} disabled\n", "")
    row = re.search(rf"^{name} +machine user, disabled +\d", cli.run("user", "list").out, re.MULTILINE)
    assert row is not None
    assert cli.run("user", "enable", name, "--json").json()["login"] == name
    assert cli.run("grant", "add", name, "write", "-R", repo) == (0, f"{name} has write on {repo}\n", "")
    assert cli.run("grant", "add", name, "read", "-R", "octocat/*").out == f"{name} has read on octocat/*\n"
    listed = cli.run("grant", "list", "-R", repo, "--json").json()
    assert [(each["login"], each["repo"], each["level"]) for each in listed] == [
        (name, f"{name}-2", "ACCESS_LEVEL_WRITE"),
        (name, "*", "ACCESS_LEVEL_READ"),
    ]
    removed = cli.run("grant", "remove", name, "-R", "octocat/*")
    assert removed == (0, f"{name} has no grant on octocat/*\n", "")

    token = cli.run(
        *("token", "create", "--login", name, "--name", "ci", "--action", "read", "--action", "record"),
        *("-R", repo, "-e", "qa", "--expires-in", "30"),
    )
    assert token.code == 0
    assert re.fullmatch(r"shl_[A-Za-z0-9_-]{43}\n", token.out)
    assert re.fullmatch(rf"Token \d+ of {name}, ci\n", token.err)
    theirs = Cli(cli.home, server.address, token.out.strip(), repo)
    me = theirs.run("whoami", "--json").json()
    assert (me["user"]["login"], me["token"]["actions"]) == (
        name,
        ["TOKEN_ACTION_READ", "TOKEN_ACTION_RECORD"],
    )
    shown = timeless(theirs.run("whoami").out)
    assert f"login         {name}\nkind          machine user\n" in shown
    assert f"actions       read, record\nrepositories  {repo}\nenvironments  qa\n" in shown
    number = me["token"]["id"]
    shown = timeless(theirs.run("whoami").out).partition("\n")[2]
    mine = cli.run("token", "show", number, "--login", name)
    assert timeless(mine.out) == shown.replace("kind          machine user\n", "")
    assert cli.run("token", "show", number, "--login", name, "--json").json()["id"] == number
    assert cli.run("user", "show", name, "--json").json() == me["user"]
    assert timeless(cli.run("user", "show", name).out) == (
        f"login    {name}\nkind     machine user\ncreated  TIME\n"
    )
    assert f"\n{number:<5}" in cli.run("token", "list", "--login", name).out
    revoked = cli.run("token", "revoke", number)
    assert timeless(revoked.out) == f"Token {number} of {name} revoked TIME\n"
    assert theirs.run("whoami").code == 1


def test_shows_the_own_user_and_token_unless_told_another(cli: Cli, name: str) -> None:
    me = cli.run("whoami", "--json").json()
    assert cli.run("token", "show", "--json").json()["hint"] == me["token"]["hint"]
    assert cli.run("token", "show", me["token"]["id"], "--json").json()["id"] == me["token"]["id"]
    assert cli.run("user", "show", "--json").json() == me["user"]
    assert cli.run("token", "show", "999999") == (
        1,
        "",
        "shiplift: you: no token 999999; `shiplift token list` has the numbers\n",
    )
    assert cli.run("token", "show", "--login", name).code == 2
    assert cli.run("user", "show", name).err.startswith("shiplift: refused (NOT_FOUND): ")


def test_a_lost_token_is_not_shown_again(cli: Cli, name: str) -> None:
    first = cli.run("token", "create", "--request-id", name)
    again = cli.run("token", "create", "--request-id", name)
    assert first.out.startswith("shl_")
    assert (again.code, again.out) == (0, "")
    assert "its secret is gone: revoke" in again.err


def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(SECONDS)
        process = Cli(tmp_path, f"127.0.0.1:{silent.getsockname()[1]}").start("whoami")
        connection, _ = silent.accept()
        with connection:
            # What it sends first shows that it waits for the answer.
            connection.settimeout(SECONDS)
            assert connection.recv(1)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=SECONDS) == ("", "")
    assert process.returncode == 130


@pytest.mark.parametrize("arguments", [("repo", "list"), ("repo", "list", "--json")])
def test_a_closed_pipe_ends_quietly(cli: Cli, arguments: tuple[str, ...]) -> None:
    read, write = os.pipe()
    process = cli.start(*arguments, stdout=write)
    os.close(write)
    os.close(read)
    assert process.communicate(timeout=SECONDS)[1] == ""
    assert process.returncode == 141


def test_tells_its_version_and_helps(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert re.fullmatch(r"shiplift \d+\.\d+\.\d+\n", cli.run("--version").out)
    assert "Exit codes: 0 done, 1 refused, 2 usage, 3 no answer" in cli.run("-h").out
    assert cli.run().code == 2
