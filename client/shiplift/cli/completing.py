"""What a shell offers for the word that is being typed: builds, environments, repositories, contexts.

A shell waits meanwhile, and shows whatever is put out: so it is a second at the most, and nothing is said
of what fails.
"""

from collections.abc import Callable, Iterable

import typer

from shiplift import Client, ShipliftError
from shiplift.cli.output import first_line, word
from shiplift.cli.session import Session, UsageError
from shiplift.settings import Contexts
from shiplift.v1 import builds_pb2 as pb

_SECONDS = 1.0
_MOST = 30

# A word, and what is said of it.
Offer = tuple[str, str]


def builds(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """The newest builds, by number."""

    def found(client: Client, owner: str, repo: str) -> Iterable[Offer]:
        for build in client.list_builds(owner=owner, repo=repo, page_size=_MOST).builds:
            about = (
                word(pb.BuildStatus, build.status),
                build.release or build.after[:8],
                build.deploy_to and f"to {build.deploy_to}",
                first_line(build.title or build.message)[:40],
            )
            yield str(build.number), ", ".join(filter(None, about))

    return _offered(ctx, incomplete, found)


def environments(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Where builds of the repository went."""

    def found(client: Client, owner: str, repo: str) -> Iterable[Offer]:
        for each in client.list_deployments(owner=owner, repo=repo).deployments:
            yield each.environment, each.current.release or each.current.after[:8]

    return _offered(ctx, incomplete, found)


def repositories(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Those that may be read."""

    def found(client: Client, _owner: str, _repo: str) -> Iterable[Offer]:
        for each in client.list_repositories().repositories:
            yield each.slug, ""

    return _offered(ctx, incomplete, found)


def contexts(incomplete: str) -> list[Offer]:
    """Those that `login` made."""
    try:
        known = Contexts.read().contexts.items()
    except ValueError:
        return []
    return [(name, context.server) for name, context in sorted(known) if name.startswith(incomplete)]


def _offered(
    ctx: typer.Context, incomplete: str, found: Callable[[Client, str, str], Iterable[Offer]]
) -> list[Offer]:
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
        ) as client:
            return [offer for offer in found(client, owner, repo) if offer[0].startswith(incomplete)]
    except (ShipliftError, OSError, ValueError):
        return []
