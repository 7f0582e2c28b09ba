import math

import pytest
import torch
import torch.nn.functional as F

from mmduet.cli import analyse_teacher as tool
from mmduet.models.teachers.centre import Centre
from mmduet.registry import MODELS
from tests.tiny_cache import CONFIG, load_config, make_cache_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_cache_root(tmp_path_factory.mktemp('tool') / 'root', images=40)


def run(root, *flags):
    tool.run(tool.parse_args([CONFIG, '--data-root', str(root), '--samples', '64', *flags]))


def test_a_relation_is_uniform_where_all_are_alike_and_certain_where_none_are():
    alike, apart = torch.ones(128, 1), torch.eye(64).repeat(2, 1)
    assert tool.relate(alike, alike, 20.0) == pytest.approx((0, math.log(64)), abs=1e-4)
    assert tool.relate(apart, apart, 100.0) == pytest.approx((math.log(64), 0), abs=1e-4)
    # Two of 64 are equally likely: log 32 from uniform, and each match has half of it.
    halves = torch.eye(32).repeat(2, 1).repeat(2, 1)
    assert tool.relate(halves, halves, 100.0) == pytest.approx((math.log(32), math.log(2)), abs=1e-4)


def test_it_prints_choices_by_view_and_what_a_constant_answer_loses(root, capsys):
    run(root)
    printed = capsys.readouterr().out
    assert 'as in the config' in printed and 'nats from uniform' in printed and 'image: a constant answer loses 0.' in printed
    run(root, '--compare-views')
    rows = [line for line in capsys.readouterr().out.splitlines() if 'View' in line]
    assert len(rows) == 9 and rows[4].startswith('PatchView ') and rows[-1].startswith('CropView + PatchView ')
    # Three annotated objects in each image.
    assert all(0 <= float(value) <= 100 for value in rows[0].split()[1:]) and rows[0].split()[-1] == '33.3'


def test_the_means_that_it_writes_centre_what_the_teacher_says(root, tmp_path, capsys):
    path = tmp_path / 'centre.safetensors'
    run(root, '--splits', 'train', '--centre', str(path))
    assert 'means of 64 expressions' in capsys.readouterr().out
    cfg = load_config(root)
    plain, centred = MODELS.build(cfg.model.teacher), MODELS.build({**cfg.model.teacher, 'centre': str(path)})
    batch = next(tool.read_batches(cfg, ['train'], 64))
    before, after = (teacher(batch, {'text', 'region', 'image'}) for teacher in (plain, centred))
    means = Centre(path, plain.settings)
    for name in ('text', 'region', 'image'):
        assert means.get_buffer(name).norm() > 0.2
        torch.testing.assert_close(after.get(name), means(name, before.get(name)))
        assert F.normalize(after.get(name).mean(dim=0), dim=0).norm() <= 1.001
    assert centred.logit_scale.item() == means.get_buffer('logit_scale').item() != plain.logit_scale.item()
