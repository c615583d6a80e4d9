"""A PostgreSQL that wants TLS and a password: who has both is let in, who has not is told what to do."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import trustme
from shiplift.v1 import builds_pb2 as api

from tests.support import postgres
from tests.support.beside import opened
from tests.support.bursts import promotion, record_a_build
from tests.support.commands import MIGRATIONS, shipliftd
from tests.support.commands import refusal as said_of_refusal
from tests.support.harness import Shipliftd
from tests.support.patience import within

pytestmark = pytest.mark.postgresql

# With what a URL and a line of a password file must escape.
PASSWORD = "hidden: of/the@test"
HBA = "host all shiplift 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


@dataclass
class Secured:
    """A PostgreSQL server with TLS, and an empty database of a role with a password."""

    cluster: postgres.Cluster
    folder: Path

    @property
    def database(self) -> Path:
        """What the tests' looks beside the server open; without TLS, as the superuser."""
        return self.folder / "store"

    def url(self, password: str = "", ca: str = "ca.pem", **parameters: str) -> str:
        """Its address for the role."""
        user = f"promoter:{quote(password, safe='')}" if password else "promoter"
        name = postgres.url_of(self.database).rpartition("/")[2]
        more = "".join(f"&{key}={value}" for key, value in parameters.items())
        tls = f"sslmode=verify-full&sslrootcert={self.folder / ca}"
        return f"postgresql://{user}@127.0.0.1:{self.cluster.port}/{name}?{tls}{more}"

    @property
    def shown(self) -> str:
        """The address as people are told it."""
        name = postgres.url_of(self.database).rpartition("/")[2]
        return f"postgresql://127.0.0.1:{self.cluster.port}/{name}"

    def passfile(self, password: str, mode: int = 0o600) -> str:
        """A password file for it."""
        path = self.folder / f"passfile-{len(list(self.folder.iterdir()))}"
        escaped = password.replace(":", "\\:")
        path.write_text(f"127.0.0.1:{self.cluster.port}:*:promoter:{escaped}\n")
        path.chmod(mode)
        return str(path)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The server, with its CA in `ca.pem` and another one in `strangers.pem`."""
    folder = tmp_path_factory.mktemp("secured")
    ca = trustme.CA()
    leaf = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "strangers.pem")
    with postgres.cluster() as made, made.in_use():
        with psycopg.connect(f"{made.url}/postgres") as connection:
            connection.execute(f"CREATE ROLE promoter LOGIN PASSWORD '{PASSWORD}'".encode())
        secured = Secured(made, folder)
        postgres.copy(folder / "absent", secured.database)
        with opened(secured.database) as store:
            name = postgres.url_of(secured.database).rpartition("/")[2]
            store.execute(f"ALTER DATABASE {name} OWNER TO promoter")
        made.stop(signal.SIGINT)
        data = made.folder / "data"
        (data / "pg_hba.conf").write_text(HBA)
        leaf.cert_chain_pems[0].write_to_path(data / "server.crt")
        key = data / "server.key"
        leaf.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        os.chown(key, data.stat().st_uid, data.stat().st_gid)
        made.settings += ("ssl=on",)
        made.start()
        yield secured


@dataclass
class ByUrl(Shipliftd):
    """A server that finds its store in the environment."""

    url: str = ""

    def __post_init__(self) -> None:
        self.environment["SHIPLIFTD_DATABASE"] = self.url

    def command(self) -> list[str]:
        """What runs, after `shipliftd`."""
        return ["serve", "--listen", self.listen, *self.arguments]


def test_servers_and_commands_reach_it_by_tls_with_a_password(secured: Secured) -> None:
    url, passfile = secured.url(), {"PGPASSFILE": secured.passfile(PASSWORD)}
    done = shipliftd("migrate", "--database", url, environment=passfile)
    assert (done.returncode, done.stdout) == (0, f"applied {', '.join(MIGRATIONS)}\n")
    others = ByUrl(secured.database, url=secured.url(PASSWORD))
    with ByUrl(secured.database, url=url, environment=passfile) as server, others as other:
        record_a_build(server)
        assert server.builds().PromoteBuild(promotion("by TLS")).number == 2
        waiting = other.builds().WaitBuild.future(
            api.WaitBuildRequest(owner="octocat", repo="app", build=2, seen_version=1)
        )
        # What is missed is looked for every 30 s.
        with within(5):
            server.builds().CancelBuild(api.CancelBuildRequest(owner="octocat", repo="app", build=2))
            assert waiting.result().status == api.BUILD_STATUS_KILLED
        with opened(secured.database) as store:
            kinds = store.execute(
                "SELECT ssl, query LIKE 'LISTEN%' OR query LIKE '%pg_advisory%' OR query = 'SELECT 1'"
                " FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'promoter'"
            ).fetchall()
        assert set(kinds) == {(True, True), (True, False)}
        for each in (server, other):
            assert each.listening["database"] == secured.shown
            shown = Path(f"/proc/{each.process.pid}/cmdline").read_text()
            assert "serve" in shown
            assert "hidden" not in shown
    for each in (server, other):
        assert not [line for line in each.log if "hidden" in str(line)]
    done = shipliftd("check", "--database", secured.url(passfile=secured.passfile(PASSWORD)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")


TLS = (
    "See that the address names the host that the server's certificate is for, and sslrootcert the file of"
    " the CA that signed it"
)
LOGIN = (
    "See that the password is this user's, and stands in a file of mode 0600 that PGPASSFILE or ?passfile="
    " names, in a line HOST:PORT:DATABASE:USER:PASSWORD"
)


@pytest.mark.parametrize("word", ["serve", "migrate", "check"])
def test_a_wrong_password_is_said_to_be_that(secured: Secured, word: str) -> None:
    url = secured.url("hidden, and wrong")
    assert said_of_refusal(word, "--database", url) == (
        f"--database {secured.shown} cannot be reached: connection failed: connection to server at"
        f' "127.0.0.1", port {secured.cluster.port} failed: FATAL: password authentication failed for user'
        f' "promoter". {LOGIN}'
    )


@pytest.mark.parametrize(
    ("ca", "mode", "host", "told"),
    [
        ("strangers.pem", 0o600, "127.0.0.1", f"SSL error: certificate verify failed. {TLS}"),
        ("absent.pem", 0o600, "127.0.0.1", TLS),
        ("ca.pem", 0o600, "localhost", f'does not match host name "localhost". {TLS}'),
        ("ca.pem", 0o644, "127.0.0.1", f"fe_sendauth: no password supplied. {LOGIN}"),
    ],
    ids=["a CA of others", "no CA", "a host of another name", "a file that others read"],
)
def test_what_is_wrong_with_tls_or_its_password_file_is_said(
    secured: Secured, ca: str, mode: int, host: str, told: str
) -> None:
    url = secured.url(ca=ca, passfile=secured.passfile(PASSWORD, mode)).replace("127.0.0.1", host)
    done = shipliftd("check", "--database", url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(f"{told}\n")
    assert "hidden" not in done.stderr
