"""sites and doctor: how the mesh is, and what is wrong with my set-up."""

from __future__ import annotations

import typer

from cheops.cli.options import AsciiOption, Output, OutputOption, ServerOption


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    app.command()(sites)
    app.command()(doctor)


def sites(output: OutputOption = Output.TEXT, ascii_only: AsciiOption = False, server: ServerOption = None) -> None:
    """Every site: how fresh its knowledge is, its size, what it cannot see. Exit 1 when an expected one is silent."""
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
        document([status.model_dump(mode="json", by_alias=True) for status in found], output)
    if silent or not found:
        raise typer.Exit(1)


def doctor(ascii_only: AsciiOption = False, server: ServerOption = None) -> None:
    """Check the set-up, one line a finding with what to do. Exit 1 when something is wrong."""
    from cheops.cli.examining import examine
    from cheops.cli.render.output import say
    from cheops.cli.render.signs import signs_for

    signs = signs_for(ascii_only)
    findings = examine(server)
    for good, text in findings:
        say([f"{signs.paint(signs.allow, 'green') if good else signs.paint(signs.deny, 'red')} {text}"])
    if not all(good for good, _ in findings):
        raise typer.Exit(1)
