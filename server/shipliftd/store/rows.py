"""Rows as they are read of the tables: plain tuples, since a peewee instance costs ten times as much.

The fields are the columns of the model, in its order; a test holds the two together.
"""

from typing import NamedTuple

from shipliftd.store.models import Environment, Grant, Hold, Token


class BuildRow(NamedTuple):
    """A row of `models.Build`."""

    id: int
    repo_id: int
    number: int
    parent: int
    origin: int
    status: str
    error: str
    event: str
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
    deploy_to: str
    author_login: str
    author_name: str
    author_email: str
    author_avatar: str
    sender: str
    trigger: str
    cron: str
    params: str
    debug: bool
    timestamp: int
    started: int
    finished: int
    created: int
    updated: int
    version: int
    external_id: str | None
    release: str
    artifacts: str
    pipeline_id: int | None
    retry_of: int
    warnings: str
    traceparent: str | None
    comment: str
    rollback_of: int
    rolled_back_by: int
    superseded_by: int
    verdicts: str
    waits: int
    sealed_params: str


class StageRow(NamedTuple):
    """A row of `models.Stage`."""

    id: int
    repo_id: int
    build_id: int
    number: int
    name: str
    kind: str
    type: str
    status: str
    error: str
    errignore: bool
    exit_code: int
    machine: str
    os: str
    arch: str
    variant: str
    kernel: str
    limit: int
    throttle: int
    started: int
    stopped: int
    created: int
    updated: int
    version: int
    on_success: bool
    on_failure: bool
    depends_on: str
    labels: str
    message: str
    link: str
    lease_hash: bytes | None
    lease_token_id: int
    lease_expires: int


class StepRow(NamedTuple):
    """A row of `models.Step`."""

    id: int
    stage_id: int
    number: int
    name: str
    status: str
    error: str
    errignore: bool
    exit_code: int
    started: int
    stopped: int
    version: int
    depends_on: str
    image: str
    detached: bool
    schema: str
    log_lines: int
    log_bytes: int


class SecretRow(NamedTuple):
    """A row of `models.Secret`."""

    id: int
    owner: str
    repo: str
    environment: str
    name: str
    pull_requests: bool
    by: str
    created: int
    updated: int
    version: int
    deleted: int
    digest: str
    key_id: str
    wrapped: bytes
    sealed: bytes


class BuildWithStages(NamedTuple):
    """A build as its message needs it; `owner` and `repo` are the repository's names."""

    build: BuildRow
    owner: str
    repo: str
    stages: tuple[StageRow, ...]
    steps: tuple[StepRow, ...] = ()
    approvals: tuple["ApprovalRow", ...] = ()

    @property
    def id(self) -> int:
        """The build's id."""
        return self.build.id

    @property
    def environment(self) -> str:
        """Where it goes, or ''."""
        return self.build.deploy_to


class RunnerRow(NamedTuple):
    """What the machines of a token ask for, with the cuts of the token, and when one of them last did."""

    token_id: int
    login: str
    kind: str
    type: str
    os: str
    arch: str
    variant: str
    kernel: str
    labels: tuple[tuple[str, str], ...]
    owner: str
    repo: str
    environments: tuple[str, ...]
    token_repositories: tuple[str, ...]
    token_environments: tuple[str, ...]
    last_seen: int


class Standing(NamedTuple):
    """What is in an environment; `lost` is (build, stage, machine, since) while nobody knows.

    The builds are without parameters; `stages` are those of what is in flight. `freeze` is the name, the
    reason and the end of one that holds now.
    """

    owner: str
    repo: str
    environment: str
    current: BuildRow | None
    in_flight: BuildRow | None
    last_failed: BuildRow | None
    failed_step: str
    lost: tuple[int, str, str, int] | None
    newest: BuildRow | None
    # The environment's own.
    id: int
    declared: bool
    hold: Hold | None
    freeze: tuple[str, str, int] | None
    waiting: tuple[BuildRow, ...] = ()
    stages: tuple[StageRow, ...] = ()
    # When `current` came, where the time was asked for that it was there at.
    since: int = 0


class ArrivalRow(NamedTuple):
    """What came into an environment: a build or nothing, when, and when the next did (0: none yet).

    `said_by` and `comment` are of who said so, '' where a promotion's success did.
    """

    id: int
    owner: str
    repo: str
    build: BuildRow | None
    at: int
    until: int
    said_by: str
    comment: str


class MadeToken(NamedTuple):
    """A token with its secret, which is '' everywhere but in the answer that makes it."""

    token: Token
    login: str
    secret: str = ""

    @property
    def id(self) -> int:
        """The token's id."""
        row_id: int = self.token.id
        return row_id


class NamedGrant(NamedTuple):
    """A grant with its user's login."""

    grant: Grant
    login: str

    @property
    def id(self) -> int:
        """The grant's id."""
        row_id: int = self.grant.id
        return row_id


class NamedEnvironment(NamedTuple):
    """An environment with the names of its repository."""

    row: Environment
    owner: str
    repo: str

    @property
    def id(self) -> int:
        """The environment's id."""
        row_id: int = self.row.id
        return row_id

    @property
    def environment(self) -> str:
        """Its name."""
        name: str = self.row.name
        return name


class ApprovalRow(NamedTuple):
    """What somebody said of a promotion that waited for them."""

    login: str
    declined: bool
    comment: str
    at: int
    void: bool
