"""Versions and commands as people name them."""

from uuid import UUID

import pytest
import typer

from rollguard.cli.options import version_name_of
from rollguard.operations.rollbacks import id_beginning
from rollguard.operations.versions import VersionName

ID = "840d7da3-6f33-507d-9c81-206b9a0286ee"


def test_a_version_is_named_by_its_number_or_its_id() -> None:
    assert version_name_of("v2") == version_name_of("V2") == VersionName(number=2)
    assert version_name_of("7") == VersionName(version_id=7)


@pytest.mark.parametrize("text", ["", "v", "two", "v-1", "-1", "2.0", "v2 ", "٧", "vv2", "1" * 11])
def test_what_names_no_version(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no version"):
        version_name_of(text)


def test_every_beginning_of_an_id_is_taken() -> None:
    digits = UUID(ID).hex
    for text in (ID[:count] for count in range(1, 37)):
        assert digits.startswith(id_beginning(text))
        assert id_beginning(text.upper()) == id_beginning(text)
    assert id_beginning(digits) == digits
    assert id_beginning(digits[:20]) == digits[:20]


@pytest.mark.parametrize(
    "text", ["", "-", "84-0d", "840d7da36-f33", "zz", f"{ID}0", f"{ID}-", " 84"]
)
def test_what_begins_no_id(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (UUID has texts of its own)
        id_beginning(text)
