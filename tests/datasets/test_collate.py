import pickle

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader, Dataset

from mmduet.datasets import grounding_collate
from mmduet.structures import Canvas


def item(number, height=3):
    sample = DetDataSample(metainfo={
        'text': f'cup {number}', 'canvas': Canvas(size=8, left=0, top=0, width=4, height=height, scale_x=1.0, scale_y=1.0)})
    sample.gt_instances = InstanceData(bboxes=torch.tensor([[number, 1.5, 2.0, 3.0]]))
    sample.distractors = InstanceData(bboxes=torch.zeros(number, 4))
    return {'inputs': torch.full((3, height, 4), number, dtype=torch.uint8), 'data_samples': sample}


class Items(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return item(index, height=index + 1)


def check(batch):
    assert [tuple(image.shape) for image in batch['inputs']] == [(3, 1, 4), (3, 2, 4), (3, 3, 4)]
    assert [int(image.max()) for image in batch['inputs']] == [0, 1, 2]
    assert [sample.text for sample in batch['data_samples']] == ['cup 0', 'cup 1', 'cup 2']
    assert [sample.gt_instances.bboxes[0, 0].item() for sample in batch['data_samples']] == [0, 1, 2]
    assert [len(sample.distractors) for sample in batch['data_samples']] == [0, 1, 2]
    assert batch['data_samples'][2].canvas.height == 3


def test_a_batch_holds_lists_of_images_and_samples():
    check(grounding_collate([Items()[k] for k in range(3)]))


def test_a_batch_that_travelled_is_the_same_and_a_plain_dict():
    batch = pickle.loads(pickle.dumps(grounding_collate([Items()[k] for k in range(3)])))
    assert type(batch) is dict
    check(batch)


def test_all_images_of_a_batch_arrive_in_one_piece_of_memory():
    (batch, ) = DataLoader(Items(), batch_size=3, num_workers=1, collate_fn=grounding_collate)
    check(batch)
    assert len({image.untyped_storage().data_ptr() for image in batch['inputs']}) == 1
