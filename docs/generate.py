"""Models → docs/schema/*.json and docs/asyncapi.yaml; rule files → one JSON.   `python docs/generate.py [--check]`

The documents are committed so that a client in any language can be written from them alone; `make lint` runs the check,
so they cannot fall behind the models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml
from pydantic import BaseModel

from schemas import (
    alerts,
    basis,
    batches,
    deadletters,
    events,
    exports,
    intents,
    operations,
    outcomes,
    parcels,
    peers,
    pings,
    policy,
    queries,
    rehearsals,
    ruling,
    subjects,
    verdicts,
)
from schemas.relations import loader, rule_file
from schemas.relations.compiled import COMPILED, compiled

HERE = Path(__file__).parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODELS: dict[str, type[BaseModel]] = {
    "intent": intents.Intent,
    "verdict": verdicts.Verdict,
    "operation": operations.Operation,
    "outcome": outcomes.Outcome,
    "alert": alerts.Alert,
    "dead": deadletters.DeadLetter,
    "refusal": queries.Refusal,
    "graphquery": queries.GraphQuery,
    "whyquery": queries.WhyQuery,
    "missingquery": queries.MissingQuery,
    "namesquery": queries.NamesQuery,
    "names": queries.NamesAnswer,
    "orderquery": queries.OrderQuery,
    "order": queries.OrderAnswer,
    "statesquery": queries.StatesQuery,
    "states": queries.StatesAnswer,
    "cancel": queries.CancelRequest,
    "graph": queries.GraphAnswer,
    "gathered": queries.GatheredAnswer,
    "statusquery": queries.StatusQuery,
    "status": queries.SiteStatus,
    "links": queries.SiteLinks,
    "parcel": parcels.Parcel,
    "taken": parcels.Taken,
    "ping": pings.Ping,
    "pong": pings.Pong,
    "rules": ruling.RulesInForce,
    "resync": queries.ResyncRequest,
    "resyncanswer": queries.ResyncAnswer,
    "rehearsal": rehearsals.Rehearsal,
    "rehearsalanswer": rehearsals.RehearsalAnswer,
    "lookup": peers.Lookup,
    "found": peers.Found,
    "fetch": peers.Fetch,
    "fetched": peers.Fetched,
    "export": exports.Export,
    "exported": exports.Exported,
    "key": exports.KeyAnswer,
    **{model.schema_name().partition("/")[0]: model for model in peers.STORED.values()},
}
FILES: dict[str, type[BaseModel]] = {"policy": policy.PolicyFile}  # read from disk, never sent
STRUCTS: dict[str, type[msgspec.Struct]] = {"event": batches.WireBatch, "heartbeat": events.Heartbeat}

# name: (address, message, stored in, what it is)
CHANNELS: dict[str, tuple[str, str, str, str]] = {
    "events": (
        "cheops.v1.event.{site}",
        "event",
        "EVENTS",
        "batches of up to 256 resource events, chained by hash; what they share is written once",
    ),
    "rules": (
        "cheops.v1.rules.{site}",
        "rules",
        "RULES",
        "the rules of ConfigMaps that are in force; the last word of a site counts",
    ),
    "heartbeats": (
        "cheops.v1.heartbeat.{site}",
        "heartbeat",
        "",
        "every second, and when what is not observed changes, from the watcher",
    ),
    "intents": ("cheops.v1.intent.{site}.{intent}", "intent", "INTENTS", "what somebody wants done"),
    "verdicts": ("cheops.v1.verdict.{site}.{decision}.{intent}", "verdict", "VERDICTS", "the answers, with proof"),
    "operations": ("cheops.v1.operation.{site}.{intent}.{step}", "operation", "OPERATIONS", "steps for the executor"),
    "outcomes": ("cheops.v1.outcome.{site}.{intent}.{step}", "outcome", "OUTCOMES", "what became of the steps"),
    "alerts": ("cheops.v1.alert.{site}.{code}", "alert", "ALERTS", "what broke outside an intent, or healed"),
    "dead": ("cheops.v1.dead.{stream}", "dead", "DEAD", "what could not be parsed or handled"),
}
# name: (address, question, answer)
QUESTIONS: dict[str, tuple[str, str, str]] = {
    "preview": ("cheops.v1.api.resolver.{site}.preview", "intent", "verdict"),
    "graph": ("cheops.v1.api.resolver.{site}.graph", "graphquery", "graph"),
    "gather": ("cheops.v1.api.resolver.{site}.gather", "graphquery", "gathered"),
    "why": ("cheops.v1.api.resolver.{site}.why", "whyquery", "graph"),
    "missing": ("cheops.v1.api.resolver.{site}.missing", "missingquery", "graph"),
    "names": ("cheops.v1.api.resolver.{site}.names", "namesquery", "names"),
    "order": ("cheops.v1.api.resolver.{site}.order", "orderquery", "order"),
    "status": ("cheops.v1.api.resolver.{site}.status", "statusquery", "status"),
    "statusOfAll": (f"cheops.v1.api.resolver.{subjects.escape(subjects.EVERY_SITE)}.status", "statusquery", "status"),
    "sites": ("cheops.v1.api.resolver.{site}.sites", "statusquery", "links"),
    "ping": ("cheops.v1.peer.{receiver}.{sender}.ping.{number}", "ping", "pong"),
    "parcel": ("cheops.v1.peer.{receiver}.{sender}.parcel.{number}", "parcel", "taken"),
    "statusOfPeer": ("cheops.v1.peer.{receiver}.{sender}.sites.{number}", "statusquery", "status"),
    "states": ("cheops.v1.api.resolver.{site}.states", "statesquery", "states"),
    "cancel": ("cheops.v1.api.resolver.{site}.cancel", "cancel", "verdict"),
    "watcherStatus": ("cheops.v1.api.watcher.{site}.status", "statusquery", "heartbeat"),
    "resync": ("cheops.v1.api.watcher.{site}.resync", "resync", "resyncanswer"),
    "export": ("cheops.v1.api.executor.{site}.export", "export", "exported"),
    "key": ("cheops.v1.api.executor.{site}.key", "statusquery", "key"),
    "fetch": ("cheops.v1.peer.{receiver}.{sender}.fetch.{number}", "fetch", "fetched"),
    "rehearse": ("cheops.v1.api.executor.{site}.rehearse", "rehearsal", "rehearsalanswer"),
}
DESCRIPTION = """\
Verdicts before damage: what a client of a site sends and receives over NATS, as JSON.

