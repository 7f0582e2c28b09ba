from mmduet.refshapes.region_retrieval_metric import RegionRetrievalMetric


def test_a_group_of_labels_is_reported_apart():
    metric = RegionRetrievalMetric(groups={'arrow': [7], 'star': [9]})
    metric.process(None, [{'labels': [3, 7, 7], 'cropped': [0, 2], 'target': 0, 'kind': 'attribute', 'crop_labels': [3, 1],
                           'dense_labels': [3, 7, 3], 'crop_choice': 0, 'dense_choice': 2}])
    figures = metric.evaluate(1)
    assert (figures['retrieval/crop_arrow'], figures['retrieval/dense_arrow']) == (0.0, 50.0)
    assert not {'retrieval/crop_star', 'retrieval/dense_star'} & set(figures)


def test_percentages_are_over_regions_and_over_expressions_of_a_kind():
    metric = RegionRetrievalMetric()
    metric.process(None, [
        {'labels': [3, 7, 7], 'cropped': [0, 1, 2], 'target': 0, 'kind': 'attribute', 'crop_labels': [3, 7, 1],
         'dense_labels': [3, 3, 3], 'crop_choice': 0, 'dense_choice': 2},
        {'labels': [5, 6], 'cropped': [1], 'target': 1, 'kind': 'relation', 'crop_labels': [6], 'dense_labels': [5, 6],
         'crop_choice': 1, 'dense_choice': 1},
    ])  # yapf: disable
    assert metric.evaluate(2) == {
        'retrieval/crop': 75.0,
        'retrieval/crop_attribute': 100.0,
        'retrieval/crop_grounding': 100.0,
        'retrieval/crop_relation': 100.0,
        'retrieval/dense': 60.0,
        'retrieval/dense_attribute': 0.0,
        'retrieval/dense_grounding': 50.0,
        'retrieval/dense_relation': 100.0,
    }
