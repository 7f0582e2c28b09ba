import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from safetensors.torch import save_file

from mmduet.cli import common
from mmduet.cli import test as tool
from mmduet.registry import METRICS, RUNNERS
from tests.tiny_grounder import load_tiny_config, make_data_root

ROOT = Path(__file__).resolve().parents[2]
CONFIG = str(ROOT / 'tests/tiny_config.py')



@pytest.fixture(scope='module')
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tiny')
    root = make_data_root(folder / 'data', count=7, splits=('val', 'testA'))
    runner = RUNNERS.build(load_tiny_config(folder / 'work', root))
    torch.save({'state_dict': runner.plain_model.state_dict()}, folder / 'plain.pth')
    torch.save({'state_dict': {f'student.{name}': value for name, value in runner.plain_model.state_dict().items()}
                | {'head.weight': torch.ones(1)}}, folder / 'distilled.pth')
    return folder, root


def run(monkeypatch, *arguments):
    monkeypatch.setattr('sys.argv', ['test.py', *map(str, arguments)])
    tool.main()


def test_all_metrics_are_printed_for_every_split(made, tmp_path, monkeypatch, capsys):
    folder, root = made
    monkeypatch.chdir(tmp_path)
    run(monkeypatch, CONFIG, folder / 'plain.pth', '--data-root', root, '--splits', 'val', 'testA', '--out', 'out/p.jsonl',
        '--show-dir', 'show')
    lines = capsys.readouterr().out.splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith('metric'))
    assert lines[header - 1].endswith('plain.pth, 14 expressions')
    assert lines[header].split()[:2] == ['metric', 'val+testA']
    assert sorted(lines[header].split()[2:]) == ['testA', 'val']
    assert [line.split()[0] for line in lines[header + 1:header + 10]] == [
        'acc@0.25', 'acc@0.3', 'acc@0.5', 'acc@0.6', 'acc@0.7', 'acc@0.75', 'acc@0.8', 'acc@0.9', 'miou']
    records = [json.loads(line) for line in Path('out/p.jsonl').read_text().splitlines()]
    assert len({(record['split'], record['expression_id']) for record in records}) == 14
    assert len(records[0]['box']) == 4
    assert [path.name for path in Path('show').iterdir()] == ['test.png']


def test_a_distilled_checkpoint_and_a_saved_folder_give_the_same_answers_as_the_student(made, tmp_path, monkeypatch):
    folder, root = made
    monkeypatch.chdir(tmp_path)
    Path('saved').mkdir()
    save_file(torch.load(folder / 'plain.pth', weights_only=True)['state_dict'], 'saved/model.safetensors')
    for name, checkpoint in (('plain', folder / 'plain.pth'), ('distilled', folder / 'distilled.pth'), ('saved', 'saved')):
        run(monkeypatch, CONFIG, checkpoint, '--data-root', root, '--out', f'{name}.jsonl')
    assert Path('plain.jsonl').read_text() == Path('distilled.jsonl').read_text() == Path('saved.jsonl').read_text()


@METRICS.register_module()
class CentreHit(BaseMetric):
    """Somebody's own, with a prefix: whether the middle of the answer lies in the target."""

    default_prefix = 'centre'

    def process(self, data_batch, data_samples):
        for sample in data_samples:
            box, target = sample['pred_instances']['bboxes'][0], sample['gt_instances']['bboxes'][0]
            middle = (box[:2] + box[2:]) / 2
            self.results.append(bool((middle >= target[:2]).all() and (middle <= target[2:]).all()))

    def compute_metrics(self, results):
        return {'hit': 100 * sum(results) / len(results), 'of': f'{len(results)} answers'}


def test_a_metric_of_ones_own_stands_beside_ours_which_writes_the_answers(made, tmp_path, monkeypatch, capsys):
    folder, root = made
    monkeypatch.chdir(tmp_path)
    Path('both.py').write_text("def change(cfg):\n    cfg.test_evaluator = [dict(type='CentreHit'), cfg.test_evaluator]\n")
    arguments = (CONFIG, folder / 'plain.pth', '--data-root', root, '--out', 'p.jsonl')
    run(monkeypatch, *arguments, '--patch', 'both.py')
    rows = [row.split() for row in capsys.readouterr().out.splitlines()]
    assert ['metric', 'centre', 'val'] in rows and ['of', '7', 'answers'] in rows
    assert len(Path('p.jsonl').read_text().splitlines()) == 7
    Path('own.py').write_text("def change(cfg):\n    cfg.test_evaluator = dict(type='CentreHit', prefix='mine')\n")
    monkeypatch.setattr('sys.argv', ['test.py', *map(str, arguments), '--patch', 'own.py'])
    assert tool.main() == 1
    assert 'by mmduet.GroundingMetric, and test_evaluator has none' in capsys.readouterr().err
    run(monkeypatch, *arguments[:-2], '--patch', 'own.py')
    assert ['metric', 'mine'] in [row.split() for row in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize('amp', ['bf16', 'auto'])
def test_mixed_precision_moves_the_answers_a_little_or_not_at_all(made, tmp_path, monkeypatch, amp):
    folder, root = made
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cpu, 'get_capabilities', dict, raising=False)
    boxes = {}
    for flags in ((), ('--amp', amp)):
        run(monkeypatch, CONFIG, folder / 'plain.pth', '--data-root', root, '--out', 'p.jsonl', *flags)
        boxes[flags] = torch.tensor([json.loads(line)['box'] for line in Path('p.jsonl').read_text().splitlines()])
    apart = (boxes[()] - boxes['--amp', amp]).abs().max()
    assert 0 < apart < 0.5 if amp == 'bf16' else apart == 0
    logs = ''.join(path.read_text() for path in tmp_path.rglob('*.log'))
    said = 'precision of the test: float32, as this CPU does not multiply bfloat16 natively'
    assert logs.count(said) == (amp == 'auto')


