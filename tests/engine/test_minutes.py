import pytest
from mmengine.dist import get_rank

from mmduet.engine.distributed import join_process_group, leave
from mmduet.engine.minutes import Minutes
from tests.run_tool import run_ranks


def ends(seconds, minutes=1.0, saves=True):
    """Times at which the minutes are over, for steps of so many seconds each."""
    now, found = [0.0], []
    clock = Minutes(minutes, lambda: now[0])
    for each in seconds:
        now[0] += each
        if clock.are_over():
            found.append(now[0])
            if saves:
                clock.restart()
    return found


def gaps(times):
    return [after - before for before, after in zip([0.0, *times], times, strict=False)]


@pytest.mark.parametrize('step', [0.01, 0.3, 1.0, 7.0])
def test_at_a_steady_speed_they_are_over_by_the_first_step_after_them(step):
    found = gaps(ends([step] * int(600 / step)))
    assert len(found) >= 7
    assert all(60 - 1e-6 <= gap <= 60 + 2 * step for gap in found[1 if step == 7.0 else 0:])


@pytest.mark.parametrize(('before', 'after'), [(0.1, 1.0), (1.0, 0.1), (0.1, 5.0), (5.0, 0.1)])
def test_where_steps_become_slower_or_faster_the_interval_stays(before, after):
    found = gaps(ends([before] * int(200 / before) + [after] * int(600 / after)))
    late = 6 * max(after / before, 1) + 2 * max(before, after)  # a tenth of the time, at the new speed, once
    assert all(60 - 1e-6 <= gap <= 60 + late for gap in found)
    assert sum(gap > 60 + 2 * max(before, after) for gap in found) <= 1
    assert len(found) >= 10


def test_slow_first_steps_do_not_count_for_the_speed():
    assert gaps(ends([30.0, 25.0] + [0.1] * 3000))[:2] == pytest.approx([60, 60], abs=0.3)


def test_a_step_longer_than_the_minutes_is_followed_by_the_end_of_them():
    assert ends([90.0] * 13) == [900.0, 990.0, 1080.0, 1170.0]


def test_what_was_written_otherwise_begins_them_anew():
    now = [0.0]
    clock = Minutes(1.0, lambda: now[0])
    for number in range(1, 1201):
        now[0] += 0.1
        if number == 500:
            clock.restart()
        if clock.are_over():
            break
    assert now[0] == pytest.approx(110, abs=0.3)


def test_they_stay_over_until_they_begin_anew():
    assert len(ends([1.0] * 100, saves=False)) > 5


def agree():
    """Print the steps at which they are over; the second rank's clock runs apart from the first one's."""
    join_process_group('pytorch')
    now = [0.0]
    clock = Minutes(1.0, lambda: now[0])
    found = []
    for number in range(1, 300):
        now[0] += 1.0 if get_rank() == 0 else 5.0
        if clock.are_over():
            found.append(number)
            clock.restart()
    print('over', *found)
    leave()


def test_all_ranks_take_the_clock_of_the_first():
    first, second = run_ranks(2, agree)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout and len(first.stdout.split()) >= 5
