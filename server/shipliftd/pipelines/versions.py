"""The variables that Drone makes of a tag that is a version. Pure.

https://docs.drone.io/pipeline/environment/reference/drone-semver and .../drone-calver; a `v` before the
version is passed over.
"""

import re

# The expression that https://semver.org suggests.
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)
_CALVER = re.compile(r"([0-9]{1,4})\.([0-9]+)(?:\.([^-]*)(?:-(.*))?)?", re.DOTALL)

# Drone takes for years those since it has the variables.
_FIRST_YEAR = 2019


def semver(tag: str) -> dict[str, str]:
    """DRONE_SEMVER and its parts; empty without a tag, and but for the error where it is no version."""
    text = tag.removeprefix("v")
    found = _SEMVER.fullmatch(text)
    major, minor, patch, prerelease, build = found.groups("") if found is not None else ("",) * 5
    return {
        "DRONE_SEMVER": text if found else "",
        "DRONE_SEMVER_BUILD": build,
        "DRONE_SEMVER_ERROR": f"{text} is not in dotted-tri format" if tag and not found else "",
        "DRONE_SEMVER_MAJOR": major,
        "DRONE_SEMVER_MINOR": minor,
        "DRONE_SEMVER_PATCH": patch,
        "DRONE_SEMVER_PRERELEASE": prerelease,
        "DRONE_SEMVER_SHORT": f"{major}.{minor}.{patch}" if found else "",
    }


def calver(tag: str) -> dict[str, str]:
    """DRONE_CALVER and its parts; empty where the tag is no version that begins with a year."""
    text = tag.removeprefix("v")
    found = _CALVER.fullmatch(text)
    is_version = found is not None and _is_year(int(found[1]))
    major, minor, micro, modifier = found.groups("") if found is not None and is_version else ("",) * 4
    return {
        "DRONE_CALVER": text if is_version else "",
        "DRONE_CALVER_MAJOR": major,
        "DRONE_CALVER_MAJOR_MINOR": f"{major}.{minor}" if is_version else "",
        "DRONE_CALVER_MICRO": micro,
        "DRONE_CALVER_MINOR": minor,
        "DRONE_CALVER_MODIFIER": modifier,
        "DRONE_CALVER_SHORT": ".".join(part for part in (major, minor, micro) if part),
    }


def _is_year(number: int) -> bool:
    return _FIRST_YEAR % 100 <= number < 100 or number >= _FIRST_YEAR
