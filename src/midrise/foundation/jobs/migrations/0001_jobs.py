"""The tables of the job queue, as pgqueuer 1.6.0 makes them."""

from pathlib import Path

from alembic import op

revision = "jobs_0001"
down_revision = None
branch_labels = ("jobs",)
depends_on = None


def upgrade() -> None:
    script = Path(__file__).with_name("0001_pgqueuer.sql").read_text(encoding="utf-8")
    # Many statements in one text need the simple protocol, which only the driver's own connection offers.
    driver = op.get_bind().connection.dbapi_connection
    assert driver is not None  # noqa: S101  a migration runs on an open connection
    driver.run_async(lambda connection: connection.execute(script))
