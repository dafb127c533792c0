"""relations: the relationships of manifests, without any cluster or server."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from cheops.cli.layout import Command, examples
from cheops.cli.options import FILES, Output, OutputOption, RulesOption


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    app.command(
        cls=Command,
        epilog=examples(
            "cheops relations -f shop.yaml",
            "cheops relations -f shop/ -o json",
            "cheops relations --rules",
            "cheops relations --rules -o json",
        ),
        rich_help_panel="Offline",
    )(relations)


def relations(
    filename: Annotated[
        Optional[list[str]],  # noqa: UP045 – typer reads annotations in this form only
        typer.Option(*FILES, help="A file, a folder, or - for standard input.", metavar="PATH"),
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="Print the catalogue of rules instead.")] = False,
    rule_file: RulesOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """The relationships of manifests, offline. With -o json one object a line (relation/v1; of --rules rule/v1)."""
    from cheops.cli.failures import BadInputError

    if rules and filename:
        raise BadInputError("--rules prints the catalogue, -f reads manifests: expected one of them")
    if rules:
        from cheops.cli.relating import print_rules

        print_rules(output, rule_file or ())
        return
    if not filename:
        raise BadInputError("what should be read? (-f FILE, -f FOLDER, -f - for standard input, or --rules)")
    from cheops.cli.relating import print_relations
    from services.resolver.uncollected import Uncollected

    with Uncollected():
        print_relations(filename, output, rule_file or ())
