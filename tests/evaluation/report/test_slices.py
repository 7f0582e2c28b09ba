from mmduet.evaluation.report.slices import make_slices
from tests.report_data import make_cases


def members(cases):
    found = {}
    for part in make_slices(cases):
        found.setdefault(part.group, {})[part.name] = [index + 1 for index in part.mask.nonzero()[0]]
    return found


def test_every_group_says_which_expressions_it_holds(tmp_path):
    assert members(make_cases(tmp_path)) == {
        'kind of expression, as annotated': {'not said': [3, 4], 'place': [1], 'relation': [2]},
        'length of the expression': {'1 to 5 words': [1, 3, 4], '8 to 10 words': [2]},
        'words in the expression': {'spatial words': [1], 'relational words': [2], 'attribute words': [2], 'ordinal words': [2],
                                    'none of these': [3, 4]},
        'size of the target, % of the image': {'5 to 10 %': [1, 2, 4], '25 % or more': [3]},
        "annotated objects of the target's category": {'only the target': [3], '2 objects': [1, 2, 4]},
    }


def test_splits_are_slices_where_there_are_several_and_long_kinds_are_cut(tmp_path):
    found = members(make_cases(tmp_path, split='testA', kind='k' * 80))
    assert found['split'] == {'testA': [4], 'val': [1, 2, 3]}
    assert 'k' * 60 + '...' in found['kind of expression, as annotated']


def test_a_phrase_can_stand_in_a_sentence(tmp_path):
    phrases = [part.phrase for part in make_slices(make_cases(tmp_path))]
    assert {'expressions of 8 to 10 words', 'targets of 5 to 10 % of the image', 'expressions of kind place',
            "images with 2 objects of the target's category"} <= set(phrases)


def test_an_expression_of_unknown_category_is_in_no_slice_of_alike_objects(tmp_path):
    assert members(make_cases(tmp_path, category=None))["annotated objects of the target's category"] == {
        'only the target': [3], '2 objects': [1, 2]}
