"""Secrets, as they are sealed."""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    Check,
    IntegerField,
    TextField,
)

from shipliftd.store.models.table import Table


class Secret(Table):
    """A secret of an environment, of all of a repository ('') or of all of an owner's (repo '*').

    Of one that was deleted the row stays, without its value, for whoever repeats that.
    """

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
    # See `secrets.sealing.Sealed`.
    key_id = TextField()
    wrapped = BlobField()
    sealed = BlobField()

    class Meta:
        table_name = "secrets"
        constraints = (Check("repo <> '*' OR environment = ''", "secrets_environment_has_repository"),)


Secret.add_index(
    Secret.index(
        Secret.owner, Secret.repo, Secret.environment, Secret.name, unique=True, name="secrets_name_taken"
    )
)
