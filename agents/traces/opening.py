"""Whether a role sends spans, and the end of sending."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

import structlog

from agents.traces.tracer import Tracer
from schemas.errors import Misconfigured
from schemas.settings import Settings

if TYPE_CHECKING:  # it is imported only if spans are sent, because it needs more packages
    from agents.traces.otlp import OtlpSink

log = structlog.get_logger()

_TRACED: Final = ("detector", "applier")
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXTRA: Final = "opentelemetry.exporter.otlp.proto.http"


@asynccontextmanager
async def opened_tracer(role: str, settings: Settings) -> AsyncIterator[Tracer]:
    """Yield the traces of a role; at the end, what waits is sent for a short time.

    Raises Misconfigured if traces must be on and cannot be.
    """
    if role not in _TRACED or not _are_on(settings, os.environ):
        yield Tracer()
        return
    sink = _opened_sink(role, settings)
    if sink is None:
        yield Tracer()
        return
    try:
        yield Tracer(sink.take, settings.traces_ratio)
    finally:
        await sink.close()


def _opened_sink(role: str, settings: Settings) -> "OtlpSink | None":
    """Return the sink; None if OpenTelemetry's variables are wrong and spans need not be sent."""
    from agents.traces.otlp import OtlpSink

    try:
        sink = OtlpSink(role)
    except Exception as error:
        if settings.traces == "on":
            raise Misconfigured(f"ROLLGUARD_TRACES=on: {error}") from error
        log.warning("traces_off", cause=str(error))
        return None
    log.info("traces_on", endpoint=_shown(sink.endpoint))
    return sink


def _shown(endpoint: str) -> str:
    """Return an address without what may be a login in it."""
    parts = urlsplit(endpoint)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _are_on(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Return whether spans are sent. Raises Misconfigured."""
    if settings.traces == "off" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    missing = _missing(environment)
    if missing and settings.traces == "on":
        raise Misconfigured(f"ROLLGUARD_TRACES=on: {missing}")
    is_named = any(environment.get(each) for each in _ENDPOINTS)
    if missing and is_named:
        log.warning("traces_off", cause=missing)
    return not missing and (is_named or settings.traces == "on")


def _missing(environment: Mapping[str, str]) -> str:
    """Return what keeps spans from being sent; "" if nothing does."""
    protocol = next((environment[each] for each in _PROTOCOLS if environment.get(each)), "")
    if protocol and not protocol.startswith("http/"):
        return f"spans are sent by OTLP over HTTP alone, not by {protocol!r}"
    if not _is_installed():
        return "pip install 'rollguard[traces]'"
    return ""


def _is_installed() -> bool:
    try:
        return find_spec(_EXTRA) is not None
    except ModuleNotFoundError:
        return False
