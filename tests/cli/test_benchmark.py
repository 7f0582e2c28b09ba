import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmduet.cli import benchmark
from mmduet.cli.benchmark_report import PHASES, format_report, summarise
from mmduet.engine.config_tools import ConfigError
from mmduet.models import DistilledGrounder
from mmduet.models.base_teacher import BaseTeacher
from mmduet.models.distill import DistillHead
from mmduet.models.distill import balance as balancing
from mmduet.models.distill.base_head import Requirement
from mmduet.registry import DATASETS
from mmduet.structures import TeacherTargets
from tests.tiny_grounder import CHANNELS, TinyGrounder, make_data_root

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / 'tests/tiny_config.py')



class FixedTeacher(BaseTeacher):
    """Says the same about everything."""

    embed_dims = CHANNELS
    gives = frozenset({'text'})

    def forward(self, batch, required):
        return TeacherTargets(text=torch.ones(len(batch), CHANNELS) / CHANNELS ** 0.5)


class MatchingHead(DistillHead):
    """Pulls the query to the teacher's text."""

    requirements = (Requirement(term='text', kind='Matching', teacher='teacher', targets=frozenset({'text'})), )

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(CHANNELS, CHANNELS)

    def forward(self, features, targets, batch):
        return {'loss_text': (self.layer(features.query) - targets['teacher'].text).square().mean()}


@pytest.fixture(autouse=True)
def time(monkeypatch):
    """A second for every reading of the clock and for every layer that ran in between, whatever the machine."""
    passed = SimpleNamespace(seconds=0.0)

    def add(*_):
        passed.seconds += 1
        return passed.seconds

    monkeypatch.setattr('mmduet.cli.clock.time', SimpleNamespace(perf_counter=add))
    hook = torch.nn.modules.module.register_module_forward_pre_hook(lambda *_: add() and None)
    yield passed
    hook.remove()


@pytest.fixture
def quick_u(monkeypatch):
    """A reference network of one layer: what is tested is the bookkeeping."""
    monkeypatch.setattr('torchvision.models.resnet50', lambda weights: nn.Conv2d(3, 1, 1))
    monkeypatch.setattr('mmduet.cli.clock.U_THREADS', 1)


def run(tmp_path, model, *flags):
    args = benchmark.parse_args([CONFIG, '--steps', '2', '--threads', '1', *flags])
    cfg = benchmark.prepare(args, tmp_path)
    clock = benchmark.Clock('cpu', 1)
    difference = benchmark.run_rounds(model, cfg, args, clock)
    return summarise(args, clock, 'cpu', difference), clock


def test_a_distilled_model_is_timed_beside_its_plain_student(tmp_path, quick_u):
    model = DistilledGrounder(TinyGrounder(), FixedTeacher(), MatchingHead())
    report, clock = run(tmp_path, model)
    assert {*PHASES, 'step', 'plain step', 'prediction', 'prediction, student alone'} <= set(report['phases'])
    counts = {name: len(clock.seconds[name]) for name in ('u', 'step', 'plain step', 'prediction')}
    assert counts == {'u': 8, 'step': 2, 'plain step': 2, 'prediction': 2}
    table = format_report(report)
    assert 'teacher and head add' in table
    assert 'plain step, without data' in table


def test_a_cached_teacher_is_timed_beside_the_online_one(tmp_path, monkeypatch, capsys, quick_u):
    config = str(ROOT / 'tests/tiny_cached_config.py')
    out = tmp_path / 'b.json'
    flags = ['--steps', '2', '--threads', '1', '--teacher-cache', '--json', str(out), '--cfg-options']
    monkeypatch.setattr('sys.argv', ['benchmark.py', config, *flags, 'default_scope=mmduet'])
    monkeypatch.setattr('mmduet.cli.made_up_data.IMAGES', 6)
    benchmark.main()
    report = json.loads(out.read_text())
    phases = {f'{way}{name}' for way in ('', 'cached ') for name in (*PHASES[1:], 'step')}
    assert {*phases, 'plain step', 'data'} <= set(report['phases'])
    assert report['phases']['cached teacher']['seconds'] < report['phases']['teacher']['seconds']
    assert report['overhead_with_cached_teacher'] < report['overhead_of_distillation']
    printed = capsys.readouterr().out
    assert '6 images' in printed and 'teacher, cached teacher' in printed and 'with a cached teacher they add' in printed


