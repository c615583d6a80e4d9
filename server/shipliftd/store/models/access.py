"""Users, their tokens, repositories, and who may do what in them."""

from peewee import (
    SQL,
    BigAutoField,
    BigIntegerField,
    BlobField,
    BooleanField,
    Check,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from shipliftd.store.models.table import VISIBILITIES, Table, one_of


class User(Table):
    id = BigAutoField()
    login = TextField()
    email = TextField(default="")
    avatar = TextField(default="")
    machine = BooleanField(default=False)
    admin = BooleanField(default=False)
    created = BigIntegerField()
    updated = BigIntegerField()
    # Their tokens are refused.
    disabled = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])

    class Meta:
        table_name = "users"


User.add_index(User.index(User.login, unique=True, name="users_login_taken"))


class Token(Table):
    """The secret itself is nowhere: `hash` is its SHA-256. An empty list cuts nothing."""

    id = BigAutoField()
    user = ForeignKeyField(User, lazy_load=False, index=False)
    user_id: int
    name = TextField()
    hint = TextField()
    hash = BlobField()
    actions = TextField()
    repositories = TextField()
    environments = TextField()
    created = BigIntegerField()
    expires = BigIntegerField(default=0)
    revoked = BigIntegerField(default=0)
    last_used = BigIntegerField(default=0)

    class Meta:
        table_name = "tokens"


Token.add_index(Token.index(Token.hash, unique=True, name="tokens_hash"))
Token.add_index(Token.index(Token.user, Token.id, name="tokens_of_user"))


class Repository(Table):
    id = BigAutoField()
    user = ForeignKeyField(User, lazy_load=False, index=False)
    user_id: int
    owner = TextField()
    name = TextField()
    scm = TextField()
    git_http_url = TextField()
    git_ssh_url = TextField()
    link = TextField()
    default_branch = TextField()
    visibility = TextField()
    config_path = TextField()
    timeout = IntegerField()
    counter = IntegerField(default=0)
    created = BigIntegerField()
    updated = BigIntegerField()
    version = IntegerField(default=1)
    active = BooleanField(default=True, constraints=[SQL("DEFAULT TRUE")])
    runner_secrets = BooleanField(default=False, constraints=[SQL("DEFAULT FALSE")])

    class Meta:
        table_name = "repositories"
        constraints = (one_of("visibility", VISIBILITIES, "repositories_visibility"),)


Repository.add_index(
    Repository.index(Repository.owner, Repository.name, unique=True, name="repositories_name_taken")
)


class Grant(Table):
    """A level on one repository or, where `repo` is `*`, on all of the owner's. 0: taken back.

    Names, not ids: a grant on `owner/*` holds for repositories to come.
    """

    id = BigAutoField()
    user = ForeignKeyField(User, lazy_load=False, index=False)
    user_id: int
    owner = TextField()
    repo = TextField()
    level = IntegerField()
    created = BigIntegerField()
    updated = BigIntegerField()

    class Meta:
        table_name = "grants"
        constraints = (Check("level IN (0, 3, 4, 5)", "grants_level"),)


Grant.add_index(Grant.index(Grant.user, Grant.owner, Grant.repo, unique=True, name="grants_one_a_place"))
Grant.add_index(Grant.index(Grant.owner, Grant.repo, name="grants_of_repository"))
