"""`midrise mail` shows what the worker has kept."""

import asyncio
import json

from tests.topology.house import House

from midrise.foundation.mail import FileMailer, Mail


def keep(house: House, *subjects: str) -> None:
    mailer = FileMailer(house.home / "mail", sender="shop@midrise.test")
    for subject in subjects:
        asyncio.run(mailer.send(Mail("rahima@example.com", subject, f"the text of {subject}\n")))


def test_mails_are_listed_and_shown(tmp_path) -> None:
    house = House(tmp_path)
    keep(house, "one", "দুই")
    listed = json.loads(house.midrise("mail", "list", "--json").stdout)
    assert [(mail["to"], mail["subject"]) for mail in listed] == [
        ("rahima@example.com", "দুই"),
        ("rahima@example.com", "one"),
    ]
    assert house.midrise("mail", "list").stdout.count("rahima@example.com") == 2
    assert "the text of one" in house.midrise("mail", "show", listed[1]["name"]).stdout
    assert "the text of দুই" in house.midrise("mail", "show").stdout


def test_where_there_are_none_that_is_said(tmp_path) -> None:
    house = House(tmp_path)
    assert house.midrise("mail", "list").stderr == "There are no mails.\n"
    ended = house.midrise("mail", "show", check=False)
    assert (ended.returncode, ended.stderr) == (1, "There is no such mail.\n")
