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


def test_names_of_a_base_of_another_package_are_not_the_users_mistakes(tmp_path):
    text = ("_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'\nrate = 0.1\n"
            'optim_wrapper = dict(optimizer=dict(lr=rate))\n')
    assert said(tmp_path, text) == []  # among them tta_model, which MMDetection's own tool reads
    (key, _), = said(tmp_path, text + 'something = 3\n')
    assert key == 'something'


def test_a_variable_that_is_changed_too_late_says_where_its_value_went(tmp_path):
    (key, sentence), = said(tmp_path, 'size = 64\nmodel = dict(size=size, deep=dict(canvas=size))\n', ['size'])
    assert key == 'size' and sentence == (
        "'size' is a variable of the config, and was copied when that was read: changing it changes nothing. "
        'Change model.size, model.deep.canvas')


def test_a_variable_of_many_places_names_four_and_one_that_was_computed_with_none(tmp_path):
    many = 'size = 64\nmodel = dict(' + ', '.join(f'{name}=dict(size=size)' for name in 'abcdef') + ')\n'
    (_, sentence), = said(tmp_path, many, ['size'])
    assert sentence.endswith('Change model.a.size, model.b.size, model.c.size, model.d.size and 2 more')
    (_, sentence), = said(tmp_path, 'size = 64\nmodel = dict(canvas=size * 2)\n', ['size'])
    assert sentence.endswith('changing it changes nothing. Change what was made of it')


def test_a_change_of_a_part_of_a_variable_names_the_same_part_of_its_copies(tmp_path):
    text = "teacher = dict(type='CLIPTeacher', pretrained='a')\nmodel = dict(teacher=teacher)\n"
    (key, sentence), = said(tmp_path, text, ['teacher.pretrained'])
    assert key == 'teacher.pretrained' and sentence.endswith('Change model.teacher.pretrained')


def test_a_change_of_what_is_not_in_the_config_names_the_nearest(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text('model = dict(a=1)\n')
    problem, = check_variables({'model': {}, 'modle': {}}, config_files(path), ['modle.a'])
    assert (problem.key, problem.sentence) == ('modle.a', "the config has no 'modle'; nearest: model")


def test_of_plain_values_only_what_is_nearly_a_key_of_the_runner_is_a_mistake():
    problem, = check_variables({'train_cgf': {}, 'something': 3, '_hidden': 1, 'model': {}}, [], [])
    assert (problem.key, problem.sentence) == ('train_cgf', 'the runner does not read it; nearest: train_cfg')
