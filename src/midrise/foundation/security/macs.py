"""Message authentication codes under a key that lives long."""

import hashlib

_BLOCK_BYTES = 64


class Mac:
    """HMAC-SHA256 (RFC 2104) under one key.

    What depends on the key alone is worked out once. For a short message that is most of it, and `hmac` looks
    its algorithm up anew each time as well.
    """

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes([byte ^ 0x36 for byte in block]))
        self._outer = hashlib.sha256(bytes([byte ^ 0x5C for byte in block]))

    def digest(self, message: bytes) -> bytes:
        """The whole code, 32 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()
