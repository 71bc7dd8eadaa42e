"""Logs: bounded, and read while they grow."""

from pathlib import Path

from midrise.topology.events import Administrator, Noted, Raised
from midrise.topology.logs import LogReader, SupervisorLog, cut_large


def texts(lines) -> list[str]:
    return [line.text for line in lines]


def test_a_log_that_is_too_large_begins_again_and_the_last_two_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "api.1.log"
    with log.open("ab", buffering=0) as writer:
        for text in (b"first\n", b"second\n", b"third\n", b"fourth\n"):
            writer.write(text)
            cut_large(tmp_path, largest_bytes=5)
        writer.write(b"now\n")
    assert log.read_text() == "now\n"
    assert (tmp_path / "api.1.log.1").read_text() == "fourth\n"
    assert (tmp_path / "api.1.log.2").read_text() == "third\n"
    assert len(list(tmp_path.iterdir())) == 3
    assert (tmp_path / "api.1.log.1").stat().st_mode & 0o077 == 0


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "api.1.log").write_text("short\n")
    cut_large(tmp_path, largest_bytes=100)
    assert [path.name for path in tmp_path.iterdir()] == ["api.1.log"]


def test_a_reader_gives_the_end_of_each_log_and_then_what_is_added(tmp_path: Path) -> None:
    one, two = tmp_path / "api.1.log", tmp_path / "api.2.log"
    one.write_text("".join(f"line {number}\n" for number in range(1000)))
    two.write_text("alone\n")
    reader = LogReader(tmp_path)
    recent = texts(reader.recent())
    assert recent[-2:] == ["line 999", "alone"]
    assert len(recent) == 201

    with one.open("a") as file:
        file.write("whole\nhalf")
    assert texts(reader.added()) == ["whole"]
    with one.open("a") as file:
        file.write(" and half\n")
    assert texts(reader.added()) == ["half and half"]


def test_a_reader_goes_on_after_a_log_was_cut_and_finds_new_ones(tmp_path: Path) -> None:
    log = tmp_path / "api.1.log"
    log.write_text("a long line of before\n")
    reader = LogReader(tmp_path)
    list(reader.recent())
    log.write_text("new\n")
    (tmp_path / "api.2.log").write_text("newcomer\n")
    assert texts(reader.added()) == ["new", "newcomer"]


def test_a_reader_of_one_log_sees_no_other(tmp_path: Path) -> None:
    (tmp_path / "api.1.log").write_text("mine\n")
    (tmp_path / "api.2.log").write_text("other\n")
    assert texts(LogReader(tmp_path, name="api.1").recent()) == ["mine"]
    assert LogReader(tmp_path).names() == ["api.1", "api.2"]


def test_the_supervisor_writes_a_json_line_for_each_event(tmp_path: Path) -> None:
    SupervisorLog(tmp_path).write(Noted("api.1 is back"))
    line = (tmp_path / "supervisor.log").read_text()
    assert line.startswith('{"timestamp":"2')
    assert line.endswith('"type":"Noted","text":"api.1 is back"}\n')


def test_the_password_of_the_first_administrator_is_kept_out_of_the_log(tmp_path: Path) -> None:
    made = Administrator("owner@midrise.test", "three green boats")
    SupervisorLog(tmp_path).write(Raised("http://here", 1.0, made))
    written = (tmp_path / "supervisor.log").read_text()
    assert "owner@midrise.test" in written
    assert "boats" not in written
