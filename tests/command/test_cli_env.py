"""`shiplift env`: environments are declared, changed, exported and follow a file, on a real server."""

from pathlib import Path

import pytest
import yaml
from shiplift import Client
from shiplift.v1 import access_pb2

from tests.support.cli import Cli
from tests.support.pages import block
from tests.support.repository import Repository

RULES = """\
environments:
- name: production
  promoters:
  - mona
  promoter_level: admin
  required_approvals: 2
  approvers:
  - mona
  - octocat
  approval_window: 2d
  requires: staging
  soak: 1h30m
  queue_policy: supersede
  freezes:
  - name: weekend
    zone: Europe/Berlin
    weekly:
    - from: Fri 16:00
      to: Mon 08:00
    reason: nobody is here
  - name: christmas
    zone: America/New_York
    from: 2026-12-20T00:00
    to: 2026-12-27T00:00
  params:
  - name: REGION
    required: true
    default: eu
    choices:
    - eu
    - us
  overriders:
  - octocat
  link: https://example.org
  description: what customers see
  confirm: true
- name: staging
  deployer: external
  allow_failed: true
"""


@pytest.fixture
def cli(repository: Repository, tmp_path: Path) -> Cli:
    """The site admin's command, in the repository of the test's own."""
    server = repository.server
    return Cli(tmp_path, server.address, server.admin_token, repository.slug)


def file(cli: Cli, text: str, name: str = "environments.yml") -> str:
    """A file of environments; its name."""
    (cli.home / name).write_text(text)
    return name


def test_an_environment_is_declared_and_changed_by_what_is_given(cli: Cli, repository: Repository) -> None:
    slug = repository.slug
    assert cli.run("env", "list") == (0, "", f"{slug} declares no environments: any name is taken.\n")
    assert cli.run("env", "set", "staging") == (
        0,
        f"repository   {slug}\nenvironment  staging\nversion      1, rules 1\n",
        "",
    )
    words = ("--requires", "staging", "--soak", "10m", "--approver", "mona", "--approver", "octocat")
    made = cli.run("env", "set", "production", "--required-approvals", "1", *words, "--confirm")
    assert made == (
        0,
        f"repository   {slug}\n"
        "environment  production\n"
        "approvals    1 of mona, octocat\n"
        "requires     staging for 10m\n"
        "confirm      yes: `promote` and `rollback` ask on a terminal\n"
        "version      1, rules 1\n",
        "",
    )
    assert cli.run("env", "show", "production").out == made.out
    assert cli.run("env", "list").out == (
        "ENVIRONMENT  APPROVALS           REQUIRES         QUEUE\n"
        "production   1 of mona, octocat  staging for 10m  queue\n"
        "staging                                           queue\n"
    )
    # What is left out stays; an empty login clears them all.
    changed = cli.run("env", "set", "production", "--approver", "", "--queue", "reject", "--no-confirm")
    assert changed.out == (
        f"repository   {slug}\n"
        "environment  production\n"
        "approvals    1 of the admins\n"
        "requires     staging for 10m\n"
        "queue        reject\n"
        "version      2, rules 2\n"
    )
    # What is no rule voids no approval.
    assert cli.run("env", "set", "production", "--link", "x", "--json=version,rules_version").json() == {
        "version": 3,
        "rules_version": 2,
    }


def test_each_option_says_its_field(cli: Cli) -> None:
    words: dict[tuple[str, ...], dict[str, object]] = {
        ("--required-approvals", "2"): {"required_approvals": 2},
        ("--approver", "mona", "--approver", "octocat"): {"approvers": ["mona", "octocat"]},
        ("--approval-window", "2d"): {"approval_window": "172800s"},
        ("--promoter", "mona"): {"promoters": ["mona"]},
        ("--promoter-level", "admin"): {"promoter_level": "admin"},
        ("--requires", "staging"): {"requires": "staging"},
        ("--soak", "1h30m"): {"soak": "5400s"},
        ("--allow-failed",): {"allow_failed": True},
        ("--queue", "supersede"): {"queue_policy": "supersede"},
        ("--overrider", "mona"): {"overriders": ["mona"]},
        ("--deployer", "external"): {"deployer": "external"},
        ("--link", "https://example.org"): {"link": "https://example.org"},
        ("--description", "the shop"): {"description": "the shop"},
        ("--confirm",): {"confirm": True},
    }
    for given, said in words.items():
        (field,) = said
        assert cli.run("env", "set", "production", *given, f"--json={field}").json() == said


