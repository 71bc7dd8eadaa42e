"""The one secret of an installation, what is derived from it, and what it seals.

Everything secret that Midrise stores or signs hangs on this secret: the pepper of the passwords, the check
value of refresh tokens, the sealing of signing keys. It is never used itself, only keys derived from it
(HKDF-SHA256, RFC 5869), one for each purpose.

SecretRefused                the installation can't start with what it was given; says why in one sentence
├── WeakSecret               too short, or plainly not random
└── ExposedSecret            the file can be read by other users of the machine
SealBroken                   what was to be opened was changed, or sealed by a secret that is not known here
"""

import base64
import binascii
import hmac
import itertools
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SMALLEST_SECRET_BYTES = 32
_FEWEST_DISTINCT_BYTES = 16  # of 32 random bytes about 30 differ; fewer than 16 has a chance below 1e-12
_FEWEST_DISTINCT_STEPS = 8  # finds counting and constant bytes
_LARGEST_FILE_BYTES = 4096

_FORMAT = b"\x01"
_SECRET_ID_BYTES = 4
_SALT_BYTES = 16
_NONCE_BYTES = 12
_PREFIX_BYTES = len(_FORMAT) + _SECRET_ID_BYTES + _SALT_BYTES + _NONCE_BYTES


class SecretRefused(ValueError):
    """The master secret can't be used; the text says why and what to do, in one sentence."""


class WeakSecret(SecretRefused):
    """The master secret is too short, not base64url, or plainly not random."""


class ExposedSecret(SecretRefused):
    """The file of the master secret can be read by other users."""


class SealBroken(Exception):
    """A sealed text can't be opened: it was changed, meant for another place, or sealed by another secret."""


