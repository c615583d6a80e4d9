"""The tables, as peewee models, and the rows that are read of them.

Times are integers, in milliseconds since 1970 (UTC); 0: not yet. Lists and maps are JSON text. Statuses,
events and the like are stored as the short lower-case words that people read; levels as the API's
numbers, because they are compared.
"""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    Check,
    CompositeKey,
    DatabaseProxy,
    ForeignKeyField,
    IntegerField,
    Model,
    NodeList,
    TextField,
)

database = DatabaseProxy()

STATUSES = (
    "skipped",
    "blocked",
    "declined",
    "waiting_on_dependencies",
    "pending",
    "running",
    "success",
    "failure",
    "killed",
    "error",
)
ENDED = frozenset({"skipped", "declined", "success", "failure", "killed", "error"})
FAILED = frozenset({"failure", "killed", "error"})
UNENDED = tuple(status for status in STATUSES if status not in ENDED)
IS_UNENDED = f"status IN ({', '.join(repr(status) for status in UNENDED)})"
EVENTS = ("push", "pull_request", "tag", "cron", "custom", "promote", "rollback")
VISIBILITIES = ("private", "internal", "public")


def one_of(column: str, words: tuple[str, ...], name: str) -> SQL | NodeList:
    """A named constraint: the column holds one of the words."""
    return Check(f"{column} IN ({', '.join(repr(word) for word in words)})", name)


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


class Setting(Table):
    """What belongs to the store as a whole: its secret key, the oldest release that may open it."""

    key = TextField(primary_key=True)
    value = TextField()

    class Meta:
        table_name = "settings"


class User(Table):
    id = BigAutoField()
    login = TextField()
    email = TextField(default="")
    avatar = TextField(default="")
    machine = BooleanField(default=False)
    admin = BooleanField(default=False)
    created = BigIntegerField()
    updated = BigIntegerField()
    # Their tokens are refused.
    disabled = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])

    class Meta:
        table_name = "users"


User.add_index(User.index(User.login, unique=True, name="users_login_taken"))


class Token(Table):
    """The secret itself is nowhere: `hash` is its SHA-256. An empty list cuts nothing."""

    id = BigAutoField()
    user = ForeignKeyField(User, lazy_load=False, index=False)
    user_id: int
    name = TextField()
    hint = TextField()
    hash = BlobField()
    actions = TextField()
    repositories = TextField()
    environments = TextField()
    created = BigIntegerField()
    expires = BigIntegerField(default=0)
    revoked = BigIntegerField(default=0)
    last_used = BigIntegerField(default=0)

    class Meta:
        table_name = "tokens"


Token.add_index(Token.index(Token.hash, unique=True, name="tokens_hash"))
Token.add_index(Token.index(Token.user, Token.id, name="tokens_of_user"))


class Repository(Table):
    id = BigAutoField()
    user = ForeignKeyField(User, lazy_load=False, index=False)
    user_id: int
    owner = TextField()
    name = TextField()
    scm = TextField()
    git_http_url = TextField()
    git_ssh_url = TextField()
    link = TextField()
    default_branch = TextField()
    visibility = TextField()
    config_path = TextField()
    timeout = IntegerField()
    counter = IntegerField(default=0)
    created = BigIntegerField()
    updated = BigIntegerField()
    version = IntegerField(default=1)
    active = BooleanField(default=True, constraints=[SQL("DEFAULT TRUE")])
    runner_secrets = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])

    class Meta:
        table_name = "repositories"
        constraints = (one_of("visibility", VISIBILITIES, "repositories_visibility"),)


Repository.add_index(
    Repository.index(Repository.owner, Repository.name, unique=True, name="repositories_name_taken")
)


class Grant(Table):
    """A level on one repository or, where `repo` is `*`, on all of the owner's. 0: taken back.

    Names, not ids: a grant on `owner/*` holds for repositories to come.
    """

    id = BigAutoField()
    user = ForeignKeyField(User, lazy_load=False, index=False)
    user_id: int
    owner = TextField()
    repo = TextField()
    level = IntegerField()
    created = BigIntegerField()
    updated = BigIntegerField()

    class Meta:
        table_name = "grants"
        constraints = (Check("level IN (0, 3, 4, 5)", "grants_level"),)


Grant.add_index(Grant.index(Grant.user, Grant.owner, Grant.repo, unique=True, name="grants_one_a_place"))
Grant.add_index(Grant.index(Grant.owner, Grant.repo, name="grants_of_repository"))


