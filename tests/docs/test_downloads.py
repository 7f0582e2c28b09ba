"""The page of data and weights has every file that a recipe names, and the place that open_clip fetches each teacher from."""
import re

import pytest
from open_clip.pretrained import get_pretrained_cfg

from mmduet.engine.config_tools import load_config, walk
from mmduet.io.files import CONFIGS
from tests.docs.pages import DOCS

PAGE = (DOCS / 'downloads.md').read_text(encoding='utf-8')
TEACHERS = sorted(path for path in (CONFIGS / '_base_/teachers').glob('*.py') if path.stem != 'clip_tiny_refshapes')


def named_files():
    """The files in ``checkpoints`` that the recipes of the package start from."""
    texts = [path.read_text(encoding='utf-8') for path in CONFIGS.rglob('*.py')]
    return sorted({file for text in texts for file in re.findall(r"'(checkpoints/[\w.]+)'", text)})


def test_there_are_such_files_and_teachers():
    assert len(named_files()) == 7 and len(TEACHERS) == 4


@pytest.mark.parametrize('file', named_files())
def test_a_file_that_a_recipe_names_stands_on_the_page(file):
    assert f'`{file}`' in PAGE


@pytest.mark.parametrize('config', TEACHERS, ids=lambda path: path.stem)
def test_a_teacher_is_linked_to_where_open_clip_fetches_it(config):
    teacher = load_config(config).teacher
    folder = get_pretrained_cfg(teacher.model, teacher.pretrained)['hf_hub'].strip('/')
    assert f'(https://huggingface.co/{folder})' in PAGE


def test_the_text_encoder_is_linked_by_its_name_in_the_recipes():
    names = {node['pretrained'] for node in walk(load_config('transvg_duet_refcoco')._cfg_dict)
             if str(node.get('type', '')).endswith("BertTextEncoder'>")}
    assert names == {'bert-base-uncased'} and '(https://huggingface.co/google-bert/bert-base-uncased)' in PAGE
