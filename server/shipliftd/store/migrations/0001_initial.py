"""The first tables: access, builds, their changes and the audit."""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    Check,
    CompositeKey,
    Database,
    DatabaseProxy,
    ForeignKeyField,
    IntegerField,
    Model,
    NodeList,
    TextField,
)
from playhouse.migrate import SchemaMigrator

database = DatabaseProxy()

# Frozen: what the tables were at this migration. Later changes go into later migrations.
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
EVENTS = ("push", "pull_request", "tag", "cron", "custom", "promote", "rollback")
VISIBILITIES = ("private", "internal", "public")


def one_of(column: str, words: tuple[str, ...], name: str) -> SQL | NodeList:
    return Check(f"{column} IN ({', '.join(repr(word) for word in words)})", name)


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


class Setting(Table):
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

    class Meta:
        table_name = "users"


User.add_index(User.index(User.login, unique=True, name="users_login_taken"))


class Token(Table):
    id = BigAutoField()
    user = ForeignKeyField(User, lazy_load=False, index=False)
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

    class Meta:
        table_name = "repositories"
        constraints = (one_of("visibility", VISIBILITIES, "repositories_visibility"),)


Repository.add_index(
    Repository.index(Repository.owner, Repository.name, unique=True, name="repositories_name_taken")
)


class Grant(Table):
    id = BigAutoField()
    user = ForeignKeyField(User, lazy_load=False, index=False)
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

    class Meta:
        table_name = "stages"
        constraints = (
            one_of("status", STATUSES, "stages_status"),
            one_of("kind", ("pipeline", "external"), "stages_kind"),
        )


Stage.add_index(Stage.index(Stage.build, Stage.number, unique=True, name="stages_number_taken"))


class Deployment(Table):
    repo = ForeignKeyField(Repository, lazy_load=False, index=False)
    environment = TextField()
    build = ForeignKeyField(Build, lazy_load=False, index=False)
    number = IntegerField()
    updated = BigIntegerField()

    class Meta:
        table_name = "deployments"
        primary_key = CompositeKey("repo", "environment")


class Request(Table):
    user = ForeignKeyField(User, lazy_load=False, index=False)
    method = TextField()
    request_id = TextField()
    # An HMAC, for the request may hold parameters that nobody should be able to guess from here.
    fingerprint = BlobField()
    resource_id = BigIntegerField()

    class Meta:
        table_name = "requests"
        primary_key = CompositeKey("user", "method", "request_id")
        without_rowid = True


class Change(Table):
    id = BigAutoField()
    repo_id = BigIntegerField()
    build_id = BigIntegerField()
    version = IntegerField()
    at = BigIntegerField()

    class Meta:
        table_name = "changes"


class Audit(Table):
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
    Deployment,
    Request,
    Change,
    Audit,
)


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Creates the tables."""
    with db.bind_ctx(TABLES):
        db.create_tables(TABLES)
