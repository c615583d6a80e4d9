"""Drone's routes that are not here: what to use in their place, for whoever comes from Drone."""

from collections.abc import Mapping

_REPO = "/api/repos/{owner}/{repo}"
_REGISTRY = (
    "what images are pulled with is the runners' own: log in where the runner runs, or name a secret in the"
    " pipeline file's `image_pull_secrets`"
)
_CRON = (
    "schedules are your CI's: have it call POST /api/repos/OWNER/REPO/builds, which is `drone build create`"
)
_TEMPLATES = "pipeline templates are not supported: record the pipeline file as it is to run"
_USERS = (
    "users are made with `shiplift user add`, their tokens with `shiplift token create`, their access with"
    " `shiplift grant add`"
)
_FILES = "pipeline files are not signed: who may record a build decides what runs (`shiplift grant`)"
_ENCRYPT = "there are no encrypted secrets in pipeline files: set them with `shiplift secret set`"
_PURGE = "history is kept: a promotion can always be traced to its build and its log"
_BRANCHES = "builds/latest?branch=BRANCH is a branch's newest build; ListBuilds with `ref` has all of them"
_HOOKS = "there are no webhooks to repair or to own: your CI records builds with `shiplift record`"
_QUEUE = "the queue is not paused: take a runner's token back to stop it (`shiplift token revoke`)"
_NODES = "machines are not managed here: start runners where they are to run (`shiplift runner`)"
_COLLABORATORS = "who may do what is in `shiplift grant list`"
_CARDS = "cards are not kept: a step's log is in builds/N/logs/STAGE/STEP"

# By path, whatever the method.
ABSENT: Mapping[str, str] = {
    f"{_REPO}/chown": _HOOKS,
    f"{_REPO}/repair": _HOOKS,
    f"{_REPO}/move": "repositories are not renamed: register the new name, and record its builds there",
    f"{_REPO}/sign": _FILES,
    f"{_REPO}/verify": _FILES,
    f"{_REPO}/encrypt": _ENCRYPT,
    f"{_REPO}/encrypt/{{kind}}": _ENCRYPT,
    f"{_REPO}/registry": _REGISTRY,
    f"{_REPO}/registry/{{name}}": _REGISTRY,
    f"{_REPO}/cron": _CRON,
    f"{_REPO}/cron/{{name}}": _CRON,
    f"{_REPO}/collaborators": _COLLABORATORS,
    f"{_REPO}/collaborators/{{login}}": _COLLABORATORS,
    f"{_REPO}/builds/branches": _BRANCHES,
    f"{_REPO}/builds/branches/{{branch:path}}": _BRANCHES,
    f"{_REPO}/builds/pulls": _BRANCHES,
    f"{_REPO}/builds/pulls/{{pull}}": _BRANCHES,
    f"{_REPO}/builds/deployments/{{target:path}}": _PURGE,
    f"{_REPO}/builds/{{build}}/cards/{{stage}}/{{step}}": _CARDS,
    "/api/templates": _TEMPLATES,
    "/api/templates/{namespace}": _TEMPLATES,
    "/api/templates/{namespace}/{name}": _TEMPLATES,
    "/api/users": _USERS,
    "/api/users/{login}": _USERS,
    "/api/users/{login}/{rest:path}": _USERS,
    "/api/user/token": _USERS,
    "/api/user/feed": "the newest builds are at /api/user/builds",
    "/api/repos": "the repositories are at /api/user/repos",
    "/api/nodes": _NODES,
    "/api/nodes/{name}": _NODES,
    "/api/servers": _NODES,
    "/api/servers/{name}": _NODES,
    "/api/pause": _QUEUE,
    "/api/resume": _QUEUE,
    "/api/system/{rest:path}": "how the server does is at /healthz and /readyz",
}
# By method and path, where the path has others that are here.
ABSENT_METHODS: Mapping[tuple[str, str], str] = {
    ("DELETE", f"{_REPO}/builds"): _PURGE,
    ("DELETE", f"{_REPO}/builds/{{build}}/logs/{{stage}}/{{step}}"): _PURGE,
    ("PATCH", "/api/user"): _USERS,
    ("POST", "/api/queue"): _QUEUE,
    ("DELETE", "/api/queue"): _QUEUE,
}
