"""The version that was active at a time, compared with all activations."""

from hypothesis import given
from hypothesis import strategies as st

from rollguard_client.spans.active_versions import ActiveVersions

_ACTIVATIONS = st.dictionaries(st.integers(1, 30), st.integers(0, 20), max_size=12)


@given(activations=_ACTIVATIONS, order=st.randoms(), time_us=st.integers(-1, 21))
def test_it_is_that_of_the_last_activation_made_by_then(
    activations: dict[int, int], order: object, time_us: int
) -> None:
    versions = ActiveVersions()
    noted = list(activations.items()) * 2  # versions are republished
    order.shuffle(noted)  # type: ignore[attr-defined]
    for number, at_us in noted:
        versions.note("words", number, at_us, 100 + number)
    made = [number for number, at_us in activations.items() if at_us <= time_us]
    assert versions.at("words", time_us) == (100 + max(made) if made else None)
    assert versions.at("other", time_us) is None


def test_a_straggler_of_the_old_version_and_a_call_of_the_new_one() -> None:
    versions = ActiveVersions()
    versions.note("words", 1, 1_000, 11)
    versions.note("words", 2, 2_000, 12)
    versions.note("words", 3, 3_000, 11)  # rolled back
    assert [versions.at("words", at) for at in (999, 1_000, 1_999, 2_000, 2_999, 3_000)] == [
        None,
        11,
        11,
        12,
        12,
        11,
    ]


def test_only_the_last_activations_are_kept() -> None:
    versions = ActiveVersions()
    for number in range(1, 1_001):
        versions.note("words", number, number, number)
    assert versions.at("words", 900) is None
    assert versions.at("words", 901) == 901
    assert versions.at("words", 5_000) == 1_000
