"""The verbs that start things or set them up: demo, up, worker, migrate, topics."""

from typing import Annotated, Literal

import typer

from rollguard.cli.options import direct_settings, run


def demo() -> None:
    """Run real tools on an embedded stack, break some, and watch Rollguard roll them back."""
    from rollguard.demo.demo import run_demo

    raise typer.Exit(run_demo())


def up() -> None:
    """Run the whole stack on this machine, until Ctrl-C."""
    in_force = direct_settings("up")
    from rollguard.embedded.up import run_up

    raise typer.Exit(run_up(in_force))


def worker(role: Literal["detector", "applier", "recorder", "bridge", "notifier"]) -> None:
    """Run one role against the configured Kafka and Postgres, until SIGTERM or Ctrl-C."""
    in_force = direct_settings("worker")
    from agents.worker.process import run_worker

    raise typer.Exit(run_worker(role, in_force))


def console() -> None:
    """Serve the HTTP API of the console, until SIGTERM or Ctrl-C."""
    in_force = direct_settings("console")
    from console.web.server import run_console

    raise typer.Exit(run_console(in_force))


def migrate() -> None:
    """Create or update the schema in Postgres."""
    from rollguard.operations.setup import migrate_database
    from rollguard.printing import print_line

    for name in run(migrate_database(direct_settings("migrate"))):
        print_line(f"applied {name}")


def topics(
    grow: Annotated[
        bool,
        typer.Option(
            "--grow",
            help="First add partitions to existing topics, up to ROLLGUARD_PARTITIONS. Read "
            "docs/how-to/add-partitions.md before.",
        ),
    ] = False,
    republish: Annotated[
        bool,
        typer.Option(
            "--republish",
            help="Then publish the current version of every tool from Postgres. Use it if topics "
            "were lost or are new.",
        ),
    ] = False,
    bridge: Annotated[
        bool,
        typer.Option(
            "--bridge",
            help="Also create the topic of spans that the bridge reads (ROLLGUARD_BRIDGE_TOPIC). "
            "Needed if the Collector may not create it.",
        ),
    ] = False,
) -> None:
    """Create the topics that do not exist yet."""
    from rollguard.operations.republish import republish_versions
    from rollguard.operations.setup import (
        add_missing_partitions,
        create_missing_topic_of_spans,
        create_missing_topics,
    )
    from rollguard.printing import print_line

    in_force = direct_settings("topics")
    if grow:
        for name, before in run(add_missing_partitions(in_force)).items():
            print_line(f"{name}: {in_force.partitions} partitions (before: {before})")
    for name in run(create_missing_topics(in_force)):
        print_line(f"created {name}")
    for name in run(create_missing_topic_of_spans(in_force)) if bridge else ():
        print_line(f"created {name}")
    if republish:
        print_line(f"published {run(republish_versions(in_force))} versions")
