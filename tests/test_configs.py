import inspect
import re
from typing import NamedTuple

import pytest
from mmengine.config import Config
from yapf.yapflib.yapf_api import FormatCode

from mmduet.engine.config_check.custom_keys import check_custom_keys
from mmduet.engine.config_tools import apply_patch, drop_pretrained, load_config, walk
from mmduet.engine.pretraining import stated_excludes
from mmduet.evaluation.data_overlap import excluded_from_pretraining
from mmduet.models import BaseGrounder, DistilledGrounder
from mmduet.registry import MODELS
from tests.shared_data import ROOT
from tests.unset_weights import unset_weights


class Built(NamedTuple):
    """Whether a model is distilled, and the names of its parameters."""

    distilled: bool
    names: list[str]


BUILT: dict[str, Built] = {}
PATCHES = sorted((ROOT / 'mmduet/configs/duet/ablation').glob('*.py'))
LEAVES = sorted(path for path in (ROOT / 'mmduet/configs').rglob('*.py') if not {'_base_', 'ablation'} & set(path.parts))


def _name(path):
    return str(path.relative_to(ROOT / 'mmduet/configs'))


@pytest.fixture(autouse=True)
def from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('path', LEAVES, ids=_name)
def test_leaf_parses_dumps_and_reloads_to_the_same(path, tmp_path):
    config = Config.fromfile(path)
    config.dump(tmp_path / 'dumped.py')
    again = Config.fromfile(tmp_path / 'dumped.py')
    assert again.to_dict() == config.to_dict()
    assert path.read_text().startswith('"""'), 'a config says in its first line what it is'


def test_a_leaf_reloads_from_what_the_formatter_makes_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', FormatCode)
    config = Config.fromfile(ROOT / 'mmduet/configs/duet/transvg_duet_refshapes.py')
    config.dump(tmp_path / 'dumped.py')
    assert max(map(len, (tmp_path / 'dumped.py').read_text().splitlines())) < 160
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == config.to_dict()


@pytest.mark.parametrize('path', LEAVES, ids=_name)
def test_leaf_builds_its_model_with_random_weights(path):
    config = Config.fromfile(path)
    drop_pretrained(config)
    # Leaves that differ by their data alone have one model, which is built once. The plain leaf builds its student with each
    # length of query; a head that knows no length is not built around each again.
    key = repr(config.model.to_dict())
    if 'student' in config.model:
        key = re.sub(r"'max_tokens': \d+", '', key)
    if key in BUILT:
        assert 'duet' not in path.stem or BUILT[key].distilled
        check_custom_keys(config, BUILT[key].names)
        return
    with unset_weights():
        model = MODELS.build(config.model)
    if 'duet' in path.stem:
        assert isinstance(model, DistilledGrounder)
        assert isinstance(model.student, BaseGrounder)
        assert {name.split('.')[0] for name in model.state_dict()} == {'student', 'head'}
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trainable > 0
    BUILT[key] = Built(isinstance(model, DistilledGrounder), [name for name, _ in model.named_parameters()])
    check_custom_keys(config, BUILT[key].names)


