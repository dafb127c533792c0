"""heal: what was declared of replicas, parts and copies is applied again, by an intent like any other."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cheops.cli.intents import (
    FAMILY,
    BoundOption,
    NoWaitOption,
    OverrideOption,
    PreviewOption,
    ReasonOption,
    ScopeOption,
    TimeoutOption,
    joined,
    submit_draft,
)
from cheops.cli.layout import Command, examples
from cheops.cli.options import (
    AsciiOption,
    NamespaceOption,
    Output,
    OutputOption,
    ResourcesArgument,
    ServerOption,
    SiteOption,
)

if TYPE_CHECKING:  # slow to import, and not needed to complete a command
    from collections.abc import Iterable

    from cheops.mesh import Mesh
    from schemas.alerts import Alert
    from schemas.identity import ResourceId

EverythingOption = Annotated[
    bool, typer.Option("--all", help="Everything that has drifted: at the site of --site, else at every site.")
]
_EXAMPLES: Final = examples(
    "cheops heal deployment/web -n shop",
    "cheops heal deployment/web -n shop --preview",
    "cheops heal deployment/web -n shop --scope oslo",
    "cheops heal --all --site oslo",
)
DRIFTED: Final = "A507"
CONTAINERS: Final = ("Namespace", "apiextensions.k8s.io/CustomResourceDefinition")
BEHIND: Final = ("A504", "A508")  # said by another site


def register(app: typer.Typer) -> None:
    """Add it to the command line."""
    app.command(cls=Command, epilog=_EXAMPLES, rich_help_panel=FAMILY)(heal)


def heal(
    resources: ResourcesArgument = None,
    everything: EverythingOption = False,
    namespace: NamespaceOption = "",
    site: SiteOption = None,
    scope: ScopeOption = None,
    preview: PreviewOption = False,
    no_wait: NoWaitOption = False,
    bound: BoundOption = 10.0,
    timeout: TimeoutOption = 30.0,
    override: OverrideOption = None,
    reason: ReasonOption = "",
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """Apply what was declared: at every site where a replica, a part or a copy is not so any more (cheops alerts).

    Only what was declared is put back, over whoever has changed it; what others have added beside it stays. A copy
    becomes what its original is. It is judged like any intent, at each site (or those of --scope), and a step that
    fails is not undone: the others go on. What has not drifted is no work, and exit code 0; a copy whose original is
    gone cannot be healed (D630, exit code 3): how to go on is said.
    """
    options = {name: value for name, value in locals().items() if name not in ("resources", "everything", "namespace")}
    from cheops.cli.failures import BadInputError

    if bool(resources) == everything:
        raise BadInputError("what? (KIND/NAME …, or --all)")
    if everything and namespace:
        raise BadInputError(
            f"--all is of every namespace, -n {namespace} of the names that are given: expected one of them"
        )
    wanted = tuple(joined(resources)) if resources else _drifted(site, server)
    if everything and not wanted:
        _say_nothing(output)
        return
    if everything and site and not scope:
        options["scope"] = site
    submit_draft("apply", namespace, resources=wanted, heal=True, on_failure="continue", **options)


def _drifted(site: str | None, server: str | None) -> tuple[str, ...]:
    """What the alerts that have not healed say, as far as one intent can name it."""
    from cheops.cli.running import insist_on_all, with_mesh
    from schemas.identity import site_name
    from schemas.intents import RESOURCES_MAX

    async def asked(mesh: Mesh) -> list[Alert]:
        if site:
            await mesh.ensure_site(site_name(site))
        last: dict[str, Alert] = {}
        for code in (DRIFTED, *BEHIND):
            async for alert in mesh.alerts(code=code):
                last[alert.id] = alert
        found = [one for one in last.values() if one.state == "raised" and _is_of(one, site)]
        if not found:
            insist_on_all(mesh, "what is to be healed")
        return found

    found: Any = with_mesh(asked, server, site)
    names = in_turn(one.resource for one in found if one.resource)
    if len(names) > RESOURCES_MAX:
        sys.stderr.write(f"cheops: {len(names)} have drifted; these are the first {RESOURCES_MAX}: heal --all again\n")
    return names[:RESOURCES_MAX]


def in_turn(names: Iterable[ResourceId]) -> tuple[ResourceId, ...]:
    """What others live in first: when one intent cannot name all, what it names can be healed without the rest."""
    from schemas.identity import kind_of

    return tuple(sorted(set(names), key=lambda one: (kind_of(one) not in CONTAINERS, one)))


def _is_of(alert: Alert, site: str | None) -> bool:
    """Whether something is to be healed at a site (None: anywhere). Who is behind is said by another site."""
    return site is None or site in ((alert.site,) if alert.code == DRIFTED else alert.sites)


def _say_nothing(output: Output) -> None:
    from cheops.cli.render.output import document, say

    if output is Output.TEXT:
        say(["nothing to heal"])
    else:
        document({"schema": "healing/v1", "drifted": []}, output)
