"""Secrets of pipelines, and the sealed parameters of builds."""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    Check,
    Database,
    IntegerField,
    Model,
    TextField,
)
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Adds a table, and a column that the release before leaves at its default."""

    class Secret(Model):
        id = BigAutoField()
        owner = TextField()
        repo = TextField()
        environment = TextField()
        name = TextField()
        pull_requests = BooleanField()
        by = TextField()
        created = BigIntegerField()
        updated = BigIntegerField()
        version = IntegerField()
        deleted = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
        digest = TextField()
        key_id = TextField()
        wrapped = BlobField()
        sealed = BlobField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "secrets"
            constraints = (Check("repo <> '*' OR environment = ''", "secrets_environment_has_repository"),)

    Secret.add_index(
        Secret.index(
            Secret.owner,
            Secret.repo,
            Secret.environment,
            Secret.name,
            unique=True,
            name="secrets_name_taken",
        )
    )
    db.create_tables([Secret])
    migrator.migrate(
        migrator.add_column(
            "builds", "sealed_params", TextField(default="{}", constraints=[SQL("DEFAULT '{}'")])
        )
    )
    db.execute_sql("""CREATE INDEX "builds_sealed" ON "builds" ("id") WHERE "sealed_params" <> '{}'""")
