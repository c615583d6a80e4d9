"""What was asked for: request_ids and the audit."""

from peewee import BigAutoField, BigIntegerField, BlobField, CompositeKey, ForeignKeyField, TextField

from shipliftd.store.models.access import User
from shipliftd.store.models.table import Table


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
