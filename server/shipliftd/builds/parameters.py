"""What parameters may be called and hold. Pure.

They end up as environment variables beside those of the runner, a shell and whatever the steps run, so
names that one of these obeys are refused at the door: with Drone's exec runner a parameter replaces
PATH, and `DRONE_DEPLOY_TO` wins in `${DRONE_DEPLOY_TO}` (both seen).
"""

import re
from collections.abc import Collection, Container, Iterable, Mapping
from itertools import islice

from shipliftd.errors import Precondition, shown
from shipliftd.fields import PARAMETER, Faults
from shipliftd.secrets.keys import Keyring

MOST_NAME = 256
MOST_VALUE = 32 * 1024
MOST_COUNT = 100
MOST_TOTAL = 128 * 1024
_MOST_LISTED = 20

_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?")

# A `*` stands for anything, a `+` for capitals only.
REFUSED = [
    "DRONE_*",
    "SHIPLIFT_*",
    "CI",
    "PATH",
    "HOME",
    "SHELL",
    "IFS",
    "PS4",
    "SHELLOPTS",
    "BASHOPTS",
    "BASH_ENV",
    "LD_*",
    "DYLD_*",
    "PYTHON+",
    "PERL5OPT",
    "PERL5LIB",
    "RUBYOPT",
    "RUBYLIB",
    "NODE_OPTIONS",
    "NODE_PATH",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "GIT_SSH*",
    "GIT_CONFIG*",
    "GIT_EXEC_PATH",
    "GIT_ASKPASS",
    "GIT_EXTERNAL_DIFF",
]


class ParameterRules:
    """The rules, with the names that a setting adds to those refused (`*` at the end as above)."""

    def __init__(self, also_refused: Iterable[str] = (), keyring: Keyring | None = None) -> None:
        """Prepares them; what is secret is sealed with the keyring's first key."""
        self.keyring = keyring or Keyring()
        for name in also_refused:
            if _PATTERN.fullmatch(name) is None:
                raise Precondition(
                    f"--refuse-param {shown(name)} is not a parameter's name: wanted letters, digits, '_',"
                    " no digit first, and a '*' at the end for any ending"
                )
        patterns = [
            re.escape(name).replace(r"\*", ".*").replace(r"\+", "[A-Z]+")
            for name in (*REFUSED, *also_refused)
        ]
        self._refused = re.compile("|".join(patterns))

    def refuses(self, name: str) -> bool:
        """Whether no parameter may be called so, because something obeys it."""
        return self._refused.fullmatch(name) is not None

    def check(self, params: Mapping[str, str], faults: Faults) -> None:
        """Adds the fault of every parameter that the caller gave, up to as many as are taken."""
        for name, value in islice(params.items(), MOST_COUNT):
            field = f"params[{shown(name)}]"
            if len(name) > MOST_NAME:
                faults.add(field, f"the name has {len(name)} characters: at most {MOST_NAME}")
            elif PARAMETER.fullmatch(name) is None:
                faults.add(field, "not a variable's name: wanted letters, digits, '_', no digit first")
            elif self.refuses(name):
                faults.add(
                    field,
                    "this name is refused, because a runner, a shell or a language obeys it:"
                    " choose another",
                )
            if "\0" in value:
                faults.add(field, "the value has a NUL, which no environment holds")
            if len(value) * 4 > MOST_VALUE and (size := len(value.encode())) > MOST_VALUE:
                faults.add(field, f"the value has {size} bytes: at most {MOST_VALUE} (32 KiB)")

    def check_inherited(self, names: Iterable[str], build: int, faults: Faults) -> None:
        """Adds the fault of every parameter of the promoted build that is refused by now."""
        for name in names:
            if self.refuses(name):
                faults.add(
                    f"params[{shown(name)}]",
                    f"build {build} has it, and this name is refused by now: drop it (drop_params),"
                    " or record the build without it",
                )

    def check_dropped(
        self,
        names: Iterable[str],
        given: Container[str],
        inherited: Collection[str],
        build: int,
        faults: Faults,
    ) -> None:
        """Adds the fault of every name that cannot be dropped of what is inherited."""
        for name in dict.fromkeys(names):
            if name in given:
                faults.add("drop_params", f"{shown(name)} is given in params as well: do one of both")
            elif name not in inherited:
                faults.add(
                    "drop_params", f"{shown(name)} is not inherited: build {build} has {_listed(inherited)}"
                )

    def check_total(self, params: Mapping[str, str], faults: Faults) -> None:
        """Adds a fault when they are too many or too large together."""
        if len(params) > MOST_COUNT:
            faults.add(
                "params",
                f"{len(params)} parameters, with those of the promoted build: at most {MOST_COUNT}",
            )
            return
        total = sum(len(name) + len(value.encode()) for name, value in params.items())
        if total > MOST_TOTAL:
            faults.add(
                "params",
                f"{total} bytes of names and values, with those of the promoted build:"
                f" at most {MOST_TOTAL} (128 KiB)",
            )


def _listed(names: Collection[str]) -> str:
    if not names:
        return "no parameters"
    some = ", ".join(sorted(names)[:_MOST_LISTED])
    return f"{some} and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else some
