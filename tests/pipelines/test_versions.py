"""What Drone's variables say of a tag that is a version."""

from collections.abc import Mapping

import pytest
from shipliftd.pipelines.versions import calver, semver


def short(found: Mapping[str, str]) -> dict[str, str]:
    """Those that are not empty, without their beginning."""
    return {name.split("_", 1)[1]: value for name, value in found.items() if value}


# The first is the one of Drone's documentation.
@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (
            "v1.2.3-alpha.1+001",
            {
                "SEMVER": "1.2.3-alpha.1+001",
                "SEMVER_MAJOR": "1",
                "SEMVER_MINOR": "2",
                "SEMVER_PATCH": "3",
                "SEMVER_SHORT": "1.2.3",
                "SEMVER_PRERELEASE": "alpha.1",
                "SEMVER_BUILD": "001",
            },
        ),
        (
            "0.10.0",
            {
                "SEMVER": "0.10.0",
                "SEMVER_MAJOR": "0",
                "SEMVER_MINOR": "10",
                "SEMVER_PATCH": "0",
                "SEMVER_SHORT": "0.10.0",
            },
        ),
        ("", {}),
        ("nightly", {"SEMVER_ERROR": "nightly is not in dotted-tri format"}),
        ("v1.2", {"SEMVER_ERROR": "1.2 is not in dotted-tri format"}),
        ("1.2.3\n", {"SEMVER_ERROR": "1.2.3\n is not in dotted-tri format"}),
        ("1.2.03", {"SEMVER_ERROR": "1.2.03 is not in dotted-tri format"}),
        ("1.2.\u0663", {"SEMVER_ERROR": "1.2.\u0663 is not in dotted-tri format"}),
    ],
)
def test_semver(tag: str, expected: dict[str, str]) -> None:
    assert short(semver(tag)) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        (
            "v19.1.0-beta.20190318",
            {
                "CALVER": "19.1.0-beta.20190318",
                "CALVER_MAJOR": "19",
                "CALVER_MAJOR_MINOR": "19.1",
                "CALVER_MINOR": "1",
                "CALVER_MICRO": "0",
                "CALVER_SHORT": "19.1.0",
                "CALVER_MODIFIER": "beta.20190318",
            },
        ),
        (
            "2026.11",
            {
                "CALVER": "2026.11",
                "CALVER_MAJOR": "2026",
                "CALVER_MAJOR_MINOR": "2026.11",
                "CALVER_MINOR": "11",
                "CALVER_SHORT": "2026.11",
            },
        ),
        *((tag, {}) for tag in ("", "1.2.3", "0.12.1", "2018.1.1", "100.1.1", "19", "x.y.z", "2026.x.1")),
    ],
)
def test_calver(tag: str, expected: dict[str, str]) -> None:
    assert short(calver(tag)) == expected
