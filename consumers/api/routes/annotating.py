"""What people say of a run: labels, a note, whether it is archived, or a baseline."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from consumers.api import parameters
from consumers.api.acting import acting
from consumers.api.answers import fresh
from consumers.api.description import answer
from consumers.api.permissions import Operating, VisibleJob
from consumers.api.problems import not_found
from consumers.api.routes import annotation_schemas
from consumers.api.sources import Opened
from synapse_stream.ports.annotations import LONGEST_LABEL, LONGEST_NOTE, MOST_LABELS, Change

router = APIRouter(prefix="/api/jobs/{job}/annotation", tags=["jobs"])

_Label = Annotated[str, Field(max_length=LONGEST_LABEL, pattern=r"^[^\x00-\x1f]*$")]


class Wanted(BaseModel):
    """What is to be said of a run; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    labels: dict[_Label, _Label | None] | None = Field(None, max_length=MOST_LABELS)
    """Labels to set, over those that the run has reported; null takes one away."""
    note: Annotated[str, Field(max_length=LONGEST_NOTE, pattern=r"^[^\x00]*$")] | None = None
    """Empty: there shall be none."""
    archived: bool | None = None
    """Lists leave it out, unless their filter names `archived`."""
    baseline: bool | None = None
    reason: Annotated[str, Field(max_length=parameters.LONGEST_TEXT)] | None = None
    """Why, for the operators' trail."""


@router.get("", response_class=Response, responses=answer(annotation_schemas.AnnotationAnswer))
def show_annotation(request: Request, sources: Opened, job_id: VisibleJob) -> Response:
    """Show what people say of a run."""
    if job_id not in sources.views.listed([job_id]):
        raise not_found(job_id)
    return fresh(request, asdict(sources.views.annotation(job_id)), None, sources.clock)


@router.patch("", response_class=Response, responses=answer(annotation_schemas.AnnotationAnswer))
def annotate(
    request: Request, sources: Opened, caller: Operating, job_id: VisibleJob, wanted: Wanted
) -> Response:
    """Say something else of a run; the operators' trail tells of it. What is recorded stays."""
    views, change = sources.views, Change(**wanted.model_dump(exclude={"reason"}))
    if job_id not in views.listed([job_id]):
        raise not_found(job_id)
    before = {"asked": asdict(change), "was": asdict(views.annotation(job_id))}
    with acting(
        request, caller, "annotate", jobs=[job_id], reason=wanted.reason, before=before
    ) as act:
        said = views.annotate(job_id, change)
        act.after["known"] = said is not None
    if said is None:
        raise not_found(job_id)
    return fresh(request, asdict(said), None, sources.clock)
