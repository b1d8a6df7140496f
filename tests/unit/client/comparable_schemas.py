"""JSON Schemas of pydantic and of msgspec in one form, in which they can be compared."""

from typing import Any, Final

_SAYS: Final = ("description", "title", "default", "discriminator", "$defs")
"""Parts of a schema that allow and forbid nothing."""


class Comparable:
    """Schemas with these definitions. ``is_open``: a word may be any word.

    That a field may be null says no more than that it may be left out.
    """

    def __init__(self, definitions: dict[str, Any], *, is_open: bool) -> None:
        self._definitions = definitions
        self._is_open = is_open

    def of(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return what a schema allows."""
        if "$ref" in schema:
            return self.of(self._definitions[schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return self._one_of(schema["anyOf"])
        if "const" in schema or "enum" in schema:
            return self._words(schema.get("enum", [schema.get("const")]))
        found = {name: self._part(name, value) for name, value in schema.items()}
        return {name: value for name, value in found.items() if value is not None}

    def _one_of(self, schemas: list[dict[str, Any]]) -> dict[str, Any]:
        kinds = [self.of(each) for each in schemas if each != {"type": "null"}]
        return kinds[0] if len(kinds) == 1 else {"anyOf": sorted(kinds, key=str)}

    def _words(self, words: list[str]) -> dict[str, Any]:
        is_tag = words == ["activation"]
        return {"type": "string"} if self._is_open and not is_tag else {"enum": sorted(words)}

    def _part(self, name: str, value: Any) -> Any:
        """Return a part of a schema; None if it allows and forbids nothing."""
        if name in _SAYS:
            return None
        if name == "properties":
            return {field: self.of(each) for field, each in value.items()}
        if name == "required":
            return sorted(set(value) - {"kind"}) or None  # msgspec requires the tag
        if name == "additionalProperties" and isinstance(value, bool):
            return None
        return self.of(value) if isinstance(value, dict) else value
