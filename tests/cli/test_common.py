import argparse

import pytest

from mmduet.cli import common


def test_numbers_and_names_of_the_command_line_are_checked():
    assert common.positive('3') == 3 and common.names('plain,full') == ['plain', 'full']
    with pytest.raises(argparse.ArgumentTypeError, match='must be at least 1, got 0'):
        common.positive('0')
    with pytest.raises(argparse.ArgumentTypeError, match="must be names joined by commas, got 'a,,b'"):
        common.names('a,,b')


@pytest.mark.parametrize('config', ['configs/duet/qrnet_duet_refshapes.py', 'qrnet_duet_refshapes'])
def test_patches_change_the_config_before_options_and_name_the_work_folder(config):
    parser = argparse.ArgumentParser()
    common.add_data_flags(parser)
    cfg = common.load(parser.parse_args([config, '--patch', 'semantic', 'no_relation',
                                         '--cfg-options', 'model.head.terms.text.weight=3']))
    assert {name for name, term in cfg.model.head.terms.items() if term} == {'text', 'region', 'image'}
    assert cfg.model.head.terms.text.weight == 3
    assert cfg.work_dir == 'work_dirs/qrnet_duet_refshapes-semantic-no_relation'
