import pickle

import pytest
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
    assert batch['inputs'].shape == (3, 3, 8, 8) and batch['inputs'].dtype == torch.uint8 and batch['image_index'] == [0, 1, 2]
    # Item k is k everywhere on k + 1 rows of 4 pixels, the rest is padding.
    assert batch['inputs'].sum(dim=(1, 2, 3)).tolist() == [0, 3 * 2 * 4, 2 * 3 * 3 * 4]
    assert batch['inputs'][2, :, :3, :4].unique().tolist() == [2]
    assert [sample.text for sample in batch['data_samples']] == ['cup 0', 'cup 1', 'cup 2']
    assert [sample.gt_instances.bboxes[0, 0].item() for sample in batch['data_samples']] == [0, 1, 2]
    assert [len(sample.distractors) for sample in batch['data_samples']] == [0, 1, 2]
    assert batch['data_samples'][2].canvas.height == 3


def test_a_batch_holds_canvases_and_samples():
    check(grounding_collate([Items()[k] for k in range(3)]))


def test_a_batch_that_travelled_is_the_same_and_a_plain_dict():
    batch = pickle.loads(pickle.dumps(grounding_collate([Items()[k] for k in range(3)])))
    assert type(batch) is dict
    check(batch)


def test_a_batch_arrives_from_a_worker_in_one_piece_of_memory_for_each_type():
    (batch, ) = DataLoader(Items(), batch_size=3, num_workers=1, collate_fn=grounding_collate)
    check(batch)
    samples = batch['data_samples']
    floats = [part.bboxes for sample in samples for part in (sample.gt_instances, sample.distractors)]
    assert len({tensor.untyped_storage().data_ptr() for tensor in floats}) == 1


def test_items_with_one_image_bring_it_once():
    items = [item(k) for k in range(4)]
    items[2]['inputs'] = items[0]['inputs']
    items[3]['inputs'] = items[1]['inputs'].clone()
    batch = grounding_collate(items)
    assert batch['inputs'].shape == (3, 3, 8, 8) and batch['image_index'] == [0, 1, 0, 2]


def test_an_image_that_does_not_fit_is_named():
    wrong = item(1)
    wrong['inputs'] = wrong['inputs'][:, :2]
    with pytest.raises(ValueError, match=r'image: image \(3, 2, 4\) does not fit'):
        grounding_collate([item(0), wrong])
