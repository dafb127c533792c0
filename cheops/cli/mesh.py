"""sites and doctor: how the mesh is, and what is wrong with my set-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from cheops.cli.layout import Command, examples
from cheops.cli.options import AsciiOption, Output, OutputOption, ServerOption

if TYPE_CHECKING:
    from cheops.cli.render.signs import Signs

FAMILY: Final = "The mesh"
WORDS: Final = {"peers": {"__all__": {"status"}}}  # of peers: they stand among the sites


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    app.command(cls=Command, epilog=examples("cheops sites", "cheops sites -o json"), rich_help_panel=FAMILY)(sites)
    app.command(cls=Command, epilog=examples("cheops doctor"), rich_help_panel=FAMILY)(doctor)


def sites(output: OutputOption = Output.TEXT, ascii_only: AsciiOption = False, server: ServerOption = None) -> None:
    """Every site: how fresh its knowledge is, its size, what it cannot see; and the links between sites.

    AGE is that of the evidence, KINDS how many are observed, MISSING how many references lead nowhere.
    OUTBOX is what waits for the site that a link leads to: how many messages, how old the oldest is.
    Exit 1 when an expected site is silent.
    """
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.render.sites import links_table, table
    from cheops.cli.running import with_mesh
    from cheops.overview import overview

    found = with_mesh(overview, server)
    if output is Output.TEXT:
        signs = signs_for(ascii_only)
        say([*table(found.sites, found.silent, signs), *links_table(found.links, signs)])
    else:
        rows = [status.model_dump(mode="json", by_alias=True) for status in found.sites]
        links = [one.model_dump(mode="json", by_alias=True, exclude=WORDS) for one in found.links]
        document({"schema": "sites/v1", "sites": rows, "silent": list(found.silent), "links": links}, output)
    if found.silent or not found.sites:
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
        say(line for good, text in findings for line in _finding(good, text, signs))
    else:
        rows = [{"good": good, "finding": text} for good, text in findings]
        document({"schema": "findings/v1", "findings": rows}, output)
    if not all(good for good, _ in findings):
        raise typer.Exit(1)


def _finding(good: bool, text: str, signs: Signs) -> list[str]:
    sign, style = (signs.allow, "green") if good else (signs.deny, "red")
    first, *rest = signs.wrapped(f"{sign} {text}", "  ")
    return [first.replace(sign, signs.paint(sign, style), 1), *rest]