@pytest.mark.parametrize(('student', 'name', 'tokens', 'epochs', 'drop', 'weights', 'said'), [
    ('transvg', 'refcoco', 20, 90, 60, 'detr_r50_unc', 'yes'),
    ('transvg', 'refcocoplus', 20, 180, 120, 'detr_r50_unc', 'yes'),
    ('transvg', 'refcocog_umd', 40, 90, 60, 'detr_r50_gref', 'yes'),
    ('transvg', 'refcocog_google', 40, 90, 60, 'detr_r50_gref', 'yes'),
    ('transvg', 'referit', 20, 90, 60, 'detr_r50_referit', 'yes'),
    ('transvg', 'flickr30k', 20, 90, 60, 'detr_r50_referit', 'unknown'),
    ('vltvg', 'refcoco', 40, 90, 60, 'detr_r50_unc', 'yes'),
    ('vltvg', 'refcocoplus', 40, 90, 60, 'detr_r50_unc', 'yes'),
    ('vltvg', 'refcocog_umd', 40, 90, 60, 'detr_r50_gref', 'yes'),
    ('vltvg', 'refcocog_google', 40, 90, 60, 'detr_r50_gref', 'yes'),
    ('vltvg', 'referit', 40, 90, 60, 'detr_r50_referit', 'yes'),
    ('vltvg', 'flickr30k', 40, 90, 60, 'detr_r50_referit', 'unknown'),
    ('qrnet', 'refcoco', 20, 180, 60, 'mask_rcnn_swin_small_refcoco', 'yes'),
    ('qrnet', 'refcocoplus', 20, 180, 120, 'mask_rcnn_swin_small_refcoco', 'yes'),
    ('qrnet', 'refcocog_umd', 40, 180, 60, 'mask_rcnn_swin_small_refcoco', 'yes'),
    ('qrnet', 'refcocog_google', 40, 180, 60, 'mask_rcnn_swin_small_refcoco', 'yes'),
    ('qrnet', 'referit', 20, 180, 60, 'mask_rcnn_swin_small', 'unknown'),
    ('qrnet', 'flickr30k', 20, 180, 60, 'mask_rcnn_swin_small', 'unknown'),
    ('clip_vg', 'refcoco', 77, 110, None, 'clip_vit_b16', 'unknown'),
    ('clip_vg', 'refcocoplus', 77, 110, None, 'clip_vit_b16', 'unknown'),
    ('clip_vg', 'refcocog_umd', 77, 110, None, 'clip_vit_b16', 'unknown'),
    ('clip_vg', 'refcocog_google', 77, 110, None, 'clip_vit_b16', 'unknown'),
    ('clip_vg', 'referit', 77, 110, None, 'clip_vit_b16', 'unknown'),
    ('clip_vg', 'flickr30k', 77, 110, None, 'clip_vit_b16', 'unknown')])
def test_every_data_set_has_its_length_of_query_schedule_and_weights(student, name, tokens, epochs, drop, weights, said):
    plain = Config.fromfile(ROOT / f'mmduet/configs/{student}/{student}_{name}.py')
    distilled = Config.fromfile(ROOT / f'mmduet/configs/duet/{student}_duet_{name}.py')
    assert distilled.model.student.to_dict() == plain.model.to_dict()
    assert distilled.train_dataloader.to_dict() == plain.train_dataloader.to_dict()
    assert plain.model.text_encoder.max_tokens == tokens
    assert plain.model.pretrained == f'checkpoints/{weights}.safetensors'
    for config in (plain, distilled):
        assert config.train_cfg.max_epochs == epochs
        assert config.param_scheduler[0].get('milestones') == (drop and [drop])
        assert config.train_dataloader.dataset.data_root == config.test_dataloader.dataset.data_root
        assert name in config.train_dataloader.dataset.data_root
    trained_on = plain.train_dataloader.dataset.data_root.removeprefix('data/')
    assert excluded_from_pretraining(stated_excludes(plain), trained_on) == said
    assert stated_excludes(distilled) is None


@pytest.mark.parametrize('name', ['refcoco', 'refcocoplus', 'refcocog_umd', 'refcocog_google', 'referit', 'flickr30k'])
def test_clip_vg_reads_every_data_set_at_224_pixels_without_mirroring_and_vltvg_keeps_its_rule(name):
    clip_vg = Config.fromfile(ROOT / f'mmduet/configs/clip_vg/clip_vg_{name}.py')
    for loader in (clip_vg.train_dataloader, clip_vg.val_dataloader, clip_vg.test_dataloader):
        steps = {step.type.__name__.removeprefix('Quick'): step for step in loader.dataset.pipeline}
        assert steps['PlaceOnCanvas'].size == steps['ResizeLongSide'].sides[0] == 224
        assert 'RandomFlip' not in steps
    assert clip_vg.train_dataloader.batch_size == 64
    vltvg = Config.fromfile(ROOT / f'mmduet/configs/vltvg/vltvg_{name}.py')
    assert [e.rule.type.__name__ for e in (vltvg.val_evaluator, vltvg.test_evaluator)] == ['VLTVGRule'] * 2


