"""verdicts, alerts, show, explain: what was decided, what broke, and what a code means."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from cheops.cli.options import AsciiOption, Decision, Output, OutputOption, ServerOption, SiteOption

FollowOption = Annotated[bool, typer.Option("--follow", help="Go on with new ones until interrupted.")]
DecisionOption = Annotated[
    Optional[Decision],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Option("--decision", help="Only these."),
]


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    app.command()(verdicts)
    app.command()(alerts)
    app.command()(show)
    app.command()(cancel)
    app.command()(explain)


def verdicts(
    follow: FollowOption = False,
    site: SiteOption = None,
    decision: DecisionOption = None,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """The verdicts of the last 30 days, and new ones with --follow."""
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.render.verdict import one_line
    from cheops.cli.running import with_mesh
    from cheops.mesh import Mesh

    signs = signs_for(ascii_only)

    async def run(mesh: Mesh) -> None:
        wanted = decision.value if decision else "*"
        async for verdict in mesh.verdicts(site=site or "*", decision=wanted, stored=True, follow=follow):
            if output is Output.TEXT:
                say([one_line(verdict, signs)])
            else:
                document(verdict.model_dump(mode="json", by_alias=True), output)

    with_mesh(run, server)


def alerts(
    follow: FollowOption = False,
    site: SiteOption = None,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """What broke outside an intent and what healed, in the last 7 days; new ones with --follow."""
    from cheops.cli.render.alert import render
    from cheops.cli.render.output import document, say
    from cheops.cli.render.signs import signs_for
    from cheops.cli.running import with_mesh
    from cheops.mesh import Mesh

    signs = signs_for(ascii_only)

    async def run(mesh: Mesh) -> None:
        async for alert in mesh.alerts(site=site or "*", stored=True, follow=follow):
            if output is Output.TEXT:
                say(render(alert, signs))
            else:
                document(alert.model_dump(mode="json", by_alias=True), output)

    with_mesh(run, server)


def show(
    intent_id: Annotated[str, typer.Argument(help="The intent's id, as in i-5d0e…", metavar="ID")],
    follow: FollowOption = False,
    site: SiteOption = None,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """The chain of one intent: what was asked, what was decided and why, what was done."""
    from cheops.cli.running import with_mesh
    from cheops.cli.showing import show as show_chain

    raise typer.Exit(with_mesh(lambda mesh: show_chain(mesh, intent_id, follow, site, output, ascii_only), server))


def cancel(
    intent_id: Annotated[str, typer.Argument(help="The intent's id, as in i-5d0e…", metavar="ID")],
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


def explain(
    code: Annotated[str, typer.Argument(help="For example D310; the letter may be left out.", metavar="CODE")] = "",
) -> None:
    """What a code means, why it matters, what to do. Without a code: all of them."""
    from cheops.cli.failures import BadInputError
    from cheops.cli.render.code import listing, page
    from cheops.cli.render.output import say
    from schemas import codes

    if not code:
        say(listing())
        return
    found = codes.find(code)
    if found is None:
        raise BadInputError(f"no code {code!r} (cheops explain lists them)")
    say(page(found))