* A name in a subject is escaped: each byte of its UTF-8 outside A-Za-z0-9_- is `=XX` (hex), the empty text is `_`.
* What is stored is published through JetStream: as a request to the subject with the headers that are required. The
  reply is `{"stream": ..., "seq": ...}` once it is stored, or `{"error": ...}`. Without a reply: again, under the same
  `Nats-Msg-Id`.
* A question is a request to its subject, without headers; the reply's body is the answer or a refusal.
* Where a server has users (cheops mesh, cheops sandbox), a program is that of `client.nk` and takes replies below
  `_INBOX.{site}.client` only (`inbox_prefix` in most clients): else they are refused, and nobody seems to answer.
  What a stream holds it reads by `$JS.API.STREAM.MSG.GET.{stream}` (of EVENTS, INTENTS, PARTS, VERDICTS, OUTCOMES and
  ALERTS); it makes no consumers.
* `send` and `receive` are the client's. A verdict of revision n replaces the one before.
* Receivers ignore fields that they do not know. Intents and questions with an unknown field, and messages of another
  major version, are refused: kept in DEAD with the reason, and answered where somebody waits.
* Payloads have at most 8 MiB, intents 6 MiB; headers 60 KiB together.
"""
SENT_BY_CLIENTS = {"intents"}
PARAMETERS = {
    "site": "the site's name, a DNS label",
    "decision": "allow, deny or defer",
    "intent": "the intent's id",
    "step": "the step's id in the verdict's plan",
    "code": "letter and number, as in `cheops explain`",
    "receiver": "the site that is asked",
    "sender": "the site that asks",
    "number": "grows with each question",
    "stream": "the stream that the message was read from",
}


def schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema (2020-12) of every message, by name."""
    made: dict[str, dict[str, Any]] = {}
    for name, model in (MODELS | FILES).items():
        made[name] = model.model_json_schema(by_alias=True, mode="validation")
    for name, struct in STRUCTS.items():
        whole = msgspec.json.schema(struct)
        definitions = whole.pop("$defs")
        made[name] = {**definitions.pop(struct.__name__), "$defs": definitions}
    return {name: {"$schema": DIALECT, **body} for name, body in sorted(made.items())}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3 document: every subject, who sends, what travels."""
    channels: dict[str, Any] = {}
    operations_: dict[str, Any] = {}
    for name, (address, message, stream, what) in CHANNELS.items():
        stored = f" Stored in the JetStream stream {stream}." if stream else " Not stored."
        channels[name] = _channel(address, what + "." + stored, {message: message})
        action = "send" if name in SENT_BY_CLIENTS else "receive"
        operations_[name] = {"action": action, "channel": {"$ref": f"#/channels/{name}"}}
    for name, (address, question, answer) in QUESTIONS.items():
        what = f"A question ({question}); the answer is a {answer} or a refusal."
        if name == "statusOfAll":
            what += " Every site's resolver answers: collect what comes within a second."
        channels[name] = _channel(address, what, {question: f"{question}Question"})
        channels[f"{name}Answer"] = {
            "address": None,
            "description": "The reply inbox of the request.",
            "messages": {one: {"$ref": f"#/components/messages/{one}Answer"} for one in (answer, "refusal")},
        }
        operations_[name] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "reply": {"channel": {"$ref": f"#/channels/{name}Answer"}},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Cheops",
            "version": "1.0.0",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"site": {"host": "127.0.0.1:4222", "protocol": "nats", "description": "a site's own nats-server"}},
        "channels": channels,
        "operations": operations_,
        "components": {"messages": _messages()},
    }


def _channel(address: str, description: str, messages: dict[str, str]) -> dict[str, Any]:
    """`messages`: name in the channel → name among the components."""
    names = [part[1:-1] for part in address.split(".") if part.startswith("{")]
    return {
        "address": address,
        "description": description,
        "parameters": {name: {"description": PARAMETERS[name]} for name in names},
        "messages": {name: {"$ref": f"#/components/messages/{one}"} for name, one in messages.items()},
    }


def _messages() -> dict[str, Any]:
    """Messages of subjects carry CloudEvents headers; questions and answers are bodies alone."""
    made = {message: _message(message, _headers(message, bool(stream))) for _, message, stream, _ in CHANNELS.values()}
    for _, question, answer in QUESTIONS.values():
        made[f"{question}Question"] = _message(question)
        made[f"{answer}Answer"] = _message(answer)
    made["refusalAnswer"] = _message("refusal")
    return dict(sorted(made.items()))


def _message(name: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "contentType": "application/json",
        **({"headers": headers} if headers else {}),
        "payload": {"$ref": f"./schema/{name}.json"},
    }


def _headers(name: str, stored: bool) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    properties: dict[str, Any] = {
        "ce-specversion": {"const": "1.0"},
        "ce-type": {"const": f"io.cheops.{name}.v1"},
        "ce-source": {**text, "description": "who sends: service/site, or a program's own name"},
        "ce-id": {**text, "description": "unique for the source"},
        "content-type": {"const": "application/json"},
    }
    if stored:
        properties["Nats-Msg-Id"] = {**text, "description": "the same id within 10 minutes is stored once; the ce-id"}
    required = list(properties)
    if name == "verdict":
        properties[basis.HEADER] = {"type": "string", "description": "what `cheops replay` reads; may be missing"}
    properties["traceparent"] = {"type": "string", "description": "W3C Trace Context, where the sender gave one"}
    return {"type": "object", "properties": properties, "required": required}


def documents() -> dict[Path, str]:
    """Every generated file and what must be in it."""
    made = {
        HERE / "schema" / f"{name}.json": json.dumps(body, indent=2, ensure_ascii=False) + "\n"
        for name, body in schemas().items()
    }
    files = loader.shipped_files()
    read = [rule_file.read_part(file, 0, rule_file.RuleFile) for file in files]
    made[COMPILED] = compiled(files, [found[0].body for found in read if found is not None])
    made[HERE / "asyncapi.yaml"] = yaml.safe_dump(asyncapi(), sort_keys=False, allow_unicode=True, width=120)
    return made


def main(arguments: list[str]) -> int:
    """Write the files, or with --check say which are not current (exit 1)."""
    made = documents()
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    unknown = [path for path in (HERE / "schema").glob("*.json") if path not in made]
    if "--check" in arguments:
        for path in [*stale, *unknown]:
            sys.stderr.write(f"{path.relative_to(HERE.parent)}: not current (make docs)\n")
        return 1 if stale or unknown else 0
    for path in unknown:
        path.unlink()
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
