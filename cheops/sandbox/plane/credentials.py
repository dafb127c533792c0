"""Who may talk to a control plane: tokens, and the key that signs service account tokens.

    directory/tokens.csv             one line per user, read by kube-apiserver at its start
    directory/service-account.key    signs and verifies the tokens of service accounts

Both are kept when the directory is used again, so that clients and pods of a stopped site work after its next start.
Programs of the control plane get their own identities, as in a cluster made by kubeadm: audit, admission and RBAC
then see what they see elsewhere.
"""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cheops.private_files import write_private

TOKEN_BYTES = 24
KEY_BITS = 2048


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may log in; RBAC decides what they may do."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = User("admin", ("system:masters",))
CONTROLLER_MANAGER = User("system:kube-controller-manager")
SCHEDULER = User("system:kube-scheduler")
KWOK = User("kwok", ("system:masters",))  # no bootstrap role fits it
OWN_USERS = (ADMIN, CONTROLLER_MANAGER, SCHEDULER, KWOK)


@dataclass(frozen=True, slots=True)
class Credentials:
    """User name → token, and the two files."""

    tokens: dict[str, str]
    tokens_file: Path
    key_file: Path


def prepare_credentials(directory: Path, users: Iterable[User]) -> Credentials:
    """Make what is not there yet. `users` come on top of our own."""
    tokens_file, key_file = directory / "tokens.csv", directory / "service-account.key"
    wanted = (*OWN_USERS, *users)
    known = _read_tokens(tokens_file)
    tokens = {name: known.get(name) or secrets.token_urlsafe(TOKEN_BYTES) for name in (user.name for user in wanted)}
    table = io.StringIO()
    csv.writer(table).writerows([tokens[user.name], user.name, user.name, ",".join(user.groups)] for user in wanted)
    write_private(tokens_file, table.getvalue())
    if not key_file.exists():
        write_private(key_file, _new_key())
    return Credentials(tokens, tokens_file, key_file)


def _read_tokens(tokens_file: Path) -> dict[str, str]:
    if not tokens_file.exists():
        return {}
    with tokens_file.open(newline="") as file:
        return {line[1]: line[0] for line in csv.reader(file)}


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
