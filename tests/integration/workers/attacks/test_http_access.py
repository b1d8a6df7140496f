"""The access to a worker's HTTP endpoints: the token, and the port that roles share."""

import asyncio
import json
from pathlib import Path

import pytest

from rollguard.operations.overview.health import health_of
from schemas.errors import Misconfigured, Rejected
from tests.support.systems.system import System
from tests.support.waiting import until

TOKEN = "one-token-for-all"
SECRET = "one-secret-for-detectors"


async def send_raw(port: int, request: bytes) -> bytes:
    """Send these bytes as a request, and return the first line of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.readline(), 120)
    writer.close()
    return answer


async def test_endpoints_require_the_token(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        await system.spawn("detector", ROLLGUARD_WEB_TOKEN=TOKEN)
        await system.all_ready("detector")
        right = {"Authorization": f"Bearer {TOKEN}"}
        for path in ("/tools/parser/health", "/nothing", "/tools/healthz/health"):
            for wrong in (
                {},
                {"Authorization": "Bearer "},
                {"Authorization": f"Bearer {TOKEN}x"},
                {"Authorization": f"Basic {TOKEN}"},
                {"Authorization": TOKEN},
                {"X-Token": TOKEN},
            ):
                status, body = await system.page("detector", path, **wrong)
                assert (status, list(body)) == (401, ["error"]), (path, wrong)
        status, body = await system.page("detector", "/tools/parser/health", **right)
        assert (status, body) == (404, {"error": "'parser' was never activated"})
        assert (await system.page("detector", "/healthz"))[0] == 200
        for garbled in (f"Authorization: Bearer {TOKEN}\0", f"Auth orization: {TOKEN}", TOKEN):
            request = f"GET /tools/x/health HTTP/1.1\r\nHost: x\r\n{garbled}\r\n\r\n"
            assert b" 400 " in await send_raw(system.ports["detector"], request.encode())
        settings = system.settings
        with pytest.raises(Misconfigured, match="wants a token: set ROLLGUARD_WEB_TOKEN"):
            await health_of(settings, "parser")
        other = settings.model_copy(update={"web_token": type(settings.postgres_dsn)("other")})
        with pytest.raises(Misconfigured, match="another ROLLGUARD_WEB_TOKEN"):
            await health_of(other, "parser")
        same = settings.model_copy(update={"web_token": type(settings.postgres_dsn)(TOKEN)})
        with pytest.raises(Rejected, match="never activated"):
            await health_of(same, "parser")
        assert await system.stop_all() == [0]
        assert TOKEN not in system.log("detector")


@pytest.mark.kafka
@pytest.mark.timeout(360)
async def test_detectors_forward_queries_to_each_other(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        tokens = {"ROLLGUARD_WEB_TOKEN": TOKEN, "ROLLGUARD_DETECTOR_TOKEN": SECRET}
        await system.spawn("detector", **tokens)
        await system.all_ready("detector")
        await system.spawn_second_detector(**tokens)
        right = {"Authorization": f"Bearer {TOKEN}"}

        async def both_answer_for_all() -> bool:
            answers = [
                await system.page(worker, f"/tools/tool-{number}/health", **right)
                for worker in ("detector", "second")
                for number in range(8)  # on all four partitions, so on both workers
            ]
            return {status for status, _ in answers} == {404} and await system.is_ready("second")

        await until(both_answer_for_all)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org"])
async def test_without_a_token_a_worker_listens_on_loopback_only(
    host: str, embedded_broker: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(embedded_broker, database_dsn, topic_prefix, tmp_path, ()) as system:
        for role in ("detector", "recorder"):
            worker = await system.spawn(role, ROLLGUARD_WEB_HOST=host, ROLLGUARD_WEB_TOKEN="")
            assert await asyncio.wait_for(worker.wait(), 120) == 1
            assert f"ROLLGUARD_WEB_HOST {host!r} is not loopback" in system.log(role)
            assert "Traceback" not in system.log(role)


async def test_if_all_roles_share_a_port_the_detector_gets_it(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, ()) as system:
        port = str(system.ports["detector"])
        for role in ("applier", "recorder", "detector"):
            await system.spawn(role, ROLLGUARD_WEB_PORT=port)
        await system.all_ready("detector")
        assert (await system.deploy("parser", "a")).version_number == 1

        async def both_logged() -> bool:
            return all("http_disabled" in system.log(role) for role in ("applier", "recorder"))

        await until(both_logged)
        for role in ("applier", "recorder"):
            [line] = [json.loads(x) for x in system.log(role).splitlines() if "http_disabled" in x]
            assert line["port"] == int(port)
        assert (await system.page("detector", "/healthz"))[1]["role"] == "detector"
