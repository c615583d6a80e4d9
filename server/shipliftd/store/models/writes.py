"""What was asked for: request_ids and the audit."""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    TextField,
)

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
    # Where the call came from: a host, and what its client says of itself.
    address = TextField(default="", constraints=[SQL("DEFAULT ''")])
    client = TextField(default="", constraints=[SQL("DEFAULT ''")])
    # What the gates said, as in `builds`.
    verdicts = TextField(default="[]", constraints=[SQL("DEFAULT '[]'")])
    # The number of the build that it is about; 0: of none.
    build = IntegerField(default=0, constraints=[SQL("DEFAULT 0")])
    # Its place in the chain, and the hash there; NULL until it is sealed: see `access/audit_chain.py`.
    seq = BigIntegerField(null=True)
    hash = BlobField(null=True)

    class Meta:
        table_name = "audit"


_IS_SEALED = SQL('"seq" IS NOT NULL')
Audit.add_index(Audit.index(Audit.seq, unique=True, name="audit_sealed", where=_IS_SEALED))
Audit.add_index(Audit.index(Audit.id, name="audit_unsealed", where=SQL('"seq" IS NULL')))
Audit.add_index(Audit.index(Audit.at, Audit.seq, name="audit_by_time", where=_IS_SEALED))
Audit.add_index(Audit.index(Audit.user_id, Audit.at, Audit.seq, name="audit_of_user", where=_IS_SEALED))
Audit.add_index(
    Audit.index(Audit.owner, Audit.repo, Audit.at, Audit.seq, name="audit_in_repository", where=_IS_SEALED)
)
