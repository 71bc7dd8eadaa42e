"""Users, their roles and sessions, and the keys that sign their tokens."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from midrise.foundation.database import metadata

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text, nullable=False),
    # What the address is compared by: NFKC and case-folded, in bytes.
    Column("email_key", Text(collation="C"), nullable=False),
    Column("name", Text, nullable=False),
    # What the name is searched by: likewise.
    Column("name_key", Text(collation="C"), nullable=False),
    Column("locale", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("email_verified", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("email_key"),
    CheckConstraint("locale IN ('en', 'bn')", name="locale_known"),
    Index("ix_users_created_at", "created_at", "id"),
)

roles = Table(
    "roles",
    metadata,
    Column("name", Text(collation="C"), primary_key=True),
    Column("description", Text, nullable=False),
    Column("built_in", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

role_permissions = Table(
    "role_permissions",
    metadata,
    Column("role_name", ForeignKey("roles.name", ondelete="CASCADE"), primary_key=True),
    Column("permission", Text(collation="C"), primary_key=True),
)

user_roles = Table(
    "user_roles",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("role_name", ForeignKey("roles.name", ondelete="RESTRICT"), primary_key=True),
    Index("ix_user_roles_role_name", "role_name", "user_id"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    # The refresh token in force is that of this generation; the nonce is what no one can make one without.
    Column("generation", Integer, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("rotated_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
    Index("ix_sessions_user_id", "user_id", "id"),
    Index("ix_sessions_expires_at", "expires_at"),
)

# What is guessed at or from where, by its digest, and when: wrong guesses and those that are not judged yet.
log_in_attempts = Table(
    "log_in_attempts",
    metadata,
    Column("place", LargeBinary, primary_key=True),
    Column("made_at", ARRAY(DateTime(timezone=True)), nullable=False),
    Column("streak", Integer, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Index("ix_log_in_attempts_last_at", "last_at"),
)

second_factors = Table(
    "second_factors",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("sealed_secret", LargeBinary, nullable=False),
    # None until the first code was shown: until then nobody is asked for one.
    Column("confirmed_at", DateTime(timezone=True)),
    # The step of the last code that was taken: neither it nor an older one is taken again.
    Column("last_step", BigInteger),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
)

email_tokens = Table(
    "email_tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("email", Text, nullable=False),
    # What mails to one address are counted by: as in users.
    Column("email_key", Text(collation="C"), nullable=False),
    # None until the mail is made; it changes when that is made again.
    Column("digest", LargeBinary),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    # Used, or taken back.
    Column("spent_at", DateTime(timezone=True)),
    UniqueConstraint("digest"),
    CheckConstraint("purpose IN ('verification', 'change', 'reset')", name="purpose_known"),
    Index("ix_email_tokens_user_id", "user_id", "purpose", "created_at"),
    Index("ix_email_tokens_email_key", "email_key", "purpose", "created_at"),
    Index("ix_email_tokens_expires_at", "expires_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    # Of the key's secret; the key itself is not kept.
    Column("digest", LargeBinary, nullable=False),
    Column("permissions", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("last_used_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    Index("ix_api_keys_user_id", "user_id", "id"),
    Index("ix_api_keys_expires_at", "expires_at"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text(collation="C"), primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("sealed_private_key", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    # Since when it is in its state.
    Column("moved_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("state IN ('next', 'current', 'retired', 'revoked')", name="state_known"),
    Index("uq_signing_keys_current", "state", unique=True, postgresql_where=text("state = 'current'")),
    Index("uq_signing_keys_next", "state", unique=True, postgresql_where=text("state = 'next'")),
)
