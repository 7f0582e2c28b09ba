"""The DUET head: a list of terms, each with its weight.

Everything here is our choice, as the paper's settings are not published; docs/method.md says how each was chosen. The widths
are those of student and teacher. An ablation is one line: ``model['head']['terms'].update(contrast=None)`` leaves a term out,
``model['head']['terms']['contrast']['sampler'].update(type=LocationSampler)`` exchanges a part of it.
"""
from mmduet.models.distill import DUETHead, FeatureTerm, RankedContrastTerm, RelationTerm
from mmduet.models.task_modules import SLASampler

duet_head = dict(
    type=DUETHead,
    warmup_steps=0,
    terms=dict(
        image=dict(type=FeatureTerm, student='image', teacher='image', weight=1.0),
        region=dict(type=FeatureTerm, student='region', teacher='region', weight=1.0),
        text=dict(type=FeatureTerm, student='text', teacher='text', weight=1.0),
        relation=dict(type=RelationTerm, weight=1.0, temperature=0.1),
        contrast=dict(type=RankedContrastTerm, weight=1.0, temperature=0.1, sampler=dict(type=SLASampler))))
