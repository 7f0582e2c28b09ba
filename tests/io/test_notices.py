import pytest

from mmduet.io.notices import say_once


@pytest.fixture(autouse=True)
def fresh():
    say_once.cache_clear()


def test_a_notice_is_said_once_and_nothing_says_nothing(capsys):
    for notice in ('Knows shapes.', '', 'Knows shapes.', 'Knows dogs.'):
        say_once(notice)
    said = capsys.readouterr()
    assert said.err == 'Knows shapes.\nKnows dogs.\n' and said.out == ''


def test_a_terminal_gets_letters_and_not_too_many(capsys):
    say_once('a\x1b[2Jb\nc' + 'd' * 2000)
    assert capsys.readouterr().err == 'a[2Jbc' + 'd' * (1000 - 8) + '\n'
