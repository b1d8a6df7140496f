"""The verbs about the keys of signatures: generate, show, list and adopt."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rollguard.cli.given_times import coming_time_of
from rollguard.cli.options import Json, direct_settings, name_of, run, settings

app = typer.Typer(
    no_args_is_help=True,
    help="Make, show and list the keys of signatures, and sign what is current.",
)

_WHEN = "A duration from now (365d), a day (2027-01-31), or a time (2027-01-31T03:00:00Z)."


@app.command("generate")
def generate(
    roles: Annotated[
        list[str],
        typer.Argument(
            metavar="ROLE...",
            help="What the key may say: author, applier, detector, person; several are possible.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The new file of the private key.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Option(help="In whose name; by default your login name, or the applier's role."),
    ] = None,
    kind: Annotated[
        Literal["human", "autonomous"], typer.Option(help="Who an author is.")
    ] = "human",
    tools: Annotated[
        list[str] | None,
        typer.Option(
            "--tools", help="Tools that an author may deploy, as a glob; may be repeated."
        ),
    ] = None,
    not_before: Annotated[str | None, typer.Option(help=f"Valid from then on. {_WHEN}")] = None,
    not_after: Annotated[str | None, typer.Option(help=f"Valid until then. {_WHEN}")] = None,
    as_json: Json = False,
) -> None:
    """Make an Ed25519 key: the private one in a new file, the public one in the trust file."""
    from rollguard.cli.show.keys import show_generated
    from rollguard.operations.keys import NewKey
    from rollguard.operations.keys import generate as make
    from rollguard_client.signatures.trust_file import ROLES

    known = [role for role in ROLES if role in roles]
    if unknown := set(roles) - set(known):
        raise typer.BadParameter(f"{min(unknown)!r} is none of the roles {', '.join(ROLES)}")
    is_of_person = "author" in known or "person" in known
    begins = None if not_before is None else coming_time_of("--not-before", not_before)
    ends = None if not_after is None else coming_time_of("--not-after", not_after)
    given = name or (name_of(None) if is_of_person else known[0])
    new = NewKey(known, given, kind, tools or ["*"], begins, ends)
    show_generated(make(settings(), new, out), out, as_json)


@app.command("show")
def show(
    file: Annotated[
        Path | None,
        typer.Argument(help="The file of a private key; by default ROLLGUARD_SIGNING_KEY."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the public key of a private one, and its roles in the trust file."""
    from rollguard.cli.show.keys import show_key
    from rollguard.operations.keys import shown

    show_key(shown(settings(), file), as_json)


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys of the trust file, and which of them are valid now."""
    from rollguard.cli.show.keys import show_keys
    from rollguard.operations.keys import listed

    show_keys(listed(settings()), as_json)


@app.command("adopt")
def adopt() -> None:
    """Sign the current version of every tool, and mend what a forged activation has done.

    Run it when signatures are switched on. It needs a key of the applier, and Postgres.
    """
    from rollguard.operations.keys import adopt as adopt_all
    from rollguard.printing import print_line

    number = run(adopt_all(direct_settings("keys adopt")), "Kafka and Postgres")
    print_line(f"signed {number} versions")
