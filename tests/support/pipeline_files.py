"""Pipeline files that several tests read."""

import json
from collections.abc import Mapping
from typing import Any

from shipliftd.pipelines.conditions import Facts

PROMOTE = Facts(branch="main", event="promote", repo="octocat/hello-world", target="production")

EXAMPLE = """\
kind: pipeline
type: exec
name: 1.10

platform: {os: windows, arch: arm64, variant: v8, version: 1809}
node: {disk: ssd, rack: 07}
concurrency: {limit: 2}
clone: {disable: true}
workspace: {path: /src}
environment:
  REGION: eu
  TOKEN: {from_secret: token}
trigger:
  branch: main
  event: [promote, rollback]
  target: {include: [prod*], exclude: prod-old}
  status: [success, failure]
volumes: [{name: cache}]

steps:
- name: build
  pull: always
  commands:
  - go build
  - go test ./...
  environment:
    REPLICAS: 3
    ON: true
    SINCE: 2024-01-01
    VERSION: 1.10
    OCTAL: 0777
    QUOTED: "~"
    EMPTY:
    NULL: null
    KEY:
      from_secret: key
- name: notify
  failure: ignore
  detach: yes
  privileged: on
  shell: bash
  commands: |
    echo one
    echo two
  when:
    status: failure
    instance: drone.example.com
---
kind: secret
name: key
---
kind: signature
hmac: x
---
"""


def file(*documents: Mapping[str, Any]) -> str:
    """A file of pipelines; JSON is YAML, too. Each has a step, and each step something to do."""
    return "\n---\n".join(json.dumps({"kind": "pipeline", **_doing(document)}) for document in documents)


def _doing(document: Mapping[str, Any]) -> dict[str, Any]:
    does: dict[str, dict[str, Any]] = {"exec": {"commands": ["true"]}, "docker": {"image": "alpine"}}
    needed = does.get(document.get("type", "docker"), {})
    steps = document.get("steps", [{"name": "do"}]) or []
    filled = [{**needed, **step} if isinstance(step, dict) else step for step in steps]
    return {**document, "steps": filled}


TEAM = file(
    {"name": "test", "trigger": {"event": ["push", "promote"]}},
    {"name": "lint", "trigger": {"event": "push"}, "depends_on": ["test"]},
    {"name": "image", "depends_on": ["test", "lint"], "trigger": {"branch": "main"}},
    {"name": "eu", "depends_on": ["image"], "trigger": {"event": "promote", "target": "production"}},
    {"name": "us", "depends_on": ["image"], "trigger": {"event": "promote", "target": "production"}},
    {"name": "canary", "depends_on": ["lint"], "trigger": {"event": "promote", "target": "canary"}},
    {"name": "report", "depends_on": ["eu", "us", "canary"], "trigger": {"event": "promote"}},
    {"name": "alone", "depends_on": ["lint"], "trigger": {"event": ["push", "tag"]}},
)
