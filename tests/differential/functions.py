"""Pairs of versions of one function: its parameters, and what a call returns."""

from random import Random
from typing import Final

from tests.differential.pair import Pair
from tests.differential.parameters import Parameters, changed_parameters, random_parameters
from tests.differential.spelling import placed

_IMPORTS: Final = "import contextlib\nimport functools\nimport os\nimport sys\nimport typing\n"
_RESULTS: Final = ("value", "coroutine", "generator", "async generator", "context manager")


def function_pair(random: Random) -> Pair:
    """Return two versions of a function ``f``."""
    parameters = changed = random_parameters(random)
    result = new_result = random.choice((*["value"] * 6, *_RESULTS))
    for _ in range(random.choice((0, 1, 1, 2))):
        changed = changed_parameters(random, changed)
    if random.random() < 0.15:
        new_result = random.choice(_RESULTS)
    if {result, new_result} == {"value", "context manager"}:
        new_result = result  # a function that returns a value may return a context manager
    calls = tuple(f"m.f({arguments})" for arguments in parameters.calls())
    old = _source(random, parameters, result)
    return Pair(old, _source(random, changed, new_result), calls)


def _source(random: Random, parameters: Parameters, result: str) -> str:
    text = parameters.text()
    if result == "value":
        written = random.choice(_VALUES).format(p=text)
    else:
        written = random.choice(_OTHERS[result]).format(p=text)
    return _IMPORTS + placed(random, written, "def f(decoy): return decoy\n")


_VALUES: Final = (
    "def f({p}): return dict(locals())\n",
    "def f({p}):\n    return dict(locals())\n",
    "f = lambda {p}: dict(locals())\n",
    "def _f({p}): return dict(locals())\nf = _f\n",
    "def _f({p}): return dict(locals())\nf = functools.lru_cache(_f)\n",
    "@functools.lru_cache\ndef f({p}): return dict(locals())\n",
    "def _f(first, /, {p}): return dict(locals())\nf = functools.partial(_f, 0)\n",
    "class _T:\n    @staticmethod\n    def f({p}): return dict(locals())\nf = _T.f\n",
    "class _T:\n    @staticmethod\n    def f({p}): return dict(locals())\nf = _T().f\n",
    "class _T:\n    @staticmethod\n    def __call__({p}): return dict(locals())\nf = _T()\n",
    "@typing.overload\ndef f(x: int, y: str): ...\n@typing.overload\ndef f(x: str): ...\n"
    "def f({p}): return dict(locals())\n",
)
_OTHERS: Final = {
    "coroutine": (
        "async def f({p}): return dict(locals())\n",
        "async def _f(seen): return seen\ndef f({p}): return _f(locals())\n",
        "async def _f(seen): return seen\nf = lambda {p}: _f(locals())\n",
    ),
    "generator": (
        "def f({p}): yield dict(locals())\n",
        "f = lambda {p}: (yield dict(locals()))\n",
        "def f({p}): return (x for x in (locals(),))\n",
        "def _f(seen): yield seen\ndef f({p}): return _f(locals())\n",
    ),
    "async generator": (
        "async def f({p}): yield dict(locals())\n",
        "async def _f(seen): yield seen\ndef f({p}): return _f(locals())\n",
    ),
    "context manager": ("@contextlib.contextmanager\ndef f({p}): yield dict(locals())\n",),
}
