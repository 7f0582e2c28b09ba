import random

import pytest
import torch

from mmduet.engine.checkpoint import write_checkpoint
from mmduet.storm.damage import DAMAGES, copy_in_any_order, forget_pointer, last_intact


@pytest.mark.parametrize('name', DAMAGES)
def test_a_damage_costs_the_last_checkpoint_or_nothing(tmp_path, name):
    work = tmp_path / 'work'
    assert last_intact(work) == 0
    work.mkdir()
    for step in (2, 4):
        state = {'a': torch.arange(100) * 0.37 + step}
        write_checkpoint({'state_dict': state, 'meta': {'iter': step, 'epoch': 0}}, work / f'iter_{step}.pth')
    (work / 'last_checkpoint').write_text('iter_4.pth')
    DAMAGES[name](work, random.Random(1))
    harmless = DAMAGES[name] in (forget_pointer, copy_in_any_order)
    assert last_intact(work) == (4 if harmless else 2)
    assert (work / 'last_checkpoint').exists() == (DAMAGES[name] is not forget_pointer)
    assert sorted(path.name for path in work.glob('*.pth')) == ['iter_2.pth', 'iter_4.pth']
