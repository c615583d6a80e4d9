"""Repositories: the verbs."""

from collections.abc import Collection, Iterable, Mapping

from google.protobuf.duration_pb2 import Duration
from shiplift.v1 import access_pb2 as pb

from shipliftd.access import cuts
from shipliftd.access.callers import Caller
from shipliftd.access.reach import level_of, visible
from shipliftd.access.write_once import Written, admitted, write
from shipliftd.clock import now
from shipliftd.enum_words import VISIBILITY_WORD
from shipliftd.errors import AlreadyExists
from shipliftd.fields import Faults, in_seconds
from shipliftd.store import pages
from shipliftd.store.models import Grant, Repository
from shipliftd.store.transaction import Reader, Transaction

_MOST_MINUTES = 7 * 24 * 60
_MOST_CHARACTERS = {
    "link": 2000,
    "default_branch": 255,
    "config_path": 1000,
}


def repository(reader: Reader, _caller: Caller, repo_id: int) -> Repository:
    """A repository that is known to be there."""
    return reader.by_id(Repository, repo_id)


# What can be said of a repository, and what it is where nothing, or an empty value, is said.
_SETTINGS: Mapping[str, str | int] = {
    "git_http_url": "",
    "git_ssh_url": "",
    "link": "",
    "default_branch": "main",
    "visibility": "private",
    "config_path": ".drone.yml",
    "timeout": 60,
}
_LATER_SETTINGS = ("active", "runner_secrets")


@write(load=repository, look=admitted, tells="access")
def create_repository(
    tx: Transaction, caller: Caller, request: pb.CreateRepositoryRequest
) -> Written[Repository]:
    """Registers a repository. Raises Invalid, AlreadyExists."""
    faults = Faults()
    faults.name("repo", request.repo)
    faults.text("scm", request.scm, 32)
    columns = _columns(request, _SETTINGS, faults)
    faults.refuse()
    if tx.get(Repository, Repository.owner == request.owner, Repository.name == request.repo) is not None:
        raise AlreadyExists(
            f"repository {request.owner}/{request.repo} exists already",
            metadata={"owner": request.owner, "repo": request.repo},
        )
    at = now()
    made = tx.execute(
        Repository.insert(
            user=caller.user_id,
            owner=request.owner,
            name=request.repo,
            scm=request.scm or "git",
            created=at,
            updated=at,
            **columns,
        )
    )
    return Written(tx.by_id(Repository, made))


def _every_environment(_tx: Transaction, caller: Caller, _request: pb.UpdateRepositoryRequest) -> None:
    cuts.require_every_environment(caller)


@write(load=repository, look=_every_environment, tells="access")
def update_repository(
    tx: Transaction, caller: Caller, request: pb.UpdateRepositoryRequest
) -> Written[Repository]:
    """Changes the settings that the mask names. Raises Invalid."""
    faults = Faults()
    named = faults.mask("update_mask", request.update_mask, {*_SETTINGS, *_LATER_SETTINGS})
    columns = _columns(request.repository, named, faults, "repository.")
    faults.refuse()
    found = repository(tx, caller, caller.repo_id)
    if any(getattr(found, column) != value for column, value in columns.items()):
        tx.execute(
            Repository.update(**columns, updated=now(), version=Repository.version + 1).where(
                Repository.id == caller.repo_id
            )
        )
    return Written(repository(tx, caller, caller.repo_id))


def _columns(
    said: pb.CreateRepositoryRequest | pb.Repository, names: Collection[str], faults: Faults, at: str = ""
) -> dict[str, object]:
    """The columns of these settings, with their defaults; `at` stands before their names in faults."""
    minutes = _SETTINGS["timeout"]
    if "git_http_url" in names:
        faults.http_url(f"{at}git_http_url", said.git_http_url)
    if "git_ssh_url" in names:
        faults.ssh_url(f"{at}git_ssh_url", said.git_ssh_url)
    for name, most in _MOST_CHARACTERS.items():
        if name in names:
            faults.text(at + name, getattr(said, name), most)
    if "timeout" in names and said.HasField("timeout"):
        minutes = _minutes(f"{at}timeout", said.timeout, faults)
    if "visibility" in names and said.visibility:
        faults.word(f"{at}visibility", said.visibility, VISIBILITY_WORD, pb.Visibility.keys()[1:])
    columns = {name: getattr(said, name) or _SETTINGS.get(name, False) for name in names}
    if "timeout" in names:
        columns["timeout"] = minutes
    if "visibility" in names:
        columns["visibility"] = VISIBILITY_WORD.get(said.visibility, _SETTINGS["visibility"])
    return columns


def _minutes(field: str, length: Duration, faults: Faults) -> int:
    """How many minutes a build may take."""
    minutes, rest = divmod(length.seconds, 60)
    if rest or length.nanos:
        told = f"is {in_seconds(length)}"
    elif not 1 <= minutes <= _MOST_MINUTES:
        told = f"is {minutes} minutes"
    else:
        return minutes
    faults.add(field, f"{told}: wanted whole minutes, 1 to {_MOST_MINUTES} (7 days)")
    return 0


def list_repositories(
    reader: Reader, caller: Caller, request: pb.ListRepositoriesRequest
) -> list[Repository]:
    """The repositories that the caller may read: a page and one more, by owner and name."""
    most = pages.size(request.page_size)
    if request.owner:
        faults = Faults()
        faults.name("owner", request.owner)
        faults.refuse()
    query = Repository.select().where(visible(caller))
    if request.owner:
        query = query.where(Repository.owner == request.owner)
    key = pages.after(reader, request, request.page_token)
    if key is not None:
        owner, name = key
        query = query.where(
            (Repository.owner > owner) | ((Repository.owner == owner) & (Repository.name > name))
        )
    return reader.all(query.order_by(Repository.owner, Repository.name).limit(most + 1))


def levels(reader: Reader, caller: Caller, repositories: Iterable[Repository]) -> dict[int, int]:
    """What the caller may do in each of these repositories, by their ids, in one query."""
    granted: dict[tuple[str, str], int] = {}
    if caller.cut is not None:
        query = Grant.select(Grant.owner, Grant.repo, Grant.level).where(Grant.user == caller.user_id)
        granted = {(owner, repo): level for owner, repo, level in reader.rows(query)}

    def level(repo: Repository) -> int:
        return level_of(
            caller.cut,
            repo.owner,
            repo.name,
            repo.visibility,
            lambda: max(granted.get((repo.owner, repo.name), 0), granted.get((repo.owner, "*"), 0)),
        )

    return {repo.id: level(repo) for repo in repositories}