class MasterSecret:
    """At least 32 random bytes. Its text is base64url (RFC 4648, section 5), with or without padding.

    After a change of secret, the ones before it can be given as `previous`: they still open and verify what
    they sealed and signed, but nothing new is made with them.
    """

    __slots__ = ("_derived", "_raw", "previous", "secret_id")

    def __init__(self, raw: bytes, *, previous: Sequence["MasterSecret"] = ()) -> None:
        _refuse_weak(raw)
        self._raw = raw
        self._derived: dict[str, bytes] = {}
        self.previous = tuple(previous)
        self.secret_id = self.derive("secret id")[:_SECRET_ID_BYTES].hex()

    @classmethod
    def generate(cls) -> Self:
        return cls(secrets.token_bytes(SMALLEST_SECRET_BYTES))

    @classmethod
    def from_text(cls, text: str, *, previous: Sequence["MasterSecret"] = ()) -> Self:
        """Read base64url text. Raises `WeakSecret`."""
        stripped = text.strip().rstrip("=")
        try:
            raw = base64.b64decode(stripped + "=" * (-len(stripped) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise WeakSecret(
                "The master secret is not base64url text: make one with `openssl rand -base64 32 | tr +/ -_`."
            ) from error
        return cls(raw, previous=previous)

    @classmethod
    def read_file(cls, path: Path) -> Self:
        """Read the file that holds the secret's text. Raises `SecretRefused`."""
        return cls.from_text(_read_private_text(path))

    @property
    def text(self) -> str:
        """The secret itself, as it stands in a file."""
        return base64.urlsafe_b64encode(self._raw).decode().rstrip("=")

    def find(self, secret_id: str) -> "MasterSecret | None":
        """This secret or a previous one, by its id."""
        return next((known for known in (self, *self.previous) if known.secret_id == secret_id), None)

    def derive(self, purpose: str) -> bytes:
        """32 bytes that belong to the purpose alone; the same on every instance and after a restart.

        Purposes are few and fixed: what was derived once is kept.
        """
        key = self._derived.get(purpose)
        if key is None:
            kdf = HKDF(algorithm=SHA256(), length=32, salt=b"midrise", info=purpose.encode())
            key = self._derived[purpose] = kdf.derive(self._raw)
        return key

    def seal(self, purpose: str, plaintext: bytes, *, associated: bytes = b"") -> bytes:
        """Encrypt and authenticate. Who opens it must name the same purpose and associated bytes.

        The text is: format, secret id, salt, nonce, AES-256-GCM ciphertext. Each text has a key of its own,
        made from the purpose's key and the salt, so that GCM's limit of 2**32 random nonces for a key
        (NIST SP 800-38D, section 8.3) is out of reach however much is sealed.
        """
        prefix = _FORMAT + bytes.fromhex(self.secret_id) + secrets.token_bytes(_SALT_BYTES + _NONCE_BYTES)
        cipher = _cipher(self.derive(f"seal {purpose}"), prefix)
        return prefix + cipher.encrypt(prefix[-_NONCE_BYTES:], plaintext, prefix + associated)

    def is_sealer_of(self, sealed: bytes) -> bool:
        """Whether this secret, not a previous one, sealed the text."""
        return sealed.startswith(self.seal_prefix)

    @property
    def seal_prefix(self) -> bytes:
        """What every text begins with that this secret sealed."""
        return _FORMAT + bytes.fromhex(self.secret_id)

    def open(self, purpose: str, sealed: bytes, *, associated: bytes = b"") -> bytes:
        """Give back what was sealed, by this secret or a previous one. Raises `SealBroken`."""
        prefix, ciphertext = sealed[:_PREFIX_BYTES], sealed[_PREFIX_BYTES:]
        if len(prefix) < _PREFIX_BYTES or not prefix.startswith(_FORMAT):
            raise SealBroken("This is not a sealed text of a known format.")
        secret_id = prefix[len(_FORMAT) :][:_SECRET_ID_BYTES].hex()
        sealer = self.find(secret_id)
        if sealer is None:
            raise SealBroken(f"This was sealed with the master secret {secret_id}, which is not known here.")
        cipher = _cipher(sealer.derive(f"seal {purpose}"), prefix)
        try:
            return cipher.decrypt(prefix[-_NONCE_BYTES:], ciphertext, prefix + associated)
        except InvalidTag as error:
            raise SealBroken("The sealed text was changed, or belongs elsewhere.") from error

    def __repr__(self) -> str:
        return f"<MasterSecret {self.secret_id} ********>"


def _cipher(sealing_key: bytes, prefix: bytes) -> AESGCM:
    salt = prefix[-_NONCE_BYTES - _SALT_BYTES : -_NONCE_BYTES]
    return AESGCM(hmac.digest(sealing_key, salt, "sha256"))


def _refuse_weak(raw: bytes) -> None:
    if len(raw) < SMALLEST_SECRET_BYTES:
        raise WeakSecret(
            f"The master secret has {len(raw)} bytes, and {SMALLEST_SECRET_BYTES} random ones are needed."
        )
    steps = {(after - before) % 256 for before, after in itertools.pairwise(raw)}
    repeats = raw in (raw + raw)[1:-1]
    if len(set(raw)) < _FEWEST_DISTINCT_BYTES or len(steps) < _FEWEST_DISTINCT_STEPS or repeats:
        raise WeakSecret("The master secret is not random: it repeats or counts, so it could be guessed.")


def _read_private_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            facts = os.fstat(file.fileno())
            mode = stat.S_IMODE(facts.st_mode)
            if mode & _forbidden_mode(facts.st_uid):
                raise ExposedSecret(
                    f"The master secret in {path} can be read by other users (mode {mode:04o}): "
                    f"run `chmod 600 {path}`."
                )
            content = file.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise SecretRefused(f"The master secret in {path} can't be read: {error.strerror}.") from error
    if len(content) > _LARGEST_FILE_BYTES or not content.isascii():
        raise WeakSecret(f"The file {path} does not hold a master secret, which is a line of base64url text.")
    return content.decode("ascii")


def _forbidden_mode(owner: int) -> int:
    """Which bits of its mode give a secret away.

    A file of root's may be read by a group: so Kubernetes hands secrets to processes that aren't root.
    """
    return 0o037 if owner == 0 != os.geteuid() else 0o077
