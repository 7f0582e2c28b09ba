import pytest

from mmduet.evaluation.data_overlap import describe_overlap, excluded_from_pretraining

UNC = ['refcoco_unc', 'refcocoplus_unc']


@pytest.mark.parametrize(('excludes', 'dataset', 'answer'), [
    (UNC, 'refcoco_unc', 'yes'), (UNC, 'refcocog_umd', 'no'), ([], 'refcoco_unc', 'no'), (None, 'refcoco_unc', 'unknown'),
    (['flickr30k'], 'flickr30k (any)', 'yes'), (UNC, 'refcoco_unc+refcocoplus_unc', 'yes'),
    (UNC, 'refcoco_unc+flickr30k (any)', 'no'), (UNC, '', 'no')])
def test_a_score_says_yes_no_or_unknown(excludes, dataset, answer):
    assert excluded_from_pretraining(excludes, dataset) == answer


def test_the_sentence_names_the_data_set():
    assert describe_overlap(None, 'referit') == 'val and test images of referit kept out of pre-training: unknown'
