"""apply, create, update, delete, get: publish an intent and follow it to its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from cheops.cli.options import AsciiOption, NamespaceOption, Output, OutputOption, ServerOption, SiteOption

FileOption = Annotated[
    list[str],
    typer.Option("--filename", "-f", help="Manifests: a file, a folder, or - for standard input.", metavar="PATH"),
]
ResourceArgument = Annotated[list[str], typer.Argument(help="What, as KIND/NAME …", metavar="KIND/NAME")]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Only the verdict; nothing is stored or done.")]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Publish, print the id, do not follow.")]
ScopeOption = Annotated[
    Optional[str],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Option("--scope", help="Where (this version: one site).", metavar="SCOPE"),
]
BoundOption = Annotated[
    float, typer.Option("--bound", help="How old evidence may be, in seconds.", min=0.1, max=3600.0, metavar="S")
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", help="How long to wait for a verdict, in seconds.", min=0.1, metavar="S")
]
OverrideOption = Annotated[
    Optional[list[str]],  # noqa: UP045 – as above
    typer.Option("--override", help="Do it although this code says no (needs --reason).", metavar="CODE"),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why the override is right; recorded.", metavar="TEXT")]


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    for verb, text in (
        ("apply", "Create what is not there and update what is."),
        ("create", "Create what must not be there yet."),
        ("update", "Change what must be there already."),
    ):
        app.command(verb, help=text)(_writer(verb))
    app.command()(delete)
    app.command()(get)


def _writer(verb: str) -> Callable[..., None]:
    """A command that takes manifests."""

    def write(
        filename: FileOption,
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
        given = {name: value for name, value in locals().items() if name not in ("verb", "filename")}
        _write(verb, filename, **given)

    return write


def delete(
    resources: ResourceArgument,
    namespace: NamespaceOption = "",
    site: SiteOption = None,
    scope: ScopeOption = None,
    cascade: Annotated[str, typer.Option("--cascade", help="none, or dependents: delete what uses it first.")] = "none",
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
    """Delete, if nothing breaks."""
    _named("delete", **locals())


def get(
    resources: ResourceArgument,
    namespace: NamespaceOption = "",
    site: SiteOption = None,
    scope: ScopeOption = None,
    bound: BoundOption = 10.0,
    timeout: TimeoutOption = 30.0,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """Read, with the age of the observation (values of Secrets stay at home)."""
    _named("read", preview=False, no_wait=False, override=None, reason="", cascade="none", **locals())


def _write(verb: str, filename: list[str], namespace: str, **given: Any) -> None:
    from cheops.cli.submitting import manifests_of

    _submit(verb, namespace, manifests=manifests_of([Path(one) for one in filename], namespace), **given)


def _named(verb: str, resources: list[str], namespace: str, **given: Any) -> None:
    _submit(verb, namespace, resources=tuple(joined(resources)), **given)


def joined(words: list[str]) -> list[str]:
    """`secret/edge-ca`, and kubectl's `secret edge-ca`, alike."""
    from cheops.cli.failures import BadInputError

    if all("/" in word for word in words):
        return words
    if "/" not in words[0] and len(words) > 1 and not any("/" in word for word in words[1:]):
        return [f"{words[0]}/{name}" for name in words[1:]]
    raise BadInputError(f"{' '.join(words)}: expected KIND/NAME …, for example secret/edge-ca")


def _submit(verb: str, namespace: str, site: str | None, server: str | None, **given: Any) -> None:
    from cheops.cli.failures import BadInputError
    from cheops.cli.submitting import Wanted, submit
    from cheops.drafts import Intent

    cascade = given.get("cascade", "none")
    if cascade not in ("none", "dependents"):
        raise BadInputError(f"--cascade {cascade}: expected none or dependents")
    if given["override"] and not given["reason"]:
        raise BadInputError("--override needs --reason: it is recorded with the verdict")
    draft = Intent(
        verb=verb,  # type: ignore[arg-type]  # the commands of this module name verbs only
        resources=given.get("resources", ()),
        manifests=given.get("manifests", ()),
        namespace=namespace,
        scope=given["scope"] or "",
        cascade=cascade,
        preview=given["preview"],
        bound_s=given["bound"],
        overrides=dict.fromkeys(given["override"] or (), given["reason"]),
    )
    wanted = Wanted(draft, site, server, given["output"], given["ascii_only"], given["no_wait"], given["timeout"])
    raise typer.Exit(submit(wanted))
