"""`/docs`: the API for people to read, from its descriptions; a page without scripts."""

from __future__ import annotations

import re
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from consumers.api import asyncapi

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Synapse Stream API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="static/css/docs.css"></head>
<body><main><h1>Synapse Stream API</h1>
<p>{about}</p>
<p><a href="openapi.json">openapi.json</a> (OpenAPI 3.1) describes every parameter and answer,
<a href="asyncapi.json">asyncapi.json</a> (AsyncAPI 3.0) every frame of the live streams.</p>
<nav aria-label="Parts">{parts}</nav>
{operations}
<h2 id="frames">Frames of the live streams</h2>
<table><thead><tr><th>Name</th><th>When</th><th>Has</th></tr></thead><tbody>{frames}</tbody></table>
</main></body></html>
"""
_CODE = re.compile(r"`([^`]+)`")


def page(spec: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI document, and of our AsyncAPI document."""
    found = sorted(_operations(spec), key=lambda each: each[0])
    parts = {tag: list(group) for tag, group in groupby(found, lambda each: each[0])}
    links = [*((tag, tag) for tag in parts), ("frames", "frames of the live streams")]
    return _FRAME.format(
        about=_text(spec["info"]["description"]),
        parts=" · ".join(f'<a href="#{place}">{name}</a>' for place, name in links),
        operations="\n".join(
            f'<h2 id="{tag}">{tag}</h2>\n' + "\n".join(_operation(*each[1:]) for each in group)
            for tag, group in parts.items()
        ),
        frames="\n".join(_frames()),
    )


def _operations(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            yield (operation.get("tags") or ["other"])[0], path, method.upper(), operation


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{each['in']}</td>"
        f"<td>{_type(each['schema'])}</td><td>{_text(each.get('description', ''))}</td></tr>"
        for each in operation.get("parameters", ())
    )
    head = "<thead><tr><th>Name</th><th>In</th><th>Type</th><th>Means</th></tr></thead>"
    table = f"<table>{head}<tbody>{parameters}</tbody></table>" if parameters else ""
    answers = "".join(
        f"<tr><td>{status}</td><td>{_text(answer['description'])}</td></tr>"
        for status, answer in sorted(operation["responses"].items())
    )
    return (
        f"<section><h3><code>{method} {escape(path)}</code></h3>\n"
        f"<p>{_text(operation.get('description', ''))}</p>{table}"
        f"<details><summary>Answers</summary><table><tbody>{answers}</tbody></table></details>"
        "</section>"
    )


def _frames() -> Iterator[str]:
    schemas = asyncapi.description()["components"]["schemas"]
    for name, shape in asyncapi.frames().items():
        schema = schemas[shape.model.__name__]
        fields = ", ".join(f"<code>{each}</code>" for each in schema.get("properties", ()))
        yield (
            f"<tr><td><code>{name}</code></td><td>{_text(shape.when)}</td>"
            f"<td>{fields or _text(schema['description'])}</td></tr>"
        )


def _type(schema: Mapping[str, Any]) -> str:
    """Return what a parameter is, in a few words."""
    if "anyOf" in schema:
        kinds = [_type(each) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return ", ".join(escape(str(each)) for each in schema["enum"])
    if schema.get("type") == "array":
        return f"{_type(schema['items'])}, several"
    return escape(str(schema.get("type") or schema.get("$ref", "any").rpartition("/")[2]))


def _text(text: str) -> str:
    """Return plain text as HTML: code in backticks, an empty line between paragraphs."""
    return _CODE.sub(r"<code>\1</code>", escape(text)).replace("\n\n", "<br><br>")
