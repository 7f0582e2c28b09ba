from mmduet.evaluation.table import format_table


def test_names_are_rows_and_splits_are_columns():
    metrics = {'acc@0.5': 50.0, 'miou': 7.0, 'val/acc@0.5': 100.0, 'testA/acc@0.5': 0.0, 'testA/miou': 7.125}
    assert format_table(metrics, 'val+testA').splitlines() == [
        'metric   val+testA     val  testA',
        'acc@0.5      50.00  100.00   0.00',
        'miou          7.00           7.12']


def test_a_value_that_is_no_number_is_printed():
    assert format_table({'mine/hit': 50, 'mine/of': '7 answers'}, 'val').splitlines() == [
        'metric       mine', 'hit         50.00', 'of      7 answers']
