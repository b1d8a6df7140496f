"""The spool keeps what is not in Kafka, and gives it to whoever comes after a kill."""

import logging
import os
from pathlib import Path

import pytest

from rollguard_client.publishing import spool as module
from rollguard_client.publishing.spool import Place, Spool


def value(number: int) -> bytes:
    return b'{"tool_name":"t\\u00e9","number":%d}' % number


def append(spool: Spool, *numbers: int) -> list[Place]:
    places = [spool.append(value(number)) for number in numbers]
    assert None not in places
    return [place for place in places if place is not None]


def adopt_all(spool: Spool) -> list[bytes]:
    found = []
    while adopted := spool.adopt():
        found += [text for _, text, _ in adopted]
    return found


def kill(spool: Spool) -> None:
    """Give back the locks, as the death of the process does."""
    spool.abandon()


def test_what_was_left_may_be_found_before_the_first_record_of_its_own(tmp_path: Path) -> None:
    first = Spool(tmp_path / "spool")
    append(first, 1)
    kill(first)
    second = Spool(tmp_path / "spool")
    [(_, text, place)] = second.adopt()
    assert text == value(1)
    [own] = append(second, 2)
    assert place < own
    second.forget((), None)
    second.close()
    assert not list((tmp_path / "spool").iterdir())


def test_who_comes_next_gets_what_was_left(tmp_path: Path) -> None:
    first = Spool(tmp_path / "spool")
    places = append(first, 1, 2, 3)
    first.forget({places[1]}, places[2])
    second = Spool(tmp_path / "spool")
    assert second.adopt() == [], "the first one lives"
    kill(first)
    own = append(second, 9)
    found = second.adopt()
    assert [(key.decode(), text) for key, text, _ in found] == [("té", value(2)), ("té", value(3))]
    assert all(place < own[0] for _, _, place in found)
    second.forget({found[1][2]}, own[0])
    kill(second)
    third = Spool(tmp_path / "spool")
    assert sorted(adopt_all(third)) == [value(3), value(9)]
    third.forget(set(), None)
    third.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_relative_folder_stays_where_it_is_when_the_program_changes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spool = Spool(Path("spool"))
    append(spool, 1)
    monkeypatch.chdir("/")
    spool.forget(set(), None)
    assert len(list((tmp_path / "spool").iterdir())) == 1
    spool.close()
    assert list((tmp_path / "spool").iterdir()) == [], "it would be sent again"


def test_one_file_is_taken_over_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FILE_BYTES", 100)
    first = Spool(tmp_path)
    append(first, *range(20))
    kill(first)
    second = Spool(tmp_path)
    found = second.adopt()
    assert len(found) < 10
    other = Spool(tmp_path)  # a process that lives beside it gets what is left
    assert len(found) + len(adopt_all(other)) == 20
    second.forget((), None)
    assert second.adopt() == []
    other.close()
    assert len(list(tmp_path.iterdir())) > 5, "the other one has not sent them"


def test_files_are_removed_when_their_records_are_in_kafka_or_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FILE_BYTES", 100)
    spool = Spool(tmp_path)
    places = append(spool, *range(20))
    assert len(list(tmp_path.iterdir())) > 5
    spool.forget({places[0]}, places[-1])
    assert len(list(tmp_path.iterdir())) == 2, "the file of the oldest that is held, and the last"
    spool.forget(set(), places[-1])
    assert len(list(tmp_path.iterdir())) == 1
    spool.close()
    assert len(list(tmp_path.iterdir())) == 1, "the last one is not in Kafka"
    spool = Spool(tmp_path)
    assert [text for _, text, _ in spool.adopt()] == [value(19)]


def test_what_was_written_in_part_is_passed_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    append(spool, 1, 2)
    kill(spool)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    file.write_bytes(content.replace(value(1), b"\0" * len(value(1)))[:-5])
    assert Spool(tmp_path).adopt() == []


def test_a_file_that_cannot_be_read_does_not_keep_the_others_from_being_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path)
    append(spool, 1)
    kill(spool)
    os.mkfifo(tmp_path / "0.spool")
    spool = Spool(tmp_path)
    assert [text for _, text, _ in spool.adopt()] == [value(1)]
    assert f"{tmp_path}/0.spool cannot be read: " in caplog.text
    spool.forget(set(), None)
    assert [each.name for each in tmp_path.iterdir()] == ["0.spool"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o500)
    spool = Spool(tmp_path / "spool")
    assert [spool.append(value(1)), spool.append(value(2))] == [None, None]
    assert len(caplog.records) == 1


def test_a_path_that_is_no_folder_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "spool")
    with caplog.at_level(logging.ERROR):
        assert [spool.append(value(1)), spool.append(value(2))] == [None, None]
    assert len(caplog.records) == 1
    assert "are not kept in" in caplog.text


def test_only_its_user_may_read_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    append(spool, 1)
    (file,) = (tmp_path / "spool").iterdir()
    assert (file.stat().st_mode & 0o077, (tmp_path / "spool").stat().st_mode & 0o077) == (0, 0)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"%020d\n" % 21 + value(1) + b"\n")
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "a.spool").symlink_to(target)
    assert Spool(folder).adopt() == []
