"""What a shell offers for the word that is being typed: builds, environments, repositories, contexts.

A shell waits meanwhile, and shows whatever is put out: so it is a second at the most, and nothing is said
of what fails.
"""

import re
from collections.abc import Callable, Iterable

import typer

from shiplift import Client, ShipliftError
from shiplift.cli.session import Session, UsageError
from shiplift.settings import Contexts

OVERRIDABLE = ("success", "predecessor", "hold", "freeze")
_SECONDS = 1.0
_MOST, _MOST_LISTED = 30, 1000
_PLAIN = re.compile(r"[A-Za-z0-9._/:@+-]+")


def builds(ctx: typer.Context, incomplete: str) -> list[str]:
    """The newest builds, by number."""

    def found(client: Client, owner: str, repo: str) -> Iterable[str]:
        page = client.list_builds(owner=owner, repo=repo, page_size=_MOST)
        return (str(build.number) for build in page.builds)

    return _offered(ctx, incomplete, found)


def blocked_builds(ctx: typer.Context, incomplete: str) -> list[str]:
    """Those that wait for people, by number."""

    def found(client: Client, owner: str, repo: str) -> Iterable[str]:
        page = client.list_builds(owner=owner, repo=repo, statuses=["blocked"], page_size=_MOST)
        return (str(build.number) for build in page.builds)

    return _offered(ctx, incomplete, found)


def gates(incomplete: str) -> list[str]:
    """Those that can be overridden, as `--override` takes them."""
    return [f"{gate}=" for gate in OVERRIDABLE if f"{gate}=".startswith(incomplete)]


def environments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Those that the repository declares, and where its builds went."""

    def found(client: Client, owner: str, repo: str) -> Iterable[str]:
        return (each.environment for each in client.list_deployments(owner=owner, repo=repo).deployments)

    return _offered(ctx, incomplete, found)


def repositories(ctx: typer.Context, incomplete: str) -> list[str]:
    """Those that may be read."""

    def found(client: Client, _owner: str, _repo: str) -> Iterable[str]:
        owner = incomplete.partition("/")[0] if "/" in incomplete else ""
        return (
            each.slug for each in client.list_repositories(owner=owner, page_size=_MOST_LISTED).repositories
        )

    return _offered(ctx, incomplete, found)


def contexts(incomplete: str) -> list[str]:
    """Those that `login` made."""
    try:
        known = sorted(Contexts.read().contexts)
    except ValueError:
        return []
    return _plain(known, incomplete)


def _plain(words: Iterable[str], incomplete: str) -> list[str]:
    """Those that go on with what is typed, and in which no shell reads anything: some evaluate them."""
    return [word for word in words if word.startswith(incomplete) and _PLAIN.fullmatch(word)]


def _offered(
    ctx: typer.Context, incomplete: str, found: Callable[[Client, str, str], Iterable[str]]
) -> list[str]:
    # With what stands on the line before it: --server, -R and so on.
    session = Session.of(ctx)
    try:
        try:
            owner, repo = session.repository(ctx.params.get("repository"))
        except UsageError:
            owner, repo = "", ""
        settings = session.settings
        with Client(
            settings.server,
            settings.token,
            timeout=_SECONDS,
            ca_file=settings.ca_file,
            cert_file=settings.cert_file,
            key_file=settings.key_file,
            insecure=settings.insecure,
            server_name=settings.server_name,
        ) as client:
            return _plain(found(client, owner, repo), incomplete)
    except (ShipliftError, OSError, ValueError):
        return []
