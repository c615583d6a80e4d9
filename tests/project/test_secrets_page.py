"""The snippets of docs/secrets.md do what the page says."""

import os
import subprocess
import sys
from pathlib import Path

from shiplift.v1 import access_pb2
from shipliftd.secrets.keys import Keyring

from tests.support.harness import Shipliftd
from tests.support.pages import block
from tests.support.toolchains import SECONDS

BIN = Path(sys.executable).parent


def test_a_key_is_made_secrets_are_set_and_the_key_is_changed(tmp_path: Path) -> None:
    variables = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def run(word: str) -> str:
        """What the snippet with the word prints, with the test's folder in the place of /etc/shiplift."""
        snippet = block("docs/secrets.md", "sh", word).replace("/etc/shiplift", str(tmp_path))
        # The user of the service is not on every machine.
        snippet = "".join(line for line in snippet.splitlines(True) if not line.startswith("chown "))
        done = subprocess.run(
            ["sh", "-euc", snippet],
            env=variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    run("chown")
    keys = tmp_path / "secret-keys"
    assert keys.stat().st_mode & 0o777 == 0o600
    (old,) = Keyring(keys).all()
    server = Shipliftd(
        tmp_path / "shiplift.db",
        ("--secret-key-file", str(keys)),
        environment={"SHIPLIFTD_SECRET_KEY": ""},
    )
    with server:
        server.access().CreateRepository(access_pb2.CreateRepositoryRequest(owner="octocat", repo="app"))
        variables |= {
            "SHIPLIFT_SERVER": server.address,
            "SHIPLIFT_TOKEN": server.admin_token,
            "SHIPLIFT_REPO": "octocat/app",
            "SHIPLIFTD_DATABASE": server.store,
            "TOKEN": "of the registry, quite long",
            "HOME": str(tmp_path),
        }
        (tmp_path / "deploy_key.txt").write_text("a key to deploy with\n")
        listed = run("shiplift secret list").splitlines()[2:]
        assert [line.split()[:3] for line in listed] == [
            ["NAME", "OF", "ENVIRONMENT"],
            ["deploy_key", "octocat/app", "production"],
            ["registry_token", "octocat/*", listed[-1].split()[2]],
        ]
        rotated = run("rotate-key")
        new, *others = Keyring(keys).all()
        assert others == [old]
        assert rotated == f"2 wrapped anew with {new!r}\n"
        assert keys.stat().st_mode & 0o777 == 0o600
