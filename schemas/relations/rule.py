"""A rule of the relationship model, checked: where a reference stands, what it points at, and what it means. Pure.

The kind of relationship is derived from the phases (relationships.md): only P → association; L → reliance; else A or S
→ requirement. Composition and containment are said explicitly, they cannot be derived.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from schemas.events import Confidence, Relation
from schemas.relations.path import PathError, steps_of
from schemas.relations.readers import READERS

Phase = Literal["A", "S", "L", "D", "P"]
PHASE_ORDER = "ASLDP"
PATH_LEN_MAX = 1_000
KIND_PATTERN = r"^(([a-z0-9.-]+/)?[A-Z][A-Za-z0-9]*|[a-z0-9-]+(\.[a-z0-9-]+)+/[a-z][A-Za-z0-9]*)?$"


def _checked(text: str) -> str:
    if len(text) > PATH_LEN_MAX:
        raise ValueError(f"a path of {len(text)} characters (expected at most {PATH_LEN_MAX})")
    try:
        steps_of(text)
    except PathError as error:
        raise ValueError(str(error)) from error
    return text


def _as_rows(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


PathText = Annotated[str, AfterValidator(_checked)]
Paths = Annotated[tuple[PathText, ...], BeforeValidator(_as_rows)]
Words = Annotated[tuple[str, ...], BeforeValidator(_as_rows)]
KindText = Annotated[str, Field(pattern=KIND_PATTERN)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


_PIECE: Final = re.compile(r"([^{}]*)(?:\{([^{}]+)\})?")


def pieces(text: str) -> list[tuple[str, str]]:
    """`main-{spec.a}-x` → texts, each with the path of what follows: `("main-", "spec.a"), ("-x", "")`."""
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        piece = _PIECE.match(text, position)
        if piece is None or piece.end() == position:
            raise ValueError(f"called: {text!r}: expected a path between braces, at {text[position:]!r}")
        found.append((piece[1], piece[2] or ""))
        position = piece.end()
    return found


class Target(_Model):
    """What a reference points at; paths are relative to the rule's `at`.

    kind        `[group/]Kind`; or read from fields: `kind_from` (path of the kind), `group_from` (of its group or
                apiVersion); then `kind` is what absent fields mean, and `kinds` are the only ones that count;
                `among` are those that can be meant (`?`: any custom kind), for who has to be watched
    name        path to the name ("." = the value itself); `default`: when it is absent; `called`: what it is made into
                (`*-app`: the `*` is the name; `{path}` is another text of the object, `{.path}` one beside the name)
    namespace   same (the source's own), cluster, self (the source is the namespace), `=name` (always that one),
                every (of what is made: in all of them, or in those that the source selects), or a path; a path that
                finds nothing means same
    selector    path to a LabelSelector, to labels (`form: labels`) or to the name of a label (`form: key`); `empty`,
                `absent` and `excluding` (all of its lines are NotIn or DoesNotExist) say what such a one selects
    namespaces, namespace_selector   paths: where to look besides the own namespace
    every       all of the kind in the namespace (in all, when it is `cluster`)
    marked_default   path of a field whose absence means the one that is marked as the default of its kind
    reads       how a text of its own grammar is read (readers.py)
    uid         path to the uid of the target
    """

    kind: KindText = ""
    kind_from: PathText = ""
    group_from: PathText = ""
    kinds: tuple[KindText, ...] = ()
    among: tuple[KindText | Literal["?"], ...] = ()
    name: PathText = ""
    default: str = ""
    called: str = Field("", pattern=r"^$|^[^*]*[*][^*]*$")
    namespace: str = "same"
    selector: PathText | None = None
    form: Literal["labels", "LabelSelector", "key"] = "LabelSelector"
    empty: Literal["nothing", "everything"] = "everything"
    absent: Literal["nothing", "everything"] = "nothing"
    excluding: Literal["nothing", "the rest"] = "the rest"
    namespaces: PathText = ""
    namespace_selector: PathText = ""
    every: bool = False
    marked_default: PathText = ""
    reads: str = ""
    uid: PathText = ""

    def may_mean(self, kind: str, *, is_custom: bool) -> bool:
        """Whether a reference may lead to an object of a kind."""
        if self.kind == kind or kind in self.kinds or kind in self.among:
            return True
        if self.among:
            return is_custom and "?" in self.among
        return bool(self.kind_from or (self.reads and not self.kind)) and not self.kinds

    @model_validator(mode="after")
    def _points_somewhere(self) -> Self:
        if self.reads and self.reads not in READERS:
            raise ValueError(f"to: nothing is called {self.reads!r} (reads: {', '.join(sorted(READERS))})")
        if not (self.kind or self.kind_from or self.reads):
            raise ValueError("to: needs kind, kind_from or reads")
        ways = [self.name or self.default, self.selector is not None, self.every, self.marked_default, self.reads]
        if sum(map(bool, ways)) != 1:
            raise ValueError("to: needs one of name (or default), selector, every, marked_default, reads")
        if self.called and not self.name:
            raise ValueError("to: called needs a name")
        for _, path in pieces(self.called):
            _checked(path)
        if not self.namespace.startswith("="):
            _checked(self.namespace)
        return self


MAKES: Final = ".made"
FILLS: Final = ".filled"
EVERY: Final = "every"


def fills(rule: str) -> bool:
    """Whether a reference by this rule leads to what its source makes, or adds its keys to."""
    return rule.endswith((MAKES, FILLS))


def makes(rule: str) -> bool:
    """Whether a reference by this rule leads to what its source makes: while that is not there, it is awaited."""
    return rule.endswith(MAKES)


class Rule(_Model):
    """One rule. Its name tells people what it is about; one that ends in `.made` says that the source makes the target.
    One that ends in `.filled` says that it adds to it what it says that it makes.

    at          where the reference stands, relative to the mount
    when        only if one of these values stands at a path; unless: not if; absent: only if nothing stands there
    skip        names that mean nothing here (`system-*`: by their beginning; `*@*`: by what is in them; `*` alone is
                the star itself)
    repeats     a field with the same meaning: an equal name there makes this one no second edge
    optional    true, or the path of the API's own word
    soft        true, or a path with `soft_when`, the values there that make it so
    parts       granules: sort → paths; `named_parts`: numbers are none; granules: those that are always needed
    recurs      false: the operation that needs it never comes again by itself
    permission  grant: a reference into another namespace needs a ReferenceGrant; target: the target says who may
    missing     what happens without the target, for people
    """

    rule: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    at: Paths
    to: Target
    phases: tuple[Phase, ...] = Field(min_length=1)
    relation: Relation | None = None
    optional: bool | PathText = False
    soft: bool | PathText = False
    soft_when: Words = ()
    parts: dict[str, Paths] = Field(default_factory=dict)
    named_parts: bool = False
    granules: Words = ()
    skip: Words = ()
    repeats: PathText = ""
    when: dict[PathText, Words] = Field(default_factory=dict)
    unless: dict[PathText, Words] = Field(default_factory=dict)
    absent: Paths = ()
    confidence: Confidence = "declared"
    permission: Literal["grant", "target"] | None = None
    recurs: bool = True
    missing: str = ""

    @model_validator(mode="after")
    def _is_in_a_namespace(self) -> Self:
        if self.to.namespace == EVERY and not makes(self.rule):
            raise ValueError(f"to: only what is made is in every namespace (expected: a rule named …{MAKES})")
        return self

    @property
    def kind_of_relation(self) -> Relation:
        """As said, else derived from the phases."""
        if self.relation is not None:
            return self.relation
        if set(self.phases) <= {"P"}:
            return "association"
        return "reliance" if "L" in self.phases else "requirement"

    @property
    def phase_letters(self) -> str:
        """In the order A S L D P."""
        return "".join(phase for phase in PHASE_ORDER if phase in self.phases)

    @property
    def looked_at(self) -> frozenset[str] | None:
        """The fields of what stands at its place that a reader by name looks at; None: at all of it, or it is no field.

        A rule that looks around it (`called`: `{…}`) looks at more than these.
        """
        to = self.to
        beside = [one for one in (self.optional, self.soft) if isinstance(one, str)]
        if not to.namespace.startswith("="):
            beside.append(to.namespace)  # one of its words is no path; it does no harm as one
        conditions = (*self.when, *self.unless, *self.absent, self.repeats)
        granules = (path for paths in self.parts.values() for path in paths)
        paths = (to.name, to.uid, to.kind_from, to.group_from, *beside, *conditions, *granules)
        fields = {(*steps_of(path), None)[0] for path in paths if path}
        return None if None in fields else frozenset(one for one in fields if one is not None)

    @property
    def is_policy(self) -> bool:
        """An edge of it uses nothing."""
        return set(self.phases) <= {"P"}


class Use(_Model):
    """A fragment inside a fragment, at a place of it.

    What is said here holds for all of its rules there: `recurs`, `confidence`, and the namespace where it was `same`.
    """

    use: str
    at: Paths = ("",)
    recurs: bool | None = None
    confidence: Confidence | None = None
    namespace: str = ""

    def adapt(self, rule: Rule) -> Rule:
        """The rule as it holds here."""
        update: dict[str, Any] = {}
        if self.recurs is not None:
            update["recurs"] = self.recurs
        if self.confidence is not None:
            update["confidence"] = self.confidence
        if self.namespace and rule.to.namespace == "same":
            update["to"] = rule.to.model_copy(update={"namespace": self.namespace})
        return rule.model_copy(update=update) if update else rule


def _sort_of(value: Any) -> str:
    return "use" if isinstance(value, Use) or (isinstance(value, dict) and "use" in value) else "rule"


Entry = Annotated[Annotated[Rule, Tag("rule")] | Annotated[Use, Tag("use")], Discriminator(_sort_of)]


class Mount(_Model):
    """Where rules apply: the kinds, the places in their objects, and the rules or the fragments.

    `*` are all kinds; `?` are custom kinds that no other rule is about, and there rules look into every mapping.
    """

    kinds: Annotated[tuple[Annotated[str, Field(pattern=r"^[*?]$|" + KIND_PATTERN)], ...], Field(min_length=1)]
    at: Paths = ("",)
    use: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
