import pytest
from mmengine.config.lazy import LazyAttr, LazyObject
from torch import nn

from mmduet.engine.config_check.tree import check_tree, definition_of, dotted_name, takes


def problems(**config):
    return [(problem.key, problem.sentence) for problem in check_tree(config)]


def test_a_class_is_named_by_its_module_whatever_stands_for_it():
    lazy = LazyObject('torch.nn')
    assert dotted_name(nn.Linear) == 'torch.nn.modules.linear.Linear'
    assert dotted_name(LazyAttr('Linear', lazy)) == 'torch.nn.Linear'
    assert dotted_name(3) == ''
    assert definition_of('TransVG').node.name == definition_of('mmduet.TransVG').node.name == 'TransVG'
    assert definition_of('NoSuchStudent') is None


def test_what_a_class_takes_is_read_from_its_source_or_its_signature():
    assert {'student', 'teacher', 'head'} <= set(takes('DistilledGrounder').names)

    def made_here(first, second=2, **rest):
        pass

    found = takes(made_here)
    assert (found.names, found.any_other) == (('first', 'second', 'rest'), True)
    assert takes(LazyObject('nowhere.at.all')).any_other and takes(3).any_other


@pytest.mark.parametrize(('config', 'key', 'sentence'), [
    (dict(model=dict(type='BoxHead', channel=4)), 'model.channel', "BoxHead does not take 'channel'; nearest: channels"),
    (dict(model=[dict(type='BoxHead', channels=4), dict(type='BoxHead', chanels=4)]), 'model.1.chanels', 'nearest: channels'),
    (dict(model=dict(terms=dict(contrast=dict(weight=1.0)))), 'model.terms.contrast', 'it has no type'),
    (dict(default_hooks=dict(loger=dict(type='LoggerHook'))), 'default_hooks.loger', 'no such hook; nearest: logger'),
    (dict(optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1.0), paramwise_cfg=dict(custom_keys=dict(a=dict(lrmult=1))))),
     'optim_wrapper.paramwise_cfg.custom_keys.a.lrmult', 'nearest: lr_mult')])
def test_a_key_that_nobody_reads_is_named_with_the_nearest(config, key, sentence):
    (found, said), = problems(**config)
    assert found == key and sentence in said


FLIP, OTHER_FLIP = dict(type='RandomFlip', prob=0.5), dict(type='RandomFlip', direction='vertical', prob=0.5)


@pytest.mark.parametrize(('config', 'refused'), [
    (dict(pipeline=[FLIP]), []), (dict(pipeline=[OTHER_FLIP]), ['pipeline.0.direction']),
    (dict(default_scope='mmdet', pipeline=[OTHER_FLIP]), []),
    (dict(default_scope='mmdet', pipeline=[dict(FLIP, probb=1)]), ['pipeline.0.probb']),
    (dict(default_scope='mmdet', pipeline=[dict(OTHER_FLIP, _scope_='mmduet')]), ['pipeline.0.direction']),
    (dict(dataset=dict(type='CocoDataset', _scope_='mmdet', pipeline=[OTHER_FLIP])), []),
    (dict(default_scope='mmdet', pipeline=[dict(OTHER_FLIP, type='mmduet.RandomFlip')]), ['pipeline.0.direction'])])
def test_a_bare_name_means_what_it_means_in_the_scope_of_the_config(config, refused):
    assert [key for key, _ in problems(**config)] == refused


def test_a_class_of_another_package_may_take_keys_that_its_source_mentions_out_of_a_part():
    loss = dict(type='CrossEntropyLoss', bg_cls_weight=0.1)
    assert problems(default_scope='mmdet', head=dict(type='DETRHead', loss_cls=loss)) == []
    assert [key for key, _ in problems(default_scope='mmdet', head=dict(type='DETRHead', loss_cls=dict(loss, weigth=1)))] == [
        'head.loss_cls.weigth']
    assert [key for key, _ in problems(default_scope='mmdet', loss=loss)] == ['loss.bg_cls_weight']


def test_what_is_read_is_no_problem():
    assert problems(model=dict(type='BoxHead', channels=4, num_layers=2), default_hooks=dict(logger=None),
                    custom_hooks=[dict(type='EMAHook')], optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1.0))) == []
