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


def test_an_empty_variable_is_a_fault_and_not_the_default():
    assert faults_of(MIDRISE_DATABASE_URL="") == ["MIDRISE_DATABASE_URL: it is empty; leave it out instead."]


def test_a_setting_is_given_once(tmp_path):
    path = tmp_path / "url"
    path.write_text("redis://cache:6379/0")
    (fault,) = faults_of(MIDRISE_REDIS_URL="redis://other:6379/0", MIDRISE_REDIS_URL_FILE=str(path))
    assert fault == "MIDRISE_REDIS_URL: MIDRISE_REDIS_URL_FILE is set as well; one of them must go."


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("port = ", "is not valid TOML"),
        ('port = "high"', "MIDRISE_PORT: "),
        ("instance = 4", "MIDRISE_INSTANCE: "),
        ('[database]\nurls = "x"', "MIDRISE_DATABASE_URLS: "),
        ("[database]\nurl = 5", "MIDRISE_DATABASE_URL: "),
        ('database = "x"', "MIDRISE_DATABASE: "),
    ],
)
def test_faults_of_the_file_are_told_as_those_of_the_environment(tmp_path, text, fault):
    toml = tmp_path / "midrise.toml"
    toml.write_text(text)
    assert fault in faults_of(toml)[0]


def test_a_value_in_place_of_a_table_is_a_fault_too(tmp_path):
    toml = tmp_path / "midrise.toml"
    toml.write_text('database = "x"')
    (fault,) = faults_of(toml, MIDRISE_DATABASE_URL="postgresql://db/shop")
    assert "[database]" in fault


def test_a_file_that_can_not_be_read_is_a_fault(tmp_path):
    assert "can't be read" in faults_of(tmp_path)[0]


def test_lists_have_a_comma_between():
    settings = settings_of(
        MIDRISE_CORS_ORIGINS="https://shop.example, http://localhost:3000",
        MIDRISE_TRUSTED_PROXIES="10.0.0.0/8,2001:db8::/32, 192.0.2.1",
        MIDRISE_REPLICA_URLS="postgresql://one/shop,postgresql://two/shop",
    )
    assert settings.cors.origins == ("https://shop.example", "http://localhost:3000")
    assert settings.trusted.proxies == ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1")
    assert [url.get_secret_value() for url in settings.replica.urls] == [
        "postgresql://one/shop",
        "postgresql://two/shop",
    ]


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "*",
            "shop.example",
            "https://",
            "ftp://shop.example",
            "https://shop.example/",
            "https://Shop.example",
        ),
        *(
            "https://shop.example?a",
            "https://shop.example#a",
            "https://me@shop.example",
            "null",
            "https://[::1",
        ),
    ],
)
def test_an_origin_is_what_browsers_send(origin):
    (fault,) = faults_of(MIDRISE_CORS_ORIGINS=origin)
    assert fault.startswith("MIDRISE_CORS_ORIGINS: ")


@pytest.mark.parametrize("network", ["10.0.0.0/33", "proxy.internal", "10.0.0"])
def test_a_proxy_is_an_address_or_a_network(network):
    (fault,) = faults_of(MIDRISE_TRUSTED_PROXIES=network)
    assert fault.startswith("MIDRISE_TRUSTED_PROXIES: ")


def test_certificate_and_key_go_together():
    (fault,) = faults_of(MIDRISE_TLS_CERT="cert.pem")
    assert "MIDRISE_TLS_CERT and MIDRISE_TLS_KEY go together" in fault


@pytest.mark.parametrize("level", ["debug", "INFO", "Warning", "error"])
def test_a_level_is_taken_in_any_case(level):
    assert settings_of(MIDRISE_LOG_LEVEL=level).log.level == level.lower()


@pytest.mark.parametrize("limit", ["off", "600/60", "1/1", "999999999/99999"])
def test_a_rate_limit_is_requests_in_seconds(limit):
    assert settings_of(MIDRISE_RATE_LIMIT=limit).rate.limit == limit


@pytest.mark.parametrize("limit", ["0/60", "600/0", "600", "600/60\n", "-1/60", "off\n", "1e3/60"])
def test_another_rate_limit_is_a_fault(limit):
    assert faults_of(MIDRISE_RATE_LIMIT=limit)


