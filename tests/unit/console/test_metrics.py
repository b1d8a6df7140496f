"""`/metrics` of the console: who may ask, and that no path adds a series."""

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.support.consoles.pages import TOKEN, VIEWER, browser

NAME = "rollguard_http_requests_total"


async def requests_of(client: httpx2.AsyncClient) -> dict[tuple[str, str, str], float]:
    """Return the counted requests by method, route and status."""
    answer = await client.get("/metrics", headers={"Authorization": f"Bearer {VIEWER}"})
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (each.labels["method"], each.labels["route"], each.labels["status"]): each.value
        for family in text_string_to_metric_families(answer.text)
        for each in family.samples
        if each.name == NAME
    }


async def test_it_needs_a_token_and_the_one_that_may_read_is_enough() -> None:
    async with browser(web_token=TOKEN, web_viewer_token=VIEWER) as client:
        wrong = await client.get("/metrics", headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401
        for token in (TOKEN, VIEWER):
            answer = await client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
            assert 'rollguard_build_info{role="console"' in answer.text


async def test_whatever_is_asked_there_are_only_templates_and_known_methods() -> None:
    async with browser(web_token=TOKEN, web_viewer_token=VIEWER) as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for path in (
            "/nothing",
            "/no/way/%00",
            "/api/v1/nothing",
            "/api/v1/tools/x/executions?limit=0",
        ):
            await client.get(path, headers=headers)
        for method in ("BREW", "X" * 200):
            await client.request(method, "/api/v1/tools", headers=headers)
        await client.get("/api/v1/tools", headers={"Accept": "application/json"})
        found = await requests_of(client)
    assert {method for method, _, _ in found} == {"GET", "other"}
    assert found["GET", "none", "404"] == 3
    assert found["GET", "none", "401"] >= 1
    routes = {route for _, route, _ in found}
    executions = "/api/v1/tools/{tool}/executions"
    assert found["GET", executions, "422"] == 1
    assert routes <= {"none", "/metrics", "/api/v1/tools", executions}
