from types import SimpleNamespace

import pytest

from mmduet.engine.rates import scale_rates


@pytest.mark.parametrize(('enable', 'rates', 'said'), [
    (True, [0.2, 0.02], 'they are multiplied by 2.'),
    (False, [0.1, 0.01], 'they are multiplied by 1, as auto_scale_lr is off.')])
def test_rates_grow_with_the_expressions_of_an_update_and_the_log_says_so(enable, rates, said):
    lines = []
    runner = SimpleNamespace(train_dataloader=SimpleNamespace(batch_sampler=SimpleNamespace(batch_size=8)), world_size=4,
                             logger=SimpleNamespace(info=lines.append))
    wrapper = SimpleNamespace(_accumulative_counts=4, param_groups=[{'lr': 0.1}, {'lr': 0.01}])
    assert scale_rates(runner, wrapper, 64, enable) == (64, 2.0, enable)
    assert [group['lr'] for group in wrapper.param_groups] == pytest.approx(rates)
    assert lines == [f'Rates are for 64 expressions per update, and an update has 128 (8 on each of 4 ranks, 4 steps): {said}']
