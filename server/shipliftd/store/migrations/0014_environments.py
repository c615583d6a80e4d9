"""Environments with their rules, holds and approvals; what promotions wait for, and why."""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BooleanField,
    Check,
    Database,
    ForeignKeyField,
    IntegerField,
    Model,
    Node,
    TextField,
)
from playhouse.migrate import SchemaMigrator

_UNENDED = "status IN ('blocked', 'waiting_on_dependencies', 'pending', 'running') AND parent > 0"


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Adds tables, and columns that the release before leaves at their defaults."""

    class Base(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Repository(Base):
        class Meta:
            table_name = "repositories"

    class User(Base):
        class Meta:
            table_name = "users"

    class Build(Base):
        class Meta:
            table_name = "builds"

    class Environment(Base):
        id = BigAutoField()
        repo = ForeignKeyField(Repository, index=False)
        name = TextField()
        declared = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])
        said = TextField(default="{}", constraints=[SQL("DEFAULT '{}'")])
        rules_version = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
        version = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
        created = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
        updated = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])

        class Meta:
            table_name = "environments"
            constraints = (Check("name <> ''", "environments_name"),)

    class Hold(Base):
        id = BigAutoField()
        owner = TextField()
        repo = TextField()
        environment = TextField()
        scope = TextField()
        by = TextField()
        reason = TextField()
        since = BigIntegerField()
        until = BigIntegerField()
        ended = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])

        class Meta:
            table_name = "holds"
            constraints = (Check("scope IN ('all', 'automatic')", "holds_scope"),)

    class OwnerRules(Base):
        id = BigAutoField()
        owner = TextField(unique=True)
        said = TextField()
        version = IntegerField()

        class Meta:
            table_name = "owner_rules"

    class Approval(Base):
        id = BigAutoField()
        build = ForeignKeyField(Build, index=False)
        user = ForeignKeyField(User, index=False)
        login = TextField()
        declined = BooleanField()
        comment = TextField()
        at = BigIntegerField()
        rules_version = IntegerField()
        void = BooleanField()

        class Meta:
            table_name = "approvals"

    Environment.add_index(
        Environment.index(Environment.repo, Environment.name, unique=True, name="environments_name_taken")
    )
    Hold.add_index(Hold.index(Hold.owner, Hold.repo, Hold.environment, unique=True, name="holds_once"))
    Approval.add_index(
        Approval.index(
            Approval.build, Approval.user, Approval.rules_version, unique=True, name="approvals_once"
        )
    )
    db.create_tables([Environment, Hold, OwnerRules, Approval])
    zero: list[Node] = [SQL("DEFAULT 0")]
    migrator.migrate(
        migrator.add_column("builds", "comment", TextField(default="", constraints=[SQL("DEFAULT ''")])),
        migrator.add_column("builds", "rollback_of", IntegerField(default=0, constraints=zero)),
        migrator.add_column("builds", "rolled_back_by", IntegerField(default=0, constraints=zero)),
        migrator.add_column("builds", "superseded_by", IntegerField(default=0, constraints=zero)),
        migrator.add_column(
            "builds", "verdicts", TextField(default="[]", constraints=[SQL("DEFAULT '[]'")])
        ),
        migrator.add_column("builds", "waits", BigIntegerField(default=0, constraints=zero)),
    )
    db.execute_sql(
        f'CREATE INDEX "builds_under_way" ON "builds" ("repo_id", "deploy_to", "waits") WHERE {_UNENDED}'
    )
    db.execute_sql(f'CREATE INDEX "builds_waiting" ON "builds" ("waits") WHERE {_UNENDED} AND waits > 0')
