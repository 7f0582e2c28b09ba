"""The DUET head: a list of terms, each with its weight.

Everything here is our choice, as the paper's settings are not published; docs/method.md says how each was chosen. The widths
are those of student and teacher. An ablation is one line: ``model['head']['terms'].update(contrast=None)`` leaves a term out,
``model['head']['terms']['contrast'].update(semantics_weight=0)`` changes one.
"""
from mmduet.models.distill import DenseContrastTerm, DUETHead, FeatureTerm, RelationTerm

duet_head = dict(
    type=DUETHead,
    warmup_steps=0,
    terms=dict(
        image=dict(type=FeatureTerm, student='image', teacher='image', weight=1.0),
        region=dict(type=FeatureTerm, student='region', teacher='region', weight=1.0),
        text=dict(type=FeatureTerm, student='text', teacher='text', weight=1.0),
        relation=dict(type=RelationTerm, weight=1.0, temperature=0.1),
        contrast=dict(type=DenseContrastTerm, weight=1.0, temperature=0.1)))
