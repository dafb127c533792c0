"""What other sites sealed for this one is opened here, at the last moment: before a dry run and before a write.

The keys lie in a file that only its owner reads, one a line, the newest first; older ones open what is under way. The
file is read again when it changes, so that a new key needs no restart. Without a file the key lives as long as the
process: what was sealed for the one before is decided again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from nacl.public import PrivateKey

from schemas.identity import ResourceId
from schemas.operations import Operation
from schemas.rehearsals import RehearsedChange, RehearsedResult
from services.chassis.errors import SettingsError
from services.chassis.kubernetes.sealing import KEY_NAME_LEN, SealError, opened, public_half
from services.executor.target import Effect, Manifest, Permit, Progress, Target

FILE: Final = "sealing.key"
OWNER_ONLY: Final = 0o600
UNREADABLE: Final = 422


class Keyring:
    """One site's keys."""

    def __init__(self, folder: Path | None) -> None:
        """Makes the first key where there is none. Raises SettingsError for a file that holds something else."""
        self._file = folder / FILE if folder is not None else None
        self._read_at: tuple[int, int] | None = None
        self._keys: tuple[PrivateKey, ...] = ()
        if self._file is None:
            self._keys = (PrivateKey.generate(),)
        elif not self._file.exists():
            renew(self._file)

    @property
    def public(self) -> str:
        """What others seal with now."""
        return public_half(self._current()[0])

    def private(self, name: str) -> PrivateKey | None:
        """The key of that name (the beginning of its public half), while it is in the file."""
        return next((one for one in self._current() if public_half(one)[:KEY_NAME_LEN] == name), None)

    def open(self, manifest: Manifest) -> Manifest:
        """Raises SealError."""
        return opened(manifest, {public_half(one)[:KEY_NAME_LEN]: one for one in self._current()})

    def _current(self) -> tuple[PrivateKey, ...]:
        if self._file is None:
            return self._keys
        found = self._file.stat()
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp != self._read_at:
            self._keys, self._read_at = _read(self._file), stamp
        return self._keys


class Opening:
    """A target that is given what is sealed."""

    def __init__(self, target: Target, keys: Keyring) -> None:
        self._target, self._keys = target, keys

    async def apply(self, operation: Operation, permit: Permit) -> Effect:
        """One try; what was sealed for a key that is gone is decided again, and sealed for the present one."""
        if operation.manifest is not None:
            try:
                opened_now = self._keys.open(operation.manifest)
            except SealError as error:
                return Effect("conflict", False, str(error))
            if opened_now is not operation.manifest:
                operation = operation.model_copy(update={"manifest": opened_now})
        return await self._target.apply(operation, permit)

    async def delete(self, operation: Operation, permit: Permit) -> Effect:
        """One try to delete."""
        return await self._target.delete(operation, permit)

    async def read(self, operation: Operation, permit: Permit) -> Effect:
        """What is there."""
        return await self._target.read(operation, permit)

    async def progress(self, operation: Operation, uid: str) -> Progress:
        """How far it has come."""
        return await self._target.progress(operation, uid)

    async def take(self, resources: dict[ResourceId, str], declared: bool = False) -> dict[ResourceId, Manifest]:
        """Whole objects; of what was declared, what our keys still open."""
        found = await self._target.take(resources, declared)
        return {name: body for name, body in zip(found, map(self._opened, found.values()), strict=True) if body}

    def _opened(self, manifest: Manifest) -> Manifest | None:
        try:
            return self._keys.open(manifest)
        except SealError:
            return None

    async def state(self, manifest: Manifest) -> dict[str, Any]:
        """As resolvers know it."""
        return await self._target.state(manifest)

    async def rehearse(self, changes: tuple[RehearsedChange, ...]) -> tuple[RehearsedResult, ...]:
        """Dry runs, in their order; what cannot be opened is refused, as it would be in the end."""
        readable, refused = [], {}
        for change in changes:
            try:
                readable.append(change.model_copy(update={"manifest": self._keys.open(change.manifest)}))
            except SealError as error:
                refused[change.resource] = RehearsedResult(
                    resource=change.resource, status=UNREADABLE, message=str(error)
                )
        results = {one.resource: one for one in await self._target.rehearse(tuple(readable))} | refused
        return tuple(results[change.resource] for change in changes)

    async def close(self) -> None:
        """Let go of connections."""
        await self._target.close()


def renew(file: Path) -> str:
    """A new key before those that are there; what is sealed from now on needs it. Returns the public half."""
    key = PrivateKey.generate()
    before = file.read_text() if file.exists() else ""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
    with os.fdopen(descriptor, "w") as out:
        out.write(f"{bytes(key).hex()}\n{before}")
    made.replace(file)
    return public_half(key)


def _read(file: Path) -> tuple[PrivateKey, ...]:
    try:
        keys = tuple(PrivateKey(bytes.fromhex(line)) for line in file.read_text().split())
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"{file}: not a file of sealing keys ({type(error).__name__})") from error
    if not keys:
        raise SettingsError(f"{file}: holds no key")
    return keys
