"""The settings: where they come from, and what is said of those that can't be used."""

import os
from pathlib import Path

import pytest

from midrise.foundation.security.secrets import MasterSecret
from midrise.settings import SettingsInvalid, load

NO_FILE = Path(os.devnull)


def settings_of(toml: Path = NO_FILE, **environment: str):
    return load(environment, toml=toml)


def faults_of(toml: Path = NO_FILE, **environment: str) -> list[str]:
    with pytest.raises(SettingsInvalid) as invalid:
        load(environment, toml=toml)
    return str(invalid.value).splitlines()


def test_everything_has_a_default():
    settings = settings_of()
    assert (settings.port, settings.instances, settings.replicas) == (8080, 2, 1)
    assert settings.master.secret is None


def test_the_environment_wins_over_the_file(tmp_path):
    toml = tmp_path / "midrise.toml"
    toml.write_text('port = 9000\ninstances = 3\n[database]\nurl = "postgresql://one/shop"\n')
    settings = settings_of(toml, MIDRISE_PORT="9001")
    assert (settings.port, settings.instances) == (9001, 3)
    assert settings.database.url.get_secret_value() == "postgresql://one/shop"


def test_any_setting_can_stand_in_a_file_of_its_own(tmp_path):
    path = tmp_path / "url"
    path.write_text("redis://cache:6379/0\n")
    assert settings_of(MIDRISE_REDIS_URL_FILE=str(path)).redis.url.get_secret_value() == "redis://cache:6379/0"


def test_a_file_that_is_not_there_or_no_text_is_a_fault(tmp_path):
    strange = tmp_path / "strange"
    strange.write_bytes(b"\xff\xfe")
    assert faults_of(MIDRISE_REDIS_URL_FILE=str(tmp_path / "none"))[0].startswith("MIDRISE_REDIS_URL_FILE: ")
    assert faults_of(MIDRISE_REDIS_URL_FILE=str(strange))[0].startswith("MIDRISE_REDIS_URL_FILE: ")


def test_a_misspelt_variable_is_a_fault():
    assert faults_of(MIDRISE_INSTANCE="4") == ["MIDRISE_INSTANCE is not a setting of Midrise."]


def test_every_fault_is_told_at_once():
    faults = faults_of(MIDRISE_PORT="0", MIDRISE_INSTANCES="many", MIDRISE_RATE_LIMIT="a lot")
    assert [fault.partition(":")[0] for fault in faults] == [
        "MIDRISE_PORT",
        "MIDRISE_INSTANCES",
        "MIDRISE_RATE_LIMIT",
    ]


def test_the_address_of_a_kubernetes_service_is_explained():
    (fault,) = faults_of(MIDRISE_PORT="tcp://10.0.0.1:8080")
    assert "enableServiceLinks: false" in fault


def test_no_fault_repeats_a_value():
    (fault,) = faults_of(MIDRISE_RATE_LIMIT="hunter2")
    assert "hunter2" not in fault


def test_what_is_shown_hides_the_secrets():
    shown = settings_of(MIDRISE_DATABASE_URL="postgresql://shop:hunter2@db/shop", MIDRISE_PORT="9001").shown()
    assert shown["MIDRISE_PORT"] == 9001
    assert "hunter2" not in str(shown)


def test_the_master_secret_is_read_from_a_private_file(tmp_path):
    secret, path = MasterSecret.generate(), tmp_path / "master.secret"
    path.write_text(f"{secret.text}\n")
    path.chmod(0o400)
    read = settings_of(MIDRISE_MASTER_SECRET_FILE=str(path)).master.secret
    assert read.get_secret_value() == secret.text


def test_a_master_secret_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "master.secret"
    path.write_text(MasterSecret.generate().text)
    path.chmod(0o644)
    (fault,) = faults_of(MIDRISE_MASTER_SECRET_FILE=str(path))
    assert "can be read by other users" in fault
    assert MasterSecret.generate().text not in fault
