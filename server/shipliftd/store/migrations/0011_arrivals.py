"""What came into each environment, in the place of what is there alone."""

from peewee import BigAutoField, BigIntegerField, Database, ForeignKeyField, IntegerField, Model, TextField
from playhouse.migrate import SchemaMigrator


def up(_migrator: SchemaMigrator, db: Database) -> None:
    """Adds the table and its index; what the release before wrote is taken over at each start."""

    class Build(Model):
        class Meta:
            database = db
            table_name = "builds"

    class Repository(Model):
        class Meta:
            database = db
            table_name = "repositories"

    class Arrival(Model):
        id = BigAutoField()
        repo = ForeignKeyField(Repository, index=False)
        environment = TextField()
        build = ForeignKeyField(Build, index=False, null=True)
        number = IntegerField()
        at = BigIntegerField()
        said_by = TextField()

        class Meta:
            database = db
            table_name = "arrivals"

    Arrival.add_index(
        Arrival.index(Arrival.repo, Arrival.environment, Arrival.id, name="arrivals_in_environment")
    )
    db.create_tables([Arrival])
