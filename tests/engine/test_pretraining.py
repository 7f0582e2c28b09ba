import pytest

from mmduet.engine.pretraining import describe_pretraining, loaded_excludes, meta_of, stated_excludes

UNC = ['refcoco_unc', 'refcocoplus_unc']


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


@pytest.mark.parametrize(('text', 'meta'), [
    ('["referit"]', {'pretrain_excludes': ['referit']}), ('[]', {'pretrain_excludes': []}),
    ('null', {'pretrain_excludes': None}),
    ('referit', {}), ('"referit"', {}), ('[3]', {}), ('{"referit": 1}', {}), ('[' * 100_000, {}), ('', {})])
def test_the_metadata_of_a_safetensors_file_state_it_as_a_list_of_names_or_not_at_all(text, meta):
    assert meta_of({'format': 'pt', 'pretrain_excludes': text}) == meta
    assert meta_of({'format': 'pt'}) == {}


def test_a_test_believes_the_checkpoint_and_a_training_that_goes_on_needs_the_word_of_both():
    cfg = {'pretrain_excludes': UNC}
    meta = {'pretrain_excludes': ['refcoco_unc', 'referit'], 'dataset_meta': {'dataset_name': 'refcoco_unc'}}
    assert loaded_excludes(meta, cfg, None) == ['refcoco_unc', 'referit']
    assert loaded_excludes({}, cfg, None) == UNC
    assert loaded_excludes(meta, cfg, 'refcoco_unc') == ['refcoco_unc']
    # What was trained on another data set may have seen any image of this one.
    assert loaded_excludes(meta, cfg, 'refcocoplus_unc') is None
    assert loaded_excludes({}, cfg, 'refcoco_unc') is None
    assert loaded_excludes({'pretrain_excludes': None}, cfg, 'refcoco_unc') is None


def test_a_cached_teacher_speaks_for_the_one_that_was_asked():
    teacher = {'type': 'CachedTeacher', 'cache': 'x', 'teacher': {'pretrained': 'openai'}}
    assert stated_excludes({'pretrain_excludes': UNC, 'model': {'teacher': teacher}}) is None
