import pytest

from mmduet.cli import check_leaks as tool
from tests.tiny_data import line, make_data_root


@pytest.fixture
def roots(tmp_path):
    train = make_data_root(tmp_path / 'a', [line(image='COCO_train2014_000000000002.jpg', image_id=2)])
    test = make_data_root(tmp_path / 'b', [line(image='000000000002.jpg', image_id=2, split='testA'),
                                           line(image='000000000003.jpg', image_id=3, split='val')])
    return train, test


def test_shared_images_are_counted_by_split_and_end_with_one(roots, capsys):
    train, test = roots
    assert tool.main(['--train', str(train), '--test', str(test)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (f'{train} and tiny testA: 1 of 1 image, 1 of 1 expression, such as 000000000002.jpg '
                        f'({test}/annotations/testA.jsonl:1)')
    assert lines[1] == f'{train} and tiny val: 0 of 1 image, 0 of 1 expression'
    assert lines[2] == 'images are shared in 1 of 2 pairs'


def test_ids_that_a_backbone_saw_are_checked_alone(roots, tmp_path, capsys):
    (tmp_path / 'seen.txt').write_text('77\n')
    assert tool.main(['--seen-ids', str(tmp_path / 'seen.txt'), '--test', str(roots[1])]) == 0
    assert 'no image is shared (2 pairs)' in capsys.readouterr().out


def test_a_config_is_checked_for_what_it_trains_on(roots, tmp_path, capsys):
    train, test = roots
    for name, exclude, code in (('leaky', '[]', 1), ('clean', f'[dict(data_root={str(test)!r})]', 0)):
        other = make_data_root(tmp_path / 'more', [line(image='000000000008.jpg', image_id=8)])
        (tmp_path / f'{name}.py').write_text(
            f'train_dataloader = dict(dataset=dict(datasets=[dict(data_root={str(train)!r}, splits=["train"]), '
            f'dict(data_root={str(other)!r}, splits=["train"])], exclude={exclude}))\n')
        assert tool.main(['--config', str(tmp_path / f'{name}.py'), '--test', str(test)]) == code


def test_options_change_the_config_that_is_checked(roots, tmp_path, capsys):
    train, test = roots
    config = tmp_path / 'config.py'
    config.write_text(f"train_dataloader = dict(dataset=dict(type='mmduet.GroundingDataset', data_root={str(test)!r}, "
                      "splits=['val'], pipeline=[]))\n")
    change = f'train_dataloader.dataset={{"type": "mmduet.GroundingDataset", "data_root": "{train}", "splits": ["train"]}}'
    assert tool.main(['--config', str(config), '--test', str(test), '--cfg-options', change]) == 1
    assert 'and tiny testA: 1 of 1 image' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        tool.main(['--train', str(train), '--cfg-options', change])
    assert 'change a config: name it by --config' in capsys.readouterr().err


def test_a_wrong_root_is_a_sentence(tmp_path, capsys):
    assert tool.main(['--train', str(tmp_path), '--test', str(tmp_path)]) == 1
    assert 'is no data root' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool.main([])


def test_the_splits_that_are_trained_on_are_named_for_all_data_roots(roots, tmp_path, capsys):
    train, test = roots
    shared = line(split='other', image='COCO_train2014_000000000002.jpg', image_id=2)
    other = make_data_root(tmp_path / 'a:colon', [shared])
    assert tool.main(['--train', str(other), '--splits', 'other', '--test', str(test)]) == 1
    assert capsys.readouterr().out.startswith(f'{other} and tiny testA: 1 of 1 image')
    assert tool.main(['--train', str(train), '--splits', 'other', '--test', str(test)]) == 1
    assert "has no split 'other'" in capsys.readouterr().err