def test_joint_training_excludes_what_any_of_its_data_sets_is_tested_on():
    joint = Config.fromfile(ROOT / 'mmduet/configs/transvg/transvg_joint.py').train_dataloader.dataset
    roots = {'data/refcoco_unc', 'data/refcocoplus_unc', 'data/refcocog_umd', 'data/referit', 'data/flickr30k'}
    assert {part.data_root for part in joint.datasets} == {part.data_root for part in joint.exclude} == roots
    assert all(part.splits == ['train'] for part in joint.datasets)


@pytest.mark.parametrize('path', [path for path in LEAVES if 'pretraining' not in path.parts and 'clip' not in path.parts],
                         ids=_name)
def test_leaf_of_a_student_is_short_and_has_all_loaders(path):
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.strip().startswith('#')]
    assert len(lines) <= 20
    config = Config.fromfile(path)
    splits = {name: [split for node in walk(config[name]) for split in node.get('splits', [])]
              for name in ('train_dataloader', 'val_dataloader', 'test_dataloader')}
    assert all(splits.values()), splits


@pytest.mark.parametrize('student', ['transvg', 'vltvg', 'qrnet', 'clip_vg'])
def test_every_patch_of_the_ablation_fits_every_student_and_changes_one_part_alone(student, tmp_path):
    base = load_config(f'configs/duet/{student}_duet_refshapes.py')
    drop_pretrained(base)
    before, built = base.to_dict(), {}
    for path in PATCHES:
        config = load_config(base.filename)
        apply_patch(config, path)
        drop_pretrained(config)
        part = 'train_dataloader' if path.stem == 'grouped' else 'model'
        assert {key for key, value in config.to_dict().items() if value != before.get(key)} == {part}, path
        config.dump(tmp_path / 'dumped.py')
        built[path.stem] = MODELS.build(Config.fromfile(tmp_path / 'dumped.py').model)
        assert path.read_text().startswith('"""'), 'a patch says in its first line what it does'
    plain = built.pop('plain')
    assert isinstance(plain, BaseGrounder)
    added = built.pop('iou_score').student.state_dict().keys() - plain.state_dict().keys()
    assert {key.split('.')[0] for key in added} == {'score_head'}
    assert all(model.student.state_dict().keys() == plain.state_dict().keys() for model in built.values())


def test_a_term_written_by_hand_weighs_as_in_the_recipes():
    terms = load_config('configs/_base_/duet_head.py').duet_head.terms
    for name, term in terms.items():
        defaults = inspect.signature(term.type).parameters
        for key in {'weight', 'temperature'} & term.keys():
            assert term[key] == defaults[key].default, (name, key)
    for other in ('RegionContrastTerm', 'RankedContrastTerm'):
        defaults = inspect.signature(MODELS.get(other)).parameters
        assert all(defaults[key].default == terms.contrast[key] for key in ('weight', 'temperature'))


@pytest.mark.parametrize('form', [path.stem for path in PATCHES if path.stem.startswith(('drawn', 'ranked'))])
def test_another_form_of_the_contrast_keeps_its_weight_and_temperature(form):
    config = load_config('configs/duet/transvg_duet_refshapes.py')
    config.model.head.terms.contrast.update(weight=3.0, temperature=0.25)
    apply_patch(config, form)
    contrast = config.model.head.terms.contrast
    assert contrast.type == ('RegionContrastTerm' if form.startswith('drawn') else 'RankedContrastTerm')
    assert (contrast.weight, contrast.temperature) == (3.0, 0.25)


@pytest.mark.parametrize(('student', 'weight', 'tiny'), [('transvg', 0.4, 1.0), ('vltvg', 8.0, 3.4), ('qrnet', 0.4, 1.0),
                                                         ('clip_vg', 0.45, 1.0)])
def test_every_full_recipe_of_a_student_has_its_balance_and_the_tiny_one_another(student, weight, tiny):
    leaves = [path for path in LEAVES if path.stem.startswith(f'{student}_duet_')]
    small = [path for path in leaves if path.stem.endswith('refshapes') or '_small_' in path.stem]
    assert len(leaves) - len(small) >= 6
    for path in leaves:
        assert Config.fromfile(path).model.head.get('weight', 1.0) == (tiny if path in small else weight), path.name
