"""The application: its routes, its description (OpenAPI), and what becomes of errors."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from agents.metrics.exposition import registry_of
from agents.worker.instance import own_instance
from console.admission.access import Access
from console.admission.forms import CheckedForms
from console.admission.refused import Refused
from console.api import (
    changes,
    dead_letters,
    engines,
    events,
    executions,
    holds,
    rollbacks,
    stops,
    system,
    tools,
    versions,
)
from console.api.problems import (
    Problem,
    ProblemError,
    of_http,
    of_rollguard,
    of_wrong_request,
    problem,
)
from console.pages import activity, all_tools, login, rollback
from console.pages import dead_letters as dead_letters_page
from console.pages import holds as holds_page
from console.pages import rollbacks as rollbacks_page
from console.pages import system as system_page
from console.pages import tools as tools_page
from console.pages.rendering import static_files
from console.pages.rendering.errors import error_answer, refusal
from console.pages.tool import actions as tool_actions
from console.pages.tool import routes as tool_pages
from console.services import Services
from console.web.bodies import LimitedBodies
from console.web.faults import FAULT, Faults
from console.web.headers import SecurityHeaders
from console.web.metrics import HttpMetrics, MeasuredRequests, metrics
from console.web.requests import OneRequest
from console.web.traces import TracesOfRequests
from schemas.errors import RollguardError
from schemas.execution import Execution
from schemas.identity import Identity

log = structlog.get_logger()

PREFIX: Final = "/api/v1"
_ABOUT: Final = """\
Everything that operators and engines ask of Rollguard and order from it. Errors are problem details
(RFC 9457). A list has `next_cursor` if there is more. What is asked has an `ETag`. What is ordered
may carry an `Idempotency-Key`.
"""
_ROUTERS: Final = (
    *(tools.router, versions.router, executions.router, changes.router),
    *(rollbacks.router, holds.router, stops.router, engines.router, dead_letters.router),
    *(system.router, events.router),
)
_PAGES: Final = (
    *(static_files.router, login.router, tools_page.router, all_tools.router),
    *(tool_pages.router, tool_actions.router),
    *(rollbacks_page.router, rollback.router, holds_page.router, dead_letters_page.router),
    *(system_page.router, activity.router),
)


def create_app(services: Services) -> FastAPI:
    """Return the application of one console."""
    app = api()
    app.state.services = services
    app.state.registry = registry_of("console")
    for router in _PAGES:
        app.include_router(router, include_in_schema=False)
    app.add_api_route("/openapi.json", _described, include_in_schema=False)
    who = Identity("", services.settings.topic_prefix, "console", own_instance())
    for path, question in (("/healthz", "alive"), ("/readyz", "ready")):
        app.add_api_route(path, _well(question, who.headers()), include_in_schema=False)
    app.add_api_route("/metrics", metrics, include_in_schema=False)
    _answer_errors(app)
    # The last one that is added sees a request first.
    app.add_middleware(TracesOfRequests)
    app.add_middleware(Faults)
    app.add_middleware(CheckedForms)
    app.add_middleware(LimitedBodies)
    app.add_middleware(Access, settings=services.settings)
    app.add_middleware(MeasuredRequests, metrics=HttpMetrics(app.state.registry))
    app.add_middleware(OneRequest)
    app.add_middleware(SecurityHeaders)
    return app


def api() -> FastAPI:
    """Return an application that has the routes of the API, and no more."""
    app = FastAPI(
        title="Rollguard",
        version=version("rollguard"),
        description=_ABOUT,
        openapi_url=None,  # the route below has examples and models that no route returns
        docs_url=None,  # they would load scripts from another host
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for router in _ROUTERS:
        app.include_router(router, prefix=PREFIX)
    return app


def description(app: FastAPI) -> dict[str, Any]:
    """Return the description of the API (OpenAPI 3.1)."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        found["security"] = [{"token": []}, {}]
        parts = found.setdefault("components", {})
        parts["securitySchemes"] = {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "`ROLLGUARD_WEB_TOKEN`, or `ROLLGUARD_WEB_VIEWER_TOKEN` to read. "
                "Without them none is needed.",
            }
        }
        for model in (Problem, Execution):
            _describe(parts["schemas"], model)
        for unused in ("HTTPValidationError", "ValidationError"):
            parts["schemas"].pop(unused, None)
        app.openapi_schema = found
    return app.openapi_schema


def _describe(schemas: dict[str, Any], model: type[Any]) -> None:
    """Add the schema of a model that no route names as its body or its answer."""
    template = "#/components/schemas/{model}"
    found = TypeAdapter(model).json_schema(mode="validation", ref_template=template)
    for name, part in found.pop("$defs", {}).items():
        schemas.setdefault(name, part)
    schemas.setdefault(model.__name__, found)


async def _described(request: Request) -> JSONResponse:
    return JSONResponse(description(request.app))


def _well(question: str, headers: Mapping[str, str]) -> Any:
    """Return the route that says that the console serves.

    It does also if Kafka, Postgres or the detectors do not: then its answers say so.
    """

    async def answer() -> JSONResponse:
        return JSONResponse({"role": "console", question: True, "reasons": []}, headers=headers)

    return answer


def _answer_errors(app: FastAPI) -> None:
    """Let every error become problem details, or a page for somebody who reads one."""

    @app.exception_handler(ProblemError)
    async def of_problem(request: Request, error: ProblemError) -> Response:
        return _answer(request, error)

    @app.exception_handler(RollguardError)
    async def of_ours(request: Request, error: RollguardError) -> Response:
        return _answer(request, of_rollguard(error))

    @app.exception_handler(RequestValidationError)
    async def of_request(request: Request, error: RequestValidationError) -> Response:
        return _answer(request, of_wrong_request(error))

    @app.exception_handler(HTTPException)
    async def of_framework(request: Request, error: HTTPException) -> Response:
        return _answer(request, of_http(request, error))

    @app.exception_handler(Refused)
    async def of_refused(request: Request, error: Refused) -> Response:
        return refusal(request.scope, error)

    @app.exception_handler(Exception)
    async def of_fault(request: Request, error: Exception) -> Response:
        log.error("request_failed", method=request.method, exc_info=error)
        return problem(500, FAULT)  # it stands outside of all that makes a page


def _answer(request: Request, error: ProblemError) -> Response:
    return error_answer(
        request.scope, error.status, error.detail, error.kind, error.headers, **error.more
    )
