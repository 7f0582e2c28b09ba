from mmduet.apis import GroundingInferencer
from mmduet.apis.unknown_words import find_unknown_words


def split(text):
    return [word for word in text.split() if word.startswith('q')]


def test_words_are_named_once_and_belong_to_their_expressions(capsys):
    rows = [['a qat', 'a cat'], ['a qat', 'qi qat']]
    assert find_unknown_words(rows, split) == {'a qat': ('qat', ), 'qi qat': ('qi', 'qat')}
    assert find_unknown_words(rows, split) != {}
    said = capsys.readouterr().err
    assert said.startswith("warning: the vocabulary of this model does not hold 'qat', 'qi': it ") and said.count('\n') == 1
    assert find_unknown_words([['a cat']], split) == {} and capsys.readouterr().err == ''
    find_unknown_words([[' '.join(f'q{number}' for number in range(20))]], split)
    assert "'q7' and 12 more: it reads" in capsys.readouterr().err


def test_answers_carry_them(capsys):
    known, unknown = GroundingInferencer()('example', ['the leftmost ring', 'the leftmost quokka'])
    assert (known.unknown_words, unknown.unknown_words) == ((), ('quokka', ))
    assert 'unknown_words' not in known.to_dict() and unknown.to_dict()['unknown_words'] == ['quokka']
    assert "does not hold 'quokka'" in capsys.readouterr().err
