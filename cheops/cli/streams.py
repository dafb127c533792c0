"""verdicts, alerts, show, explain: what was decided, what broke, and what a code means."""

from __future__ import annotations

import sys
from typing import Annotated, Final, Optional

import typer

from cheops.cli.layout import Command, examples
from cheops.cli.options import AsciiOption, Decision, Output, OutputOption, ServerOption, SiteOption

FAMILY: Final = "Verdicts"

FollowOption = Annotated[bool, typer.Option("--follow", help="Go on with new ones until interrupted.")]
DecisionOption = Annotated[
    Optional[Decision],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Option("--decision", help="Only these."),
]
IntentArgument = Annotated[str, typer.Argument(help="The intent's id, as in i-5d0e…", metavar="ID")]


def _codes(incomplete: str) -> list[str]:
    """Completion: all codes."""
    from schemas.codes import CODES

    names = (f"{one.letter}{one.number}" for one in CODES)
    return [one for one in names if one.startswith(incomplete.upper())]


CodeArgument = Annotated[
    str, typer.Argument(help="D310; the letter may be left out.", autocompletion=_codes, metavar="CODE")
]


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    for command, shown in (
        (verdicts, ("cheops verdicts --follow", "cheops verdicts --site lyon --decision deny -o json")),
        (show, ("cheops show i-5d0e12ab90", "cheops show i-5d0e12ab90 --follow")),
        (cancel, ("cheops cancel i-5d0e12ab90",)),
        (explain, ("cheops explain D310", "cheops explain")),
        (alerts, ("cheops alerts --follow", "cheops alerts --site lyon -o json")),
    ):
        app.command(cls=Command, epilog=examples(*shown), rich_help_panel=FAMILY)(command)


def verdicts(
    follow: FollowOption = False,
    site: SiteOption = None,
    decision: DecisionOption = None,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """The verdicts of the last 30 days, and new ones with --follow.

    With -o json one verdict a line.
    """
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.render.verdict import one_line
    from cheops.cli.running import insist_on_all, with_mesh
    from cheops.mesh import Mesh

    signs = signs_for(ascii_only)

    async def run(mesh: Mesh) -> int:
        count = 0
        wanted = decision.value if decision else "*"
        async for verdict in mesh.verdicts(site=site or "*", decision=wanted, stored=True, follow=follow):
            count += 1
            if output is Output.TEXT:
                is_read = say([one_line(verdict, signs)])
            else:
                is_read = document(verdict.model_dump(mode="json", by_alias=True), output)
            if not is_read:
                break
        insist_on_all(mesh, "what was decided")
        return count

    if not with_mesh(run, server):
        sys.stderr.write("no verdict yet\n")


def alerts(
    follow: FollowOption = False,
    site: SiteOption = None,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """What broke outside an intent and what healed, in the last 7 days, and what stands; new ones with --follow.

    With -o json one alert a line.
    """
    from cheops.cli.render.alert import render
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.running import insist_on_all, with_mesh
    from cheops.mesh import Mesh

    signs = signs_for(ascii_only)

    async def run(mesh: Mesh) -> int:
        count = 0
        async for alert in mesh.alerts(site=site or "*", stored=True, follow=follow):
            count += 1
            if output is Output.TEXT:
                is_read = say(render(alert, signs))
            else:
                is_read = document(alert.model_dump(mode="json", by_alias=True), output)
            if not is_read:
                break
        insist_on_all(mesh, "what broke")
        return count

    if not with_mesh(run, server):
        sys.stderr.write("no alert in the last 7 days, and none that stands\n")


def show(
    intent_id: IntentArgument,
    follow: FollowOption = False,
    site: SiteOption = None,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """One intent, whole: what was asked, what was decided and why, what was done.

    The exit code is the last decision's, and of what became of it: 0 allow or done, 1 undone or failed, 3 deny,
    4 defer or not decided yet, 5 partly done.
    """
    from cheops.cli.running import with_mesh
    from cheops.cli.showing import show as show_chain

    raise typer.Exit(with_mesh(lambda mesh: show_chain(mesh, intent_id, follow, site, output, ascii_only), server))


def cancel(
    intent_id: IntentArgument,
    site: SiteOption = None,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """Give up an intent that is deferred: it will not be done, whatever happens."""
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.render.verdict import render
    from cheops.cli.running import with_mesh
    from cheops.mesh import Mesh

    async def run(mesh: Mesh) -> None:
        verdict = await mesh.cancel(intent_id, site=site)
        if output is Output.TEXT:
            say(render(verdict, signs_for(ascii_only)))
        else:
            document(verdict.model_dump(mode="json", by_alias=True), output)

    with_mesh(run, server, site)


def explain(code: CodeArgument = "", output: OutputOption = Output.TEXT) -> None:
    """What a code means, why it matters, what to do. Without a code: all of them."""
    from cheops.cli.failures import BadInputError
    from cheops.cli.render.code import WIDTH, body, listing, page
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from schemas import codes

    found = codes.find(code) if code else None
    if code and found is None:
        raise BadInputError(f"no code {code!r} (cheops explain lists them)")
    if output is not Output.TEXT:
        document(body(found) if found else {"schema": "codes/v1", "codes": list(map(body, codes.CODES))}, output)
    else:
        width = min(signs_for(False).width or WIDTH, WIDTH)
        say(page(found, width) if found else listing(width))
