"""`cheops order`: a set of resources → the steps to create or delete it, or the cycle that leaves none."""

from __future__ import annotations

from pathlib import Path

from cheops.cli.failures import EXIT_ERROR, BadInputError
from cheops.cli.intents import joined
from cheops.cli.manifests import named_by
from cheops.cli.options import Asked, GraphOutput
from cheops.cli.questioning import answered
from cheops.cli.render import export
from cheops.cli.render.order import order_graph, order_lines
from cheops.cli.render.output import document, say
from cheops.cli.render.signs import signs_for
from schemas.queries import WALK_NODES_MAX, OrderQuery


def print_order(asked: Asked, names: list[str], namespace: str, *, delete: bool, closure: bool) -> int:
    """Print it; returns the exit code."""
    if not names and not asked.filenames:
        raise BadInputError("what? (KIND/NAME …, or -f PATH)")
    paths = [Path(one) for one in asked.filenames or []]
    resources = tuple(joined(names)) if names else named_by(paths, "")
    if len(resources) > WALK_NODES_MAX:
        raise BadInputError(f"{len(resources)} resources (at most {WALK_NODES_MAX} in one order: name fewer)")
    query = OrderQuery(
        resources=resources,
        namespace=namespace,
        action="delete" if delete else "create",
        closure=closure,
    )
    answer = answered(asked, lambda mesh: mesh.order(query, site=asked.site))
    if asked.output is GraphOutput.TEXT:
        say(order_lines(answer, signs_for(asked.ascii_only)))
    elif asked.output.value in export.FORMS:
        say([export.FORMS[asked.output.value](order_graph(answer))])
    else:
        document(answer.model_dump(mode="json", by_alias=True), asked.output.value)
    return EXIT_ERROR if answer.cycle else 0
