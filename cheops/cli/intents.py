"""apply, create, update, delete, get: publish an intent and follow it to its end."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Optional

import typer

from cheops.cli.durations import age, duration
from cheops.cli.layout import Command, examples
from cheops.cli.options import (
    FILES,
    AsciiOption,
    NamespaceOption,
    Output,
    OutputOption,
    ResourcesArgument,
    ServerOption,
    SiteOption,
    scope_text,
)

FAMILY: Final = "Intents"


class Cascade(StrEnum):
    """What goes with a deletion."""

    NONE = "none"
    DEPENDENTS = "dependents"


class OnFailure(StrEnum):
    """What becomes of a plan of which a step fails."""

    UNDO = "undo"
    STOP = "stop"
    CONTINUE = "continue"


FileOption = Annotated[
    list[str],
    typer.Option(
        *FILES,
        help="Manifests: a file, a folder (built where it has a kustomization), or - for standard input.",
        metavar="PATH",
    ),
]
DeleteFileOption = Annotated[
    Optional[list[str]],  # noqa: UP045 – typer reads annotations of aliases in this form only
    typer.Option(*FILES, help="What these manifests name.", metavar="PATH"),
]
CascadeOption = Annotated[Cascade, typer.Option("--cascade", help="dependents: delete what uses it first.")]
OnFailureOption = Annotated[
    OnFailure,
    typer.Option(
        "--on-failure", help="Of a step: undo what was done (all or nothing), stop, or continue with what can go on."
    ),
]
AllOption = Annotated[
    bool, typer.Option("--all", help="Every site of the scope (else every site), and how they differ.")
]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Only the verdict: nothing is stored, nothing is done.")]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Publish, print the id, do not follow.")]
ScopeOption = Annotated[
    Optional[str],  # noqa: UP045 – as above
    typer.Option(
        "--scope",
        help="Where: lyon, 'lyon & oslo', … (cheops scope --help).",
        autocompletion=scope_text,
        metavar="SCOPE",
    ),
]
BoundOption = Annotated[
    float,
    typer.Option("--bound", help="How old evidence may be: seconds, or 500ms, 2m.", parser=age, metavar="DURATION"),
]
TimeoutOption = Annotated[
    float,
    typer.Option("--timeout", help="How long to wait for a verdict: likewise.", parser=duration, metavar="DURATION"),
]
OverrideOption = Annotated[
    Optional[list[str]],  # noqa: UP045 – as above
    typer.Option("--override", help="Do it although this code says no (needs --reason).", metavar="CODE"),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why the override is right; recorded.", metavar="TEXT")]

_WRITERS: Final = (
    (
        "apply",
        "Create what is not there and update what is.",
        (
            "cheops apply -f shop.yaml --site lyon",
            "cheops apply -f manifests/ -n shop --preview",
            "cheops apply -k overlays/lyon --site lyon",
        ),
    ),
    (
        "create",
        "Create what is not there yet. What is there with this very content is left as it is (N102); "
        "with another content it is denied (D101).",
        ("cheops create -f checkout.yaml --site lyon", "cheops create -f checkout.yaml --site lyon -o json"),
    ),
    (
        "update",
        "Change what must be there already.",
        ("cheops update -f checkout.yaml --site lyon --preview", "cheops update -f checkout.yaml --site lyon"),
    ),
)
_FOLLOWS: Final = (
    "The intent is published, its verdict printed with its proof, and each step of an allowed plan as it ends. "
    "When a step fails, what was done is undone (--on-failure), the last step first. "
    "Ctrl-C stops the following only, not the intent."
)
_DELETE_EXAMPLES: Final = examples(
    "cheops delete secret/edge-ca -n shop --site lyon",
    "cheops delete secret edge-ca edge-key -n shop --preview",
    "cheops delete secret/edge-ca -n shop --cascade dependents --preview",
    "cheops delete -f shop.yaml --site lyon",
)
_GET_EXAMPLES: Final = examples(
    "cheops get deployment/web -n shop --site lyon",
    "cheops get deployment web cart -n shop -o json",
    "cheops get deployment/web -n shop --scope 'lyon & oslo' --all",
    "cheops get deployment/web -n shop --scope 'lyon % oslo'",
)


def register(app: typer.Typer) -> None:
    """Add this family to the command line."""
    for verb, text, shown in _WRITERS:
        app.command(verb, cls=Command, help=f"{text}\n\n{_FOLLOWS}", epilog=examples(*shown), rich_help_panel=FAMILY)(
            _writer(verb)
        )
    app.command(cls=Command, epilog=_DELETE_EXAMPLES, rich_help_panel=FAMILY)(delete)
    app.command(cls=Command, epilog=_GET_EXAMPLES, rich_help_panel=FAMILY)(get)


def _writer(verb: str) -> Callable[..., None]:
    """A command that takes manifests."""

    def write(
        filename: FileOption,
        namespace: NamespaceOption = "",
        site: SiteOption = None,
        scope: ScopeOption = None,
        on_failure: OnFailureOption = OnFailure.UNDO,
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
        given = {name: value for name, value in locals().items() if name not in ("verb", "filename", "namespace")}
        from cheops.cli.manifests import sendable_documents

        submit_draft(verb, namespace, documents=sendable_documents(_paths(filename), namespace), **given)

    return write


def delete(
    resources: ResourcesArgument = None,
    filename: DeleteFileOption = None,
    namespace: NamespaceOption = "",
    site: SiteOption = None,
    scope: ScopeOption = None,
    cascade: CascadeOption = Cascade.NONE,
    on_failure: OnFailureOption = OnFailure.UNDO,
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
    """Delete, if nothing breaks. What is already gone is no error.

    Several resources are judged as one intent: what only they use of each other does not block.
    """
    given = {name: value for name, value in locals().items() if name not in ("resources", "filename", "namespace")}
    submit_draft("delete", namespace, resources=_named(resources, filename, namespace), **given)


def get(
    resources: ResourcesArgument = None,
    filename: DeleteFileOption = None,
    namespace: NamespaceOption = "",
    site: SiteOption = None,
    scope: ScopeOption = None,
    everywhere: AllOption = False,
    bound: BoundOption = 10.0,
    timeout: TimeoutOption = 30.0,
    output: OutputOption = Output.TEXT,
    ascii_only: AsciiOption = False,
    server: ServerOption = None,
) -> None:
    """Read, with the age of the observation. Values of Secrets stay at home.

    Of replicas the nearest fresh one is read, and it is said which; --all compares every one. Of what is spread the
    parts are added up. Without --scope the resource itself says where its replicas or parts are. Prints YAML (JSON
    with -o json); exit 3 when it is not there, 4 when a site that was asked for is unknown.
    """
    given = {name: value for name, value in locals().items() if name not in ("resources", "filename", "namespace")}
    if given.pop("everywhere") or "%" in (scope or ""):
        from cheops.cli.reading import Everywhere, print_everywhere

        names = _named(resources, filename, namespace)
        asked = Everywhere(names, namespace, scope or "", site, server, output, ascii_only, bound, timeout)
        raise typer.Exit(print_everywhere(asked))
    submit_draft("read", namespace, resources=_named(resources, filename, namespace), **given)


def _paths(filenames: list[str]) -> list[Path]:
    return [Path(one) for one in filenames]


def _named(resources: list[str] | None, filenames: list[str] | None, namespace: str) -> tuple[str, ...]:
    from cheops.cli.failures import BadInputError
    from cheops.cli.manifests import named_by

    if not resources and not filenames:
        raise BadInputError("what? (KIND/NAME …, or -f PATH)")
    return (*joined(resources or []), *named_by(_paths(filenames or []), namespace))


def joined(words: list[str]) -> list[str]:
    """`secret/edge-ca`, and kubectl's `secret edge-ca`, alike."""
    from cheops.cli.failures import BadInputError

    if all("/" in word.strip("/") for word in words):
        return words
    if "/" not in words[0] and len(words) > 1 and not any("/" in word for word in words[1:]):
        return [f"{words[0]}/{name}" for name in words[1:]]
    raise BadInputError(
        f"{' '.join(words)}: expected KIND/NAME …, for example secret/edge-ca (kubectl lists what there is)"
    )


