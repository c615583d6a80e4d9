"""SecretService."""

from shiplift.v1 import secrets_pb2 as pb
from shiplift.v1.secrets_pb2_grpc import SecretServiceServicer

from shipliftd.access.callers import CALLER, Caller
from shipliftd.api import messages
from shipliftd.api.services import Context, resource
from shipliftd.secrets import setting
from shipliftd.secrets.keys import Keyring
from shipliftd.store import Store, pages
from shipliftd.store.transaction import Reader


class SecretService(SecretServiceServicer):
    """Which secrets there are; see `secrets.proto`."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring

    async def SetSecret(self, request: pb.SetSecretRequest, context: Context) -> pb.Secret:
        """Makes or changes a secret."""
        key = self._keyring.first()
        written = await self._store.write(
            setting.set_secret, CALLER.get(), setting.without_value(request, key), request.value, key
        )
        return messages.secret(resource(written, context))

    async def GetSecret(self, request: pb.GetSecretRequest, context: Context) -> pb.Secret:
        """Tells of one secret."""
        return messages.secret(await self._store.listing(setting.get, CALLER.get(), request))

    async def ListSecrets(self, request: pb.ListSecretsRequest, context: Context) -> pb.ListSecretsResponse:
        """Lists the secrets that apply in a repository."""

        def read(reader: Reader, caller: Caller) -> pb.ListSecretsResponse:
            page, token = pages.fill(
                reader,
                request,
                pages.size(request.page_size),
                setting.page(reader, caller, request),
                messages.secret,
                setting.key_of,
            )
            return pb.ListSecretsResponse(secrets=page, next_page_token=token)

        return await self._store.listing(read, CALLER.get())

    async def DeleteSecret(self, request: pb.DeleteSecretRequest, context: Context) -> pb.Secret:
        """Deletes a secret."""
        written = await self._store.write(setting.delete, CALLER.get(), request)
        return messages.secret(resource(written, context))
