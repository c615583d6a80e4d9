"""Builds, what they put where, and their changes."""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    Check,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from shipliftd.store.models.access import Repository
from shipliftd.store.models.table import EVENTS, IS_UNENDED, STATUSES, Table, one_of

# `waits` of a promotion that waits for nothing but the ones before it: no time changes that.
QUEUED = 2**53


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
    # NULL: whoever asked for it told of no trace.
    traceparent = TextField(null=True)
    comment = TextField(default="", constraints=[SQL("DEFAULT ''")])
    rollback_of = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    rolled_back_by = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    superseded_by = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    # What the gates said: a list of lists, of `environments.verdicts.Verdict`.
    verdicts = TextField(default="[]", constraints=[SQL("DEFAULT '[]'")])
    # When its gates are to be asked again, while it waits for them; 0: it does not wait.
    waits = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    # Secret parameters: a map of names to what `secrets.sealing.as_json` makes.
    sealed_params = TextField(default="{}", constraints=[SQL("DEFAULT '{}'")])

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
# The few that `rotate-key` looks at.
Build.add_index(Build.index(Build.id, name="builds_sealed", where=SQL("\"sealed_params\" <> '{}'")))
Build.add_index(
    Build.index(
        Build.repo,
        Build.deploy_to,
        Build.number,
        name="builds_in_flight",
        where=SQL("\"status\" = 'running'"),
    )
)
# Of any number that succeeded, wait or were declined since, none is gone through for the last that failed.
Build.add_index(
    Build.index(
        Build.repo,
        Build.deploy_to,
        Build.number,
        name="builds_failed",
        # And not that it has a parent, or SQLite may take the index of the environment for it.
        where=SQL("status IN ('failure', 'error') AND deploy_to <> ''"),
    )
)
# All that tells where in a list the builds of a time are.
Build.add_index(Build.index(Build.created, Build.repo, Build.number, Build.id, name="builds_created"))
# Over all repositories, newest first.
Build.add_index(Build.index(Build.id, name="builds_unended", where=SQL(IS_UNENDED)))
Build.add_index(Build.index(Build.repo, Build.origin, Build.number, name="builds_of_origin"))
# What stands in an environment's queue, whoever waits apart.
IS_UNDER_WAY = f"{IS_UNENDED} AND parent > 0"
Build.add_index(
    Build.index(Build.repo, Build.deploy_to, Build.waits, name="builds_under_way", where=SQL(IS_UNDER_WAY))
)
# The order of a queue: a rollback goes before what it undoes.
IS_QUEUED = SQL(f"{IS_UNDER_WAY} AND waits = {QUEUED}")
Build.add_index(
    Build.index(
        Build.repo, Build.deploy_to, Build.event.desc(), Build.number, name="builds_queued", where=IS_QUEUED
    )
)
# When an origin first succeeded, of which there may be any number of promotions.
Build.add_index(
    Build.index(
        Build.repo,
        Build.origin,
        Build.deploy_to,
        Build.finished,
        name="builds_succeeded",
        where=SQL("status = 'success' AND parent > 0"),
    )
)
Build.add_index(Build.index(Build.waits, name="builds_waiting", where=SQL(f"{IS_UNDER_WAY} AND waits > 0")))


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
    '' where a promotion's success did, and `comment` why.
    """

    id = BigAutoField()
    repo = ForeignKeyField(Repository, lazy_load=False, index=False)
    environment = TextField()
    build = ForeignKeyField(Build, lazy_load=False, index=False, null=True)
    number = IntegerField()
    at = BigIntegerField()
    said_by = TextField()
    comment = TextField(default="", constraints=[SQL("DEFAULT ''")])

    class Meta:
        table_name = "arrivals"


# With the time: what was there is looked for from the newest on, without reading the rows.
Arrival.add_index(
    Arrival.index(Arrival.repo, Arrival.environment, Arrival.id, Arrival.at, name="arrivals_over_time")
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


class Change(Table):
    """Something was made or moved: a step, else a stage, else a build; without any of them an environment.

    `status` is what it then was, or what was done to the environment; '' where the release before wrote it,
    which tells of builds alone. What watchers see goes by `id` on SQLite, where one writes at a time. On
    PostgreSQL ids are not in the order of commits, and `seq` is given to what is committed.
    """

    id = BigAutoField()
    repo_id = BigIntegerField()
    build_id = BigIntegerField()
    version = IntegerField()
    at = BigIntegerField()
    stage_id = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    step_id = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    status = TextField(default="", constraints=[SQL("DEFAULT ''")])
    environment = TextField(default="", constraints=[SQL("DEFAULT ''")])
    seq = BigIntegerField(null=True)

    class Meta:
        table_name = "changes"


# PostgreSQL has `seq` in the place of the id, and more: see the migration.
Change.add_index(Change.index(Change.repo_id, Change.id, name="changes_in_repository"))
