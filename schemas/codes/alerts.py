"""Codes of what happened past Cheops, outside any intent. Data."""

from __future__ import annotations

from typing import Final

from schemas.codes.code import Code

ALERTS: Final = (
    Code(
        "A",
        "210",
        "a part in use vanished",
        "Past Cheops, somebody took away a part that is used.",
        "Its users break.",
        "Put it back, or change the users.",
        "a key removed by kubectl edit",
    ),
    Code(
        "A",
        "310",
        "a dependency in use vanished",
        "Past Cheops, somebody deleted what others need.",
        "Its users break.",
        "Create it again, or change the users.",
        "kubectl delete secret edge-ca",
    ),
    Code(
        "A",
        "503",
        "a kind is not observed",
        "A watch fails or is forbidden.",
        "Verdicts that need it are deferred.",
        "See the watcher's log and its rights.",
        "a removed ClusterRole",
    ),
    Code(
        "A",
        "504",
        "a replica is behind",
        "A site that was away does not allow an update that the others have.",
        "The replicas of one set differ.",
        "Apply it again when the site allows it, or take it back at the others.",
        "an update that a dependent at the site would not survive, or that expired meanwhile",
    ),
    Code(
        "A",
        "505",
        "rules of a ConfigMap are not in force",
        "A rule file that a labelled ConfigMap holds cannot be used, or is more than a site may have.",
        "What the file said before it was broken stays in force, where the alert says so; of what never could be "
        "used verdicts know nothing. All other rules hold.",
        "Repair it: cheops rules check FILE names the line of its manifest.",
        "a phase that does not exist, kubectl apply",
    ),
    Code(
        "A",
        "506",
        "an update was overtaken",
        "Two updates of one replica set were made while its sites could not hear each other.",
        "The newer one stays, the older one is lost.",
        "Apply the older one again if it is still wanted.",
        "an update at each side of a cut, after it has healed",
    ),
    Code(
        "A",
        "507",
        "not what was declared",
        "Past Cheops, somebody changed or deleted a replica, a part or a copy at one site, or deleted an original.",
        "The sites of one set differ, or a copy from its original.",
        "cheops heal KIND/NAME applies what was declared; or declare the change: cheops apply. "
        "An original that is gone has to be made again; its copies follow it.",
        "kubectl scale of one part of a divided Deployment",
    ),
    Code(
        "A",
        "508",
        "a copy is older than its original",
        "The original of a copy was changed, and the site of the copy does not allow that it follows.",
        "Who uses the copy sees what the original was.",
        "See why (cheops show of its cause), change the users there, then cheops heal KIND/NAME.",
        "a key that a Deployment at the other site needs is taken out of the original by kubectl",
    ),
    Code(
        "A",
        "509",
        "a site with a share is lost",
        "A site that has a share of a divided resource was not heard for a while; its scope says rebalance: true.",
        "Its share moves to the others where most of its sites are, else it stays; what it runs is not known.",
        "Nothing to do; what has moved goes back. Where nothing moves: cheops heal, with a scope as in docs/adr/0023.",
        "the link to one of three sites is cut for longer than a minute",
    ),
    Code(
        "A",
        "510",
        "a key is refused",
        "Somebody shows the bus of a site a key that it does not know: one that was revoked, or never was good.",
        "Nothing that he says is heard. Where a service of the site has the old key, the site does not work.",
        "cheops mesh revoke made a new key: give it to the service, or find who has the old one (its address is told).",
        "a stolen watcher.nk that is used after cheops mesh revoke lyon --role watcher",
    ),
    Code(
        "A",
        "511",
        "a site that is gone for good is heard",
        "Somebody has said that a site is gone for good (CHEOPS_GONE), and it asks for this one.",
        "It is not answered. What it has of sets and copies was not updated since, nor deleted with the others.",
        "Take down what runs there; or let it back in: take it out of CHEOPS_GONE, then apply what it is to have in a "
        "scope that names it, and delete there what was deleted.",
        "a machine that was given up and is switched on again",
    ),
)
