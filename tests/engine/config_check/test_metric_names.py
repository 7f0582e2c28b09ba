import pytest

from mmduet.engine.config_check.metric_names import check_metric_names

EVALUATOR = dict(type='mmduet.GroundingMetric')


def sentences(**config):
    return [(problem.key, problem.sentence) for problem in check_metric_names({'val_evaluator': EVALUATOR, **config})]


@pytest.mark.parametrize('name', ['acc@0.5', 'acc@0.75', 'miou', 'auroc', 'auto', 'loss', 'val/acc@0.5', ['acc@0.5', 'miou']])
def test_a_metric_that_is_given_is_taken(name):
    assert sentences(default_hooks=dict(checkpoint=dict(type='mmduet.GroundingCheckpointHook', save_best=name))) == []


def test_a_metric_that_nobody_gives_is_named_with_the_nearest():
    (key, said), = sentences(default_hooks=dict(checkpoint=dict(type='mmduet.GroundingCheckpointHook', save_best='acc@0.50')))
    assert key == 'default_hooks.checkpoint.save_best'
    assert "gives 'acc@0.50'" in said and 'acc@0.5' in said.split("'acc@0.50'")[1]
    assert [key for key, _ in sentences(custom_hooks=[dict(type='EarlyStoppingHook', monitor='coco/bbox_mAP')],
                                        param_scheduler=[dict(type='ReduceOnPlateauLR', monitor='iou')])] == [
        'custom_hooks.0.monitor', 'param_scheduler.0.monitor']


def test_thresholds_of_the_evaluator_decide_what_is_given():
    hook = dict(checkpoint=dict(type='mmduet.GroundingCheckpointHook', save_best='acc@0.65'))
    assert sentences(default_hooks=hook, val_evaluator={**EVALUATOR, 'thresholds': [0.65]}) == []
    assert len(sentences(default_hooks=hook)) == 1


def test_metrics_of_others_are_not_ours_to_judge():
    hook = dict(checkpoint=dict(type='CheckpointHook', save_best='anything'))
    assert sentences(default_hooks=hook, val_evaluator=dict(type='mmengine.evaluator.DumpResults')) == []
    assert sentences(default_hooks=hook, val_evaluator=None) == []
