"""Stages that are taken and run: leases, steps, logs, pipeline files, runners, uncertain environments."""

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


class Table(Model):
    class Meta:
        database = database
        legacy_table_names = False


class Stage(Table):
    id = BigAutoField()

    class Meta:
        table_name = "stages"


class Repository(Table):
    id = BigAutoField()

    class Meta:
        table_name = "repositories"


class Step(Table):
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
        constraints = (Check(f"status IN ({', '.join(repr(word) for word in STATUSES)})", "steps_status"),)


Step.add_index(Step.index(Step.stage, Step.number, unique=True, name="steps_number_taken"))


class LogLine(Table):
    step_id = BigIntegerField()
    position = IntegerField()
    time = BigIntegerField()
    text = TextField()

    class Meta:
        table_name = "log_lines"
        primary_key = CompositeKey("step_id", "position")
        without_rowid = True


class Pipeline(Table):
    id = BigAutoField()
    hash = BlobField()
    text = TextField()
    parsed = TextField()

    class Meta:
        table_name = "pipelines"


Pipeline.add_index(Pipeline.index(Pipeline.hash, unique=True, name="pipelines_hash"))


class Runner(Table):
    token_id = BigIntegerField()
    machine = TextField()
    wants = TextField()
    repositories = TextField()
    environments = TextField()
    seen = BigIntegerField()

    class Meta:
        table_name = "runners"
        primary_key = CompositeKey("token_id", "machine", "wants")


class Lost(Table):
    repo = ForeignKeyField(Repository, lazy_load=False, index=False)
    environment = TextField()
    number = IntegerField()
    stage = TextField()
    machine = TextField()
    at = BigIntegerField()

    class Meta:
        table_name = "lost"
        primary_key = CompositeKey("repo", "environment")


TABLES = (Step, LogLine, Pipeline, Runner, Lost)

INDEXES = (
    "CREATE INDEX builds_in_flight ON builds (repo_id, deploy_to, number) WHERE status = 'running'",
    "CREATE INDEX stages_pending ON stages (kind, type, os, arch, id) WHERE status = 'pending'",
    "CREATE INDEX stages_leased ON stages (lease_expires) WHERE lease_expires > 0",
)


def _zero(kind: type[IntegerField]) -> IntegerField:
    return kind(default=0, constraints=[SQL("DEFAULT 0")])


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Creates the tables, and adds columns that the release before leaves at their defaults."""
    migrator.migrate(
        migrator.add_column("builds", "pipeline_id", BigIntegerField(null=True)),
        migrator.add_column("builds", "retry_of", _zero(IntegerField)),
        migrator.add_column("stages", "lease_hash", BlobField(null=True)),
        migrator.add_column("stages", "lease_token_id", _zero(BigIntegerField)),
        migrator.add_column("stages", "lease_expires", _zero(BigIntegerField)),
    )
    with db.bind_ctx(TABLES):
        db.create_tables(TABLES)
    for index in INDEXES:
        db.execute_sql(index)
