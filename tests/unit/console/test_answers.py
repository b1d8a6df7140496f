"""Whether a client has an answer already, as its header says."""

import pytest
from starlette.requests import Request

from console.api.answers import answered

DATA = {"a": 1}


def asking(*if_none_match: str) -> Request:
    """Return a question with the header as often as it is given."""
    headers = [(b"if-none-match", each.encode()) for each in if_none_match]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


TAG = answered(asking(), DATA).headers["ETag"]


@pytest.mark.parametrize(
    "given",
    [(TAG,), (f"W/{TAG}",), ("*",), (f'"other",{TAG}',), ('"other"', f'W/"x", {TAG}')],
)
def test_who_names_its_tag_has_it(given: tuple[str, ...]) -> None:
    answer = answered(asking(*given), DATA)
    assert (answer.status_code, answer.body, answer.headers["ETag"]) == (304, b"", TAG)


@pytest.mark.parametrize("given", [(), ("",), ('"other"',), (TAG.strip('"'),), ('"*"',)])
def test_who_names_another_one_has_it_not(given: tuple[str, ...]) -> None:
    answer = answered(asking(*given), DATA)
    assert (answer.status_code, answer.headers["ETag"]) == (200, TAG)
