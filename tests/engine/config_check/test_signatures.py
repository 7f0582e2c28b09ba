import pytest

from mmduet.engine.config_check.signatures import accepts, linearise, mentioned
from mmduet.engine.config_check.sources import resolve

SOURCE = """
from dataclasses import dataclass


class Base:
    def __init__(self, width, depth=1):
        pass


class Passing(Base):
    def __init__(self, colour, **rest):
        super().__init__(**rest)


class Picking(Base):
    def __init__(self, **options):
        self.size = options.pop('size', 1)
        print(**options)


class Unpacking:
    def __init__(self, inner, other=None):
        self.part = Base(width=3, **inner)
        self.build(other)

    def build(self, config):
        self.more = Passing('red', **config)


class Inheriting(Passing):
    pass


class Left(Base):
    pass


class Right(Base):
    pass


class Both(Left, Right):
    pass


@dataclass
class Data:
    x: int
    y: int = 0


class FromElsewhere(Unknown):
    pass


class OldStyle(Passing):
    def __init__(self, x, **rest):
        super(OldStyle, self).__init__(**rest)


class Leaving(Passing):
    def __init__(self, x, **rest):
        super(Passing, self).__init__(**rest)


def function(a, *, b=1):
    pass


def anything(a, **rest):
    pass
"""


@pytest.fixture
def takes(tmp_path, monkeypatch):
    (tmp_path / 'signatures_of_mine.py').write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return lambda name: accepts(resolve('signatures_of_mine', name))


@pytest.mark.parametrize(('name', 'names', 'any_other'), [
    ('Base', ('width', 'depth'), False), ('Passing', ('colour', 'width', 'depth'), False),
    ('Inheriting', ('colour', 'width', 'depth'), False), ('Picking', ('size', ), True), ('Data', ('x', 'y'), False),
    ('FromElsewhere', (), True), ('function', ('a', 'b'), False), ('anything', ('a', ), True),
    ('Both', ('width', 'depth'), False), ('OldStyle', ('x', 'colour', 'width', 'depth'), False),
    ('Leaving', ('x', ), True)])
def test_names_are_those_of_the_signature_and_of_the_bases_that_the_rest_goes_to(takes, name, names, any_other):
    found = takes(name)
    assert (found.names, found.any_other) == (names, any_other)


def test_a_dictionary_that_is_unpacked_takes_what_its_callee_takes_and_is_not_given(takes):
    inside = takes('Unpacking').inside
    assert inside['inner'].names == ('depth', ) and inside['inner'].owner == 'Base'
    assert set(inside['other'].names) == {'colour', 'width', 'depth'} and inside['other'].owner == 'Passing'


def test_bases_are_in_the_order_in_which_python_looks(takes):
    order, complete = linearise(resolve('signatures_of_mine', 'Both'))
    assert [each.name for each in order] == ['Both', 'Left', 'Right', 'Base'] and complete
    assert linearise(resolve('signatures_of_mine', 'FromElsewhere'))[1] is False


def test_words_of_a_class_are_those_that_its_source_and_its_bases_have_as_text(tmp_path, monkeypatch):
    (tmp_path / 'words_of_mine.py').write_text(
        "class A:\n    one = 'two'\n\n\nclass B(A):\n    three = 'four', 'two words', 5\n\n\ndef f():\n    return 'six'\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert mentioned(resolve('words_of_mine', 'B')) == {'two', 'four'}
    assert mentioned(resolve('words_of_mine', 'f')) == {'six'}
