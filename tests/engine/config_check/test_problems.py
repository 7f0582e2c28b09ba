import pytest

from mmduet.engine.config_check.problems import Problem, UnreadKeyError, refuse, unknown


def test_a_key_is_unknown_with_the_nearest_or_with_all_that_are_taken():
    near = unknown('model.fusion.num_layer', 'fusion', ['num_layers', 'heads'])
    assert near.key == 'model.fusion.num_layer' and "fusion does not take 'num_layer'" in near.sentence
    assert 'num_layers' in near.sentence and 'heads' not in near.sentence
    assert unknown('a.zzz', 'A', ['width', 'depth', 'width']).sentence == "A does not take 'zzz'. It takes width, depth"
    assert unknown('a.zzz', 'A', []).sentence == "A does not take 'zzz'"


def test_all_problems_are_said_at_once_with_their_places():
    first, second = Problem('a.b', 'no'), Problem('c', 'neither')
    refuse([])
    with pytest.raises(UnreadKeyError, match=r'^a\.b \(x\.py:3\): no$'):
        refuse([(first, 'x.py:3')])
    with pytest.raises(UnreadKeyError, match=r'^2 mistakes in the config:\n  a\.b \(x\.py:3\): no\n  c: neither$'):
        refuse([(first, 'x.py:3'), (second, '')])
