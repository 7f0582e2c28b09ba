import pytest
import torch

from mmduet.apis.devices import find_device
from mmduet.engine.config_tools import ConfigError

GONE = f'cuda:{torch.cuda.device_count()}'


def test_a_device_is_found_by_its_name():
    assert find_device('cpu') == find_device(torch.device('cpu')) == torch.device('cpu')
    assert find_device('auto').type in ('cpu', 'cuda', 'mps')


@pytest.mark.parametrize(('name', 'message'), [
    ('abacus', r"there is no device 'abacus' here, only cpu.* \(.*abacus\)|there is no device 'abacus' here, only cpu"),
    (GONE, f"there is no device '{GONE}' here, only cpu"), ('cpu:x', "no device 'cpu:x'"), (None, "no device 'None'"),
    ('meta', 'holds no numbers')])
def test_one_that_is_not_there_is_named_with_those_that_are(name, message):
    with pytest.raises(ConfigError, match=message):
        find_device(name)
