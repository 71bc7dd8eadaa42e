"""`midrise migrate`: brings the database to the present shape."""

from midrise.cli.process import refuse_or, settings_of_running


def migrate() -> None:
    """Run the migrations that the database lacks, one process at a time, and end."""
    settings = settings_of_running()
    with refuse_or():
        from midrise.app import database_url, master_secret, migration_folders
        from midrise.foundation.database.migrations import migrate as run_migrations

        master_secret(settings)
        run_migrations(
            database_url(settings),
            version_folders=migration_folders(),
            replica_urls=[url.get_secret_value() for url in settings.replica.urls],
        )
