"""Ad designs: a brief becomes a design, which is kept, drawn, judged, and given out again as training data."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from gateway.designs import Design, DesignStore
from gateway.keys import Key, caller
from gateway.model_adapter import ModelAdapter
from shared.design import Brief, dumps, explain, png, svg
from shared.design.check import check_edited
from shared.events import while_connected
from shared.paging import Order
from shared.wire.designs import DesignList, DesignObject, DesignRequest, Feedback


async def design_store(request: Request) -> DesignStore:
    return request.app.state.designs


Caller = Annotated[Key, Depends(caller)]
Designs = Annotated[DesignStore, Depends(design_store)]

router = APIRouter(prefix="/api/v1/designs", tags=["designs"])


@router.post("", response_model_exclude_unset=True)
async def create(body: DesignRequest, request: Request, key: Caller, designs: Designs) -> DesignObject:
    """Nothing is kept unless the design passed its check."""
    brief = Brief(prompt=body.prompt, platform=body.platform, format=body.format)
    adapter: ModelAdapter = request.app.state.adapter
    async with while_connected(request.receive):
        made = await adapter.generate_design(brief, body.model, body.elements)
    design = designs.add(key.id, brief, body.elements, made)
    shown = _shown(design)
    return shown.model_copy(update={"explanation": explain(design.spec, brief)}) if body.explain else shown


@router.get("", response_model_exclude_unset=True)
async def list_designs(
    key: Caller,
    designs: Designs,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Order = "desc",
) -> DesignList:
    found, more = designs.page(key.id, after, limit, order)
    data = [_shown(design) for design in found]
    ends = (data[0].id, data[-1].id) if data else (None, None)
    return DesignList(object="list", data=data, first_id=ends[0], last_id=ends[1], has_more=more)


@router.get("/export", response_class=StreamingResponse)
async def export(key: Caller, designs: Designs) -> StreamingResponse:
    """Accepted designs as JSON lines in the training format; an edited spec wins over the model's."""

    async def lines() -> AsyncIterator[str]:
        for design in designs.accepted(key.id):
            yield dumps(design.record) + "\n"

    headers = {"content-disposition": 'attachment; filename="designs.jsonl"'}
    return StreamingResponse(lines(), media_type="application/jsonl", headers=headers)


@router.get("/{id}.svg", response_class=Response)
async def draw_svg(id: str, key: Caller, designs: Designs) -> Response:
    design = designs.get(key.id, id)
    return Response(svg(design.spec, design.width, design.height), media_type="image/svg+xml")


@router.get("/{id}.png", response_class=Response)
async def draw_png(id: str, key: Caller, designs: Designs) -> Response:
    design = designs.get(key.id, id)
    picture = await asyncio.to_thread(png, design.spec, design.width, design.height)
    return Response(picture, media_type="image/png")


@router.get("/{id}", response_model_exclude_unset=True)
async def get(id: str, key: Caller, designs: Designs) -> DesignObject:
    return _shown(designs.get(key.id, id))


@router.post("/{id}/feedback", response_model_exclude_unset=True)
async def judge(id: str, body: Feedback, key: Caller, designs: Designs) -> DesignObject:
    design = designs.get(key.id, id)
    brief = Brief(prompt=design.prompt, platform=design.platform, format=design.format)
    edited = None if body.edited_spec is None else check_edited(body.edited_spec, brief)
    return _shown(designs.judge(key.id, id, body.accepted, edited))


def _shown(design: Design) -> DesignObject:
    return DesignObject(
        id=design.id,
        object="design",
        created=design.created,
        prompt=design.prompt,
        platform=design.platform,
        format=design.format,
        width=design.width,
        height=design.height,
        design=design.spec,
        model=design.model,
        provider=design.provider,
        accepted=design.accepted,
        edited_spec=design.edited_spec,
    )
