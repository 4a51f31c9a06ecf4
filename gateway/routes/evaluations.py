"""/api/v1/evaluations: a data set is put to one or two models, and what they answer is scored, off the event loop."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from gateway.evaluations.runner import Evaluations
from gateway.evaluations.store import Evaluation
from gateway.keys import Key, caller
from shared.errors import NotReady
from shared.evaluation.page import page
from shared.paging import Order
from shared.wire.evaluations import EvaluationList, EvaluationObject, EvaluationRequest


async def evaluations(request: Request) -> Evaluations:
    return request.app.state.evaluations


Caller = Annotated[Key, Depends(caller)]
Runner = Annotated[Evaluations, Depends(evaluations)]
CSP = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}

router = APIRouter(prefix="/api/v1/evaluations", tags=["evaluations"])


@router.post("", response_model_exclude_unset=True)
async def create(body: EvaluationRequest, key: Caller, runner: Runner) -> EvaluationObject:
    """Begin an evaluation; ask for it again until its status is completed or failed."""
    return _shown(await runner.submit(key.id, body))


@router.get("", response_model_exclude_unset=True)
async def list_evaluations(
    key: Caller,
    runner: Runner,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Order = "desc",
) -> EvaluationList:
    """Without the reports."""
    found, more = runner.store.page(key.id, after, limit, order)
    data = [_shown(evaluation) for evaluation in found]
    ends = (data[0].id, data[-1].id) if data else (None, None)
    return EvaluationList(object="list", data=data, first_id=ends[0], last_id=ends[1], has_more=more)


@router.get("/{id}.html", response_class=Response)
async def show(id: str, key: Caller, runner: Runner) -> Response:
    """The report as a page: the numbers, and what was answered, side by side."""
    found = runner.store.get(key.id, id)
    if found.report is None:
        raise NotReady(f"the evaluation is {found.status}: there is no report", retry_after_s=2)
    return Response(page(found.report), media_type="text/html; charset=utf-8", headers=CSP)


@router.get("/{id}", response_model_exclude_unset=True)
async def get(id: str, key: Caller, runner: Runner) -> EvaluationObject:
    return _shown(runner.store.get(key.id, id))


def _shown(found: Evaluation) -> EvaluationObject:
    request = {name: value for name, value in found.request.items() if name != "rows"}
    shown = EvaluationObject(
        id=found.id,
        object="evaluation",
        created=found.created,
        status=found.status,  # pyright: ignore[reportArgumentType]
        request=request,
        done=found.done,
        total=found.total,
        error=found.error,
    )
    return shown.model_copy(update={"report": found.report}) if found.report else shown
