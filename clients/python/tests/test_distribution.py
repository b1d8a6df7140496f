"""The packages that come with the client."""

from importlib.metadata import requires

from packaging.requirements import Requirement


def required_by(package: str, found: set[str] | None = None) -> set[str]:
    """Return the names of the package and of all that it needs without an extra."""
    found = set() if found is None else found
    if package not in found:
        found.add(package)
        for each in map(Requirement, requires(package) or ()):
            if each.marker is None or each.marker.evaluate({"extra": ""}):
                required_by(each.name, found)
    return found


def test_few_packages_are_installed() -> None:
    assert required_by("rollguard-client") <= {
        "rollguard-client",
        *("aiokafka", "async-timeout", "packaging", "typing_extensions"),
        "msgspec",
    }
