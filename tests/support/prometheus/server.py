"""A real Prometheus that reads real roles, with our rules."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from rollguard.embedded.ports import free_port
from tests.support.prometheus.programs import program
from tests.support.prometheus.queries import RULES
from tests.support.waiting import until


class Prometheus:
    """A Prometheus, and what it is asked."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def is_ready(self) -> bool:
        """Return whether it answers."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{self._url}/-/ready") as it,
            ):
                return it.status == 200
        except aiohttp.ClientError:
            return False

    async def values(self, query: str) -> list[float]:
        """Return the values of a query now."""
        found = await self._ask("query", query=query)
        return [float(each["value"][1]) for each in found["result"]]

    async def has_read_all(self, targets: int) -> bool:
        """Return whether it has read so many targets at least twice, so that rates are known."""
        return await self.values("count(sum_over_time(up[5m]) >= 2)") == [targets]

    async def has_evaluated(self) -> bool:
        """Return whether it has evaluated every rule."""
        return all(rule["health"] != "unknown" for rule in await self._rules())

    async def wrong_rules(self) -> list[str]:
        """Return what Prometheus says is wrong with the rules."""
        return [rule["lastError"] for rule in await self._rules() if rule.get("lastError")]

    async def _rules(self) -> list[dict[str, Any]]:
        groups = (await self._ask("rules"))["groups"]
        return [rule for group in groups for rule in group["rules"]]

    async def _ask(self, what: str, **parameters: str) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._url}/api/v1/{what}", params=parameters) as answer,
        ):
            body = await answer.json()
            assert body["status"] == "success", (parameters, body)
            assert not body.get("warnings"), (parameters, body)
            return body["data"]


@asynccontextmanager
async def running_prometheus(targets: Mapping[str, str], folder: Path) -> AsyncIterator[Prometheus]:
    """Run a Prometheus that reads these targets (``host:port`` of each role) every 2 s."""
    config = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {
                "job_name": "rollguard",
                "static_configs": [
                    {"targets": [target], "labels": {"service": role}}
                    for role, target in targets.items()
                ],
            }
        ],
    }
    file, port = folder / "prometheus.yaml", free_port()
    file.write_text(json.dumps(config))  # JSON is YAML
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
            stdout=log,
            stderr=log,
        )
    try:
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        await until(prometheus.is_ready)
        yield prometheus
    finally:
        process.terminate()
        await process.wait()