def test_a_precision_that_cannot_be_is_a_sentence(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = [CONFIG, str(made[0] / 'plain.pth'), '--data-root', str(made[1])]
    assert tool.main([*arguments, '--amp', 'fp16']) == 1
    assert 'error: fp16 needs a CUDA device, and the test runs on cpu: use bf16' in capsys.readouterr().err
    assert tool.main([*arguments, '--amp', 'bf16', '--cfg-options', 'test_cfg.type=mmduet.MixedPrecisionTestLoop']) == 1
    assert re.search(r'error: --amp is for the loop TestLoop, and test_cfg of this config names mmduet\.Mixed',
                     capsys.readouterr().err)
    with pytest.raises(SystemExit):
        tool.main([*arguments, '--amp', 'int8'])


def test_a_distilled_config_builds_its_student_alone(made):
    _, root = made
    model = dict(type='DistilledGrounder', student=dict(type='S'), teacher=dict(type='T'), _delete_=True)
    args = tool.parse_args([CONFIG, 'a.pth', '--data-root', str(root), '--cfg-options', f'model={model}'])
    cfg = common.load_for_test(args)
    assert cfg.model == {'type': 'S'}
    assert cfg.train_dataloader is None
    assert cfg.optim_wrapper is None


def test_a_missing_checkpoint_ends_in_a_sentence(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert tool.main([CONFIG, str(made[0] / 'plan.pth'), '--data-root', str(made[1])]) == 1
    assert re.match(r'error: there is no checkpoint .*plan\.pth; nearest: plain\.pth', capsys.readouterr().err)


@pytest.mark.parametrize(('meta', 'answer'), [
    ({'pretrain_excludes': ['refcocog_google']}, 'yes'), ({'pretrain_excludes': []}, 'no'), ({}, 'unknown')])
def test_a_table_says_whether_pretraining_saw_its_images_and_what_is_odd_about_the_split(made, tmp_path, monkeypatch, capsys,
                                                                                        meta, answer):
    folder, root = made
    monkeypatch.chdir(tmp_path)
    weights = torch.load(folder / 'plain.pth')['state_dict']
    torch.save({'state_dict': weights, 'meta': meta}, 'named.pth')
    google = tmp_path / 'google'
    shutil.copytree(root, google)
    manifest = json.loads((google / 'manifest.json').read_text())
    (google / 'manifest.json').write_text(json.dumps(manifest | {'dataset': 'refcocog_google'}))
    run(monkeypatch, CONFIG, 'named.pth', '--data-root', google)
    said, warning = capsys.readouterr().out.strip().splitlines()[-2:]
    assert said == f'val and test images of refcocog_google kept out of pre-training: {answer}'
    assert warning.startswith('warning: the google split divides objects, not images')
    save_file(weights, 'named.safetensors', {key: json.dumps(names) for key, names in meta.items()})
    run(monkeypatch, CONFIG, 'named.safetensors', '--data-root', google,
        '--cfg-options', "pretrain_excludes=['refcocog_google']")
    source = '' if meta else ' (says the config; the checkpoint does not)'
    assert capsys.readouterr().out.strip().splitlines()[-2].endswith(f'pre-training: {answer if meta else "yes"}{source}')


def test_predictions_do_not_take_the_place_of_annotations(made, capsys):
    folder, root = made
    file = root / 'annotations/val.jsonl'
    before = file.read_bytes()
    with pytest.raises(SystemExit):
        tool.main([CONFIG, str(folder / 'plain.pth'), '--data-root', str(root), '--out', str(file)])
    assert f'{file} would lie among the annotations of a data root: name another folder' in capsys.readouterr().err
    assert file.read_bytes() == before