class Build(Table):
    id = BigAutoField()
    repo = ForeignKeyField(Repository, lazy_load=False, index=False)
    number = IntegerField()
    parent = IntegerField()
    origin = IntegerField()
    status = TextField()
    error = TextField()
    event = TextField()
    action = TextField()
    link = TextField()
    title = TextField()
    message = TextField()
    before = TextField()
    after = TextField()
    ref = TextField()
    source_repo = TextField()
    source = TextField()
    target = TextField()
    deploy_to = TextField()
    author_login = TextField()
    author_name = TextField()
    author_email = TextField()
    author_avatar = TextField()
    sender = TextField()
    trigger = TextField()
    cron = TextField()
    params = TextField()
    debug = BooleanField()
    timestamp = BigIntegerField()
    started = BigIntegerField()
    finished = BigIntegerField()
    created = BigIntegerField()
    updated = BigIntegerField()
    version = IntegerField()
    # NULL and not '': the unique index lets any number of builds have none.
    external_id = TextField(null=True)
    release = TextField()
    artifacts = TextField()
    # NULL: recorded without a pipeline file.
    pipeline_id = BigIntegerField(null=True)
    retry_of = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    warnings = TextField(default="[]", constraints=[SQL("DEFAULT '[]'")])

    class Meta:
        table_name = "builds"
        constraints = (
            one_of("status", STATUSES, "builds_status"),
            one_of("event", EVENTS, "builds_event"),
            Check("number > 0", "builds_number_positive"),
            # A promotion always knows what it promotes and where to; nothing else goes anywhere.
            Check(
                "(event IN ('promote', 'rollback')) = (deploy_to <> '' AND parent > 0)",
                "builds_promotion_has_parent_and_environment",
            ),
        )


Build.add_index(Build.index(Build.repo, Build.number, unique=True, name="builds_number_taken"))
# Promotions are the many, so they are kept out of what they are not looked up by: a release or a commit
# finds the recorded builds, and these find their promotions by `origin`.
Build.add_index(
    Build.index(
        Build.repo,
        Build.external_id,
        unique=True,
        name="builds_external_id_taken",
        where=SQL('"external_id" IS NOT NULL'),
    )
)
Build.add_index(Build.index(Build.repo, Build.release, name="builds_of_release", where=SQL('"parent" = 0')))
Build.add_index(Build.index(Build.repo, Build.after, name="builds_of_commit", where=SQL('"parent" = 0')))
Build.add_index(
    Build.index(
        Build.repo,
        Build.deploy_to,
        Build.number,
        name="builds_of_environment",
        where=SQL('"parent" > 0'),
    )
)
Build.add_index(Build.index(Build.repo, Build.ref, Build.number, name="builds_of_ref"))
Build.add_index(
    Build.index(
        Build.repo,
        Build.deploy_to,
        Build.number,
        name="builds_in_flight",
        where=SQL("\"status\" = 'running'"),
    )
)
# Over all repositories, newest first.
Build.add_index(Build.index(Build.id, name="builds_unended", where=SQL(IS_UNENDED)))
Build.add_index(Build.index(Build.repo, Build.origin, Build.number, name="builds_of_origin"))


class Stage(Table):
    id = BigAutoField()
    repo = ForeignKeyField(Repository, lazy_load=False, index=False)
    build = ForeignKeyField(Build, lazy_load=False, index=False)
    number = IntegerField()
    name = TextField()
    kind = TextField()
    type = TextField()
    status = TextField()
    error = TextField()
    errignore = BooleanField()
    exit_code = IntegerField()
    machine = TextField()
    os = TextField()
    arch = TextField()
    variant = TextField()
    kernel = TextField()
    limit = IntegerField()
    throttle = IntegerField()
    started = BigIntegerField()
    stopped = BigIntegerField()
    created = BigIntegerField()
    updated = BigIntegerField()
    version = IntegerField()
    on_success = BooleanField()
    on_failure = BooleanField()
    depends_on = TextField()
    labels = TextField()
    message = TextField()
    link = TextField()
    # Who accepted it: the SHA-256 of the lease's token, the API token, and until when, unless the
    # lease is kept. 0: nobody holds it, or no longer.
    lease_hash = BlobField(null=True)
    lease_token_id = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    lease_expires = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])

    class Meta:
        table_name = "stages"
        constraints = (
            one_of("status", STATUSES, "stages_status"),
            one_of("kind", ("pipeline", "external"), "stages_kind"),
        )


Stage.add_index(Stage.index(Stage.build, Stage.number, unique=True, name="stages_number_taken"))
# What waits for a runner, oldest first for each kind of runner.
Stage.add_index(
    Stage.index(
        Stage.kind,
        Stage.type,
        Stage.os,
        Stage.arch,
        Stage.id,
        name="stages_pending",
        where=SQL("\"status\" = 'pending'"),
    )
)
Stage.add_index(Stage.index(Stage.lease_expires, name="stages_leased", where=SQL('"lease_expires" > 0')))


class Step(Table):
    """A step of a stage, as its runner reported it; `log_*` tell how much of a log there is.

    Of one that is full `log_lines` counts what was left out, too; of one that was removed `log_bytes`
    is -1.
    """

    id = BigAutoField()
    stage = ForeignKeyField(Stage, lazy_load=False, index=False)
    number = IntegerField()
    name = TextField()
    status = TextField()
    error = TextField()
    errignore = BooleanField()
    exit_code = IntegerField()
    started = BigIntegerField()
    stopped = BigIntegerField()
    version = IntegerField()
    depends_on = TextField()
    image = TextField()
    detached = BooleanField()
    schema = TextField()
    log_lines = IntegerField()
    log_bytes = IntegerField()

    class Meta:
        table_name = "steps"
        constraints = (one_of("status", STATUSES, "steps_status"),)


