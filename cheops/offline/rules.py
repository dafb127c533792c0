"""What `--with` names → rule files: a file of rules, or manifests with ConfigMaps that carry some (docs/rules.md)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from schemas.documents import DocumentError, is_folder, read_documents
from schemas.relations.carried import SELECTOR, texts_in
from schemas.relations.rule_file import Source


def rule_sources(paths: Iterable[Path]) -> list[Source]:
    """Raises DocumentError: file, line and reason."""
    return [source for path in paths for source in _sources(path)]


def _sources(path: Path) -> list[Source]:
    in_folder = is_folder(path)
    try:
        documents = read_documents(path)
    except DocumentError as error:
        if in_folder or not error.line:
            raise  # all of it: the folder, or a file that cannot be read
        return [path]  # whoever reads the rules says what is wrong with it
    if not in_folder and not any("kind" in one.body and "apiVersion" in one.body for one in documents):
        return [path]
    found = [texts for one in documents if (texts := texts_in(one)) is not None]
    if not found:
        reason = f"neither rules nor a ConfigMap with the label {SELECTOR} in it"
        raise DocumentError(str(path), documents[0].line if documents and not in_folder else 0, reason)
    return [text for texts in found for text in texts]
