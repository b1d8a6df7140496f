"""The system: how it does."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.api.answers import answered
from console.api.documented import asked
from console.api.models import SystemNow
from console.api.parameters import ServicesHere
from console.questions.system import system_now

router: Final = APIRouter(tags=["system"])


@router.get("/system", response_model=SystemNow, responses=asked())
async def system(request: Request, services: ServicesHere) -> Response:
    """Show brokers, roles and their lag, Postgres, what is stuck, outages, and who is told."""
    return answered(request, (await system_now(services)).data())
