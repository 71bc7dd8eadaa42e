"""Users, roles, sessions and signing keys, with the roles that every installation has."""

import sqlalchemy as sa
from alembic import op

revision = "identity_0001"
down_revision = None
branch_labels = ("identity",)
depends_on = None

BUILT_IN_ROLES = {
    "administrator": "May do everything",
    "manager": "Looks after products, categories and stock",
    "support": "Sees users and the audit",
    "customer": "Looks after itself",
}
UNDELETABLE = {"administrator", "customer"}
PERMISSIONS = {
    "manager": ("products:read", "products:write", "stock:write"),
    "support": ("users:read", "roles:read", "audit:read"),
}


def upgrade() -> None:
    _create_users()
    _create_roles()
    _create_sessions()
    _create_signing_keys()
    _fill_roles()


def _times() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("email_verified", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        *_times(),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email_key", name="uq_users_email_key"),
        sa.CheckConstraint("locale IN ('en', 'bn')", name=op.f("ck_users_locale_known")),
    )
    op.create_index("ix_users_created_at", "users", ["created_at", "id"])


def _create_roles() -> None:
    op.create_table(
        "roles",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("built_in", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        *_times(),
        sa.PrimaryKeyConstraint("name", name="pk_roles"),
    )
    op.create_table(
        "role_permissions",
        sa.Column("role_name", sa.Text(collation="C"), nullable=False),
        sa.Column("permission", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("role_name", "permission", name="pk_role_permissions"),
        sa.ForeignKeyConstraint(
            ["role_name"], ["roles.name"], name="fk_role_permissions_role_name", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "user_roles",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("role_name", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "role_name", name="pk_user_roles"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_roles_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["role_name"], ["roles.name"], name="fk_user_roles_role_name", ondelete="RESTRICT"
        ),
    )
    op.create_index("ix_user_roles_role_name", "user_roles", ["role_name", "user_id"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("nonce", sa.LargeBinary, nullable=False),
        sa.Column("user_agent", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id", "id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])


def _create_signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text(collation="C"), nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
        sa.CheckConstraint(
            "state IN ('next', 'current', 'retired', 'revoked')", name=op.f("ck_signing_keys_state_known")
        ),
    )
    op.create_index(
        "uq_signing_keys_current",
        "signing_keys",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'current'"),
    )


def _fill_roles() -> None:
    roles = sa.table(
        "roles",
        *(
            sa.column(name)
            for name in ("name", "description", "built_in", "version", "created_at", "updated_at")
        ),
    )
    permissions = sa.table("role_permissions", sa.column("role_name"), sa.column("permission"))
    for name, description in BUILT_IN_ROLES.items():
        op.execute(
            sa.insert(roles).values(
                name=name,
                description=description,
                built_in=name in UNDELETABLE,
                version=1,
                created_at=sa.func.now(),
                updated_at=sa.func.now(),
            )
        )
    for role_name, granted in PERMISSIONS.items():
        for permission in granted:
            op.execute(sa.insert(permissions).values(role_name=role_name, permission=permission))
