"""The queries of our alert rules and of our board, and which metrics and labels they name."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML

from tests.support.prometheus.programs import ROOT

RULES: Final = ROOT / "compose" / "prometheus" / "rules.yaml"
BOARD: Final = ROOT / "compose" / "grafana" / "board.json"

_STRING: Final = re.compile(r'"[^"]*"')
_RANGE: Final = re.compile(r"\[[^\]]*\]")
_SELECTOR: Final = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_GROUPING: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)")
_NAME: Final = re.compile(r"(?<![\w:$])([a-zA-Z_:][\w:]*)\b(?!\s*\()")
_WORDS: Final = frozenset(
    {
        *("and", "or", "unless", "bool", "offset", "inf", "nan"),
        *("by", "without", "on", "ignoring", "group_left", "group_right"),
    }
)


class Query(NamedTuple):
    """A query, and where it stands."""

    place: str
    text: str

    @property
    def runnable(self) -> str:
        """The query without the variables of Grafana."""
        return self.text.replace("$__rate_interval", "1m").replace("$__interval", "15s")

    @property
    def metrics(self) -> set[str]:
        """The names of the series that it reads."""
        text = _GROUPING.sub("", _RANGE.sub("", _STRING.sub('""', self.text)))
        text = re.sub(r"\{[^}]*\}", "", text)
        return {each for each in _NAME.findall(text) if each.lower() not in _WORDS}

    @property
    def labels(self) -> set[str]:
        """The labels by which it selects or groups."""
        text = _STRING.sub('""', self.text)
        found = {
            re.split("[=!]", part)[0].strip()
            for _, parts in _SELECTOR.findall(text)
            for part in parts.split(",")
        }
        for names in _GROUPING.findall(text):
            found |= {each.strip() for each in names.split(",")}
        return found - {""}


@cache
def rules() -> list[dict[str, Any]]:
    """Return all rules, those that record and those that alert."""
    loaded = YAML(typ="safe").load(RULES)
    return [rule for group in loaded["groups"] for rule in group["rules"]]


@cache
def alerts() -> list[dict[str, Any]]:
    """Return the rules that alert."""
    return [rule for rule in rules() if "alert" in rule]


@cache
def board() -> dict[str, Any]:
    """Return the board."""
    loaded: dict[str, Any] = json.loads(BOARD.read_text("utf-8"))
    return loaded


def queries() -> Iterator[Query]:
    """Yield every query of the rules and of the board."""
    for rule in rules():
        yield Query(rule.get("alert") or rule["record"], rule["expr"])
    for panel in board()["panels"]:
        for target in panel.get("targets", ()):
            yield Query(panel["title"], target["expr"])
    for annotation in board()["annotations"]["list"]:
        yield Query(annotation["name"], annotation["expr"])
