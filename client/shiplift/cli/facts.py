"""What is known of a build that is to be recorded: the arguments of CreateBuild."""

from collections.abc import Collection
from typing import TypedDict

from shiplift._methods import BuildEventWord


class Facts(TypedDict, total=False):
    """The fields that git, a CI system or the command line can tell."""

    external_id: str
    event: BuildEventWord
    action: str
    link: str
    title: str
    message: str
    before: str
    after: str
    ref: str
    source_repo: str
    source: str
    target: str
    author_login: str
    author_name: str
    author_email: str
    author_avatar: str
    sender: str
    cron: str
    release: str


# What belongs to one commit, and is wrong for another.
OF_COMMIT = frozenset(
    {
        "action",
        "title",
        "message",
        "before",
        "after",
        "author_login",
        "author_name",
        "author_email",
        "author_avatar",
    }
)


def known(facts: Facts) -> Facts:
    """The facts without those that are empty, and without a `before` of zeros: a new branch has none."""
    kept = without(facts, {name for name, value in facts.items() if not value})
    if kept.get("before", "").strip("0"):
        return kept
    return without(kept, {"before"})


def without(facts: Facts, names: Collection[str]) -> Facts:
    """The facts without these."""
    left = {name: value for name, value in facts.items() if name not in names}
    kept: Facts = Facts(**left)  # type: ignore[typeddict-item]  # a part of what was right
    return kept
