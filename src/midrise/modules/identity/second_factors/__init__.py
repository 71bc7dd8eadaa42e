"""Second factors: codes that an app makes, and the recovery codes for when it is lost."""