def test_a_plain_config_has_no_teacher_to_cache(tmp_path, quick_u):
    with pytest.raises(ConfigError, match='no teacher'):
        benchmark.prepare(benchmark.parse_args([CONFIG, '--teacher-cache']), tmp_path)


def test_a_balance_is_that_of_the_losses_and_of_their_gradients_on_each_part(tmp_path):
    model = DistilledGrounder(TinyGrounder(dropout=0.0), FixedTeacher(), MatchingHead())
    cfg = benchmark.prepare(benchmark.parse_args([CONFIG]), tmp_path)
    data = next(benchmark.load_batches(DATASETS.build(cfg.train_dataloader.dataset), 2))
    balance = balancing.measure_balance(model, iter([data, data]), 2)
    losses = model(**model.data_preprocessor(data, True), mode='loss')
    assert balance['losses'] == pytest.approx(
        {'box loss': losses['loss_bbox'].item(), 'loss_text': losses['loss_text'].item(), 'head': losses['loss_text'].item()})
    assert balance['ratio'] == pytest.approx(losses['loss_text'].item() / losses['loss_bbox'].item())
    losses['loss_text'].backward()
    expected = {name: torch.stack([weight.grad.norm() for weight in part.parameters() if weight.grad is not None]).norm().item()
                for name, part in model.student.named_children() if name in ('backbone', 'text_encoder', 'norm')}
    assert balance['gradients']['loss_text'] == pytest.approx({**expected, 'box_head': 0.0})
    assert f'the head weighs {balance["ratio"]:.2f} times the box loss' in balancing.format_balance(balance)


def test_the_balance_of_a_recipe_is_printed_and_a_plain_config_has_none(tmp_path, monkeypatch, capsys):
    flags = ['--balance', '--steps', '1', '--json', str(tmp_path / 'b.json')]
    monkeypatch.setattr('sys.argv', ['benchmark.py', 'configs/duet/transvg_duet_refshapes.py', '--no-pretrained', *flags])
    benchmark.main()
    report = json.loads((tmp_path / 'b.json').read_text())
    assert f'the head weighs {report["ratio"]:.2f} times the box loss' in capsys.readouterr().out
    assert {'box loss', 'head', 'loss_text', 'loss_contrast'} <= report['losses'].keys()
    assert report['gradients']['loss_text']['visual_encoder'] == 0 < report['gradients']['loss_text']['text_encoder']
    with pytest.raises(ConfigError, match='--balance need a distilled config'):
        benchmark.prepare(benchmark.parse_args([CONFIG, '--balance']), tmp_path)


def test_a_plain_model_has_no_teacher_and_bf16_is_said(tmp_path, quick_u):
    report, _ = run(tmp_path, TinyGrounder(), '--amp', 'bf16', '--batch-size', '3')
    assert 'teacher' not in report['phases']
    assert 'overhead_of_distillation' not in report
    assert report['samples_per_second'] == pytest.approx(3 / report['phases']['plain step']['seconds'])
    assert 'batches of 3, bf16, 1 thread, cpu' in format_report(report)
    assert 'student forward' in format_report(report)


def test_predictions_alone_are_timed_on_data_of_ones_own(tmp_path, quick_u):
    root = make_data_root(tmp_path / 'data', count=3)
    report, clock = run(tmp_path, TinyGrounder(), '--predict-only', '--data-root', str(root))
    assert set(report['phases']) == {'prediction'}
    assert len(clock.seconds['prediction']) == 2


def test_expressions_about_one_image_are_timed_alone_and_together(tmp_path, quick_u):
    report, clock = run(tmp_path, TinyGrounder(), '--predict-only', '--expressions', '3')
    assert len(clock.seconds['expressions one by one']) == len(clock.seconds['expressions together']) == 2
    ratios = [alone / shared for alone, shared in zip(clock.units['expressions one by one'],
                                                      clock.units['expressions together'], strict=True)]
    assert report['throughput_of_sharing'] == pytest.approx(sum(ratios) / 2)
    assert f'are answered {sum(ratios) / 2:.1f} times as fast together; boxes differ by' in format_report(report)
    assert report['difference_by_sharing'] < 1e-5


def test_boxes_that_depend_on_the_company_of_others_are_seen(tmp_path, quick_u):
    class Sociable(TinyGrounder):
        def extract(self, batch):
            features = super().extract(batch)
            return replace(features, boxes=features.boxes / len(batch))

    report, _ = run(tmp_path, Sociable(), '--predict-only', '--expressions', '2')
    assert report['difference_by_sharing'] > 0.01


