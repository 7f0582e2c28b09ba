import pytest

from mmduet.evaluation.kept_out import describe_kept_out, kept_out

UNC = ['refcoco_unc', 'refcocoplus_unc']


@pytest.mark.parametrize(('excludes', 'dataset', 'answer'), [
    (UNC, 'refcoco_unc', 'yes'), (UNC, 'refcocog_umd', 'no'), ([], 'refcoco_unc', 'no'), (None, 'refcoco_unc', 'unknown'),
    (['flickr30k'], 'flickr30k (any)', 'yes'), (UNC, 'refcoco_unc+refcocoplus_unc', 'yes'),
    (UNC, 'refcoco_unc+flickr30k (any)', 'no'), (UNC, '', 'no')])
def test_a_score_says_yes_no_or_unknown(excludes, dataset, answer):
    assert kept_out(excludes, dataset) == answer


def test_the_sentence_names_the_data_set():
    assert describe_kept_out(None, 'referit') == 'val and test images of referit kept out of pre-training: unknown'
