from dataclasses import replace

import numpy as np
import pytest

from mmduet.refshapes.expressions import SYNONYMS, Expression, caption, refer, region_phrase, say, vocabulary
from mmduet.refshapes.generator import make_example
from mmduet.refshapes.scene import Part, Scene, SceneObject

# The reader's own dictionary: what each word means, written out apart from the generator's tables.
MEANING = {
    'red crimson scarlet': ('colour', 'red'),
    'green emerald lime': ('colour', 'green'),
    'blue navy azure': ('colour', 'blue'),
    'yellow golden lemon': ('colour', 'yellow'),
    'purple violet lilac': ('colour', 'purple'),
    'orange amber tangerine': ('colour', 'orange'),
    'gray silver ashen': ('colour', 'gray'),
    'pink rose salmon': ('colour', 'pink'),
    'brown chestnut cocoa': ('colour', 'brown'),
    'cyan turquoise teal': ('colour', 'cyan'),
    'circle ball disc': ('shape', 'circle'),
    'square box block': ('shape', 'square'),
    'triangle pyramid wedge': ('shape', 'triangle'),
    'star asterisk spark': ('shape', 'star'),
    'diamond rhombus gem': ('shape', 'diamond'),
    'cross plus sign': ('shape', 'cross'),
    'ring donut hoop': ('shape', 'ring'),
    'arrow pointer cursor': ('shape', 'arrow'),
    'big large huge': ('size', 'big'),
    'small little tiny': ('size', 'small'),
}
MEANING = {word: meaning for words, meaning in MEANING.items() for word in words.split()}
WHERE = {
    'leftmost': lambda item, others: all(item.x < other.x for other in others),
    'rightmost': lambda item, others: all(item.x > other.x for other in others),
    'top': lambda item, others: all(item.y < other.y for other in others),
    'bottom': lambda item, others: all(item.y > other.y for other in others),
}
BESIDE = {
    ' left of ': lambda item, mark: item.x < mark.x,
    ' right of ': lambda item, mark: item.x > mark.x,
    ' above ': lambda item, mark: item.y < mark.y,
    ' below ': lambda item, mark: item.y > mark.y,
}


def solve(text, objects):
    """All objects that a reader could take the words to mean."""
    for link, holds in BESIDE.items():
        if link in text:
            head, tail = text.split(link)
            marks = solve(tail, objects)
            return [item for item in solve(head, objects) if any(item is not mark and holds(item, mark) for mark in marks)]
    # After "left of" and "right of" were dealt with, "of" says what belongs to an object.
    text, _, owned = text.partition(' of the ')
    first, *words = text.split()
    assert first == 'the'
    place = words.pop(0) if words[0] in WHERE else None
    wanted = dict(MEANING[word] for word in words if word != 'thing')
    its = dict(MEANING[word] for word in owned.split() if word != 'thing')
    fitting = [item for item in objects if all(getattr(item, name) == value for name, value in wanted.items())
               and (not owned or all(getattr(item.part, name) == value for name, value in its.items()))]
    if place is None:
        return fitting
    return [item for item in fitting if WHERE[place](item, [other for other in fitting if other is not item])]


@pytest.mark.parametrize('level', ['easy', 'standard', 'hard', 'parts'])
@pytest.mark.parametrize('split', ['train', 'val', 'testA', 'testB', 'heldout'])
def test_every_expression_means_its_target_and_nothing_else(split, level):
    for index in range(300):
        example = make_example(0, split, index, expressions=3, level=level)
        for expression in example.expressions:
            found = solve(expression.text, example.scene.objects)
            assert found == [example.scene.referent], (expression.text, example.scene)


@pytest.mark.parametrize('level', ['easy', 'standard', 'hard', 'parts'])
def test_an_absent_expression_is_true_of_nothing_though_its_words_are_of_what_is_there(level):
    kinds = set()
    for index in range(300):
        example = make_example(0, 'absent', index, level=level)
        expression, = example.expressions
        kinds.add(expression.kind)
        assert solve(expression.text, example.scene.objects) == [], (expression.text, example.scene)
        things = [thing for item in example.scene.objects for thing in (item, item.part) if thing is not None]
        shown = {(name, getattr(thing, name)) for thing in things for name in ('colour', 'shape')}
        said = {MEANING[word] for word in expression.tokens if word in MEANING}
        assert {meaning for meaning in said if meaning[0] != 'size'} <= shown
    assert kinds == {'attribute', 'superlative', 'relation', *(['part'] if level == 'parts' else [])}


def test_a_full_expression_names_colour_and_shape_of_the_target():
    for index in range(300):
        example = make_example(0, 'heldout', index)
        head = example.expressions[0].text
        for link in BESIDE:
            head = head.split(link)[0]
        said = dict(MEANING[word] for word in head.split() if word in MEANING)
        target = example.scene.referent
        assert (said['colour'], said['shape']) == (target.colour, target.shape)


