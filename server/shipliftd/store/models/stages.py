"""Stages and their steps, logs, pipeline files, and the runners that ask for them."""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from shipliftd.store.models.access import Repository
from shipliftd.store.models.builds import Build
from shipliftd.store.models.table import STATUSES, Table, one_of


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
