import sys

import pytest

from mmduet.lazy_names import lazy_names


def test_a_name_is_looked_up_in_its_module_which_is_imported_then(tmp_path, monkeypatch):
    package = tmp_path / 'lazy_example'
    package.mkdir()
    (package / '__init__.py').write_text('from mmduet.lazy_names import lazy_names\n'
                                         "__getattr__ = lazy_names(__name__, {'answer': 'inner'})\n")
    (package / 'inner.py').write_text('answer = 42\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    import lazy_example
    assert 'lazy_example.inner' not in sys.modules
    assert lazy_example.answer == 42
    assert 'lazy_example.inner' in sys.modules


def test_another_name_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'json' has no attribute 'Decoder'"):
        lazy_names('json', {'JSONDecoder': 'decoder'})('Decoder')
