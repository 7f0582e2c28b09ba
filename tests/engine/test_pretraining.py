import pytest

from mmduet.engine.pretraining import describe_pretraining, kept_out, stated_excludes

UNC = ['refcoco_unc', 'refcocoplus_unc']


@pytest.mark.parametrize(('excludes', 'dataset', 'answer'), [
    (UNC, 'refcoco_unc', 'yes'), (UNC, 'refcocog_umd', 'no'), ([], 'refcoco_unc', 'no'), (None, 'refcoco_unc', 'unknown'),
    (['flickr30k'], 'flickr30k (any)', 'yes')])
def test_a_score_says_yes_no_or_unknown(excludes, dataset, answer):
    assert kept_out(excludes, dataset) == answer


def test_a_pretrained_teacher_must_say_it_too():
    teacher = {'model': 'ViT-B-16', 'pretrained': 'openai'}
    cfg = {'pretrain_excludes': UNC, 'model': {'teacher': teacher, 'student': {}}}
    assert stated_excludes(cfg) is None
    assert stated_excludes({**cfg, 'teacher_pretrain_excludes': ['refcoco_unc']}) == ['refcoco_unc']
    assert stated_excludes({**cfg, 'model': {'teacher': {'pretrained': None}}}) == UNC
    assert stated_excludes({'pretrain_excludes': UNC, 'model': {}}) == UNC
    assert stated_excludes({}) is None


def test_the_checkpoint_is_believed_before_the_config():
    cfg = {'pretrain_excludes': UNC}
    assert describe_pretraining({'pretrain_excludes': None}, cfg, 'refcoco_unc').endswith('pre-training: unknown')
    assert describe_pretraining({'pretrain_excludes': UNC}, {}, 'refcoco_unc').endswith('pre-training: yes')
    assert describe_pretraining({}, cfg, 'refcoco_unc').endswith('yes (says the config; the checkpoint does not)')
    assert describe_pretraining({}, {}, 'referit').endswith('referit kept out of pre-training: unknown')
