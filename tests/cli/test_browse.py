import numpy as np
import pytest
from PIL import Image

from mmduet.cli import browse as tool
from mmduet.datasets import GroundingDataset, JointDataset
from tests.tiny_data import line, make_data_root


def test_samples_are_drawn_before_and_after_with_the_words_of_the_mirror(tmp_path, capsys):
    root = make_data_root(tmp_path / 'root', [line(expression_id=str(k)) for k in range(5)])
    assert tool.main(['configs/transvg/transvg_refshapes.py', '--data-root', str(root), '--out', str(tmp_path / 'x/y.png'),
                      '--count', '3', '--splits', 'train']) == 1
    assert 'fewer than the first 8000' in capsys.readouterr().err
    assert tool.main(['configs/transvg/transvg_refcoco.py', '--data-root', str(root), '--out', str(tmp_path / 'x/y.png'),
                      '--count', '3']) == 0
    assert '3 samples of 5' in capsys.readouterr().out
    sheet = np.asarray(Image.open(tmp_path / 'x/y.png'))
    assert sheet.shape[1] == 2 * (2 * tool.TILE + 3 * tool.GAP) + tool.GAP
    assert (sheet == tool.GREEN).all(-1).sum() > 1000


def test_options_and_patches_change_what_is_drawn(tmp_path, capsys):
    root = make_data_root(tmp_path / 'root', [line(expression_id=str(k)) for k in range(5)])
    (tmp_path / 'fewer.py').write_text('def change(cfg):\n    cfg.train_dataloader.dataset.first = 2\n')
    arguments = ['configs/transvg/transvg_refcoco.py', '--data-root', str(root), '--out', str(tmp_path / 'y.png')]
    assert tool.main([*arguments, '--patch', str(tmp_path / 'fewer.py')]) == 0
    assert '2 samples of 2 in' in capsys.readouterr().out
    assert tool.main([*arguments, '--cfg-options', 'train_dataloader.dataset.first=3']) == 0
    assert '3 samples of 3 in' in capsys.readouterr().out
    assert tool.main([*arguments, '--cfg-options', 'train_dataloader.dataset.fist=3']) == 1
    assert "does not take 'fist'; nearest: first" in capsys.readouterr().err


def test_the_target_is_drawn_where_it_is():
    tile = np.asarray(tool.draw_tile(np.zeros((180, 360, 3), np.uint8), [100, 50, 200, 90], 'a cup'))
    rows, columns = np.nonzero((tile == tool.GREEN).all(-1))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (100, 50, 200, 90)


def test_a_data_root_that_is_not_there_is_a_sentence(tmp_path, capsys):
    assert tool.main(['configs/transvg/transvg_refcoco.py', '--data-root', str(tmp_path / 'gone')]) == 1
    assert 'there is no data root' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool.main(['x.py', '--count', '0'])


def test_a_split_without_targets_is_drawn_without_boxes(tmp_path, capsys):
    records = [line(expression_id=str(k), split=split, box=None if split == 'absent' else [4, 5, 20, 25])
               for k, split in enumerate(('train', 'absent', 'absent'))]
    root = make_data_root(tmp_path / 'root', records)
    arguments = ['configs/transvg/transvg_refcoco.py', '--data-root', str(root), '--out', str(tmp_path / 'y.png'), '--splits']
    assert tool.main([*arguments, 'absent']) == 0
    assert '2 samples of 2' in capsys.readouterr().out
    assert not (np.asarray(Image.open(tmp_path / 'y.png')) == tool.GREEN).all(-1).any()
    assert tool.main([*arguments, 'absent', 'train']) == 0
    assert (np.asarray(Image.open(tmp_path / 'y.png')) == tool.GREEN).all(-1).any()
    assert tool.main([*arguments, 'gone']) == 1
    assert "has no split 'gone'" in capsys.readouterr().err


def test_the_data_sets_of_a_joint_one_are_drawn_without_what_it_leaves_out(tmp_path, capsys):
    root = make_data_root(tmp_path / 'a', [line(expression_id=str(k), image_id=k, expression=f'cup {k}') for k in range(3)])
    held = make_data_root(tmp_path / 'b', [line(image_id=1, split='test')])
    joint = JointDataset([dict(type=GroundingDataset, data_root=root, splits=['train'], pipeline=[])],
                         exclude=[dict(data_root=held)])
    assert [tool.annotation_of(joint.datasets[0], index).expression for index in range(len(joint))] == ['cup 0', 'cup 2']
    (tmp_path / 'joint.py').write_text(
        'def change(cfg):\n    inner = dict(cfg.train_dataloader.dataset)\n'
        "    cfg.train_dataloader.dataset = dict(type='mmduet.JointDataset', datasets=[inner, inner])\n")
    assert tool.main(['configs/transvg/transvg_refcoco.py', '--data-root', str(root), '--out', str(tmp_path / 'y.png'),
                      '--patch', str(tmp_path / 'joint.py'), '--count', '4']) == 0
    assert '4 samples of 6 in' in capsys.readouterr().out


@pytest.mark.parametrize('flag', ['--seed', '--epoch'])
def test_a_number_below_zero_is_refused_by_its_flag(capsys, flag):
    with pytest.raises(SystemExit):
        tool.main(['configs/transvg/transvg_refcoco.py', flag, '-1'])
    assert f'argument {flag}: must not be negative, got -1' in capsys.readouterr().err


def test_a_wrapper_of_mmengine_is_refused_as_in_training(tmp_path, capsys):
    root = make_data_root(tmp_path / 'root', [line()])
    (tmp_path / 'twice.py').write_text(
        'def change(cfg):\n    inner = dict(cfg.train_dataloader.dataset)\n'
        "    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=inner)\n")
    assert tool.main(['configs/transvg/transvg_refcoco.py', '--data-root', str(root), '--out', str(tmp_path / 'y.png'),
                      '--patch', str(tmp_path / 'twice.py')]) == 1
    assert 'train_dataloader.dataset: RepeatDataset of MMEngine wraps data sets of MMEngine' in capsys.readouterr().err
