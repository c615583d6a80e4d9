"""A plain model, in memory, of a repository's builds and environments, and of who may write."""

from dataclasses import dataclass, field

import grpc

ENDED = ("success", "failure", "killed", "error")


@dataclass
class Made:
    """What the model knows of a build."""

    number: int
    parent: int
    deploy_to: str
    params: dict[str, str]
    status: str = "pending"
    retry_of: int = 0
    is_taken: bool = False
    stage: int = 0


@dataclass
class Model:
    """A repository as it has to be."""

    builds: dict[int, Made] = field(default_factory=dict)
    current: dict[str, int] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)
    # The environments that are held, '' for all of them.
    held: set[str] = field(default_factory=set)
    seen: dict[tuple[str, str, str], tuple[object, int]] = field(default_factory=dict)

    def number(self, back: int) -> int:
        """The number of a build counted from the newest; of the oldest beyond it."""
        return len(self.builds) + 1 if back < 0 else max(1, len(self.builds) - back)

    def make(
        self, parent: int, deploy_to: str, params: dict[str, str], status: str, retry_of: int = 0
    ) -> Made:
        """A new build."""
        made = Made(len(self.builds) + 1, parent, deploy_to, params, retry_of=retry_of)
        self.builds[made.number] = made
        self.move(made, status)
        return made

    def move(self, made: Made, status: str) -> None:
        """How far a build is; it arrives in its environment."""
        made.status = status
        if status == "success" and made.deploy_to:
            self.current[made.deploy_to] = made.number

    def needs_write(self, login: str) -> grpc.StatusCode:
        """Whether a user may write here."""
        level = self.levels.get(login, "")
        codes = grpc.StatusCode
        return codes.PERMISSION_DENIED if level == "read" else codes.OK if level else codes.NOT_FOUND

    def is_held(self, environment: str) -> bool:
        """Whether promotions to an environment are refused."""
        return bool(environment) and not self.held.isdisjoint(("", environment))

    def deployment(self, environment: str) -> dict[str, int]:
        """What is to be told of an environment that something was promoted to."""
        mine = [made for made in self.builds.values() if made.deploy_to == environment]
        current = self.current.get(environment, 0)
        running = [made.number for made in mine if made.status == "running"]
        failed = [m.number for m in mine if m.number > current and m.status in ("failure", "error")]
        flying = mine[-1].number if mine[-1].status not in ENDED else max(running, default=0)
        return {
            "current": current,
            "in_flight": flying,
            "last_failed": max(failed, default=0),
            "latest": mine[-1].number,
        }
