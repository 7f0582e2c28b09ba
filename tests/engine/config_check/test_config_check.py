"""Keys that nobody reads are errors, in files and on the command line; every config of the repository has none."""
import subprocess
import sys

import pytest

from mmduet.engine.config_check import UnreadKeyError, apply_checked_options, check_config
from mmduet.engine.config_tools import load_config
from tests.shared_data import ROOT

LEAVES = sorted([*(path for path in (ROOT / 'configs').resolve().rglob('*.py') if not {'_base_', 'ablation'} & set(path.parts)),
                 *ROOT.glob('projects/*/configs/*.py'), *ROOT.glob('tests/tiny_*_config.py'), ROOT / 'tests/tiny_config.py'])
LEAVES = [path for path in LEAVES if path.name not in ('tiny_clip_config.py', '__init__.py')]
TINY = 'configs/duet/transvg_duet_refshapes.py'

OPTIONS = [
    # Keys of the runner.
    ('modle.pretrained=None', "modle.pretrained: the config has no 'modle'; nearest: model"),
    ('default_hook.logger.interval=5', "the config has no 'default_hook'; nearest: default_hooks"),
    ('custom_hook=[]', "the config has no 'custom_hook'; nearest: custom_hooks"),
    ('train_cgf.max_epochs=3', 'nearest: train_cfg'),
    ('optimwrapper.optimizer.lr=1', 'nearest: optim_wrapper'),
    ('param_schedulers=[]', 'nearest: param_scheduler'),
    ('val_evaluater=None', 'nearest: val_evaluator'),
    ('randomnes.seed=1', 'nearest: randomness'),
    ('load_form=a.pth', 'nearest: load_from'),
    ('pretrain_exclude=[]', 'nearest: pretrain_excludes'),
    # Dictionaries of the runner that have no class.
    ('env_cfg.cudnn_benchmrk=True', "env_cfg does not take 'cudnn_benchmrk'; nearest: cudnn_benchmark"),
    ('env_cfg.mp_cfg.opencv_threads=1', 'nearest: opencv_num_threads'),
    ('env_cfg.dist_cfg.bakend=gloo', 'nearest: backend'),
    ('randomness.sed=1', 'nearest: seed'),
    ('auto_scale_lr.enabled=True', 'nearest: enable'),
    ('auto_scale_lr.base_batchsize=4', 'nearest: base_batch_size'),
    ('train_dataloader.batchsize=4', 'nearest: batch_size'),
    ('train_dataloader.datset.first=4', 'nearest: dataset'),
    ('val_dataloader.num_worker=4', 'nearest: num_workers'),
    ('test_dataloader.persistant_workers=True', 'nearest: persistent_workers'),
    # Classes.
    ('train_dataloader.sampler.shufle=True', "EpochSampler does not take 'shufle'; nearest: shuffle"),
    ('train_dataloader.dataset.split=[train]', "GroundingDataset does not take 'split'; nearest: splits"),
    ('train_dataloader.dataset.pipeline.1.probability=1', "RandomFlip does not take 'probability'. It takes prob"),
    ('test_dataloader.dataset.pipeline.2.sizes=1', "PlaceOnCanvas does not take 'sizes'; nearest: size"),
    ('val_evaluator.threshold=[0.5]', 'nearest: thresholds'),
    ('test_evaluator.outfile=a', 'nearest: out_file'),
    ('train_cfg.max_epoch=3', "GroundingTrainLoop does not take 'max_epoch'; nearest: max_epochs"),
    ('train_cfg.val_intervall=3', 'nearest: val_interval'),
    ('val_cfg.fp61=True', "ValLoop does not take 'fp61'; nearest: fp16"),
    ('optim_wrapper.optimizer.weigth_decay=0', "AdamW does not take 'weigth_decay'; nearest: weight_decay"),
    ('optim_wrapper.optimizer.beta=0', 'nearest: betas'),
    ('optim_wrapper.clip_grads.max_norm=1', "OptimWrapper does not take 'clip_grads'; nearest: clip_grad"),
    ('optim_wrapper.clip_grad.max_nrm=1', 'nearest: max_norm'),
    ('optim_wrapper.accumulative_count=2', 'nearest: accumulative_counts'),
    ('optim_wrapper.paramwise_cfg.norm_decay=0', "paramwise_cfg does not take 'norm_decay'; nearest: norm_decay_mult"),
    ('optim_wrapper.paramwise_cfg.custom_keys.visual_encoder.lrmult=1', 'nearest: lr_mult'),
    ('param_scheduler.0.start_facto=1', "LinearLR does not take 'start_facto'; nearest: start_factor"),
    ('param_scheduler.1.eta_min_ration=1', "CosineAnnealingLR does not take 'eta_min_ration'; nearest: eta_min_ratio"),
    ('default_hooks.logger.intervall=5', "LoggerHook does not take 'intervall'; nearest: interval"),
    ('default_hooks.chekpoint.interval=5', 'it has no type; nearest: checkpoint'),
    ('default_hooks.checkpoint.max_keep_ckpt=1', 'nearest: max_keep_ckpts'),
    ('default_hooks.visualisation=None', 'no such hook; nearest: visualization'),
    ('log_processor.window=5', "LogProcessor does not take 'window'; nearest: window_size"),
    ('visualizer.vis_backend=[]', "Visualizer does not take 'vis_backend'; nearest: vis_backends"),
    ('custom_hooks.0.ema_typ=a', "EMAHook does not take 'ema_typ'; nearest: ema_type"),
    # The model, its classes and what it unpacks.
    ('model.studnt.pretrained=None', "DistilledGrounder does not take 'studnt'; nearest: student"),
    ('model.student.fusion.num_layer=2', "TransformerEncoder does not take 'num_layer'; nearest: num_layers"),
    ('model.student.fusin.num_layers=2', "TransVG does not take 'fusin'; nearest: fusion"),
    ('model.student.text_encoder.max_token=4', "BertTextEncoder does not take 'max_token'; nearest: max_tokens"),
    ('model.student.text_encoder.config.hidden_sise=4', "BertConfig does not take 'hidden_sise'; nearest: hidden_size"),
    ('model.student.visual_encoder.backbone.dept=50', "ResNet does not take 'dept'; nearest: depth"),
    ('model.student.box_loss.giou_weigth=1', "BoxLoss does not take 'giou_weigth'; nearest: giou_weight"),
    ('model.student.featuresize=1', 'nearest: feature_size'),
    ('model.head.warmup_step=1', "DUETHead does not take 'warmup_step'; nearest: warmup_steps"),
    ('model.head.terms.relation.temprature=1', "RelationTerm does not take 'temprature'; nearest: temperature"),
    ('model.head.terms.contarst.weight=0', 'it has no type; nearest: contrast'),
    ('model.head.terms.contrast.semantic_weight=1', "does not take 'semantic_weight'; nearest: semantics_weight"),
    ('model.head.terms.drawn.sampler.canditates=1', "SLASampler does not take 'canditates'; nearest: candidates"),
    ('model.teacher.views.0.scal=1', "CropView does not take 'scal'; nearest: scale"),
    ('model.teacher.modelconfig=a', 'nearest: model_config'),
    # Variables of a config, which were copied when it was read.
    ('duet_head.terms.relation.weight=0', 'Change model.head.terms.relation.weight'),
    ('max_epochs=3', 'Change train_cfg.max_epochs, param_scheduler.0.end, param_scheduler.1.end'),
    ('data_root=x', 'Change train_dataloader.dataset.data_root, val_dataloader.dataset.data_root, test_dataloader'),
    ('teacher.pretrained=None', 'Change model.teacher.pretrained'),
    ('visual_encoder.num_layers=1', 'Change model.student.visual_encoder.num_layers'),
    # Names of metrics.
    ('default_hooks.checkpoint.save_best=acc@0.95', "gives 'acc@0.95'; nearest: acc@0.9"),
    ('custom_hooks.1.monitor=mio', "gives 'mio'; nearest: miou"),
]
CUSTOM = [dict(type='EMAHook', ema_type='MomentumAnnealingEMA'), dict(type='EarlyStoppingHook', monitor='miou')]


