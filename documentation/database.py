"""The reference of the database: tables and views as the migrations leave them."""

import re
from typing import Final, NamedTuple

from documentation.markdown import code, code_block, table
from documentation.source import ROOT

_MIGRATIONS: Final = ROOT / "db" / "migrations"
_CREATE_TABLE: Final = re.compile(r"create table (?:if not exists )?(\w+) \((.*?)\n\);", re.DOTALL)
_ALTER_TABLE: Final = re.compile(r"alter table (\w+)\s(.*?);", re.DOTALL)
_ADD_COLUMN: Final = re.compile(r"add column (\w+) ([^,;]+(?:\([^)]*\)[^,;]*)*)")
_VIEW: Final = re.compile(r"create (?:or replace )?view (\w+) as\n(.*?);", re.DOTALL)
_COMMENT: Final = re.compile(r"comment on (column|table) ([\w.]+) is\s+'((?:[^']|'')*)'")
_NO_COLUMN: Final = ("unique", "primary", "check", "constraint", "foreign")


class Table(NamedTuple):
    """A table: its columns with their types, by name."""

    name: str
    columns: dict[str, str]


def tables() -> list[Table]:
    """Return the tables in the order in which the migrations create them.

    What was a table and is a view now is left out.
    """
    found: dict[str, Table] = {}
    for sql in _migrations():
        for name, body in _CREATE_TABLE.findall(sql):
            found[name] = Table(name, _columns(body))
        for name, body in _ALTER_TABLE.findall(sql):
            if name in found:
                found[name].columns.update(
                    (column, " ".join(kind.split())) for column, kind in _ADD_COLUMN.findall(body)
                )
    return [each for each in found.values() if each.name not in views()]


def views() -> dict[str, str]:
    """Return the query of each view, the newest definition of it."""
    return {name: query for sql in _migrations() for name, query in _VIEW.findall(sql)}


def database_reference() -> str:
    """Return a section for each table and view."""
    comments = _comments()
    parts = []
    for each in tables():
        parts.append(f"### {each.name}")
        if each.name in comments:
            parts.append(f"{comments[each.name]}.")
        rows = [
            (code(name), code(kind), comments.get(f"{each.name}.{name}", ""))
            for name, kind in each.columns.items()
        ]
        parts.append(table(("column", "type", "meaning"), rows))
    parts.append("## Views")
    for name, query in views().items():
        parts += [f"### {name}", code_block("sql", query)]
    return "\n\n".join(parts)


def _migrations() -> list[str]:
    return [_without_remarks(path.read_text()) for path in sorted(_MIGRATIONS.glob("*.sql"))]


def _without_remarks(sql: str) -> str:
    return re.sub(r"^\s*--.*\n", "", sql, flags=re.MULTILINE)


def _columns(body: str) -> dict[str, str]:
    found = {}
    for part in re.split(r",\n", body):
        name, _, kind = " ".join(part.split()).partition(" ")
        if name and name not in _NO_COLUMN:
            found[name] = kind
    return found


def _comments() -> dict[str, str]:
    return {
        name: text.replace("''", "'")
        for sql in _migrations()
        for _, name, text in _COMMENT.findall(sql)
    }
