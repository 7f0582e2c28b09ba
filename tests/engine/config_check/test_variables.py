from mmduet.engine.config_check.files import config_files
from mmduet.engine.config_check.variables import check_variables
from mmduet.engine.config_tools import load_config


def said(tmp_path, text, changed=()):
    path = tmp_path / 'mine.py'
    path.write_text(text)
    return [(problem.key, problem.sentence)
            for problem in check_variables(load_config(path)._cfg_dict, config_files(path), list(changed))]


def test_a_name_that_the_code_reads_is_a_variable_and_one_that_nobody_reads_a_mistake(tmp_path):
    text = 'size = 64\nmodel = dict(canvas_size=size)\nsomething = 3\n'
    (key, sentence), = said(tmp_path, text)
    assert key == 'something' and sentence.startswith('nobody reads it: neither the runner nor the code of the config')
    assert said(tmp_path, text + "extra_keys = ['something']\n") == []
    (key, sentence), = said(tmp_path, text.replace('something', 'train_cgf'))
    assert key == 'train_cgf' and 'train_cfg' in sentence


def test_a_variable_that_is_changed_too_late_says_where_its_value_went(tmp_path):
    (key, sentence), = said(tmp_path, 'size = 64\nmodel = dict(size=size, deep=dict(canvas=size))\n', ['size'])
    assert key == 'size' and sentence == (
        "'size' is a variable of the config, and was copied when that was read: changing it changes nothing. "
        'Change model.size, model.deep.canvas')
