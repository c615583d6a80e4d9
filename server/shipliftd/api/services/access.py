"""AccessService."""

from shiplift.v1 import access_pb2 as pb
from shiplift.v1.access_pb2_grpc import AccessServiceServicer

from shipliftd.access import audit_listing, grants, repositories, tokens, users
from shipliftd.access.callers import CALLER, Caller
from shipliftd.api import messages
from shipliftd.api.services import Context, resource
from shipliftd.store import Store, pages
from shipliftd.store.transaction import Reader


class AccessService(AccessServiceServicer):
    """Repositories, users, tokens and grants; see `access.proto`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def CreateRepository(
        self, request: pb.CreateRepositoryRequest, context: Context
    ) -> pb.Repository:
        """Registers a repository."""
        caller = CALLER.get()
        written = await self._store.write(repositories.create_repository, caller, request)
        return messages.repository(resource(written, context), caller.level)

    async def GetRepository(self, request: pb.GetRepositoryRequest, context: Context) -> pb.Repository:
        """Returns one repository, with what the caller may do there."""
        caller = CALLER.get()
        row = await self._store.listing(repositories.repository, caller, caller.repo_id)
        return messages.repository(row, caller.level)

    async def UpdateRepository(
        self, request: pb.UpdateRepositoryRequest, context: Context
    ) -> pb.Repository:
        """Changes a repository's settings."""
        caller = CALLER.get()
        written = await self._store.write(repositories.update_repository, caller, request)
        return messages.repository(resource(written, context), caller.level)

    async def ListRepositories(
        self, request: pb.ListRepositoriesRequest, context: Context
    ) -> pb.ListRepositoriesResponse:
        """Lists the repositories that the caller may read."""

        def read(reader: Reader, caller: Caller) -> pb.ListRepositoriesResponse:
            rows = repositories.list_repositories(reader, caller, request)
            levels = repositories.levels(reader, caller, rows)
            page, token = pages.fill(
                reader,
                request,
                pages.size(request.page_size),
                rows,
                lambda row: messages.repository(row, levels[row.id]),
                lambda row: [row.owner, row.name],
            )
            return pb.ListRepositoriesResponse(repositories=page, next_page_token=token)

        return await self._store.listing(read, CALLER.get())

    async def CreateUser(self, request: pb.CreateUserRequest, context: Context) -> pb.User:
        """Creates a user."""
        written = await self._store.write(users.create_user, CALLER.get(), request)
        return messages.user(resource(written, context))

    async def CreateToken(self, request: pb.CreateTokenRequest, context: Context) -> pb.Token:
        """Creates a token; its secret is in this answer only."""
        written = await self._store.write(tokens.create_token, CALLER.get(), request)
        return messages.token(resource(written, context))

    async def ListTokens(self, request: pb.ListTokensRequest, context: Context) -> pb.ListTokensResponse:
        """Lists a user's tokens, newest first."""

        def read(reader: Reader, caller: Caller) -> pb.ListTokensResponse:
            page, token = pages.fill(
                reader,
                request,
                pages.size(request.page_size),
                tokens.list_tokens(reader, caller, request),
                messages.token,
                lambda row: [row.id],
            )
            return pb.ListTokensResponse(tokens=page, next_page_token=token)

        return await self._store.listing(read, CALLER.get())

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.Token:
        """Revokes a token."""
        written = await self._store.write(tokens.revoke_token, CALLER.get(), request)
        return messages.token(resource(written, context))

    async def GrantAccess(self, request: pb.GrantAccessRequest, context: Context) -> pb.Grant:
        """Gives a user a level."""
        written = await self._store.write(grants.grant_access, CALLER.get(), request)
        return messages.grant(resource(written, context))

    async def RevokeAccess(self, request: pb.RevokeAccessRequest, context: Context) -> pb.Grant:
        """Takes a grant back."""
        written = await self._store.write(grants.revoke_access, CALLER.get(), request)
        return messages.grant(resource(written, context))

    async def ListAccess(self, request: pb.ListAccessRequest, context: Context) -> pb.ListAccessResponse:
        """Lists the grants on a repository, by login."""

        def read(reader: Reader, caller: Caller) -> pb.ListAccessResponse:
            page, token = pages.fill(
                reader,
                request,
                pages.size(request.page_size),
                grants.list_access(reader, caller, request),
                messages.grant,
                lambda row: [row.login, row.id],
            )
            return pb.ListAccessResponse(grants=page, next_page_token=token)

        return await self._store.listing(read, CALLER.get())

    async def WhoAmI(self, request: pb.WhoAmIRequest, context: Context) -> pb.WhoAmIResponse:
        """Returns the caller's user and token."""
        caller = CALLER.get()
        user = await self._store.listing(users.user, caller, caller.user_id)
        token = await self._store.listing(tokens.token, caller, caller.token_id)
        return pb.WhoAmIResponse(user=messages.user(user), token=messages.token(token))

    async def ListUsers(self, request: pb.ListUsersRequest, context: Context) -> pb.ListUsersResponse:
        """Lists the users, by login."""

        def read(reader: Reader, caller: Caller) -> pb.ListUsersResponse:
            page, token = pages.fill(
                reader,
                request,
                pages.size(request.page_size),
                users.list_users(reader, caller, request),
                messages.user,
                lambda row: [row.login],
            )
            return pb.ListUsersResponse(users=page, next_page_token=token)

        return await self._store.listing(read, CALLER.get())

    async def GetUser(self, request: pb.GetUserRequest, context: Context) -> pb.User:
        """Returns one user."""
        return messages.user(await self._store.listing(users.get_user, CALLER.get(), request))

    async def UpdateUser(self, request: pb.UpdateUserRequest, context: Context) -> pb.User:
        """Changes a user."""
        written = await self._store.write(users.update_user, CALLER.get(), request)
        return messages.user(resource(written, context))

    async def ListAuditEvents(
        self, request: pb.ListAuditEventsRequest, context: Context
    ) -> pb.ListAuditEventsResponse:
        """Lists what stands in the audit."""

        def read(reader: Reader, caller: Caller) -> pb.ListAuditEventsResponse:
            found = audit_listing.page(reader, caller, request)
            events, token = pages.fill(
                reader,
                request,
                pages.size(request.page_size),
                found.rows,
                messages.audit_event,
                lambda row: [row.at, row.seq],
                found.then,
            )
            if not request.HasField("after"):
                return pb.ListAuditEventsResponse(events=events, next_page_token=token)
            # What did not fit comes with the next call.
            is_cut = len(events) < len(found.rows)
            return pb.ListAuditEventsResponse(
                events=events, next_after=events[-1].seq if is_cut else found.next_after
            )

        return await self._store.listing(read, CALLER.get())
