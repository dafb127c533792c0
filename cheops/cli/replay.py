"""replay: a stored decision, run again on the evidence that it names."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from cheops.cli.layout import Command, examples
from cheops.cli.options import AsciiOption, Output, OutputOption, RulesOption, ServerOption, SiteOption


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    app.command(
        cls=Command,
        epilog=examples("cheops replay i-5d0e12ab90", "cheops replay i-5d0e12ab90 --with widgets.yaml"),
        rich_help_panel="Verdicts",
    )(replay)


def replay(
    intent_id: Annotated[str, typer.Argument(help="The intent's id, as in i-5d0e…", metavar="ID")],
    revision: Annotated[int, typer.Option("--revision", help="Which decision; the last one by default.", min=0)] = 0,
    policy: Annotated[
        Optional[str],  # noqa: UP045 – typer reads annotations in this form only
        typer.Option("--policy", help="The policy file that was in force.", metavar="FILE"),
    ] = None,
    rule_file: RulesOption = None,
    site: SiteOption = None,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """Run a decision again on the state at its cursor.

    Exits 0 when the bytes are the same, 1 when they differ, 2 when it cannot be run again (and says why).
    """
    from pathlib import Path

    from cheops.cli.failures import BadInputError
    from cheops.cli.render.output import document, say
    from cheops.cli.render.replay import body, lines
    from cheops.cli.render.signs import signs_for
    from cheops.cli.running import with_mesh
    from cheops.offline.rules import rule_sources
    from schemas.policy import load_policy
    from schemas.relations.loader import load_catalogue
    from services.chassis.errors import CheopsError
    from services.resolver.judge.policy import Policy

    in_force = Policy(load_policy(Path(policy))) if policy else Policy()
    catalogue = load_catalogue(rule_sources(rule_file or ()))

    try:
        found = with_mesh(
            lambda mesh: mesh.replay(intent_id, policy=in_force, catalogue=catalogue, site=site, revision=revision),
            server,
            site,
        )
    except CheopsError as error:  # not 1: who asks whether a decision still holds takes that for a difference
        raise BadInputError(str(error)) from error
    if output is Output.TEXT:
        say(lines(found, signs_for(ascii_only)))
    else:
        document(body(found), output)
    raise typer.Exit(0 if found.same else 1)
