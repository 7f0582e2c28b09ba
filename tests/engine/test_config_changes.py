import pytest

from mmduet.engine.config_changes import read_changed
from mmduet.engine.config_tools import ConfigError

NAME = 'transvg_duet_refshapes'


def test_patches_come_in_their_order_and_options_after_them(tmp_path):
    for name, weight in (('first', 2.0), ('second', 3.0)):
        (tmp_path / f'{name}.py').write_text(f'def change(cfg):\n    cfg.model.head.weight = {weight}\n'
                                             f'    cfg.model.head.terms.relation.weight = {weight}\n')
    paths = [str(tmp_path / f'{name}.py') for name in ('first', 'second')]
    weight = 'model.head.terms.relation.weight=5'
    changed = [read_changed(NAME, patches, options).model.head for patches, options in (
        ((), ()), (paths, ()), (paths[::-1], ()), (['semantic'], ()), (paths, [weight]))]
    assert [head.get('weight') for head in changed] == [None, 3.0, 2.0, None, 3.0]
    assert [head.terms.relation.weight for head in changed] == [1.0, 3.0, 2.0, 1.0, 5]
    assert [head.terms.contrast is None for head in changed] == [False, False, False, True, False]


def test_what_is_not_there_or_does_not_fit_is_named():
    with pytest.raises(FileNotFoundError, match='transvg_duet_refshape'):
        read_changed('transvg_duet_refshape')
    with pytest.raises(FileNotFoundError, match='no patch sematic in configs/duet/ablation; nearest: semantic'):
        read_changed(NAME, ['sematic'])
    with pytest.raises(ConfigError, match='the patch semantic does not fit'):
        read_changed('transvg_refshapes', ['semantic'])
    with pytest.raises(ConfigError, match='wieght'):
        read_changed(NAME, options=['model.head.terms.relation.wieght=2'])
