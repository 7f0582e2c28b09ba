import json

import pytest

from mmduet.datasets.transforms.direction_words import can_mirror, names_a_position, swap_sides
from tests.shared_data import shared


@pytest.mark.parametrize(('text', 'mirrored', 'count'), [
    ('left cup', 'right cup', 1),
    ('man on the right of the left bench', 'man on the left of the right bench', 2),
    ('leftmost cup', 'rightmost cup', 1),
    ('left-most cup', 'right-most cup', 1),
    ('right-hand side', 'left-hand side', 1),
    ('the lefthand one', 'the righthand one', 1),
    ('more lefter', 'more righter', 1),
    ('facing leftward', 'facing rightward', 1),
    ('looks rightwards', 'looks leftwards', 1),
    ('left-ward', 'right-ward', 1),
    ('lhs cup, not rhs', 'rhs cup, not lhs', 2),
    ('topleft', 'topright', 1),
    ('bottomright corner', 'bottomleft corner', 1),
    ('leftside', 'rightside', 1),
    ('Left LEFT left', 'Right RIGHT right', 3),
    ("the left's cup", "the right's cup", 1),
    ('bright upright leftover', 'bright upright leftover', 0),
    ('copyright sign', 'copyright sign', 0),
    ('rightly', 'rightly', 0),
    ('middle cup', 'middle cup', 0),
])
def test_whole_words_are_exchanged_and_counted(text, mirrored, count):
    assert swap_sides(text) == (mirrored, count)


def test_bright_does_not_become_bleft():
    assert swap_sides('bright shirt on the right') == ('bright shirt on the left', 1)


@pytest.mark.parametrize('text', ['left cup', 'lhs', 'Leftmost of the rights', 'topright'])
def test_exchanging_twice_gives_the_text_back(text):
    assert swap_sides(swap_sides(text)[0])[0] == text


@pytest.mark.parametrize('text', [
    'player 12', '3rd from left', 'the sign "stop"', 'sign that says “stop”', "says 'stop' in red", "3 o'clock",
    'three o clock', 'west side', 'the eastern most', 'the l one', 'rightt cup', 'benchleft', 'theleft',
    'tree on rt trunk', 'guy on lft', 'lef zebra', 'Rigth bike', 'the rite side', 'FAR EFT guy',
    'pants on rigt', 'dock on ;eft', 'couch on let', 'rocks in the back laft', 'group on elft side', 'tree to thr ight',
    'second guy roght', 'man on irght', 'bottom tight corner', 'building reight', 'critter on lewft', 'the lefmost building',
    'righ-most one', 'bikc on rgt', 'guy on lfet', 'leftmsot'])
def test_what_a_mirror_would_make_untrue_is_not_mirrored(text):
    assert not can_mirror(text)


@pytest.mark.parametrize('text', ['left cup', "the man's left hand", "a lady ' s head", 'bright light', 'upright bike', 'cup',
                                  'right-hand side', 'leftover food', 'lefty', 'the clock', 'Light lamp at night', 'eight men',
                                  'ski lift', 'a loft', 'the fight', 'sight seeing bus', 'might be a dude', 'delight', 'theft',
                                  'artist', 'letter', 'lifted', 'great height'])
def test_everything_else_is_mirrored(text):
    assert can_mirror(text)


@pytest.mark.parametrize('text', ['left cup', 'RIGHT', 'top shelf', 'bottom', 'in the middle', 'leftmost', 'topmost',
                                  'topright'])
def test_words_of_place_are_seen(text):
    assert names_a_position(text)


@pytest.mark.parametrize('text', ['laptop', 'bright cup', 'stop sign', 'leftover', 'tabletop', 'cup'])
def test_a_laptop_names_no_place(text):
    assert not names_a_position(text)


def test_hardly_any_real_expression_is_kept_from_mirroring():
    path = shared('data/refcoco_family/val_test/REC_refcoco_unc_val.jsonl')
    texts = [json.loads(text)['expression'] for text in path.open()]
    kept = sum(not can_mirror(text) for text in texts)
    assert 0.005 < kept / len(texts) < 0.03
    for text in texts:
        if can_mirror(text):
            assert swap_sides(swap_sides(text)[0])[0] == text


def test_a_misspelt_side_is_a_position():
    assert names_a_position('guy on lft') and names_a_position('tree on RT trunk') and not names_a_position('the write-up')
    assert names_a_position('upper leftt chair') and names_a_position('Pants on RIGT') and not names_a_position('a light lift')


def test_no_letter_may_be_missing_wrong_double_or_in_another_place():
    for word in ('left', 'right'):
        for at in range(len(word)):
            swapped = word[:at] + word[at + 1:at + 2] + word[at] + word[at + 2:]
            for text in (word[:at] + word[at + 1:], f'{word[:at]}x{word[at + 1:]}', word[:at] + word[at] + word[at:], swapped):
                assert names_a_position(f'cup on {text}') and can_mirror(f'cup on {text}') == (text == word), text
