import io
import logging

import pytest

from mmduet.engine.console import file_only, tell, watch_console


@pytest.fixture
def logger(tmp_path):
    logger = logging.Logger('test')
    screen = io.StringIO()
    logger.addHandler(logging.StreamHandler(screen))
    logger.addHandler(logging.FileHandler(tmp_path / 'log'))
    logger.screen, logger.file = screen.getvalue, (tmp_path / 'log').read_text
    return logger


def test_a_quiet_console_shows_what_is_told_and_warnings(logger):
    shown = watch_console(logger)
    logger.info('hook order')
    tell(logger, 'ten lines')
    logger.warning('careful')
    assert logger.screen() == 'ten lines\ncareful\n'
    shown.quiet = False
    logger.info('step 1')
    assert logger.screen() == 'ten lines\ncareful\nstep 1\n'
    assert logger.file() == 'hook order\nten lines\ncareful\nstep 1\n'


def test_a_line_is_written_once_but_told_and_warned_as_often_as_asked(logger):
    watch_console(logger).quiet = False
    for _ in range(2):
        logger.info('Saving a')
        tell(logger, 'table')
        logger.warning('careful')
    assert logger.screen().splitlines() == ['Saving a', 'table', 'careful', 'table', 'careful']
    assert logger.file() == logger.screen()


def test_lines_for_the_file_alone(logger):
    shown = watch_console(logger)
    shown.quiet = False
    with file_only(logger):
        logger.info('a long line')
    logger.info('after')
    assert (logger.screen(), logger.file()) == ('after\n', 'a long line\nafter\n')


def test_what_a_bar_shows_is_hidden(logger):
    shown = watch_console(logger)
    shown.quiet, shown.hidden = False, ('Epoch(train)', )
    logger.info('Epoch(train) 1')
    logger.info('Exp name: a')
    logger.info('Saving')
    assert logger.screen() == 'Saving\n'
    assert logger.file() == 'Epoch(train) 1\nExp name: a\nSaving\n'


def test_watching_twice_is_watching_once(logger):
    assert watch_console(logger) is watch_console(logger)
    assert [len(handler.filters) for handler in logger.handlers] == [2, 1]
