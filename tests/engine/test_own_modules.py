"""Files of a user: imported by name, and named where a model needs them."""
import sys

import pytest

from mmduet.engine.config_tools import ConfigError
from mmduet.engine.own_modules import import_own, own_files, own_modules, parts_of_prediction
from mmduet.models import TransVG


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in; what is imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_file_elsewhere_and_a_module_of_the_working_directory_are_imported(folder):
    (folder / 'inner').mkdir()
    (folder / 'inner/own_student_a.py').write_text('from own_helper_a import NUMBER')
    (folder / 'inner/own_helper_a.py').write_text('NUMBER = 3')
    (folder / 'own_student_b.py').write_text('NUMBER = 4')
    import_own(['inner/own_student_a.py', 'own_student_b'])
    assert sys.modules['own_student_a'].NUMBER == 3 and sys.modules['own_student_b'].NUMBER == 4


@pytest.mark.parametrize(('name', 'sentence'), [
    ('nowhere.py', r'^--import nowhere\.py: there is no such file$'),
    ('nowhere_either', r'^--import nowhere_either: there is no module nowhere_either; name a file, as my_grounder\.py$'),
    ('json.py', r'^--import json\.py: another module is called json, .*json.__init__\.py: rename the file$')])
def test_what_cannot_be_imported_is_named(name, sentence, folder):
    (folder / 'json.py').touch()
    with pytest.raises(ConfigError, match=sentence):
        import_own([name])


def test_what_a_file_itself_cannot_import_is_its_own_error(folder):
    (folder / 'own_student_c.py').write_text('import nothing_of_this_name')
    with pytest.raises(ModuleNotFoundError, match='nothing_of_this_name'):
        import_own(['own_student_c.py'])


def test_types_of_files_are_named_by_their_file_and_those_of_packages_not_at_all(folder):
    (folder / 'own_student_d.py').write_text('class Mine: ...')
    import_own(['own_student_d.py'])
    mine = sys.modules['own_student_d'].Mine
    config = {'model': {'type': 'mmduet.DistilledGrounder', 'student': {'type': TransVG, 'parts': [{'type': mine}]},
                        'teacher': {'type': folder.__class__}},
              'test_dataloader': {'dataset': {'pipeline': [{'type': mine}]}}}
    assert own_modules(parts_of_prediction(config)) == ['own_student_d']
    assert own_files(parts_of_prediction(config)) == ['own_student_d.py']
    assert own_files({'type': TransVG}) == []


def test_a_module_inside_a_package_is_named_as_such(folder):
    (folder / 'own_package').mkdir()
    (folder / 'own_package/student.py').write_text('class Mine: ...')
    import_own(['own_package.student'])
    assert own_files({'type': sys.modules['own_package.student'].Mine}) == ['own_package.student']