Step.add_index(Step.index(Step.stage, Step.number, unique=True, name="steps_number_taken"))


class LogLine(Table):
    """A line of a step's log.

    `time` and `milliseconds` are since the step began, in whole seconds and in milliseconds. Release 0.1
    reads and writes the former alone, and leaves the latter NULL.
    """

    step_id = BigIntegerField()
    position = IntegerField()
    time = BigIntegerField()
    text = TextField()
    milliseconds = BigIntegerField(null=True)

    class Meta:
        table_name = "log_lines"
        primary_key = CompositeKey("step_id", "position")
        without_rowid = True


class Pipeline(Table):
    """A pipeline file, once for each content, with what was parsed of it."""

    id = BigAutoField()
    hash = BlobField()
    text = TextField()
    parsed = TextField()

    class Meta:
        table_name = "pipelines"


Pipeline.add_index(Pipeline.index(Pipeline.hash, unique=True, name="pipelines_hash"))


class Runner(Table):
    """What asked for stages, and could do which: the words of the request as JSON, and its token's cuts."""

    token_id = BigIntegerField()
    machine = TextField()
    wants = TextField()
    repositories = TextField()
    environments = TextField()
    seen = BigIntegerField()

    class Meta:
        table_name = "runners"
        primary_key = CompositeKey("token_id", "machine", "wants")


class Deployment(Table):
    """What is in an environment, for the release before, which has no arrivals."""

    repo = ForeignKeyField(Repository, lazy_load=False, index=False)
    environment = TextField()
    build = ForeignKeyField(Build, lazy_load=False, index=False)
    number = IntegerField()
    updated = BigIntegerField()

    class Meta:
        table_name = "deployments"
        primary_key = CompositeKey("repo", "environment")


class Arrival(Table):
    """What came into an environment, row by row: the newest says what is there. None is ever changed.

    Without a build (number 0) the environment was said to be empty; `said_by` is who said what is there,
    '' where a promotion's success did.
    """

    id = BigAutoField()
    repo = ForeignKeyField(Repository, lazy_load=False, index=False)
    environment = TextField()
    build = ForeignKeyField(Build, lazy_load=False, index=False, null=True)
    number = IntegerField()
    at = BigIntegerField()
    said_by = TextField()

    class Meta:
        table_name = "arrivals"


Arrival.add_index(
    Arrival.index(Arrival.repo, Arrival.environment, Arrival.id, name="arrivals_in_environment")
)


class Lost(Table):
    """An environment of which nobody knows what is there: a runner was lost on its way there."""

    repo = ForeignKeyField(Repository, lazy_load=False, index=False)
    environment = TextField()
    number = IntegerField()
    stage = TextField()
    machine = TextField()
    at = BigIntegerField()
    # The newest build then: what was promoted later settles the environment by its success.
    newest = IntegerField(default=2**31 - 1, constraints=[SQL("DEFAULT 2147483647")])

    class Meta:
        table_name = "lost"
        primary_key = CompositeKey("repo", "environment")


class Request(Table):
    """A write that was done under a request_id, and the row that it made."""

    user = ForeignKeyField(User, lazy_load=False, index=False)
    user_id: int
    method = TextField()
    request_id = TextField()
    # An HMAC, for the request may hold parameters that nobody should be able to guess from here.
    fingerprint = BlobField()
    resource_id = BigIntegerField()
    # NULL: the release before wrote it.
    at = BigIntegerField(null=True)

    class Meta:
        table_name = "requests"
        primary_key = CompositeKey("user", "method", "request_id")
        without_rowid = True


Request.add_index(Request.index(Request.at, name="requests_by_time"))


class Change(Table):
    """A build was created or changed: what watchers will be told, in the order of commits."""

    id = BigAutoField()
    repo_id = BigIntegerField()
    build_id = BigIntegerField()
    version = IntegerField()
    at = BigIntegerField()

    class Meta:
        table_name = "changes"


class Audit(Table):
    """A write, or a write that a known caller was refused. Never holds a parameter's value."""

    id = BigAutoField()
    at = BigIntegerField()
    user_id = BigIntegerField()
    token_id = BigIntegerField()
    method = TextField()
    owner = TextField()
    repo = TextField()
    resource_id = BigIntegerField()
    target = TextField()
    request_id = TextField()
    # OK, or the name of the gRPC code that refused it, with the public reason.
    code = TextField()
    reason = TextField()

    class Meta:
        table_name = "audit"


TABLES = (
    Setting,
    User,
    Token,
    Repository,
    Grant,
    Build,
    Stage,
    Step,
    LogLine,
    Pipeline,
    Runner,
    Deployment,
    Arrival,
    Lost,
    Request,
    Change,
    Audit,
)
