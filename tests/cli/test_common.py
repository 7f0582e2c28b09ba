import argparse
from importlib import import_module
from pathlib import Path

import pytest

from mmduet.cli import common


def test_numbers_and_names_of_the_command_line_are_checked():
    assert common.positive('3') == 3 and common.names('plain,full') == ['plain', 'full']
    with pytest.raises(argparse.ArgumentTypeError, match='must be at least 1, got 0'):
        common.positive('0')
    with pytest.raises(argparse.ArgumentTypeError, match="must be names joined by commas, got 'a,,b'"):
        common.names('a,,b')


@pytest.mark.parametrize('module', ['train', 'test', 'check', 'prepare', 'browse', 'decode_images', 'cache_teacher', 'export',
                                    'analyse_teacher', 'check_leaks'])
def test_splits_are_given_to_every_command_in_the_same_way(module, capsys):
    parser = argparse.ArgumentParser(add_help=False)
    import_module(f'mmduet.cli.{module}').add_arguments(parser)
    flags = [action for action in parser._actions if any('split' in flag for flag in action.option_strings)]
    assert [flag for action in flags for flag in action.option_strings] == (
        ['--train-splits', '--val-splits', '--test-splits'] if module == 'train' else ['--splits'])
    for action in flags:
        alone = argparse.ArgumentParser(prog='x')
        alone._add_action(action)
        flag, = action.option_strings
        assert vars(alone.parse_args([flag, 'val', 'testA', flag, 'testB']))[action.dest] == ['val', 'testA', 'testB']
        assert vars(alone.parse_args([]))[action.dest] in ([], ['val'], ['train'])
        for old in ('val+testA', 'val,testA', ''):
            with pytest.raises(SystemExit):
                alone.parse_args([flag, old])
            assert f'splits are given with spaces between them, as val testA, got {old!r}' in capsys.readouterr().err


def test_predictions_are_lines_and_no_json_file(capsys):
    parser = argparse.ArgumentParser()
    common.add_test_flags(parser)
    assert parser.parse_args(['a.pth', '--out', 'p.jsonl']).out == 'p.jsonl'
    with pytest.raises(SystemExit):
        parser.parse_args(['a.pth', '--out', 'p.json'])
    assert 'p.json will hold a line of JSON for each expression: name it .jsonl' in capsys.readouterr().err


def test_a_folder_of_save_pretrained_stands_for_its_weights(tmp_path):
    (tmp_path / 'model.safetensors').touch()
    assert common.checkpoint_file(str(tmp_path)) == str(tmp_path / 'model.safetensors')
    assert common.checkpoint_file(str(tmp_path / 'gone.pth')) == str(tmp_path / 'gone.pth')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(argparse.ArgumentTypeError, match=r'empty holds no model\.safetensors: it is none of save_pretrained'):
        common.checkpoint_file(str(tmp_path / 'empty'))


@pytest.mark.parametrize('config', ['configs/duet/qrnet_duet_refshapes.py', 'qrnet_duet_refshapes'])
def test_patches_change_the_config_before_options_and_name_the_work_folder(config):
    parser = argparse.ArgumentParser()
    common.add_data_flags(parser)
    cfg = common.load(parser.parse_args([config, '--patch', 'semantic', 'no_relation',
                                         '--cfg-options', 'model.head.terms.text.weight=3']))
    assert {name for name, term in cfg.model.head.terms.items() if term} == {'text', 'region', 'image'}
    assert cfg.model.head.terms.text.weight == 3
    assert cfg.work_dir == 'work_dirs/qrnet_duet_refshapes-semantic-no_relation'


def test_a_file_must_end_as_its_kind_does():
    weights = common.file_ending('.pth', '.safetensors')
    assert weights('a/b.pth') == Path('a/b.pth') and weights('b.safetensors').suffix == '.safetensors'
    for name in ('b.txt', 'b', 'b.pth.zip'):
        with pytest.raises(argparse.ArgumentTypeError, match=rf'^{name} must end in \.pth or \.safetensors$'):
            weights(name)
