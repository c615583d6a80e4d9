"""What a promotion changes, as it is shown: release first, number second."""

from collections.abc import Iterator, Sequence

from shiplift.cli.output import first_line, put
from shiplift.cli.tables import Column, put_fields, put_table
from shiplift.v1 import builds_pb2 as pb

_NONE = "-"


def put_diff(diff: pb.DiffPromotionResponse, *, wide: bool) -> None:
    """All of it."""
    going = "taken out, newest first:" if diff.is_backwards else "newest first:"
    put_fields(
        (
            ("environment", diff.build.deploy_to),
            ("there now", _named(diff.current) if diff.HasField("current") else "nothing"),
            ("would come", _named(diff.build)),
            ("goes back", "yes" if diff.is_backwards else ""),
            ("compare", diff.compare_link),
            ("builds", f"{len(diff.builds) + diff.more_builds}, {going}" if diff.builds else ""),
        )
    )
    if diff.builds:
        put("")
        put_table(_BUILD_COLUMNS, map(_row, diff.builds), wide=wide)
    if diff.more_builds:
        put(f"and {diff.more_builds} more")
    if diff.params or diff.artifacts:
        put("")
        put_table(_CHANGE_COLUMNS, _changes(diff), wide=wide)


def summary(diff: pb.DiffPromotionResponse) -> str:
    """In a line: what is there, what would come, and how much changes."""
    environment = diff.build.deploy_to
    if not diff.HasField("current"):
        return f"Nothing is in {environment} yet; {_named(diff.build)}, would come"
    takes = "takes out" if diff.is_backwards else "brings"
    parts = (
        (takes, len(diff.builds) + diff.more_builds, "build"),
        ("changes", len(diff.params), "parameter"),
        ("changes", len(diff.artifacts), "artifact"),
    )
    counted = ", ".join(f"{verb} {n} {what}{'s' if n > 1 else ''}" for verb, n, what in parts if n)
    told = f"In {environment} is {_named(diff.current)}; in its place {_named(diff.build)}"
    return f"{told}: {counted or 'nothing changes'}"


def _named(build: pb.Build) -> str:
    # What is not promoted yet has no number of its own.
    number = f"build {build.number or build.parent}"
    return ", ".join(filter(None, (build.release, number, build.after[:8])))


_BUILD_COLUMNS = (
    Column("RELEASE", 2),
    Column("BUILD"),
    Column("COMMIT", 1),
    Column("AUTHOR", 3),
    Column("MESSAGE", 4, is_text=True),
)


def _row(build: pb.Build) -> Sequence[str]:
    return (
        build.release,
        str(build.number),
        build.after[:8],
        build.author_name or build.author_login,
        first_line(build.title or build.message),
    )


_CHANGE_COLUMNS = (
    Column("CHANGES"),
    Column("NAME"),
    Column("THERE NOW", is_text=True, is_folded=True),
    Column("WOULD COME", is_text=True, is_folded=True),
)


def _changes(diff: pb.DiffPromotionResponse) -> Iterator[Sequence[str]]:
    for param in diff.params:
        before, after = (
            "(secret)" if param.masked and param.HasField(field) else getattr(param, field)
            for field in ("before", "after")
        )
        yield (
            "parameter",
            param.name,
            before if param.HasField("before") else _NONE,
            after if param.HasField("after") else _NONE,
        )
    for artifact in diff.artifacts:
        yield (
            "artifact",
            artifact.name,
            _what(artifact.before) if artifact.HasField("before") else _NONE,
            _what(artifact.after) if artifact.HasField("after") else _NONE,
        )


def _what(artifact: pb.Artifact) -> str:
    return " ".join(filter(None, (artifact.uri, artifact.digest)))