def test_the_phases_sum_to_the_step(tmp_path, quick_u):
    _, clock = run(tmp_path, TinyGrounder())
    parts = sum(clock.seconds[f'plain {name}'][0] for name in ('preprocess', 'student forward', 'backward', 'optimizer'))
    # What lies between the phases are five readings of the clock.
    assert parts + 5 == clock.seconds['plain step'][0] > 10


def test_a_ratio_is_taken_to_the_u_before_and_after(quick_u, time):
    clock = benchmark.Clock('cpu', 1)
    clock.measure_u()
    clock.add('x', 3.0)
    assert not clock.units['x']
    clock.measure_u()
    assert clock.units['x'] == [3.0 / (sum(clock.seconds['u']) / 2)]
    with clock.phase('sleep'):
        time.seconds += 7
    assert clock.seconds['sleep'] == [8.0]
    clock.forget()
    clock.measure_u()
    assert not clock.units['sleep']


def test_the_whole_tool_prints_and_writes(tmp_path, monkeypatch, capsys, quick_u):
    flags = ['--steps', '1', '--threads', '1', '--json', str(tmp_path / 'o/b.json')]
    monkeypatch.setattr('sys.argv', ['benchmark.py', CONFIG, *flags])
    benchmark.main()
    assert 'prediction, one expression' in capsys.readouterr().out
    assert json.loads((tmp_path / 'o/b.json').read_text())['precision'] == 'fp32'


def test_a_recipe_on_a_part_of_its_data_takes_all_that_is_made_up(tmp_path):
    cfg = benchmark.prepare(benchmark.parse_args(['configs/transvg/transvg_refshapes.py', '--no-pretrained']), tmp_path)
    assert len(DATASETS.build(cfg.train_dataloader.dataset)) == 16


def test_a_control_of_a_cached_teacher_is_timed_with_the_teacher_itself(tmp_path):
    args = benchmark.parse_args(['configs/duet/transvg_duet_cached_refshapes.py', '--no-pretrained',
                                 '--patch', 'projects/ablation/patches/shuffled_teacher.py'])
    teacher = benchmark.prepare(args, tmp_path).model.teacher
    assert (teacher.type.rpartition('.')[2], teacher.teacher.type.__name__) == ('ShuffledTeacher', 'CLIPTeacher')
    assert not args.teacher_cache


def test_impossible_numbers_are_refused(capsys):
    with pytest.raises(SystemExit):
        benchmark.parse_args([CONFIG, '--steps', '0'])
    assert 'must be at least 1' in capsys.readouterr().err


@pytest.mark.parametrize(('change', 'said'), [
    ("cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=dict(cfg.train_dataloader.dataset))",
     'train_dataloader.dataset: RepeatDataset of MMEngine wraps data sets of MMEngine'),
    ("cfg.model = dict(type='MMDistributedDataParallel', module=cfg.model)",
     'model: MMDistributedDataParallel wraps a model that is built: name the model itself, and the wrapper by model_wrapper')])
def test_wrappers_of_mmengine_are_refused_as_in_training(tmp_path, capsys, change, said):
    (tmp_path / 'wrap.py').write_text(f'def change(cfg):\n    {change}\n')
    assert benchmark.main([CONFIG, '--patch', str(tmp_path / 'wrap.py'), '--steps', '1']) == 1
    assert said in capsys.readouterr().err


def test_what_a_config_says_of_the_device_holds_as_in_training(tmp_path, capsys, quick_u, monkeypatch):
    monkeypatch.setattr('mmduet.cli.made_up_data.IMAGES', 4)
    seen = []
    monkeypatch.setattr('mmduet.engine.device_setup.optimise_for_cpu', seen.append)
    flags = [CONFIG, '--steps', '1', '--threads', '1', '--cfg-options']
    (tmp_path / 'eager.py').write_text("def change(cfg):\n    cfg.compile = dict(backend='eager')\n")
    assert benchmark.main([*flags[:-1], '--patch', str(tmp_path / 'eager.py')]) == 0
    assert 'Compiled at the first call for each length of text: TinyGrounder' in capsys.readouterr().out and seen == []
    for option, count in (('compile=False', 1), ('optimise_for_cpu=False', 1)):
        assert benchmark.main([*flags, option]) == 0
        assert 'Compiled' not in capsys.readouterr().out and len(seen) == count
    assert benchmark.main([CONFIG, '--padding', '--cfg-options', 'compile=True']) == 1
    assert 'error: --padding and --balance measure a model that is not compiled' in capsys.readouterr().err
