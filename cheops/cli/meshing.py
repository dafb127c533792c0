"""mesh init|add|remove|revoke|manifests: the configuration of a mesh's nats-servers, as files, or for a cluster."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cheops.cli.layout import Command, Families, examples
from cheops.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from cheops.topology.folder import Step
    from cheops.topology.plan import Address

app = typer.Typer(cls=Families, no_args_is_help=True, rich_markup_mode=None)

NO_STEP: Final = "nothing changed"
GONE: Final = (
    "start the resolvers of {left} again with CHEOPS_GONE={gone} (cheops mesh manifests prints it): "
    "until then what concerns it waits"
)
SEALED_ANEW: Final = "Secrets for {site} are sealed with a new key from now on; older keys open what is sealed already"
FolderOption = Annotated[Path, typer.Option("--out", help="Folder of the mesh.", metavar="DIR")]
AtOption = Annotated[
    list[str] | None,
    typer.Option(
        "--at", help="Where a server is: NAME=HOST[:PORT] (a site's clients, a router's links).", metavar="AT"
    ),
]
ListenOption = Annotated[
    list[str] | None,
    typer.Option(
        "--listen",
        help="Where it listens instead, as behind NAT: NAME=ADDRESS[:PORT]; 0.0.0.0 or :: is everywhere.",
        metavar="LISTEN",
    ),
]
SiteArgument = Annotated[str, typer.Argument(help="Name of the site.", metavar="SITE")]
INIT_EXAMPLES = examples(
    "cheops mesh init --sites lyon,oslo,nice --routers 2 --out mesh",
    "cheops mesh init --sites lyon,oslo --routers 0 --out mesh      (sites dial each other)",
    "cheops mesh init --sites lyon,oslo --tls                       (needs the extra: sandbox)",
    "cheops mesh init --sites lyon --at lyon=10.1.0.5:4222 --at router-1=relay.example:7422",
    "cheops mesh init --sites lyon --at router-1=203.0.113.7 --listen router-1=0.0.0.0       (behind NAT)",
)
ADD_EXAMPLES = examples(
    "cheops mesh add rome --out mesh",
    "cheops mesh add rome --at rome=10.2.0.5",
    "cheops mesh add rome --at rome=203.0.113.9 --listen rome=0.0.0.0       (behind NAT)",
)
MANIFESTS_EXAMPLES = examples(
    "cheops mesh manifests lyon --image registry.example/cheops:0.1.0 | kubectl apply --server-side -f -",
    "cheops mesh manifests router-1 | kubectl --context relay apply --server-side -f -",
    "cheops mesh manifests lyon --gate                       (plain kubectl is told what would break, too)",
    "cheops mesh manifests lyon --policy policy.yaml         (how strict, who may override)",
    "cheops mesh manifests lyon --storage 50Gi --storage-class fast -n platform",
)
WHAT_TO_DO = {
    "start": "start it in its folder: nats-server -c server.conf",
    "reload": "reload it: nats-server --signal reload=PID",
    "restart": "restart it: a link was taken away, it listens elsewhere, or its store has a bound now",
    "stop": "stop it: it is no longer part of the mesh",
}


@app.command(cls=Command, epilog=INIT_EXAMPLES)
def init(
    sites: Annotated[str, typer.Option("--sites", help="Names, separated by commas.", metavar="NAMES")],
    routers: Annotated[
        int | None, typer.Option("--routers", help="How many; 0: sites dial each other. Default 2.", metavar="N")
    ] = None,
    folder: FolderOption = Path("mesh"),
    at: AtOption = None,
    listen: ListenOption = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Encrypt links and clients; an authority is made in DIR/ca.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write a nats-server's configuration for each site and router, and the keys of their users.

    On a folder that holds a mesh: adds the sites that are not there yet; keys that exist are kept.
    """
    from cheops.topology.folder import MeshFolder

    names = [name.strip() for name in sites.split(",") if name.strip()]
    steps = MeshFolder(folder).init(names, routers, _addresses(at), tls=tls, listening=_addresses(listen, "--listen"))
    _tell(steps, folder, output)


