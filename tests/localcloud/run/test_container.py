"""Lines of output, and processes that a container leaves behind."""

import sys

from localcloud.logs.entries import MAX_ENTRY_BYTES
from localcloud.run.container import Image, Lines, launch
from localcloud.run.reaper import Reaper


def read(*chunks):
    lines = Lines()
    return [line for chunk in chunks for line in lines.feed(chunk)] + list(lines.end())


def test_lines_are_split_and_the_last_needs_no_end():
    assert read(b"one\ntw", b"o\n\nthree") == ["one", "two", "", "three"]


def test_a_line_longer_than_an_entry_comes_in_pieces_and_the_next_is_whole():
    got = read(b"x" * (MAX_ENTRY_BYTES + 10), b"\nnext\n")
    assert [len(got[0]), got[1:]] == [MAX_ENTRY_BYTES, ["x" * 10, "next"]]


def test_bytes_that_are_not_text_do_not_end_the_reader():
    assert read(b"\xff\n", "ü\n".encode()) == ["\ufffd", "ü"]


async def test_a_containers_own_children_end_with_it(tmp_path, until):
    got = []
    script = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid)"
    reaper = Reaper()
    container = await launch(
        Image((sys.executable, "-S", "-c", script), tmp_path),
        {},
        tmp_path,
        reaper,
        lambda stream, line: got.append(line),
    )
    assert await container.exited() == 0
    status = tmp_path.__class__(f"/proc/{got[0]}/stat")
    await until(lambda: not status.exists() or " Z " in status.read_text())
    reaper.close()


async def test_a_program_that_does_not_exist_is_an_exit_with_a_message(tmp_path):
    got = []
    reaper = Reaper()
    image = Image(("no-such-program",), tmp_path)
    container = await launch(image, {}, tmp_path, reaper, lambda stream, line: got.append((stream, line)))
    assert await container.exited() == 127
    assert "no-such-program" in got[0][1]
    reaper.close()