def tiny():
    cfg = load_config(TINY)
    cfg.custom_hooks = CUSTOM
    cfg.model.head.terms.drawn = dict(type='mmduet.RegionContrastTerm', sampler=dict(type='mmduet.SLASampler'))
    return cfg


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_every_config_of_the_repository_is_read_wholly(path):
    check_config(load_config(path))


def test_the_base_of_the_table_has_no_mistake_itself():
    check_config(tiny())


@pytest.mark.parametrize(('option', 'sentence'), OPTIONS, ids=lambda value: value.partition('=')[0])
def test_a_misspelt_option_is_named_with_the_nearest(option, sentence):
    with pytest.raises(UnreadKeyError) as caught:
        apply_checked_options(tiny(), [option])
    assert sentence in str(caught.value)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(('line', 'sentence'), [
    ('model.student.fusion.update(num_layer=2)', 'line 9): TransformerEncoder does not take'),
    ("model['student']['fusion']['num_layer'] = 2", 'line 9): TransformerEncoder does not take'),
    ('model.student.fusion.num_layer = 2', 'line 9): TransformerEncoder does not take'),
    ('default_hook = dict(logger=None)', 'line 9): nobody reads it: neither the runner nor the code of the'),
    ('custom_hook = []', 'line 9): nobody reads it'),
    ('env_cfg.update(cudnn_benchmrk=True)', 'line 9): env_cfg does not take'),
    ('train_dataloader.update(dict(batchsize=3))', 'line 9): train_dataloader does not take'),
    ('train_dataloader.update({"batchsize": 3})', 'line 9): train_dataloader does not take'),
    ('leftover = 3', 'line 9): nobody reads it: neither the runner nor the code of the config. Remove it, or'),
    ('param_scheduler = dict(type="LinearLR", start_facto=1)', 'line 9): LinearLR does not take'),
    ('model.student.score_head = dict(type="mmduet.IoUScoreHead", chanels=64)', 'line 9): IoUScoreHead does not take'),
    ('custom_hooks = [dict(type="mmengine.hooks.EMAHook", begin_iteration=3)]', 'line 9): EMAHook does not take'),
    ('custom_hooks = [dict(type="EMAHook", ema_type="ExponentialMovingAverage", momentun=3)]', 'nearest: momentum'),
])
def test_a_mistake_in_a_file_is_named_with_its_line(tmp_path, line, sentence):
    path = tmp_path / 'mine.py'
    base = '.' * (len(path.parts) - 1) + '.'.join((ROOT / TINY).resolve().with_suffix('').parts[1:])
    path.write_text(f'from mmengine.config import read_base\n\nwith read_base():\n    from {base} import *\n\n\n\n\n{line}\n')
    with pytest.raises(UnreadKeyError) as caught:
        check_config(load_config(path))
    assert sentence in str(caught.value)
    assert str(caught.value).count('mine.py') == 1