@app.command(cls=Command, epilog=ADD_EXAMPLES)
def add(
    site: SiteArgument,
    folder: FolderOption = Path("mesh"),
    at: AtOption = None,
    listen: ListenOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Add a site while the others run."""
    from cheops.topology.folder import MeshFolder

    _tell(MeshFolder(folder).add(site, _addresses(at), _addresses(listen, "--listen")), folder, output)


@app.command(cls=Command, epilog=examples("cheops mesh remove rome --out mesh"))
def remove(site: SiteArgument, folder: FolderOption = Path("mesh"), output: OutputOption = Output.TEXT) -> None:
    """Remove a site for good while the others run: its link is refused, its keys are deleted."""
    from cheops.cli.render.output import say
    from cheops.topology.folder import MeshFolder

    found = MeshFolder(folder)
    _tell(found.remove(site), folder, output)
    if output is Output.TEXT:
        say([GONE.format(gone=",".join(found.plan().gone), left=", ".join(found.plan().names))])


@app.command(cls=Command, epilog=examples("cheops mesh revoke lyon", "cheops mesh revoke lyon --role client"))
def revoke(
    site: SiteArgument,
    role: Annotated[
        str,
        typer.Option(
            "--role", help="watcher, resolver, auditor, executor, client, admin, link or sealing.", metavar="ROLE"
        ),
    ] = "link",
    folder: FolderOption = Path("mesh"),
    output: OutputOption = Output.TEXT,
) -> None:
    """Replace a key: whoever holds the old one is refused from then on (sealing: Secrets use the new one)."""
    from cheops.topology.folder import SEALING, MeshFolder

    steps = MeshFolder(folder).revoke(site, role)
    _tell(steps, folder, output, none=SEALED_ANEW.format(site=site) if role == SEALING else NO_STEP)


@app.command(cls=Command, epilog=MANIFESTS_EXAMPLES)
def manifests(
    server: Annotated[str, typer.Argument(help="Name of a site or of a router.", metavar="NAME")],
    folder: FolderOption = Path("mesh"),
    namespace: Annotated[
        str,
        typer.Option("--namespace", "-n", help="Where it runs, best alone: pods there are restricted.", metavar="NAME"),
    ] = "cheops",
    image: Annotated[str, typer.Option("--image", help="Of deploy/image, in your registry.", metavar="IMAGE")] = "",
    storage: Annotated[
        str, typer.Option("--storage", help="Of the site's server, whose streams may come to 8.6 GiB.", metavar="SIZE")
    ] = "10Gi",
    storage_class: Annotated[
        str, typer.Option("--storage-class", help="Of all claims; none: the cluster's default.", metavar="NAME")
    ] = "",
    rules_namespace: Annotated[
        str, typer.Option("--rules-namespace", help="Whose labelled ConfigMaps hold further rules.", metavar="NAME")
    ] = "",
    gate: Annotated[
        bool, typer.Option("--gate", help="The API server asks the site before it writes (needs the extra: sandbox).")
    ] = False,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="How strict, and who may override: a policy file.", metavar="FILE")
    ] = None,
    output: OutputOption = Output.YAML,
) -> None:
    """The Kubernetes manifests that run a site, or a router, in a cluster. They hold its keys: pipe them.

    A site: its nats-server, watcher, resolver and executor, each with the keys and the rights that it needs.
    """
    from importlib.metadata import version

    from cheops.cli.render.output import kubernetes_objects
    from cheops.topology.folder import MeshFolder
    from cheops.topology.manifests import Choices
    from schemas.policy import load_policy

    said = ""
    if policy is not None:
        load_policy(policy)  # a resolver in the cluster would refuse it too late
        said = policy.read_text()
    called = image or f"cheops:{version('cheops')}"
    choices = Choices(namespace, called, storage, storage_class, rules_namespace, gate, said)
    kubernetes_objects(MeshFolder(folder).manifests(server, choices), output)


def _addresses(said: list[str] | None, option: str = "--at") -> dict[str, Address]:
    from cheops.topology.plan import parse_address

    return dict(parse_address(text, option) for text in said or [])


def _tell(steps: Iterable[Step], folder: Path, output: Output, none: str = NO_STEP) -> None:
    from cheops.cli.render.output import document, say

    rows = list(steps)
    if output is not Output.TEXT:
        found = [{"server": one.server, "folder": str(folder / one.folder), "action": one.action} for one in rows]
        document({"schema": "meshsteps/v1", "steps": found}, output)
        return
    width = max((len(str(folder / one.folder)) for one in rows), default=0)
    say([f"{folder / one.folder!s:<{width}}  {one.action:<8}{WHAT_TO_DO[one.action]}" for one in rows])
    if not rows:
        say([none])
