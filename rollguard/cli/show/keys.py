"""The output of ``keys``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rollguard.operations.keys import ListedKey, ShownKey
from rollguard.printing import print_json, print_note, print_pairs, print_table
from rollguard_client.signatures.trust_file import AuthorKey, TrustedKey


def show_generated(entries: Sequence[TrustedKey], file: Path, as_json: bool) -> None:
    """Print the id of a new key and what it may say; on stderr, what to do with it."""
    if as_json:
        print_json([_data_of(each) for each in entries])
    else:
        print_table(("key id", "role", "name", "tools"), map(_row_of, entries))
    print_note(
        f"the private key is in {file}. Distribute the trust file with the configuration, and "
        "start again what reads it"
    )


def show_key(found: ShownKey, as_json: bool) -> None:
    """Print a public key as the trust file has it."""
    data = {"key_id": found.key.keyid, "key": found.key.to_dict(), "roles": list(found.roles)}
    if as_json:
        print_json(data)
        return
    print_pairs(data | {"roles": ", ".join(found.roles) or "not in the trust file"})


def show_keys(found: Sequence[ListedKey], as_json: bool) -> None:
    """Print a line for each entry of the trust file."""
    if as_json:
        print_json(
            [
                _data_of(each.entry) | {"validity": each.validity, "is_ours": each.is_ours}
                for each in found
            ]
        )
        return
    print_table(
        ("key id", "role", "name", "tools", ("from", "until"), "now", "ours"),
        (
            (
                *_row_of(each.entry),
                each.entry.not_before,
                each.entry.not_after,
                each.validity,
                "yes" if each.is_ours else None,
            )
            for each in found
        ),
    )


def _data_of(entry: TrustedKey) -> dict[str, Any]:
    return {"key_id": entry.key.keyid} | entry.to_data()


def _row_of(entry: TrustedKey) -> tuple[Any, ...]:
    tools = entry.tools if isinstance(entry, AuthorKey) else None
    name = f"{entry.name} ({entry.kind})" if isinstance(entry, AuthorKey) else entry.name
    return entry.key.keyid, entry.role, name, tools
