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


PREFIXED = [{**EVALUATOR, 'prefix': 'mine'}]


@pytest.mark.parametrize(('kind', 'name', 'right'), [
    ('mmduet.GroundingCheckpointHook', 'acc@0.5', True), ('mmduet.GroundingCheckpointHook', 'mine/acc@0.5', True),
    ('mmduet.GroundingCheckpointHook', 'yours/acc@0.5', False), ('CheckpointHook', 'acc@0.5', False),
    ('CheckpointHook', 'mine/acc@0.5', True)])
def test_a_prefix_may_be_left_out_where_our_hook_looks_the_metric_up_and_nowhere_else(kind, name, right):
    loader = dict(dataset=dict(splits=['val']))
    found = sentences(default_hooks=dict(checkpoint=dict(type=kind, save_best=name)), val_evaluator=PREFIXED,
                      val_dataloader=loader)
    assert [said for _, said in found] == [] if right else 'mine/acc@0.5' in found[0][1]


def test_a_training_that_would_never_stop_early_is_refused_before_it_begins():
    hooks = [dict(type='EarlyStoppingHook', monitor=name) for name in ('acc@0.5', 'mine/acc@0.5')]
    assert [key for key, _ in sentences(custom_hooks=hooks, val_evaluator=PREFIXED)] == ['custom_hooks.0.monitor']


@pytest.mark.parametrize(('name', 'right'), [('testA/acc@0.5', True), ('mine/testA/acc@0.5', True), ('testB/acc@0.5', False)])
def test_a_metric_of_one_split_is_there_where_several_are_validated_on(name, right):
    found = sentences(default_hooks=dict(checkpoint=dict(type='mmduet.GroundingCheckpointHook', save_best=name)),
                      val_evaluator=PREFIXED, val_dataloader=dict(dataset=dict(splits=['val', 'testA'])))
    assert (not found) == right


def test_a_metric_that_two_evaluators_give_is_named_in_full():
    evaluators = [{**EVALUATOR, 'prefix': prefix} for prefix in ('strict', 'loose')]
    for name, keys in (('acc@0.5', 1), ('loose/acc@0.5', 0)):
        found = sentences(default_hooks=dict(checkpoint=dict(type='mmduet.GroundingCheckpointHook', save_best=name)),
                          val_evaluator=evaluators)
        assert len(found) == keys
    evaluators[1].pop('prefix')
    assert sentences(default_hooks=dict(checkpoint=dict(type='mmduet.GroundingCheckpointHook', save_best='acc@0.5')),
                     val_evaluator=evaluators) == []


def test_a_metric_of_one_split_that_two_evaluators_give_is_named_in_full():
    evaluators = [{**EVALUATOR, 'prefix': prefix} for prefix in ('strict', 'loose')]
    loader = dict(dataset=dict(splits=['val', 'testA']))
    for name, several in (('val/acc@0.5', 'strict/val/acc@0.5, loose/val/acc@0.5'),
                          ('acc@0.5', 'strict/acc@0.5, loose/acc@0.5'), ('loose/val/acc@0.5', '')):
        found = sentences(default_hooks=dict(checkpoint=dict(type='mmduet.GroundingCheckpointHook', save_best=name)),
                          val_evaluator=evaluators, val_dataloader=loader)
        assert [said for _, said in found] == [f'{name!r} is the name of several: say which of {several}'] * bool(several)