def test_every_setting_of_the_contract_is_there():
    shown = settings_of(
        MIDRISE_DATABASE_URL="postgresql://db/shop",
        MIDRISE_REDIS_URL="redis://cache",
        MIDRISE_ADMIN_PASSWORD="three green boats at dawn",
        MIDRISE_MASTER_SECRET=MasterSecret.generate().text,
        MIDRISE_TLS_CERT="x",
        MIDRISE_TLS_KEY="x",
    ).shown()
    assert set(shown) >= {
        *("MIDRISE_HOME", "MIDRISE_HOST", "MIDRISE_PORT", "MIDRISE_INSTANCES", "MIDRISE_REPLICAS"),
        *("MIDRISE_ADMIN_EMAIL", "MIDRISE_ADMIN_PASSWORD", "MIDRISE_DATABASE_URL", "MIDRISE_REPLICA_URLS"),
        *("MIDRISE_REDIS_URL", "MIDRISE_RATE_LIMIT", "MIDRISE_PASSWORD_COST", "MIDRISE_LOG_LEVEL"),
        *("MIDRISE_CORS_ORIGINS", "MIDRISE_TRUSTED_PROXIES", "MIDRISE_TLS_CERT", "MIDRISE_TLS_KEY"),
        "MIDRISE_MASTER_SECRET",
    }


def test_every_setting_says_what_it_means():
    from midrise.settings import Section, Settings

    for field in Settings.model_fields.values():
        section = field.annotation
        inner = isinstance(section, type) and issubclass(section, Section)
        fields = section.model_fields.values() if inner else [field]
        assert all(each.description for each in fields)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MIDRISE_ADMIN_PASSWORD", "short", "it must be at least 12 long"),
        ("MIDRISE_ADMIN_PASSWORD", "password1234", "stolen elsewhere"),
        ("MIDRISE_ADMIN_EMAIL", "nope", "it must be an e-mail address"),
        ("MIDRISE_MASTER_SECRET", "short", "The master secret"),
        ("MIDRISE_DATABASE_URL", "notaurl", "postgresql://user:password@host:5432/name"),
        ("MIDRISE_DATABASE_URL", "mysql://hush@db/shop", "postgresql://"),
        ("MIDRISE_REPLICA_URLS", "postgresql://r1/shop,hush", "postgresql://"),
        ("MIDRISE_REDIS_URL", "memcached://hush", "redis://"),
        ("MIDRISE_PORT", "high", "it must be a whole number"),
        ("MIDRISE_PORT", "0", "it must be 1 or more"),
        ("MIDRISE_PORT", "70000", "it must be 65535 or less"),
        ("MIDRISE_REPLICA_MOST_LAG_SECONDS", "0", "it must be more than 0"),
        ("MIDRISE_REPLICA_MOST_LAG_SECONDS", "inf", "it must be "),
        ("MIDRISE_TOKEN_ISSUER_FILE", os.devnull, "it must not be empty"),
        ("MIDRISE_LOG_LEVEL", "loud", "it must be debug, info, warning or error"),
        ("MIDRISE_RATE_LIMIT", "hush", "such as 600/60, or off"),
    ],
)
def test_each_fault_is_one_plain_sentence_that_keeps_the_value_to_itself(variable, value, said):
    (fault,) = faults_of(**{variable: value})
    assert fault.startswith(variable.removesuffix("_FILE"))
    assert said in fault
    assert fault.endswith(".")
    assert not {"hush", "String", "Input", "pattern"} & set(fault.replace(":", " ").split())


def test_faults_of_names_and_of_values_are_told_together():
    faults = faults_of(MIDRISE_INSTANCE="4", MIDRISE_ADMIN_PASSWORD="short", MIDRISE_ADMIN_EMAIL="nope")
    assert len(faults) == 3


def test_a_misspelt_key_of_the_file_is_told_in_plain_words(tmp_path):
    toml = tmp_path / "midrise.toml"
    toml.write_text('[database]\nurll = "x"')
    assert faults_of(toml) == ["MIDRISE_DATABASE_URLL: midrise.toml has it, but there is no such setting."]


def test_links_begin_with_the_gateway_unless_told_otherwise():
    assert settings_of().public_url == "http://127.0.0.1:8080"
    assert settings_of(MIDRISE_HOST="::", MIDRISE_PORT="8443").public_url == "http://[::1]:8443"
    assert settings_of(MIDRISE_PUBLIC_URL="https://shop.example/app/").public_url == "https://shop.example/app"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MIDRISE_PUBLIC_URL", "shop.example"),
        ("MIDRISE_PUBLIC_URL", "https://shop.example/?page=1"),
        ("MIDRISE_PUBLIC_URL", "https://hunter2@shop.example"),
        ("MIDRISE_SMTP_URL", "https://hunter2@shop.example"),
        ("MIDRISE_SMTP_URL", "smtp://shop:hunter2@shop.example?tls=none"),
        ("MIDRISE_MAIL_SENDER", "nobody"),
    ],
)
def test_what_mails_are_sent_by_is_checked(name, value):
    (fault,) = faults_of(**{name: value})
    assert fault.startswith(f"{name}: it ")
    assert "hunter2" not in fault


def test_mails_are_kept_in_the_state_folder(tmp_path):
    assert settings_of(MIDRISE_HOME=str(tmp_path)).mail_folder == tmp_path / "mail"
