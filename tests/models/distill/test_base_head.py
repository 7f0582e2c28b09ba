import torch

from mmduet.models.distill.base_head import DistillHead, Requirement


class OwnHead(DistillHead):
    requirements = (Requirement(term='a', kind='A', teacher='clip', targets=frozenset({'text'})),
                    Requirement(term='b', kind='B', teacher='clip', targets=frozenset({'text', 'region'})),
                    Requirement(term='c', kind='C', teacher='other', targets=frozenset({'boxes'})))

    def forward(self, features, targets, batch):
        return {'loss_a': torch.zeros(())}


def test_a_teacher_is_asked_for_all_that_its_terms_read_and_for_nothing_else():
    head = OwnHead()
    assert (head.required_of('clip'), head.required_of('other'), head.required_of('none')) == (
        {'text', 'region'}, {'boxes'}, frozenset())
