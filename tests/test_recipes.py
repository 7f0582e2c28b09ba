from itertools import repeat
from pathlib import Path

import pytest
from mmengine.config import Config

from mmduet.apis import PretrainedGrounder
from mmduet.models.distill.balance import measure_balance
from mmduet.refshapes import VOCABULARY_FILE
from mmduet.registry import MODELS
from tests.run_tool import run_tool
from tests.shared_data import ROOT
from tests.tiny_transvg import make_batch

DUET_TERMS = ('loss_text', 'loss_region', 'loss_image', 'loss_relation', 'loss_contrast')


def slow(config):
    """A distilled recipe whose losses the tests of its student look at in one process."""
    return pytest.param(config, DUET_TERMS, marks=pytest.mark.slow)


def _run(tool, *arguments):
    run = run_tool(tool, *arguments)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    return run.stdout + run.stderr


@pytest.fixture(scope='module')
def data_root(tmp_path_factory):
    """RefShapes in small, by the commands of the quickstart."""
    folder = tmp_path_factory.mktemp('refshapes')
    official = folder / 'official'
    _run('make_refshapes', '--out', official, '--train', 70, '--val', 10, '--test', 10, '--workers', 1)
    _run('prepare_dataset', 'refshapes', '--source', official, '--images', official / 'images',
         '--out', folder / 'root')
    return folder / 'root'


@pytest.mark.parametrize(('config', 'terms'), [('transvg/transvg_refshapes.py', ()),
                                               ('duet/transvg_duet_refshapes.py', DUET_TERMS),
                                               slow('duet/vltvg_duet_refshapes.py'), slow('duet/clip_vg_duet_refshapes.py'),
                                               slow('duet/qrnet_duet_refshapes.py')])
def test_two_steps_and_an_evaluation_of_the_recipes_on_the_embedded_data(data_root, tmp_path, config, terms):
    log = _run('train', ROOT / 'mmduet/configs' / config, '--data-root', data_root, '--work-dir', tmp_path,
               '--max-iters', 2, '--cfg-options', 'default_hooks.logger.interval=1', 'train_dataloader.dataset.first=70')
    for term in ('loss_bbox', 'loss_giou', *terms):
        assert f'{term}: ' in log
    checkpoint = (tmp_path / 'last_checkpoint').read_text().strip()
    # The file alone is enough to predict, by its student; what it was trained from is not asked for.
    grounder = PretrainedGrounder.from_pretrained(checkpoint)
    assert grounder.description.model['pretrained'] is None
    assert (grounder.description.model['text_encoder']['vocab'], grounder.student.training) == ('vocab.txt', False)
    assert grounder.student.data_preprocessor.tokenizer.vocabulary == VOCABULARY_FILE.read_text()
    # Whatever trained it, the plain config tests it: a distilled checkpoint gives its student.
    student = Path(config).name.replace('_duet', '').removesuffix('_refshapes.py')
    plain = ROOT / f'mmduet/configs/{student}/{student}_refshapes.py'
    table = _run('test', plain, checkpoint, '--data-root', data_root, '--work-dir', tmp_path / 'test',
                 '--show-dir', tmp_path / 'pictures')
    assert 'acc@0.5' in table and 'miou' in table
    assert list((tmp_path / 'pictures').rglob('*.png'))


@pytest.mark.parametrize('student', ['clip_vg', 'qrnet'])
def test_the_distilled_recipe_has_all_its_terms_and_they_reach_the_student(student):
    config = Config.fromfile(ROOT / f'mmduet/configs/duet/{student}_duet_refshapes.py').model
    model = MODELS.build(config)
    losses = model(**model.data_preprocessor(make_batch(), True), mode='loss')
    assert {'loss_bbox', 'loss_giou', *DUET_TERMS} <= losses.keys()
    sum(losses[name] for name in DUET_TERMS).backward()
    assert model.student.visual_proj.weight.grad.abs().sum() > 0
    assert model.student.query_token.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('student', ['transvg', 'vltvg', 'qrnet', 'clip_vg'])
def test_the_head_of_every_tiny_recipe_weighs_about_as_much_beside_the_box_loss(student):
    model = MODELS.build(Config.fromfile(ROOT / f'mmduet/configs/duet/{student}_duet_refshapes.py').model)
    balance = measure_balance(model, repeat(make_batch()), 1)
    # Of this batch, whose targets are larger than those of RefShapes, where all weigh 1.1 (docs/method.md).
    assert 0.83 / 1.5 < balance['ratio'] < 0.83 * 1.5
    assert balance['losses'].keys() == {'box loss', 'head', *DUET_TERMS}