def test_what_is_wrong_is_said(cli: Cli, repository: Repository) -> None:
    assert cli.run("env", "set", "qa", "-o", "name").out == "qa\n"
    assert cli.run("env", "set", "qa") == (
        2,
        "",
        "shiplift: qa is declared: what is to change? Say it with an option, such as --soak 10m\n",
    )
    assert cli.run("env", "set", "qa", "--soak", "soon") == (
        2,
        "",
        "shiplift: --soak 'soon': wanted such as 10m, 1h30m, 7d or 90 (seconds)\n",
    )
    assert cli.run("env", "set", "qa", "--requires", "qa") == (
        1,
        "",
        "shiplift: refused (INVALID_ARGUMENT): environment.requires: is the environment itself:"
        " name another one\n",
    )
    assert cli.run("env", "delete", "qa") == (0, f"{repository.slug}: qa is declared no more\n", "")
    told = "declares no environment 'qa': `shiplift env list` shows those that it declares"
    for command in ("delete", "show"):
        said = cli.run("env", command, "qa")
        assert said == (1, "", f"shiplift: refused (NOT_FOUND): {repository.slug} {told}\n")


def test_what_is_exported_is_what_was_applied(cli: Cli, repository: Repository) -> None:
    slug = repository.slug
    said = cli.run("env", "apply", file(cli, RULES))
    assert (said.code, said.err) == (0, f"{slug} staging: declared\n{slug} production: declared\n")
    # What is required comes first.
    assert said.out.splitlines()[:11] == [
        "--- /dev/null",
        f"+++ {slug} staging (environments.yml)",
        "@@ -0,0 +1,3 @@",
        "+name: staging",
        "+deployer: external",
        "+allow_failed: true",
        "--- /dev/null",
        f"+++ {slug} production (environments.yml)",
        "@@ -0,0 +1,35 @@",
        "+name: production",
        "+promoters:",
    ]
    assert cli.run("env", "export") == (0, RULES, "")
    assert cli.run("env", "apply", "environments.yml") == (0, "", f"{slug}: nothing to change\n")
    assert cli.run("env", "show", "production").out == (
        f"repository       {slug}\n"
        "environment      production\n"
        "description      what customers see\n"
        "link             https://example.org\n"
        "promoters        mona, admins alone\n"
        "approvals        2 of mona, octocat\n"
        "approval window  2d\n"
        "requires         staging for 1h30m\n"
        "queue            supersede\n"
        "overriders       octocat\n"
        "confirm          yes: `promote` and `rollback` ask on a terminal\n"
        "freezes          weekend: Fri 16:00 to Mon 08:00 (Europe/Berlin): nobody is here\n"
        "                 christmas: 2026-12-20T00:00 to 2026-12-27T00:00 (America/New_York)\n"
        "params           REGION: required; else eu; one of eu, us\n"
        "version          1, rules 1\n"
    )


def test_the_file_that_the_docs_show_can_be_applied(cli: Cli, repository: Repository) -> None:
    said = cli.run("env", "apply", file(cli, block("docs/command.md", "yaml")), "--prune")
    slug = repository.slug
    assert (said.code, said.err) == (0, f"{slug} staging: declared\n{slug} production: declared\n")


