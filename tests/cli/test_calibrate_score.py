import json
import re

import pytest
import torch

from mmduet.apis import GroundingInferencer
from mmduet.cli import calibrate_score
from mmduet.engine.config_tools import ConfigError, load_config
from mmduet.registry import MODELS
from tests.run_tool import run_tool
from tests.shared_data import ROOT
from tests.tiny_grounder import load_tiny_config, make_data_root

CONFIGS = {name: str(ROOT / f'tests/{name}.py') for name in ('tiny_config', 'tiny_cached_config')}


def write_distilled(folder, root):
    """A distilled checkpoint whose box is the mean target, so that some answers are right."""
    torch.manual_seed(0)
    model = MODELS.build(load_tiny_config(folder / 'work', root, 'tiny_cached_config.py').model)
    model.student.box_head.weight.data.zero_()
    model.student.box_head.bias.data.copy_(torch.tensor([0.42, 0.45, 0.5, 0.3]).logit())
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, folder / 'distilled.pth')
    return folder / 'distilled.pth'


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A distilled checkpoint and a data root."""
    folder = tmp_path_factory.mktemp('score')
    root = make_data_root(folder / 'data', count=40, splits=('val', ))
    write_distilled(folder, root)
    return folder, root


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_a_distilled_checkpoint_becomes_a_student_whose_scores_are_probabilities(made, tmp_path, suffix):
    folder, root = made
    out = tmp_path / f'scored.{suffix}'
    done = run_tool('analysis_tools/calibrate_score', CONFIGS['tiny_cached_config'], folder / 'distilled.pth', out,
                    '--data-root', root, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    before, after = (dict(re.findall(r'(\w+) ([\d.]+)', line)) for line in done.stdout.splitlines() if 'calibration:' in line)
    assert {'auroc', 'surest50', 'surest80', 'ece'} <= before.keys() & after.keys()
    assert 'AgreementScoreHead, 20 expressions of val that the calibration did not see' in done.stdout
    tested = run_tool('test', CONFIGS['tiny_config'], out, '--data-root', root, '--out', 'p.jsonl', cwd=tmp_path)
    assert tested.returncode == 0, tested.stderr
    assert re.search(r'^auroc +\d+\.\d\d$', tested.stdout, re.MULTILINE)
    scores = [json.loads(line)['score'] for line in (tmp_path / 'p.jsonl').read_text().splitlines()]
    assert len(set(scores)) > 30 and 0 < min(scores) < max(scores) < 1
    if suffix == 'safetensors':
        # It carries its config; nothing is imported because a file says so.
        with pytest.raises(ConfigError, match=r'the config in .* names the type .tests\.tiny_grounder\.TinyGrounder'):
            GroundingInferencer(out)
    answer, = GroundingInferencer(CONFIGS['tiny_config'], out)(root / 'images/val_0.png', 'red thing 0')
    written = next(json.loads(line) for line in (tmp_path / 'p.jsonl').read_text().splitlines() if '"val0"' in line)
    assert answer.score == pytest.approx(written['score'], abs=1e-5)


def test_what_has_no_score_is_refused_in_a_sentence(made, tmp_path):
    folder, root = made
    state = torch.load(folder / 'distilled.pth')['state_dict']
    student = {key: value for key, value in state.items() if key.startswith('student.')}
    torch.save({'state_dict': student}, tmp_path / 'plain.pth')
    done = run_tool('analysis_tools/calibrate_score', CONFIGS['tiny_config'], tmp_path / 'plain.pth', tmp_path / 'o.pth',
                    '--data-root', root, cwd=tmp_path)
    assert done.returncode == 1
    assert 'has nothing to tell right from wrong by' in done.stderr
    few = make_data_root(tmp_path / 'few', count=1, splits=('val', ))
    done = run_tool('analysis_tools/calibrate_score', CONFIGS['tiny_cached_config'], folder / 'distilled.pth',
                    tmp_path / 'o.pth', '--data-root', few, cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r'^error: a calibration needs hits and misses, got [01] and [01]$', done.stderr, re.MULTILINE)
    assert not (tmp_path / 'o.pth').exists()


def test_a_published_file_is_enough_to_predict(made, tmp_path, capsys):
    from mmduet.apis import GrounderConfig, PretrainedGrounder
    from mmduet.cli import calibrate_score as tool
    from mmduet.io.safetensors_files import read_safetensors
    from mmduet.models import TransVG
    config = load_config('configs/duet/transvg_duet_refshapes.py')
    toy = PretrainedGrounder.from_pretrained('toy')
    plain = load_config('configs/transvg/transvg_refshapes.py')
    plain.model = {**plain.model, 'score_head': toy.description.model['score_head']}
    meta = {'cfg': config.pretty_text, 'pretrain_excludes': ['x']}
    tool.write_published(toy.student, plain, meta, tmp_path / 'a.safetensors')
    found = PretrainedGrounder.from_pretrained(tmp_path / 'a.safetensors')
    assert isinstance(found.description, GrounderConfig) and found.description.pretrain_excludes == ['x']
    assert found.description.teacher == toy.description.teacher
    image = torch.zeros(3, 64, 64, dtype=torch.uint8)
    first, second = (GroundingInferencer(grounder)(image, 'the ring')[0] for grounder in (toy, found))
    assert (first.box, first.score) == (second.box, second.score)

    class Unregistered(TransVG):
        pass

    plain.model = {**plain.model, 'type': Unregistered}
    tool.write_published(toy.student, plain, {}, tmp_path / 'b.safetensors')
    said = capsys.readouterr().out
    assert re.search(r'b\.safetensors holds no config: model\.type is .*Unregistered, which is in no registry', said)
    assert read_safetensors(tmp_path / 'b.safetensors').keys() == toy.student.state_dict().keys()


def test_a_checkpoint_is_not_its_own_output_and_the_name_of_the_file_says_its_kind(made, tmp_path, capsys):
    folder, root = made
    before = (folder / 'distilled.pth').read_bytes()
    words = [CONFIGS['tiny_cached_config'], str(folder / 'distilled.pth')]
    assert calibrate_score.main([*words, str(folder / 'distilled.pth'), '--data-root', str(root)]) == 1
    assert 'distilled.pth is read here, and what is written would take its place' in capsys.readouterr().err
    assert (folder / 'distilled.pth').read_bytes() == before
    with pytest.raises(SystemExit):
        calibrate_score.main([*words, str(tmp_path / 'out.txt')])
    assert 'out.txt must end in .pth or .safetensors' in capsys.readouterr().err