def test_all_mistakes_are_said_at_once():
    with pytest.raises(UnreadKeyError) as caught:
        apply_checked_options(tiny(), ['model.head.wheight=1', 'env_cfg.cudnn_benchmrk=1', 'modl=1'])
    first, *others = str(caught.value).splitlines()
    assert first == '3 mistakes in the config:'
    assert [line.split(':')[0].strip() for line in others] == ['modl', 'env_cfg.cudnn_benchmrk', 'model.head.wheight']


def test_what_works_is_let_through():
    cfg = tiny()
    apply_checked_options(cfg, [
        'model.student.fusion.num_layers=2', 'train_dataloader.dataset.pipeline.0.cache_mb=3', 'model.head.terms.contrast=None',
        'default_hooks.visualization=None', 'optim_wrapper.type=mmduet.MixedPrecisionOptimWrapper', 'optim_wrapper.dtype=bf16',
        'default_hooks.mine={"type": "EmptyCacheHook", "after_iter": True}', 'find_unused_parameters=True', 'compile=True',
        'custom_hooks.0.priority=LOW', 'model.head.terms.text.from_teacher=a', 'experiment_name=a', 'sync_bn=torch',
        'default_hooks.checkpoint.save_best=miou', 'extra_keys=[ablation]', 'ablation.steps=3',
        'optim_wrapper.clip_grad=None'])
    assert cfg.model.student.fusion.num_layers == 2


