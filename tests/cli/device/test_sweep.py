"""All that is measured on a card, in a small form on the CPU."""
import json

import pytest
import torch

from mmduet.cli import benchmark
from mmduet.cli.device import checks, rows, steps, sweep
from mmduet.cli.device.cards import find_card
from mmduet.cli.device.rows import Budget, plan
from mmduet.cli.device.wheels import canonical, carried, closure
from tests.shared_data import ROOT

CONFIG = str(ROOT / 'tests/tiny_config.py')


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A round of one step, and few images."""
    for module, name in ((steps, 'ROUNDS'), (steps, 'WARM_UPS'), (checks, 'PROFILED')):
        monkeypatch.setattr(module, name, 1)
    monkeypatch.setattr(checks, 'LOSS_STEPS', 3)
    monkeypatch.setattr('mmduet.cli.made_up_data.IMAGES', 4)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(tmp_path, *flags):
    """Exit code and report of the command."""
    out = tmp_path / 'out/sweep.json'
    code = benchmark.main([CONFIG, '--device', 'cpu', '--steps', '1', '--threads', '1', '--out', str(out), *flags,
                           '--cfg-options', 'default_scope=mmduet', 'compile.backend=eager'])
    return code, json.loads(out.read_text())


def test_every_row_and_check_that_a_cpu_can_do_has_figures_and_the_others_say_why_not(tmp_path, capsys):
    code, report = run(tmp_path, '--batch-sizes', '4', '--minutes', '60')
    printed = capsys.readouterr().out
    assert code == 0 and report['device'] == 'cpu'
    measured = [row for row in report['rows'] if 'skipped' not in row]
    assert {(row['work'], row['way'], row['batch_size'], row['k']) for row in measured} == {
        *((work, way, size, k) for work in ('training', 'prediction') for way in ('eager', 'folded', 'compiled')
          for size in (4, ) for k in (1, 4)), ('prediction', 'folded', 1, 1)}
    assert {row['skipped'] for row in report['rows'] if 'skipped' in row} == {
        'memory is pinned for a CUDA device', 'CUDA graphs need a CUDA device'}
    for row in measured:
        assert row['seconds'] > 0 and row['expressions_per_second'] == pytest.approx(row['batch_size'] / row['seconds'])
        assert row['flops_per_second'] == pytest.approx(row['flops'] / row['seconds'])
    flops = {(row['work'], row['k']): row['flops'] for row in measured if row['batch_size'] == 4}
    # The convolution of a 32 px image, 3 x 8 x 8 -> 8 on 4 x 4 positions, and the linear layer of each expression.
    image, answer = 2 * 4 * 4 * 8 * 3 * 8 * 8, 2 * 8 * 4
    assert flops['prediction', 1] == 4 * (image + answer) and flops['prediction', 4] == image + 4 * answer
    assert flops['training', 1] == 4 * (2 * image + 3 * answer)  # no gradient of pixels
    found = report['checks']
    assert len(found['bf16 against fp32']['float32']) == 3 and found['bf16 against fp32']['largest_difference'] < 0.2
    assert found['fp16 with loss scaling'] == {'skipped': 'float16 needs a CUDA device'}
    group = found['process group of one']
    assert group['backend'] == 'gloo' and group['in_group'] == pytest.approx(group['alone'], rel=1e-5)
    assert 0 < len(found['slowest']) <= 10 and sum(each['share'] for each in found['slowest']) <= 1 + 1e-6
    assert '| training | folded | 4 | 4 |' in printed and 'whose limit is not in our table' in printed
    assert 'TF32 on the GPU: convolutions yes, products of matrices no' in printed


def test_what_no_longer_fits_into_the_minutes_is_left_out_and_said(tmp_path, capsys):
    code, report = run(tmp_path, '--batch-sizes', '2', '--expressions-per-image', '1', '--minutes', '0.01')
    assert code == 0
    assert {row.get('skipped') for row in report['rows']} == {
        'no time was left', 'memory is pinned for a CUDA device', 'CUDA graphs need a CUDA device'}
    assert report['checks']['slowest'] == {'skipped': 'no time was left'}
    assert '| training | compiled | 2 | 1 | no time was left |' in capsys.readouterr().out


def test_a_row_without_memory_is_a_row_and_one_that_fails_does_not_end_the_others(tmp_path, monkeypatch, capsys):
    real = steps.Bench.measure

    def measure(self, row):
        if row.work == 'training':
            raise torch.OutOfMemoryError('CUDA out of memory') if row.way == 'eager' else RuntimeError('no kernel\nimage')
        return real(self, row)

    monkeypatch.setattr(steps.Bench, 'measure', measure)
    monkeypatch.setattr(sweep, 'CHECKS', ())
    monkeypatch.setattr(rows, 'WAYS', ('eager', 'pinned', 'folded'))
    code, report = run(tmp_path, '--batch-sizes', '2', '--expressions-per-image', '1')
    said = {(row['work'], row['way']): row.get('skipped') for row in report['rows'] if row['batch_size'] == 2}
    assert code == 1
    assert said['training', 'eager'] == 'out of memory' and said['training', 'folded'] == 'failed, RuntimeError: no kernel'
    assert said['prediction', 'eager'] is None
    assert '| training | eager | 2 | 1 | out of memory |' in capsys.readouterr().out


def test_a_gpu_is_asked_for_by_name_where_there_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert benchmark.main([CONFIG, '--device', 'cuda']) == 1
    assert '--device cuda: PyTorch sees no CUDA device here' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        benchmark.parse_args([CONFIG, '--device', 'cpu', '--minutes', '0'])
    with pytest.raises(SystemExit):
        benchmark.parse_args([CONFIG, '--batch-sizes', '0'])


def test_rows_come_in_the_order_in_which_they_are_wanted():
    groups = plan((64, 128), (1, 4))
    assert {row.way for row in groups[0]} == {'eager', 'pinned', 'folded'} and len(groups[0]) == 12
    assert [row.name for row in groups[1]] == ['prediction, folded, B = 1, k = 1', 'prediction, graphs, B = 1, k = 1']
    assert {row.way for row in groups[2]} == {'compiled'} and {row.batch_size for row in groups[3]} == {128}


def test_a_budget_reckons_with_the_longest_of_a_kind(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(rows.time, 'monotonic', lambda: now[0])
    budget = Budget(2)
    assert budget.fits('eager') and not budget.fits('compiled')  # 120 s of a guess, and no more are there
    budget.took('compiled', 30)
    budget.took('compiled', 10)
    assert budget.fits('compiled')
    now[0] = 95
    assert not budget.fits('compiled') and budget.fits('eager') and budget.left() == 25


@pytest.mark.parametrize(('name', 'half'), [('NVIDIA H200', 989.4), ('NVIDIA A100-SXM4-80GB', 312.0), ('NVIDIA L4', 121.0),
                                            ('NVIDIA GeForce RTX 4090', 165.2), ('NVIDIA A1000', None), ('cpu', None)])
def test_a_card_is_known_by_whole_words_of_its_name(name, half):
    card = find_card(name)
    assert (None if card is None else card.half) == half


def test_the_packages_to_carry_are_those_imported_that_a_bare_machine_lacks():
    names = {line.partition('==')[0] for line in carried()}
    assert any(name in names for name in ('onedl-mmengine', 'mmengine'))
    assert not names & {'torch', 'numpy', 'transformers', 'timm', 'mmduet'}
    assert {'torch', 'huggingface-hub', 'numpy'} <= closure(['timm']) and closure(['no-such-package']) == set()
    assert canonical('Foo_bar.Baz') == 'foo-bar-baz'


def test_the_command_lists_them_and_measures_nothing(capsys):
    assert benchmark.main([CONFIG, '--list-wheels', '--cfg-options', 'default_scope=mmduet']) == 0
    printed = capsys.readouterr().out.split()
    assert printed and all('==' in line for line in printed)
