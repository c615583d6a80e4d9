"""What a file of environments and a server have in common, and having the server follow the file."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from shiplift import Client, ShipliftError, Unavailable
from shiplift.cli.environment_files import File, said_fields, written_freezes, written_one
from shiplift.cli.output import say
from shiplift.v1 import environments_pb2 as pb


class Change(NamedTuple):
    """A change that a file asks for: what of, before and after as the file has it, and how it is made."""

    what: str
    before: str
    after: str
    # Answers what there is to be said when it is done.
    make: Callable[[], str]
    # The environment as it is to be, and where; None where none is declared or changed.
    environment: pb.Environment | None = None
    owner: str = ""
    repo: str = ""

    def diff(self, name: str) -> list[str]:
        """The change as `diff -u` shows it; `name` is the file's."""
        return list(
            difflib.unified_diff(
                self.before.splitlines(),
                self.after.splitlines(),
                f"{self.what} (the server)" if self.before else "/dev/null",
                f"{self.what} ({name})" if self.after else "/dev/null",
                lineterm="",
            )
        )


class Plan(NamedTuple):
    """The changes, and what is declared and does not stand in the file."""

    changes: list[Change]
    kept: list[str]


def places(client: Client, owner: str, repo: str) -> list[str]:
    """The names of the repositories that are meant: of `*` all of the owner's that the caller can see."""
    if repo != "*":
        return [repo]
    return [each.name for each in client.iterate_repositories(owner=owner)]


def export(client: Client, owner: str, repo: str) -> File:
    """What is declared in a repository; of `*` in all of an owner's, with the rules of all of them."""
    if repo != "*":
        return File(environments=_declared(client, owner, repo))
    repos = places(client, owner, repo)
    found = {each: _declared(client, owner, each) for each in repos}
    return File(
        repositories={each: environments for each, environments in found.items() if environments},
        freezes=list(_owner_rules(client, owner, repos).freezes),
    )


def _declared(client: Client, owner: str, repo: str) -> list[pb.Environment]:
    return list(client.iterate_environments(owner=owner, repo=repo))


def _owner_rules(client: Client, owner: str, repos: list[str]) -> pb.OwnerRules:
    # Who can read one repository can read them; for `*` it takes more.
    return client.get_owner_rules(owner=owner, repo=repos[0] if repos else "*")


def plan(client: Client, owner: str, repo: str, file: File, *, prune: bool) -> Plan:
    """What there is to do for a file.

    Raises ValueError where it is for another kind of place, or has environments require each other.
    """
    if repo != "*" and (file.freezes is not None or file.repositories is not None):
        section = "freezes" if file.freezes is not None else "repositories"
        raise ValueError(f"{section}: is for -R '{owner}/*', and not for one repository alone")
    repos = places(client, owner, repo)
    wanted = file.repositories
    if wanted is None:
        wanted = {} if file.environments is None else dict.fromkeys(repos, file.environments)
    made = Plan([], [])
    if file.freezes is not None:
        made.changes.extend(_freezes(client, owner, _owner_rules(client, owner, repos), file.freezes))
    for each, environments in wanted.items():
        there = {environment.name: environment for environment in _declared(client, owner, each)}
        gone = there.keys() - {environment.name for environment in environments}
        stay = () if prune else (there[name] for name in gone)
        ordered = _in_order(f"{owner}/{each}", environments, stay)
        made.changes.extend(_said(client, owner, each, there, ordered))
        if prune:
            made.changes.extend(_deleted(client, owner, each, [there[name] for name in sorted(gone)]))
        else:
            made.kept.extend(f"{owner}/{each} {name}" for name in sorted(gone))
    return made


def _in_order(
    slug: str, environments: Iterable[pb.Environment], others: Iterable[pb.Environment]
) -> list[pb.Environment]:
    """What is required first, or the server would see a circle on the way to what is meant."""
    environments = list(environments)
    requires = {each.name: each.requires for each in (*others, *environments)}

    def depth(environment: pb.Environment) -> int:
        chain = [environment.name]
        while following := requires.get(chain[-1]):
            chain.append(following)
            if following in chain[:-1]:
                raise ValueError(
                    f"{slug}: these require each other, so that nothing could go there:"
                    f" {' requires '.join(chain[chain.index(following) :])}"
                )
        return len(chain)

    return sorted(environments, key=depth)


def _freezes(
    client: Client, owner: str, rules: pb.OwnerRules, freezes: list[pb.Freeze]
) -> Iterator[Change]:
    if list(rules.freezes) == freezes:
        return

    def make() -> str:
        wanted = pb.OwnerRules(freezes=freezes)
        made = client.update_owner_rules(owner=owner, rules=wanted, version=rules.version)
        return f"changed, to version {made.version}"

    yield Change(f"{owner}/* freezes", written_freezes(rules.freezes), written_freezes(freezes), make)


def _said(
    client: Client,
    owner: str,
    repo: str,
    there: dict[str, pb.Environment],
    environments: Iterable[pb.Environment],
) -> Iterator[Change]:
    """What is to be declared or changed."""
    for wanted in environments:
        before = there.get(wanted.name)
        what = f"{owner}/{repo} {wanted.name}"
        if before is None:
            make = _creating(client, owner, repo, wanted)
            yield Change(what, "", written_one(wanted), make, wanted, owner, repo)
            continue
        mask = [field for field in said_fields() if _differ(before, wanted, field)]
        if mask:
            make = _updating(client, before, wanted, mask)
            yield Change(what, written_one(before), written_one(wanted), make, wanted, owner, repo)


def _differ(one: pb.Environment, other: pb.Environment, field: str) -> bool:
    kind = pb.Environment.DESCRIPTOR.fields_by_name[field]
    if kind.has_presence and one.HasField(field) != other.HasField(field):
        return True
    return bool(getattr(one, field) != getattr(other, field))


def _creating(client: Client, owner: str, repo: str, wanted: pb.Environment) -> Callable[[], str]:
    def make() -> str:
        client.create_environment(owner=owner, repo=repo, environment=wanted)
        return "declared"

    return make


def _updating(
    client: Client, before: pb.Environment, wanted: pb.Environment, mask: list[str]
) -> Callable[[], str]:
    def make() -> str:
        # Whoever changed it meanwhile meant what the file does not know.
        made = client.update_environment(
            owner=before.owner,
            repo=before.repo,
            environment=wanted,
            update_mask=mask,
            version=before.version,
        )
        return f"changed, to version {made.version}"

    return make


def _deleted(client: Client, owner: str, repo: str, gone: Iterable[pb.Environment]) -> Iterator[Change]:
    for environment in gone:

        def make(name: str = environment.name, version: int = environment.version) -> str:
            client.delete_environment(owner=owner, repo=repo, environment=name, version=version)
            return "deleted"

        yield Change(f"{owner}/{repo} {environment.name}", written_one(environment), "", make)


def apply(changes: Iterable[Change]) -> None:
    """Makes the changes, one after the other, and says of each that it is done."""
    for change in changes:
        try:
            say(f"{change.what}: {change.make()}")
        except ShipliftError as error:
            say(f"{change.what}: not done; what was done before it stays. Apply the file again to go on.")
            if isinstance(error, Unavailable):
                # The file again does the same: nobody needs the id.
                error.request_id = ""
            raise