def test_the_solver_finds_nothing_or_several_where_an_expression_is_wrong():
    left, right = SceneObject('star', 'red', 'big', 200, 500, 150), SceneObject('star', 'red', 'big', 700, 500, 150)
    assert solve('the crimson spark', (left, right)) == [left, right]
    assert solve('the blue star', (left, right)) == []
    assert solve('the rightmost star', (left, right)) == [right]


def test_distractors_make_single_attributes_ambiguous_in_most_scenes():
    examples = [make_example(0, 'train', index) for index in range(300)]
    same_shape = sum(sum(item.shape == e.scene.referent.shape for item in e.scene.objects) > 1 for e in examples)
    same_colour = sum(sum(item.colour == e.scene.referent.colour for item in e.scene.objects) > 1 for e in examples)
    assert same_shape > 150
    assert same_colour > 130


def test_a_scene_of_twins_side_by_side_is_told_apart_by_place_only():
    scene = Scene((SceneObject('star', 'red', 'big', 200, 500, 150), SceneObject('star', 'red', 'big', 700, 500, 150)), 0)
    rng = np.random.default_rng(0)
    assert refer(rng, scene, ('attribute', )) is None
    assert refer(rng, scene, ('relation', )) is None
    said = {refer(rng, scene).tokens[:2] for _ in range(20)}
    assert said == {('the', 'leftmost')}


def test_places_too_close_to_call_are_not_said():
    scene = Scene((SceneObject('star', 'red', 'big', 400, 200, 150), SceneObject('star', 'red', 'big', 490, 600, 150)), 0)
    rng = np.random.default_rng(0)
    assert {refer(rng, scene, ('superlative', )).tokens[1] for _ in range(20)} == {'top'}


def test_synonyms_are_said_60_25_and_15_times_in_a_hundred():
    rng = np.random.default_rng(0)
    said = [say(rng, 'red') for _ in range(10000)]
    assert [round(said.count(word) / 100) for word in ('red', 'crimson', 'scarlet')] == [60, 25, 15]
    assert say(rng, 'leftmost') == 'leftmost'


def test_no_word_means_two_things():
    words = vocabulary()
    assert len(words) == 77
    assert len(set(words)) == 77
    assert set(MEANING) == {word for said in SYNONYMS.values() for word in said}


def test_phrases_and_captions_are_literal_for_a_seed():
    scene = make_example(0, 'train', 0).scene
    rng = np.random.default_rng(3)
    phrases = [region_phrase(rng, item) for item in scene.objects[:3]]
    assert phrases == ['the circle', 'the crimson disc', 'the small gray circle']
    assert caption(rng, scene) == 'a crimson circle and a brown circle and a cyan disc'


def test_an_object_is_told_by_its_part_where_nothing_else_tells_it():
    twins = [SceneObject('star', 'red', 'big', x, 500, 150, part=Part('ring', colour, x, 380, 60))
             for x, colour in ((200, 'blue'), (700, 'green'))]
    rng = np.random.default_rng(0)
    said = {refer(rng, Scene(tuple(twins), 1), ('part', )).tokens for _ in range(300)}
    assert {tokens[-1] for tokens in said} == {'thing', 'ring', 'donut', 'hoop'}
    assert all(tokens[-2] in ('green', 'emerald', 'lime') and tokens[-4:-2] == ('of', 'the') for tokens in said)
    assert {tokens[1] for tokens in said} >= {'thing', 'star', 'red'}
    assert refer(rng, Scene(tuple(twins), 1), ('attribute', )) is None
    alike = tuple(replace(item, part=replace(item.part, colour='blue')) for item in twins)
    assert refer(rng, Scene(alike, 1), ('part', )) is None


def test_a_full_expression_of_a_part_names_colour_and_shape_of_its_object():
    examples = (make_example(0, 'train', index, level='parts') for index in range(100))
    scene = next(example.scene for example in examples if example.expressions[0].kind == 'part')
    rng = np.random.default_rng(0)
    heads = {tuple(MEANING[word][0] for word in refer(rng, scene, ('part', ), full=True).tokens[1:3]) for _ in range(20)}
    assert heads == {('colour', 'shape')}


def test_phrases_of_a_region_name_its_part_three_times_in_four():
    item = SceneObject('star', 'red', 'big', 200, 500, 150, part=Part('ring', 'blue', 200, 380, 60))
    rng = np.random.default_rng(0)
    said = [region_phrase(rng, item) for _ in range(2000)]
    assert 0.72 < sum(' of the ' in phrase for phrase in said) / 2000 < 0.78
    assert {MEANING[phrase.split()[-1]] for phrase in said if ' of the ' in phrase} == {('shape', 'ring')}


def test_an_expression_reads_as_one_line():
    assert Expression('attribute', ('the', 'red', 'star')).text == 'the red star'
