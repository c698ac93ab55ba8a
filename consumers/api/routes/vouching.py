"""What people say of a run: that it is held, and that they sign it off."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from consumers.api import parameters
from consumers.api.acting import acting
from consumers.api.answers import fresh
from consumers.api.description import answer
from consumers.api.permissions import Asking, Operating, VisibleJob
from consumers.api.problems import Problem, not_found
from consumers.api.routes.trail_schemas import SignOffAnswer, StandingAnswer
from consumers.api.sources import Opened
from synapse_stream.errors import ConfigError
from synapse_stream.operating.holds import Holds
from synapse_stream.operating.sign_off import NotSigned, Pen

if TYPE_CHECKING:
    from synapse_stream.operating.acts import TrailReader, WrittenAct

router = APIRouter(prefix="/api/jobs", tags=["trail"])

_SIGN_OFF = "sign-off"
_Text = Annotated[str, Field(min_length=1, max_length=parameters.LONGEST_TEXT)]


class SignOff(BaseModel):
    """What is signed."""

    model_config = ConfigDict(extra="forbid")

    name: _Text
    """Who signs."""
    meaning: _Text
    """What for, as `reviewed`."""


@router.get("/{job}/standing", response_class=Response, responses=answer(StandingAnswer))
def show_standing(
    request: Request, sources: Opened, caller: Asking, job_id: VisibleJob
) -> Response:
    """Show what people say of a run: holds on it, and who has signed it off."""
    state = sources.views.state(job_id)
    if state is None:
        raise not_found(job_id)
    reader: TrailReader = request.app.state.trail_reader
    acts, labels = reader.acts(), [run.labels for run in state.attempts]
    may_know = caller.is_operator and caller.jobs is None
    content = {
        "holds": [_hold(one, may_know=may_know) for one in Holds(acts).of(job_id, labels)],
        "sign_offs": [_sign_off(one) for one in acts if one.is_of(_SIGN_OFF, job_id, None)],
        "can_sign": may_know and sources.settings.sign_off_key is not None,
    }
    return fresh(request, content, state.position, sources.clock)


@router.post("/{job}/sign-off", response_class=Response, responses=answer(SignOffAnswer))
def sign_off(
    request: Request, sources: Opened, caller: Operating, job_id: VisibleJob, given: SignOff
) -> Response:
    """Sign all that is recorded of a run that has ended, with the key of this API."""
    before = {"name": given.name, "meaning": given.meaning}
    try:
        pen = Pen.of(sources.settings)
        with acting(request, caller, _SIGN_OFF, jobs=[job_id], before=before) as act:
            signed = pen.sign(sources.reader, sources.log, job_id, given.name, given.meaning)
            act.after.update(signed._asdict())
    except (ConfigError, NotSigned) as error:
        if isinstance(error, NotSigned) and not error.is_known:
            raise not_found(job_id) from error
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error
    return fresh(request, signed._asdict(), None, sources.clock)


def _hold(one: WrittenAct, *, may_know: bool) -> dict[str, Any]:
    act = one.act
    who = {"by": act.by, "reason": act.reason} if may_know else {"by": None, "reason": None}
    return {"since": act.time, "label": act.before.get("label"), **who}


def _sign_off(one: WrittenAct) -> dict[str, Any]:
    before = one.act.before
    said = {name: str(before.get(name, "")) for name in ("name", "meaning")}
    return {"time": one.act.time, **said, "is_done": one.is_done}
