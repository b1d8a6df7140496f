"""What stays of a failure without its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.failures.error_class import is_signature_error, label_of
from schemas.failures.kept_class import kept_class


@pytest.mark.parametrize(
    ("error_type", "error", "kept"),
    [
        (None, "TypeError: Ann's card 4711 is no number", "TypeError"),
        ("pkg.errors.QuotaError", "Ann has no quota", "QuotaError"),
        (None, "Ann's card was refused", None),
        ("Ann's card was refused", None, None),
        ("ann@example.org", "x", None),
        ("E" * 201, None, None),
        (None, None, None),
        (
            None,
            "ExceptionGroup('Ann', [TypeError('4711')])",
            "ExceptionGroup[TypeError]",
        ),
    ],
)
def test_only_a_class_is_kept(error_type: str | None, error: str | None, kept: str | None) -> None:
    assert kept_class(error_type, error) == kept


texts = st.none() | st.text(st.characters(exclude_characters="\0"))
"""A message has no NUL: it becomes U+2400 when the message is read."""


@given(texts, texts)
def test_the_same_failure_is_read_from_it(error_type: str | None, error: str | None) -> None:
    kept = kept_class(error_type, error)
    before = label_of(error_type, error)
    assert is_signature_error(label_of(kept, None)) == is_signature_error(before)
    assert kept is None or label_of(kept, None) == before
