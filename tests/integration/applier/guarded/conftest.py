"""The applier under policy `guarded`."""

import pytest

from db.postgres.pool import Pool
from tests.support.systems.guarded_applier import Guarded


@pytest.fixture
def guarded(pool: Pool) -> Guarded:
    return Guarded(pool)