def test_the_difference_is_shown_before_it_is_made(cli: Cli, repository: Repository) -> None:
    slug = repository.slug
    assert cli.run("env", "set", "production", "--required-approvals", "1", "--soak", "10m").code == 0
    assert cli.run("env", "set", "old").code == 0
    text = "environments:\n- {name: production, required_approvals: 2}\n- {name: qa}\n"
    diff = (
        f"--- {slug} production (the server)\n"
        f"+++ {slug} production (environments.yml)\n"
        "@@ -1,3 +1,2 @@\n"
        " name: production\n"
        "-required_approvals: 1\n"
        "-soak: 10m\n"
        "+required_approvals: 2\n"
        "--- /dev/null\n"
        f"+++ {slug} qa (environments.yml)\n"
        "@@ -0,0 +1 @@\n"
        "+name: qa\n"
    )
    kept = f"{slug} old: not in environments.yml, and stays: --prune deletes it\n"
    tried = cli.run("env", "apply", file(cli, text), "--dry-run")
    assert tried == (0, diff, f"{kept}2 to change. Nothing was changed: --dry-run.\n")
    assert cli.run("env", "list", "-o", "name").out == "old\nproduction\n"
    done = cli.run("env", "apply", "environments.yml")
    assert done == (
        0,
        diff,
        f"{kept}{slug} production: changed, to version 2\n{slug} qa: declared\n",
    )
    pruned = cli.run("env", "apply", "environments.yml", "--prune")
    assert pruned == (
        0,
        f"--- {slug} old (the server)\n+++ /dev/null\n@@ -1 +0,0 @@\n-name: old\n",
        f"{slug} old: deleted\n",
    )
    assert cli.run("env", "list", "-o", "name").out == "production\nqa\n"


def test_what_promotions_wait_for_stays(cli: Cli, repository: Repository) -> None:
    slug = repository.slug
    assert cli.run("env", "set", "production", "--required-approvals", "1").code == 0
    repository.record(status="BUILD_STATUS_SUCCESS")
    number = repository.promote(1).number
    refused = (
        "shiplift: refused (FAILED_PRECONDITION): promotions wait for the gates of production, and would go"
        f" without them: {number}. Cancel or decline them first\n"
    )
    deleted = cli.run("env", "delete", "production")
    assert (deleted.code, deleted.out, deleted.err) == (1, "", refused)
    pruned = cli.run("env", "apply", file(cli, "environments: []\n"), "--prune")
    stays = f"{slug} production: not done; what was done before it stays. Apply the file again to go on.\n"
    assert (pruned.code, pruned.err) == (1, stays + refused)
    assert cli.run("env", "list", "-o", "name").out == "production\n"
    assert cli.run("cancel", str(number)).code == 0
    assert cli.run("env", "apply", "environments.yml", "--prune").err == f"{slug} production: deleted\n"


def test_a_change_in_between_is_not_undone(cli: Cli, repository: Repository) -> None:
    from shiplift.cli import applying
    from shiplift.cli.environment_files import read

    assert cli.run("env", "set", "qa").code == 0
    with Client(cli.server, cli.token) as client:
        wanted = read("environments: [{name: qa, link: mine}]", "x.yml")
        found = applying.plan(client, repository.owner, repository.name, wanted, prune=False)
        assert cli.run("env", "set", "qa", "--link", "theirs").code == 0
        with pytest.raises(Exception, match="environment qa is at version 2, not 1: read it again"):
            applying.apply(found.changes)
    assert cli.run("env", "show", "qa", "--json=link").json() == {"link": "theirs"}


