import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper

from mmduet.refshapes.clip_pretrainer import CLIPPretrainer
from mmduet.refshapes.region_dataset import RefShapesRegionDataset

FOLDER = 'mmduet/refshapes/tiny_clip/clip_tiny_refshapes'


@pytest.fixture(scope='module')
def batch():
    dataset = RefShapesRegionDataset(8, crops=1, jitter=0.25)
    return pseudo_collate([dataset[index] for index in range(8)])


def make_pretrainer(**changes):
    torch.manual_seed(0)
    return CLIPPretrainer('clip_tiny_refshapes', f'{FOLDER}.json', **changes)


def test_the_loss_falls_when_a_batch_is_repeated(batch):
    model = make_pretrainer()
    optim = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=1e-3))
    losses = [model.train_step(batch, optim)['loss'].item() for _ in range(3)]
    assert losses[2] < losses[1] < losses[0]


def test_every_weight_gets_a_gradient(batch):
    model = make_pretrainer()
    losses = model(**batch, mode='loss')
    assert sorted(losses) == ['loss_caption', 'loss_crop', 'loss_dense']
    sum(losses.values()).backward()
    assert [name for name, weight in model.named_parameters() if weight.requires_grad
            and (weight.grad is None or not weight.grad.any())] == []


def test_embeddings_have_unit_norm_and_one_row_each(batch):
    model = make_pretrainer().eval()
    embeddings = model(**batch)
    regions = sum(len(sample.phrases) for sample in batch['data_samples'])
    assert {name: tuple(rows.shape) for name, rows in embeddings.items()} == {
        'scenes': (8, 64), 'crops': (8, 64), 'regions': (regions, 64)}
    for rows in embeddings.values():
        assert torch.allclose(rows.norm(dim=1), torch.ones(len(rows)), atol=1e-5)


def test_the_temperature_is_bounded_as_in_clip(batch):
    model = make_pretrainer()
    model.clip.logit_scale.data.fill_(9.0)
    model(**batch, mode='loss')
    assert model.clip.logit_scale.exp().item() == pytest.approx(100, rel=1e-3)


def test_an_unknown_mode_is_refused(batch):
    with pytest.raises(ValueError, match="loss, predict or tensor, got 'train'"):
        make_pretrainer()(**batch, mode='train')
