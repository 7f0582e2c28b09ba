"""Metafiles and READMEs of the students against the configs beside them."""
import re

import pytest
import torch
import yaml
from mmengine.config import Config

from mmduet.engine.config_tools import drop_pretrained
from mmduet.registry import MODELS
from tests.shared_data import ROOT

STUDENTS = ('transvg', 'vltvg', 'qrnet', 'clip_vg')
DATA = {'refcoco_unc': 'RefCOCO', 'refcocoplus_unc': 'RefCOCO+', 'refcocog_umd': 'RefCOCOg umd',
        'refcocog_google': 'RefCOCOg google', 'referit': 'ReferItGame', 'flickr30k': 'Flickr30K Entities'}
# What the authors trained on: GPUs, for the batch of one in the config.
GPUS = {'transvg': 8, 'vltvg': 8, 'qrnet': 8, 'clip_vg': 5}


def read(student):
    return yaml.safe_load((ROOT / f'mmduet/configs/{student}/metafile.yml').read_text())


def table_rows(student):
    """The lines of the README's table by the name of their config."""
    text = (ROOT / f'mmduet/configs/{student}/README.md').read_text()
    return {name: row for row, name in re.findall(r'^(\| `(\w+)\.py` \|.*)$', text, flags=re.MULTILINE)}


@pytest.mark.parametrize('student', STUDENTS)
def test_every_leaf_has_an_entry_and_a_row_and_every_entry_and_row_a_leaf(student):
    leaves = sorted(path.stem for path in (ROOT / f'mmduet/configs/{student}').glob('*.py'))
    models = read(student)['Models']
    assert sorted(model['Name'] for model in models) == leaves
    assert all(model['Config'] == f'configs/{student}/{model["Name"]}.py' for model in models)
    assert sorted(table_rows(student)) == leaves
    collection = read(student)['Collections'][0]
    assert {model['In Collection'] for model in models} == {collection['Name']}
    assert (ROOT / collection['README']).is_file()


@pytest.mark.parametrize('student', STUDENTS)
def test_epochs_batches_data_and_sizes_are_those_of_the_configs(student):
    sizes = {}
    for model in read(student)['Models']:
        config, metadata = Config.fromfile(ROOT / model['Config']), model['Metadata']
        small = model['Name'].endswith(('_refshapes', '_small_refcoco'))
        assert metadata['Epochs'] == config.train_cfg.max_epochs, model['Name']
        assert metadata['Batch Size'] == config.train_dataloader.batch_size * (1 if small else GPUS[student]), model['Name']
        root = config.train_dataloader.dataset.get('data_root', '').removeprefix('data/')
        known = {f'{DATA.get(root)} {split}' for split in ('val', 'test', 'testA', 'testB')}
        assert {result['Dataset'] for result in model['Paper Results']} <= known, model['Name']
        drop_pretrained(config)
        key = repr(config.model.to_dict())
        if key not in sizes:
            with torch.device('meta'):
                sizes[key] = sum(parameter.numel() for parameter in MODELS.build(config.model).parameters())
        assert metadata['Parameters'] == sizes[key], model['Name']


@pytest.mark.parametrize('student', STUDENTS)
def test_the_table_and_the_metafile_publish_the_same_numbers_and_claim_none_of_ours(student):
    rows = table_rows(student)
    for model in read(student)['Models']:
        published = rows[model['Name']].split('|')[5]
        numbers = [float(number) for number in re.findall(r'\b\d\d\.\d+\b', published)]
        assert numbers == [result['Metrics']['Acc@0.5'] for result in model['Paper Results']], model['Name']
        assert model['Results'] == [] and model['Weights'] is None
        if numbers:
            assert '(' in published, f'{model["Name"]}: who published it is not said'
            assert rows[model['Name']].split('|')[6].strip() == 'not trained yet'


@pytest.mark.parametrize('student', STUDENTS)
def test_the_readme_says_how_the_authors_file_becomes_a_score(student):
    text = (ROOT / f'mmduet/configs/{student}/README.md').read_text()
    commands = [line.split() for line in text.splitlines() if line.startswith('    mmduet ')]
    assert [command[1] for command in commands] == ['prepare', 'convert', 'test']
    _, convert, test = commands
    assert convert[convert.index('--config') + 1] == test[2] and (ROOT / test[2]).is_file()
    assert test[3] == convert[3], 'what is converted is what is tested'
