"""sites and doctor: how the mesh is, and what is wrong with my set-up."""

from __future__ import annotations

from typing import Final

import typer

from cheops.cli.layout import Command, examples
from cheops.cli.options import AsciiOption, Output, OutputOption, ServerOption

FAMILY: Final = "The mesh"


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    app.command(cls=Command, epilog=examples("cheops sites", "cheops sites -o json"), rich_help_panel=FAMILY)(sites)
    app.command(cls=Command, epilog=examples("cheops doctor"), rich_help_panel=FAMILY)(doctor)


def sites(output: OutputOption = Output.TEXT, ascii_only: AsciiOption = False, server: ServerOption = None) -> None:
    """Every site: how fresh its knowledge is, its size, what it cannot see.

    AGE is that of the evidence, KINDS how many are observed, MISSING how many references lead nowhere.
    Exit 1 when an expected site is silent.
    """
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.render.sites import table
    from cheops.cli.running import with_mesh
    from cheops.mesh import Mesh
    from schemas.queries import SiteStatus

    async def ask(mesh: Mesh) -> tuple[list[SiteStatus], tuple[str, ...]]:
        return await mesh.sites(), mesh.expected_sites

    found, expected = with_mesh(ask, server)
    silent = sorted(set(expected) - {status.site for status in found})
    if output is Output.TEXT:
        say(table(found, silent, signs_for(ascii_only)))
    else:
        rows = [status.model_dump(mode="json", by_alias=True) for status in found]
        document({"schema": "sites/v1", "sites": rows, "silent": silent}, output)
    if silent or not found:
        raise typer.Exit(1)


def doctor(output: OutputOption = Output.TEXT, ascii_only: AsciiOption = False, server: ServerOption = None) -> None:
    """Check the set-up, one line a finding with what to do.

    Python, packages, context file, bus, and each site's services. Exit 1 when something is wrong.
    """
    from cheops.cli.examining import examine
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for

    signs = signs_for(ascii_only)
    findings = examine(server)
    if output is Output.TEXT:
        say(
            f"{signs.paint(signs.allow, 'green') if good else signs.paint(signs.deny, 'red')} {text}"
            for good, text in findings
        )
    else:
        rows = [{"good": good, "finding": text} for good, text in findings]
        document({"schema": "findings/v1", "findings": rows}, output)
    if not all(good for good, _ in findings):
        raise typer.Exit(1)