def test_a_file_turns_around_what_requires_what(cli: Cli, repository: Repository) -> None:
    slug = repository.slug
    for names in (("a", "b", "c"), ("c", "b", "a"), ("b", "c", "a")):
        first, *others = names
        said = [f"{{name: {name}, requires: {of}}}" for of, name in zip(names, others, strict=False)]
        # What requires stands before what it requires.
        text = f"environments: [{', '.join([*reversed(said), f'{{name: {first}}}'])}]\n"
        assert cli.run("env", "apply", file(cli, text)).code == 0
        for of, name in zip(names, others, strict=False):
            assert cli.run("env", "show", name, "--json=requires").json() == {"requires": of}
    text = "environments: [{name: d, requires: b}, {name: b, requires: c}]\n"
    # With what stays on the server; and nothing of it is done.
    assert cli.run("env", "apply", file(cli, text)) == (
        2,
        "",
        f"shiplift: {slug}: these require each other, so that nothing could go there: b requires c"
        " requires b\n",
    )
    assert cli.run("env", "list", "-o", "name").out == "a\nb\nc\n"


def test_what_is_refused_stops_it_and_is_named(cli: Cli, repository: Repository) -> None:
    slug = repository.slug
    names = "[{name: a}, {name: b, required_approvals: 11}, {name: c}]"
    said = cli.run("env", "apply", file(cli, f"environments: {names}\n"))
    assert (said.code, said.err) == (
        1,
        f"{slug} a: declared\n"
        f"{slug} b: not done; what was done before it stays. Apply the file again to go on.\n"
        "shiplift: refused (INVALID_ARGUMENT): environment.required_approvals: is 11: wanted 0 to 10\n",
    )
    assert cli.run("env", "list", "-o", "name").out == "a\n"
    said = cli.run("env", "apply", file(cli, "environments:\n- name: a\n  sok: 1m\n"))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(
        "shiplift: environments.yml:3: environments: there is no 'sok': wanted some "
    )
    (cli.home / "odd.yml").write_bytes(b"\xff")
    assert cli.run("env", "apply", "odd.yml") == (2, "", "shiplift: odd.yml is no text in UTF-8\n")
    assert cli.run("env", "apply", "gone.yml").err == "shiplift: gone.yml: No such file or directory\n"


def test_all_of_an_owners_follow_a_file(cli: Cli, repository: Repository) -> None:
    # Of an owner of its own, for others' tests run on this server.
    owner = f"of-{repository.name}"
    one, two = (Repository.make(repository.server, owner, each) for each in ("one", "two"))
    everywhere = ("-R", f"{owner}/*")
    freeze = "- name: christmas\n  zone: UTC\n  from: 2026-12-20T00:00\n  to: 2026-12-27T00:00\n"
    text = f"freezes:\n{freeze}environments:\n- name: qa\n"
    said = cli.run("env", "apply", file(cli, text), *everywhere)
    assert (said.code, said.err) == (
        0,
        f"{owner}/* freezes: changed, to version 1\n{one.slug} qa: declared\n{two.slug} qa: declared\n",
    )
    assert cli.run("env", "set", "qa", "-R", one.slug, "--link", "x").code == 0
    exported = cli.run("env", "export", *everywhere)
    expected = f"freezes:\n{freeze}repositories:\n  one:\n  - name: qa\n    link: x\n  two:\n  - name: qa\n"
    assert exported == (0, expected, "")
    nothing = f"{owner}/*: nothing to change\n"
    assert cli.run("env", "apply", file(cli, exported.out, "all.yml"), *everywhere) == (0, "", nothing)
    # Whoever sees one of them sees that one, and the freezes.
    reader = Cli(cli.home, cli.server, two.of(f"r-{owner}", access_pb2.ACCESS_LEVEL_READ).token or "")
    seen = yaml.safe_load(reader.run("env", "export", *everywhere).out)
    assert (list(seen["repositories"]), len(seen["freezes"])) == (["two"], 1)
    gone = cli.run("env", "apply", file(cli, "freezes: []\n"), *everywhere)
    assert gone.err == f"{owner}/* freezes: changed, to version 2\n"
    for section in ("freezes: []", "repositories: {}"):
        assert cli.run("env", "apply", file(cli, section), "-R", one.slug) == (
            2,
            "",
            f"shiplift: {section.split(':')[0]}: is for -R '{owner}/*', and not for one repository alone\n",
        )
