"""What the git checkout around the command tells: the repository and the commit."""

import re
import subprocess
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

from shiplift.cli.facts import Facts, known

_SECONDS = 10
# user@host:path, where path is no port.
_SCP = re.compile(r"(?:[^/@:]+@)?[^/:@]{2,}:(?P<path>[^/].*|/.*)")


class CloneUrl(TypedDict, total=False):
    """Where a repository is cloned from, as its settings call it."""

    git_http_url: str
    git_ssh_url: str


def remote_repository(url: str) -> tuple[str, str]:
    """Owner and name in a remote's URL: https, ssh, git, or `user@host:owner/repo`.

    Raises ValueError for another form, or when owner and name do not stand alone in it.
    """
    if "://" in url:
        parts = urlsplit(url)
        path = parts.path if parts.scheme in ("https", "http", "ssh", "git", "git+ssh") else ""
    else:
        scp = _SCP.fullmatch(url)
        path = scp["path"] if scp else ""
    names = path.strip("/").removesuffix(".git").split("/")
    if len(names) != 2 or not all(names):
        # The URL itself can hold a password.
        shown = path.strip("/") or "a local path"
        raise ValueError(f"the git remote origin is {shown}, not owner/repo")
    return names[0], names[1]


def origin() -> tuple[str, str] | None:
    """The repository of the remote `origin`; None without one. Raises ValueError as above."""
    url = _git("remote", "get-url", "origin")
    return remote_repository(url.strip()) if url else None


def clone_of(owner: str, repo: str) -> CloneUrl:
    """Where the remote `origin` is cloned from, if it is this repository; never with a password."""
    url = _git("remote", "get-url", "origin").strip()
    try:
        is_it = remote_repository(url) == (owner, repo)
    except ValueError:
        is_it = False
    if not is_it:
        return {}
    if "://" not in url:
        return {"git_ssh_url": url}
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme in ("http", "https"):
        return {"git_http_url": parts._replace(netloc=host).geturl()}
    if parts.scheme not in ("ssh", "git+ssh"):
        return {}
    user = f"{parts.username}@" if parts.username else ""
    return {"git_ssh_url": parts._replace(netloc=user + host).geturl()}


def clone_url(given: str) -> CloneUrl:
    """What a repository's settings call a URL that was given; the empty one clears both."""
    if not given:
        return {"git_http_url": "", "git_ssh_url": ""}
    is_http = given.partition("://")[0].lower() in ("http", "https")
    return {"git_http_url": given} if is_http else {"git_ssh_url": given}


def root() -> Path | None:
    """The root of the work tree; None outside of one."""
    found = _git("rev-parse", "--show-toplevel").removesuffix("\n")
    return Path(found) if found else None


def facts(commit: str = "HEAD") -> Facts:
    """What git knows of a commit, and of the branch where it is the one that is checked out."""
    fields = "%H%x00%P%x00%an%x00%ae%x00%B"
    log = _git("log", "-1", "--no-show-signature", f"--format={fields}", "--end-of-options", commit)
    if not log:
        return Facts()
    after, parents, name, email, message = log.split("\0", 4)
    branch = _git("symbolic-ref", "--quiet", "--short", "HEAD").strip()
    if branch and commit != "HEAD" and not _git("rev-parse", "HEAD").startswith(after):
        branch = ""
    return known(
        Facts(
            after=after,
            before=parents.partition(" ")[0],
            author_name=name,
            author_email=email,
            message=message.strip(),
            source=branch,
            target=branch,
            ref=branch and f"refs/heads/{branch}",
        )
    )


def _git(*arguments: str) -> str:
    """What git says; nothing where it is not installed, fails or hangs."""
    try:
        done = subprocess.run(  # noqa: S603  # no shell
            ["git", *arguments],  # noqa: S607  # the user's own git
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace")
