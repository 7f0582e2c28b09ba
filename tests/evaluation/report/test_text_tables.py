from mmduet.evaluation.report.summary import summarise
from mmduet.evaluation.report.text_tables import make_table, make_tables
from tests.report_data import OTHERS, SOME, make_cases, predict

HOSTILE = 'a|b*c_d\\e%f&g#h{i}j~k^l<m>n$o\nend'


def test_what_a_language_would_take_for_its_own_is_escaped():
    table = make_table('x', ['name', 'value'], [[HOSTILE, '−1.0']])
    assert table.latex.splitlines()[4] == (
        r'a|b*c\_d\textbackslash{}e\%f\&g\#h\{i\}j\textasciitilde{}k\textasciicircum{}l\textless{}m\textgreater{}n\$o end '
        r'& $-$1.0 \\')
    assert table.markdown.splitlines()[2] == r'| a\|b\*c\_d\\e%f&g\#h\{i\}j\~k^l\<m\>n$o end | −1.0 |'


def test_scores_differences_and_slices_are_tables_of_both_languages(tmp_path):
    cases = make_cases(tmp_path)
    systems = [predict(tmp_path, cases, 'some', SOME), predict(tmp_path, cases, 'b_2', OTHERS)]
    figures = summarise(cases, systems, draws=20).figures
    scores, difference, slices = make_tables(figures)
    assert (scores.title, difference.title, slices.title) == ('Scores', 'b_2 minus some', 'Slices')
    lines = scores.latex.splitlines()
    assert lines[:2] == [r'\begin{tabular}{lrrrrrrrrr}', r'\toprule'] and lines[-1] == r'\end{tabular}'
    assert lines[4].startswith('some & 75.0 [') and lines[5].startswith(r'b\_2 & 50.0 [')
    assert difference.markdown.splitlines()[1] == '|:---|---:|---:|'
    row = next(row for row in slices.markdown.splitlines() if row.startswith('| spatial words |'))
    assert row.split(' | ')[1:5] == ['words in the expression', '1', '100.0', '100.0']
    assert make_tables(figures | {'slices': [], 'comparisons': []})[-1].title == 'Scores'
