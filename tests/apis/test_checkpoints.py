import pytest
import torch

from mmduet.apis.checkpoints import FULL_SIZE, pipeline_of, read_grounder
from mmduet.engine.checkpoint import CheckpointError
from mmduet.engine.config_tools import ConfigError, load_config
from tests.apis.made_checkpoint import CONFIG, write_checkpoint


@pytest.mark.parametrize(('key', 'path'), FULL_SIZE.items(), ids=str)
def test_the_authors_students_have_configs_here(key, path):
    name, depth = key
    cfg = load_config(path)
    assert cfg.model.type.__name__.lower() == name.replace('_', '') and len(pipeline_of(cfg)) >= 3
    assert depth is None or cfg.model.visual_encoder.backbone.depth == depth


def test_a_checkpoint_gives_student_config_pipeline_and_what_its_pretraining_excludes(tmp_path):
    student, about = read_grounder(write_checkpoint(tmp_path / 'best.pth'))
    assert type(student).__name__ == 'TransVG' and about.model['pretrained'] is None
    assert about.pretrain_excludes == ['refshapes'] and about.teacher is None and about.notice == ''
    names = [step['type'].__name__ for step in about.test_pipeline]
    assert names == ['LoadImage', 'ResizeLongSide', 'PlaceOnCanvas', 'PackGroundingInputs']
    assert read_grounder(write_checkpoint(tmp_path / 'b.pth', pretrain_excludes=None))[1].pretrain_excludes is None


def test_weights_without_a_config_need_one_and_take_it(tmp_path):
    made = torch.load(write_checkpoint(tmp_path / 'best.pth'), weights_only=True)
    torch.save({'state_dict': made['state_dict']}, tmp_path / 'bare.pth')
    with pytest.raises(ConfigError, match=r'bare\.pth holds no config, and is not of the authors .* give the config'):
        read_grounder(tmp_path / 'bare.pth')
    student = read_grounder(tmp_path / 'bare.pth', CONFIG)[0]
    assert torch.equal(student.query_token.weight, made['state_dict']['student.query_token.weight'])


def test_a_config_without_a_model_and_weights_of_another_are_named(tmp_path):
    with pytest.raises(ConfigError, match='has no model'):
        read_grounder(write_checkpoint(tmp_path / 'a.pth', cfg='work_dir = "x"'))
    with pytest.raises(CheckpointError, match=r'a\.pth'):
        read_grounder(write_checkpoint(tmp_path / 'a.pth'), 'configs/vltvg/vltvg_refshapes.py')
