"""The OpenAPI document as a page for people. It loads nothing, from here or from elsewhere."""

import base64
import hashlib
from html import escape

from shipliftd.gateway.shapes import Json

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1f24; background: #fff }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d0d7de }
summary { cursor: pointer; padding: .3rem 0 } code { font: 14px/1.5 ui-monospace, monospace }
.method { display: inline-block; min-width: 4.5rem; font-weight: 600 }
table { border-collapse: collapse; margin: .5rem 0 1rem 1rem }
td { padding: .15rem 1rem .15rem 0; vertical-align: top }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117 } a { color: #58a6ff } }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'"
HTML = b"text/html; charset=utf-8"
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
)


def html(document: Json) -> bytes:
    """The page."""
    info = document["info"]
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in groups.items())
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    return whole(
        f"{info['title']} {info['version']}",
        f"<p>{escape(info['summary'])}</p>"
        f"<p>Send a token as <code>Authorization: Bearer TOKEN</code>."
        f' For programs: <a href="/openapi.json">/openapi.json</a>.</p>'
        f'{body}<h2 id="schemas">Schemas</h2>{schemas}',
    )


def whole(title: str, body: str) -> bytes:
    """A page of ours: its title is text, its body HTML."""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(title)}</h1>{body}</body></html>"
    )
    return text.encode()


def _operation(method: str, path: str, operation: Json) -> str:
    rows = [
        (parameter["name"], parameter["in"], parameter.get("description", ""))
        for parameter in operation.get("parameters", ())
    ]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        rows.append(("body", kind, _type(content["schema"])))
    for status, response in operation["responses"].items():
        # What has no body has no content.
        kinds = [_type(content["schema"]) for content in response.get("content", {}).values()]
        rows.append((status, *(kinds or ["nothing"]), response["description"]))
    return (
        f'<details><summary><span class="method">{escape(method.upper())}</span>'
        f"<code>{escape(path)}</code> {escape(operation['summary'])}</summary>{_table(rows)}</details>"
    )


def _schema(name: str, schema: Json) -> str:
    rows = [(key, _type(value), "") for key, value in schema["properties"].items()]
    head = f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
    return f"{head}{_table(rows)}</details>"


def _table(rows: list[tuple[str, str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(kind)}</td><td>{escape(text)}</td></tr>"
        for name, kind, text in rows
    )
    return f"<table>{cells}</table>"


def _type(schema: Json) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name: str = schema["$ref"].rpartition("/")[2]
        return name
    if "allOf" in schema:
        return _type(schema["allOf"][0])
    if "anyOf" in schema:
        return " or ".join(word for part in schema["anyOf"] if (word := _type(part)) != "null")
    if "enum" in schema:
        return " | ".join(word or '""' for word in schema["enum"] if isinstance(word, str))
    kind = schema.get("type", "")
    # The other one is null.
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map to {_type(schema['additionalProperties'])}"
    return str(schema.get("format", kind))
