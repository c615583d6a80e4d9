"""Environments with their rules, holds, and what people said of promotions that wait."""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    Check,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from shipliftd.store.models.access import Repository, User
from shipliftd.store.models.builds import Build
from shipliftd.store.models.table import Table, one_of

HOLD_SCOPES = ("all", "automatic")


class Environment(Table):
    """An environment that is declared, or that something was promoted to."""

    id = BigAutoField()
    repo = ForeignKeyField(Repository, lazy_load=False, index=False)
    name = TextField()
    declared = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])
    # What its admins say of it: a message `Environment` as JSON.
    said = TextField(default="{}", constraints=[SQL("DEFAULT '{}'")])
    rules_version = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    version = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    created = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    updated = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])

    class Meta:
        table_name = "environments"
        constraints = (Check("name <> ''", "environments_name"),)


Environment.add_index(
    Environment.index(Environment.repo, Environment.name, unique=True, name="environments_name_taken")
)


class Hold(Table):
    """A stop of an environment, of all of a repository's ('') or of all of an owner's (repo '*')."""

    id = BigAutoField()
    owner = TextField()
    repo = TextField()
    environment = TextField()
    scope = TextField()
    by = TextField()
    reason = TextField()
    since = BigIntegerField()
    # 0: until it is taken back.
    until = BigIntegerField()
    # When it was taken back, 0: not yet. The row stays, for whoever repeats that.
    ended = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])

    class Meta:
        table_name = "holds"
        constraints = (one_of("scope", HOLD_SCOPES, "holds_scope"),)


Hold.add_index(Hold.index(Hold.owner, Hold.repo, Hold.environment, unique=True, name="holds_once"))


class OwnerRules(Table):
    """The rules of all repositories of an owner: a message `OwnerRules` as JSON."""

    id = BigAutoField()
    owner = TextField(unique=True)
    said = TextField()
    version = IntegerField()

    class Meta:
        table_name = "owner_rules"


class Approval(Table):
    """What somebody said of a promotion that waited for them, under the rules of that time."""

    id = BigAutoField()
    build = ForeignKeyField(Build, lazy_load=False, index=False)
    user = ForeignKeyField(User, lazy_load=False, index=False)
    login = TextField()
    declined = BooleanField()
    comment = TextField()
    at = BigIntegerField()
    rules_version = IntegerField()
    void = BooleanField()

    class Meta:
        table_name = "approvals"


Approval.add_index(
    Approval.index(
        Approval.build, Approval.user, Approval.rules_version, unique=True, name="approvals_once"
    )
)
