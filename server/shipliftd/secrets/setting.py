"""Secrets as people set, see and delete them: the verbs."""

from peewee import ModelSelect
from shiplift.v1 import secrets_pb2 as pb

from shipliftd.access.callers import Caller
from shipliftd.access.write_once import Written, write
from shipliftd.clock import now
from shipliftd.errors import NotFound
from shipliftd.fields import Faults
from shipliftd.secrets import sealing
from shipliftd.secrets.keys import MasterKey
from shipliftd.store import pages
from shipliftd.store.models import Secret
from shipliftd.store.rows import SecretRow
from shipliftd.store.transaction import Overtaken, Reader, Transaction

MOST_BYTES = 64 * 1024
_DIGEST_BYTES = 4

_Request = pb.SetSecretRequest | pb.GetSecretRequest | pb.DeleteSecretRequest


def without_value(request: pb.SetSecretRequest, key: MasterKey) -> pb.SetSecretRequest:
    """The request with an HMAC in its value's place: what is kept of a request tells nothing of a value."""
    told = pb.SetSecretRequest()
    told.CopyFrom(request)
    told.value = key.mac(request.value).hex() if request.value else ""
    return told


def digest(key: MasterKey, value: str) -> str:
    """What people are shown to see whether two values are the same."""
    return key.mac(value)[:_DIGEST_BYTES].hex()


def _load(reader: Reader, _caller: Caller, secret_id: int) -> SecretRow:
    return SecretRow(*reader.row(_rows().where(Secret.id == secret_id)))


def _in_it(_tx: Transaction, caller: Caller, request: _Request) -> None:
    # Who sets what more than an environment gets needs a token that is cut to none.
    caller.require_environment(request.environment)


@write(load=_load, look=_in_it)
def set_secret(
    tx: Transaction, caller: Caller, request: pb.SetSecretRequest, value: str, key: MasterKey
) -> Written[SecretRow]:
    """Makes a secret, or changes it; of the request's value only `value` counts. Raises Invalid."""
    faults = _checked(request)
    faults.long_text("value", value, MOST_BYTES)
    faults.refuse()
    there = _find(tx, request)
    if not value and (there is None or there.deleted):
        faults.add("value", "is empty: a new secret needs one")
        faults.refuse()
    at = now()
    said: dict[str, object] = {"by": caller.login, "updated": at, "deleted": 0}
    if request.HasField("pull_requests") or there is None or there.deleted:
        said["pull_requests"] = request.pull_requests
    if there is None or there.deleted:
        said["created"] = at
    if value:
        sealed = sealing.seal(key, value, _place(request))
        said |= {
            "digest": digest(key, value),
            "key_id": sealed.key_id,
            "wrapped": sealed.wrapped,
            "sealed": sealed.value,
        }
    if there is None:
        named = {name: getattr(request, name) for name in ("owner", "repo", "environment", "name")}
        return _written(tx, caller, tx.execute(Secret.insert(**named, **said, version=1)))
    _change(tx, there, **said)
    return _written(tx, caller, there.id)


@write(load=_load, look=_in_it)
def delete(tx: Transaction, caller: Caller, request: pb.DeleteSecretRequest) -> Written[SecretRow]:
    """Deletes a secret, and returns it. Raises Invalid, NotFound."""
    _checked(request).refuse()
    there = _there(tx, request)
    _change(tx, there, deleted=now(), by=caller.login, updated=now(), key_id="", wrapped=b"", sealed=b"")
    return _written(tx, caller, there.id)


def get(reader: Reader, caller: Caller, request: pb.GetSecretRequest) -> SecretRow:
    """One secret. Raises Invalid, Denied, NotFound."""
    if request.environment:
        caller.require_environment(request.environment)
    _checked(request).refuse()
    return _there(reader, request)


def page(reader: Reader, caller: Caller, request: pb.ListSecretsRequest) -> list[SecretRow]:
    """The secrets of a repository and of its owner: a page and one more, by name. Raises Invalid."""
    most = pages.size(request.page_size)
    query = _rows().where(
        Secret.owner == request.owner, Secret.repo.in_([request.repo, "*"]), Secret.deleted == 0
    )
    if caller.cut is not None and caller.cut.environments:
        query = query.where(Secret.environment.in_(["", *caller.cut.environments]))
    key = pages.after(reader, request, request.page_token)
    of_repository = (Secret.repo != "*").cast("integer")
    if key is not None:
        name, of, environment = key
        query = query.where(
            (Secret.name > name)
            | ((Secret.name == name) & (of_repository > of))
            | ((Secret.name == name) & (of_repository == of) & (Secret.environment > environment))
        )
    query = query.order_by(Secret.name, of_repository, Secret.environment).limit(most + 1)
    return [SecretRow(*row) for row in reader.rows(query)]


def key_of(row: SecretRow) -> pages.Key:
    """What a page of secrets goes on after."""
    return [row.name, int(row.repo != "*"), row.environment]


def _checked(request: _Request) -> Faults:
    faults = Faults()
    if request.environment:
        faults.target("environment", request.environment)
        if request.repo == "*":
            faults.add("environment", "is of one repository: leave it out for all of the owner's")
    faults.name("name", request.name)
    return faults


def _written(tx: Transaction, caller: Caller, secret_id: int) -> Written[SecretRow]:
    row = _load(tx, caller, secret_id)
    return Written(row, noted=f"secret: {row.name}")


def _there(reader: Reader, request: _Request) -> SecretRow:
    found = _find(reader, request)
    if found is None or found.deleted:
        where = f"{request.owner}/{request.repo}" + (request.environment and f" in {request.environment}")
        raise NotFound(
            f"there is no secret {request.name!r} of {where}: ListSecrets shows those there are",
            reason="SECRET_NOT_FOUND",
            metadata={
                "owner": request.owner,
                "repo": request.repo,
                "environment": request.environment,
                "name": request.name,
            },
        )
    return found


def _find(reader: Reader, request: _Request) -> SecretRow | None:
    found = reader.row(
        _rows().where(
            Secret.owner == request.owner,
            Secret.repo == request.repo,
            Secret.environment == request.environment,
            Secret.name == request.name,
        )
    )
    return None if found is None else SecretRow(*found)


def _change(tx: Transaction, there: SecretRow, **said: object) -> None:
    # Of two who change it at once the later one has its way; what is deleted is made anew, and not changed.
    changed = Secret.update(version=Secret.version + 1, **said)
    if tx.execute(changed.where(Secret.id == there.id, Secret.deleted == there.deleted)) != 1:
        raise Overtaken


def _rows() -> "ModelSelect[Secret]":
    return Secret.select()


def _place(request: pb.SetSecretRequest) -> sealing.Place:
    return sealing.of_secret(request.owner, request.repo, request.environment, request.name)
