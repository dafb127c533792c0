"""A small site as a graph answer: an ingress, a service, a deployment with what it made, its secret."""

from __future__ import annotations

from schemas.identity import ResourceId, SiteName
from schemas.queries import Direction, GraphAnswer, GraphEdge, GraphNode
from schemas.verdicts import Evidence

NAMESPACE = "Namespace/shop"
SECRET = "Secret/shop/edge-ca"
WEB = "apps/Deployment/shop/web"
SET = "apps/ReplicaSet/shop/web-4cbs"
POD = "Pod/shop/web-4cbs-5zrdd"
SERVICE = "Service/shop/web"
INGRESS = "networking.k8s.io/Ingress/shop/shop"
LYON = SiteName("lyon")
EVIDENCE = Evidence(site=LYON, epoch=1, seq=268, age_s=0.4, bound_s=10.0, observed=56, fresh=True)


def edge(source: str, target: str, kind: str, path: str, phases: str = "L", **more: object) -> GraphEdge:
    """One edge."""
    return GraphEdge.model_validate(
        {
            "source": source,
            "target": target,
            "kind": kind,
            "phases": tuple(phases),
            "rule": "test",
            "path": path,
            **more,
        }
    )


MOUNT = "spec.template.spec.volumes[0].secret.secretName"
EDGES = (
    edge(WEB, NAMESPACE, "containment", "metadata.namespace", "AL"),
    edge(WEB, SECRET, "reliance", MOUNT, "SL"),
    edge(SECRET, NAMESPACE, "containment", "metadata.namespace", "AL"),
    edge(SET, WEB, "composition", "metadata.ownerReferences[0].name"),
    edge(SET, SECRET, "reliance", MOUNT, "SL"),
    edge(POD, SET, "composition", "metadata.ownerReferences[0].name"),
    edge(POD, SECRET, "reliance", "spec.volumes[0].secret.secretName", "SL"),
    edge(SERVICE, WEB, "reliance", "spec.selector", selector=True),
    edge(SERVICE, SET, "reliance", "spec.selector", selector=True),
    edge(SERVICE, POD, "reliance", "spec.selector", selector=True),
    edge(INGRESS, SERVICE, "reliance", "spec.rules[0].http.paths[0].backend.service.name", granule="port:http"),
)


def answer(
    root: str | None, *edges: GraphEdge, direction: Direction = "both", missing: tuple[str, ...] = (), more: int = 0
) -> GraphAnswer:
    """The edges as a site answers them."""
    names = dict.fromkeys([*([root] if root else []), *(name for one in edges for name in (one.source, one.target))])
    owners = {SET: ResourceId(WEB), POD: ResourceId(WEB)}
    return GraphAnswer(
        site=LYON,
        root=ResourceId(root) if root else None,
        direction=direction,
        nodes=tuple(
            GraphNode(
                resource=ResourceId(name),
                state="missing" if name in missing else "present",
                made_by=owners.get(name),
            )
            for name in names
        ),
        edges=edges,
        direct_dependents=len({one.source for one in edges if one.target == root}),
        direct_dependencies=len({one.target for one in edges if one.source == root}),
        more=more,
        evidence=EVIDENCE,
    )
