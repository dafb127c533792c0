"""`cheops plan`: what would be done, or what is being done, step by step and site by site."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final, Optional

import typer

from cheops.cli.intents import FAMILY, ScopeOption, joined
from cheops.cli.layout import Command, examples
from cheops.cli.options import FILES, AsciiOption, NamespaceOption, PlanOutput, ServerOption, SiteOption

if TYPE_CHECKING:  # slow to import, and not needed to complete a command
    from schemas.outcomes import Outcome
    from schemas.verdicts import Verdict

WantedArgument = Annotated[
    Optional[str],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Argument(help="An intent: its plan in force, and what became of each step.", metavar="ID"),
]
FileOption = Annotated[
    Optional[list[str]],  # noqa: UP045 – as above
    typer.Option(*FILES, help="Manifests that would be applied.", metavar="PATH"),
]
DeleteOption = Annotated[
    Optional[list[str]],  # noqa: UP045 – as above
    typer.Option("--delete", help="What would be deleted.", metavar="KIND/NAME"),
]
OutputOption = Annotated[PlanOutput, typer.Option("--output", "-o", help="How to print it.")]
_EXAMPLES: Final = examples(
    "cheops plan -f shop.yaml --scope 'lyon & oslo'",
    "cheops plan --delete secret/edge-ca -n shop -o dot",
    "cheops plan -f shop.yaml --scope 'lyon & oslo' -o svg > plan.svg",
    "cheops plan i-5d0e12ab90",
)


def register(app: typer.Typer) -> None:
    """Add it to the command line."""
    app.command(cls=Command, epilog=_EXAMPLES, rich_help_panel=FAMILY)(plan)


def plan(
    intent_id: WantedArgument = None,
    filename: FileOption = None,
    delete: DeleteOption = None,
    namespace: NamespaceOption = "",
    site: SiteOption = None,
    scope: ScopeOption = None,
    output: OutputOption = PlanOutput.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """The steps of an intent by site, and what each waits for; of manifests, nothing is stored and nothing is done.

    Exit code: the decision's (0 allow, 3 deny, 4 defer).
    """
    from pathlib import Path

    from cheops.cli.failures import EXIT_BY_DECISION, BadInputError
    from cheops.cli.manifests import sendable_documents
    from cheops.cli.running import with_mesh
    from cheops.drafts import Intent
    from cheops.mesh import Mesh

    if sum(map(bool, (intent_id, filename, delete))) != 1:
        raise BadInputError("what? (-f PATH …, --delete KIND/NAME …, or the ID of an intent)")

    async def asked(mesh: Mesh) -> tuple[Verdict, dict[str, Outcome]]:
        if intent_id:
            chain = await mesh.show(intent_id, site=site)
            if not chain.verdicts:
                raise BadInputError(f"{intent_id} is not decided yet")
            last = chain.verdicts[-1]
            return last, {one.step: one for one in chain.outcomes if one.revision == last.revision}
        if delete:
            draft = Intent.delete(*joined(delete), namespace=namespace, scope=scope or "", preview=True)
        else:
            documents = sendable_documents([Path(one) for one in filename or ()], namespace)
            bodies = [one.body for one in documents]
            draft = Intent.apply(bodies, namespace=namespace, scope=scope or "", preview=True)
        return await mesh.preview(await mesh.enter(draft, site=site)), {}

    verdict, outcomes = with_mesh(asked, server, site)
    print_plan(verdict, outcomes, output, ascii_only)
    raise typer.Exit(EXIT_BY_DECISION[verdict.decision])


def print_plan(verdict: Verdict, outcomes: dict[str, Outcome], output: PlanOutput, ascii_only: bool) -> None:
    """As it was asked for: for people, as a document, or as a picture."""
    from cheops.cli.failures import NoGraphvizError
    from cheops.cli.render.output import document, say
    from cheops.cli.render.plan import plan_dot, plan_svg, plan_text, state_of
    from cheops.cli.render.signs import signs_for
    from cheops.cli.render.verdict import render

    signs = signs_for(ascii_only)
    if output in (PlanOutput.JSON, PlanOutput.YAML):
        steps = [one.model_dump(mode="json", by_alias=True) for one in verdict.plan]
        steps = [
            {**row, "state": state_of(one, outcomes) if outcomes else "planned"}
            for row, one in zip(steps, verdict.plan, strict=True)
        ]
        names = {"intent": verdict.intent, "revision": verdict.revision, "decision": verdict.decision}
        document({"schema": "plan/v1", **names, "undoes": verdict.undoes, "steps": steps}, output)
        return
    if output is PlanOutput.TEXT:
        say(plan_text(verdict, outcomes, signs) if verdict.plan else render(verdict, signs))
        return
    if not verdict.plan:  # a picture of no steps is one; why there are none is no part of it
        sys.stderr.writelines(f"{line}\n" for line in render(verdict, signs))
    if output is PlanOutput.DOT:
        say([plan_dot(verdict, outcomes)])
    else:
        try:
            say([plan_svg(verdict, outcomes)])
        except ImportError as error:
            raise NoGraphvizError(error) from error