def submit_draft(verb: str, namespace: str, site: str | None, server: str | None, **given: Any) -> None:
    """What a command was given → an intent, entered and followed; exits with its code."""
    from cheops.cli.failures import BadInputError
    from cheops.cli.submitting import Wanted, submit
    from cheops.drafts import Intent
    from schemas.codes import find

    if given.get("override") and not given["reason"]:
        raise BadInputError("--override needs --reason TEXT: it is recorded with the verdict")
    if given.get("reason") and not given.get("override"):
        raise BadInputError("--reason says why an override is right: expected --override CODE with it")
    if given.get("preview") and given.get("no_wait"):
        raise BadInputError("--preview stores nothing, --no-wait prints what is stored: expected one of them")
    for code in given.get("override") or ():
        if find(code) is None:
            raise BadInputError(f"--override {code}: no code is called so (cheops explain lists them)")
    documents = given.get("documents", ())
    draft = Intent(
        verb=verb,  # type: ignore[arg-type]  # the commands of this module name verbs only
        resources=given.get("resources", ()),
        manifests=tuple(one.body for one in documents),
        namespace=namespace,
        scope=given["scope"] or "",
        cascade=str(given.get("cascade", Cascade.NONE)),  # type: ignore[arg-type]  # the same two words
        on_failure=str(given.get("on_failure", OnFailure.UNDO)),  # type: ignore[arg-type]  # the same three words
        preview=given.get("preview", False),
        heal=given.get("heal", False),
        bound_s=given["bound"],
        overrides=dict.fromkeys(given.get("override") or (), given.get("reason", "")),
    )
    wanted = Wanted(
        draft=draft,
        documents=documents,
        site=site,
        server=server,
        output=given["output"],
        ascii_only=given["ascii_only"],
        no_wait=given.get("no_wait", False),
        timeout_s=given["timeout"],
    )
    raise typer.Exit(submit(wanted))