def test_a_dumped_config_passes_and_its_misspelt_keys_do_not(tmp_path):
    load_config(TINY).dump(tmp_path / 'dumped.py')
    cfg = load_config(tmp_path / 'dumped.py')
    check_config(cfg)
    cfg.custom_hook = []
    with pytest.raises(UnreadKeyError, match=r'custom_hook: the runner does not read it; nearest: custom_hooks'):
        check_config(cfg)
    with pytest.raises(UnreadKeyError, match=r'Change model\.head\.weight'):
        apply_checked_options(load_config(tmp_path / 'dumped.py'), ['duet_head.weight=2'])


def test_yaml_is_checked_too(tmp_path):
    (tmp_path / 'a.yaml').write_text('model: {type: mmduet.TransVG, fusio: 3}\nrandomnes: {seed: 1}\n')
    with pytest.raises(UnreadKeyError, match=r"(?s)randomnes: .*model\.fusio: TransVG does not take 'fusio'"):
        check_config(load_config(tmp_path / 'a.yaml'))


def test_a_class_beside_the_config_is_checked_without_being_imported(tmp_path, monkeypatch):
    monkeypatch.setattr('sys.path', [*sys.path])
    (tmp_path / 'own_student_of_a_user.py').write_text(
        'raise RuntimeError("imported")\nclass Base:\n    def __init__(self, width=3, *, depth=4):\n        pass\n\n'
        'class Own(Base):\n    def __init__(self, height, **kwargs):\n        self.colour = kwargs.pop("colour", None)\n'
        '        super().__init__(**kwargs)\n\n'
        'class Open(Base):\n    def __init__(self, **kwargs):\n        self.all = kwargs\n')
    head = 'from own_student_of_a_user import Open, Own\n'
    (tmp_path / 'good.py').write_text(head + 'model = dict(type=Own, height=1, width=2, depth=3, colour=4)\nval_cfg = None\n')
    check_config(load_config(tmp_path / 'good.py'))
    (tmp_path / 'open.py').write_text(head + 'model = dict(type=Open, anything=1)\n')
    check_config(load_config(tmp_path / 'open.py'))
    (tmp_path / 'bad.py').write_text(head + 'model = dict(type=Own, height=1, dept=2)\n')
    with pytest.raises(UnreadKeyError, match=r"bad\.py, line 2\): Own does not take 'dept'; nearest: depth"):
        check_config(load_config(tmp_path / 'bad.py'))


def test_mistakes_are_found_before_torch_is_imported():
    program = ('import sys\nfrom mmduet.engine.config_check import apply_checked_options\n'
               'from mmduet.engine.config_tools import load_config\n'
               f'try:\n    apply_checked_options(load_config({TINY!r}), ["model.student.fusion.num_layer=2"])\n'
               'except ValueError as error:\n    print(error)\n'
               'print([name for name in ("torch", "mmdet", "transformers") if name in sys.modules])')
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines() == [
        "model.student.fusion.num_layer: TransformerEncoder does not take 'num_layer'; nearest: num_layers", '[]']


@pytest.mark.parametrize('text', [
    "_base_ = 'mmdet::detr/detr_r50_8xb2-150e_coco.py'\nscale = 2\nauto_scale_lr = dict(base_batch_size=16 * scale)\n",
    "_base_ = ['mmdet::_base_/datasets/coco_detection.py', 'mmdet::_base_/schedules/schedule_1x.py']\n"
    "default_scope = 'mmdet'\nwork_dir = 'a'\nmodel = dict(type='RetinaNet', backbone=dict(type='ResNet', depth=18))\n"])
def test_a_config_on_a_base_of_mmdetection_is_checked_as_any_other(tmp_path, text):
    (tmp_path / 'mine.py').write_text(text)
    cfg = load_config(tmp_path / 'mine.py')
    check_config(cfg)
    cfg.model.backbone.dept = 18
    with pytest.raises(UnreadKeyError, match=r'^model\.backbone\.dept: ResNet does not take .dept.; nearest: depth'):
        check_config(cfg)
