"""What `--with` names → rule files: a file of rules, or manifests with ConfigMaps that carry some (docs/rules.md)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from schemas.documents import DocumentError, is_folder, read_documents
from schemas.relations.carried import SELECTOR, texts_in
from schemas.relations.rule_file import RuleError, Source


def rule_sources(paths: Iterable[Path]) -> list[Source]:
    """Raises RuleError, DocumentError: file, line and reason."""
    return [source for path in paths for source in _sources(path)]


def _sources(path: Path) -> list[Source]:
    in_folder = is_folder(path)
    try:
        documents = read_documents(path)
    except DocumentError:
        if in_folder:
            raise
        return [path]  # whoever reads the rules says what is wrong with it
    if not in_folder and not any("kind" in one.body and "apiVersion" in one.body for one in documents):
        return [path]
    found = [texts for one in documents if (texts := texts_in(one)) is not None]
    if not found:
        line = documents[0].line if documents else 1
        raise RuleError(str(path), line, f"neither rules nor a ConfigMap with the label {SELECTOR} in it")
    return [text for texts in found for text in texts]
