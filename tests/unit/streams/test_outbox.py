"""Publishing to a topic to which a user may have no right."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import TopicAuthorizationFailedError, UnknownError
from faust.exceptions import ProducerSendError

from streams.driver.outbox import Outbox, Outgoing
from streams.waits import Waits


def _outbox(error: Exception | None) -> Outbox:
    async def send(*_: Any) -> Any:
        if error is not None:
            raise error

        async def acknowledged() -> None:
            return

        return acknowledged()

    driver = SimpleNamespace(producer=SimpleNamespace(send=send))
    return Outbox(driver, Waits())  # type: ignore[arg-type]


def _wrapped(cause: Exception) -> Exception:
    error = ProducerSendError(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_published"),
    [
        (None, True),
        (TopicAuthorizationFailedError("outages"), False),
        (_wrapped(TopicAuthorizationFailedError("outages")), False),
    ],
)
async def test_a_topic_that_may_not_be_written_is_said(
    error: Exception | None, is_published: bool
) -> None:
    message = Outgoing("outages", b"key", b"value")
    assert await _outbox(error).publish_if_permitted([message]) is is_published


@pytest.mark.parametrize("error", [UnknownError("x"), _wrapped(UnknownError("x"))])
async def test_any_other_error_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        await _outbox(error).publish_if_permitted([Outgoing("outages", b"key", b"value")])
