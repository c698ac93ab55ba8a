"""The description of the live streams: AsyncAPI 3.0 at `/asyncapi.json`, made from the types."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Response
from pydantic.json_schema import models_json_schema

from consumers.api.frame_schemas import OF_JOB, OF_JOBS
from synapse_stream import __version__
from synapse_stream.events.types import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumers.api.frame_schemas import FrameShape

router = APIRouter(include_in_schema=False)

_ABOUT = """Server-sent events: each frame has a name (`event:`) and JSON (`data:`). A frame with an
`id:` says how far the reader has come; given back as `Last-Event-ID` the stream goes on there.
Comments keep a quiet connection open. Names that are not described here are to be left alone."""
_SCHEMAS = "#/components/schemas/"
_FRAMES = OF_JOB | OF_JOBS


@router.get("/asyncapi.json")
def show_streams() -> Response:
    """Describe the live streams."""
    return Response(orjson.dumps(description()), media_type="application/json")


@cache
def description() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    messages = {name: _message(name, shape) for name, shape in _FRAMES.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Synapse Stream: live",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "job": {
                **_channel("/api/jobs/{job}/live", "One job", OF_JOB),
                "parameters": {"job": {"description": "The job's id, percent-encoded"}},
            },
            "jobs": _channel("/api/live", "The list of jobs, and several jobs as one", _FRAMES),
        },
        "operations": {
            "followJob": _operation("job", OF_JOB),
            "followJobs": _operation("jobs", _FRAMES),
        },
        "components": {"messages": messages, "schemas": _schemas()},
    }


def _channel(address: str, title: str, frames: Iterable[str]) -> dict[str, Any]:
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in frames}
    return {"address": address, "title": title, "messages": messages}


def _operation(channel: str, frames: Iterable[str]) -> dict[str, Any]:
    place = f"#/channels/{channel}"
    return {
        "action": "send",
        "channel": {"$ref": place},
        "bindings": {"http": {"method": "GET", "bindingVersion": "0.3.0"}},
        "messages": [{"$ref": f"{place}/messages/{name}"} for name in frames],
    }


def _message(name: str, shape: FrameShape) -> dict[str, Any]:
    return {
        "name": name,
        "summary": shape.when,
        "contentType": "application/json",
        "payload": {"$ref": f"{_SCHEMAS}{shape.model.__name__}"},
    }


def _schemas() -> dict[str, Any]:
    models = [(model, "serialization") for model in {shape.model for shape in _FRAMES.values()}]
    _, found = models_json_schema(models, ref_template=f"{_SCHEMAS}{{model}}")  # type: ignore[arg-type]
    events = json_schema()
    known = {f"{name}Event": _renamed(each) for name, each in events["$defs"].items()}
    reported = found["$defs"]["Reported"]["properties"]["event"]
    found["$defs"]["Reported"]["properties"]["event"] = {
        "description": events["description"],
        "anyOf": [*_renamed(events["oneOf"]), reported],
    }
    return {**found["$defs"], **known}


def _renamed(schema: Any) -> Any:
    """Return the schema of events with references to where they stand here."""
    if isinstance(schema, list):
        return [_renamed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    place = schema.get("$ref")
    if isinstance(place, str):
        return {"$ref": f"{_SCHEMAS}{place.removeprefix('#/$defs/')}Event"}
    return {name: _renamed(each) for name, each in schema.items()}


def frames() -> Mapping[str, FrameShape]:
    """Return the frames of all streams by their names."""
    return _FRAMES
