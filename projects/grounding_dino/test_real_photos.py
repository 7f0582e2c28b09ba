import json

import pytest
import torch

from mmduet.datasets import GroundingDataset, grounding_collate
from projects.grounding_dino.reference_for_tests import build, load_config
from tests.shared_data import shared


@pytest.fixture
def photos(tmp_path):
    """Two real photos with an expression each, as a data root."""
    folder = shared('data/refcoco_family/photos')
    records = {line['img_path']: line for line in map(json.loads, (folder / 'annotations.jsonl').read_text().splitlines())}
    lines = [dict(expression_id=str(line['sent_id']), image=line['img_path'], image_id=line['image_id'], width=line['width'],
                  height=line['height'], expression=line['expression'], box=line['bbox'], split='val')
             for line in list(records.values())[:2]]
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations/val.jsonl').write_text('\n'.join(map(json.dumps, lines)) + '\n')
    (tmp_path / 'manifest.json').write_text(json.dumps({'dataset': 'photos', 'images': str(folder / 'images')}))
    return tmp_path


def load_photos(config, root, loader, **changes):
    dataset = config[loader].dataset
    pipeline = [{**step, **changes.get(step.type.__name__, {})} for step in dataset.pipeline]
    return grounding_collate(list(GroundingDataset(data_root=str(root), splits=['val'], pipeline=pipeline, test_mode=True)))


def test_the_slim_student_of_duet_learns_from_real_photos_and_answers_in_their_pixels(photos):
    model = build('grounding_dino_duet_refshapes')
    batch = load_photos(load_config('grounding_dino_duet_refshapes'), photos, 'test_dataloader')
    losses = model(**model.data_preprocessor(batch), mode='loss')
    assert losses['loss_contrast'] > 0 and all(torch.isfinite(loss) for loss in losses.values())
    model.eval()
    with torch.no_grad():
        samples = model.test_step(batch)
    for sample in samples:
        x1, y1, x2, y2 = sample.pred_instances.bboxes[0].tolist()
        height, width = sample.ori_shape
        assert max(height, width) >= 600 and 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height


@pytest.mark.slow
def test_a_real_photo_is_answered_at_full_size(photos):
    config = load_config('grounding_dino_refcoco')
    student = build('grounding_dino_refcoco').eval()
    batch = load_photos(config, photos, 'test_dataloader')
    batch = {name: values[:1] for name, values in batch.items()}
    with torch.no_grad():
        made = student.data_preprocessor(batch)['batch']
        features = student(made)
        [sample] = student.predict(features, made)
    assert features.visual.shape == (1, 256, 68, 68) and features.boxes.shape == (6, 1, 4)
    # A photo of 427 x 640 pixels fills 711 x 1066 of the canvas: half a cell more than 44 columns, a little more than 66 rows.
    assert (~features.visual_padding[0]).any(dim=0).sum() == 45 and (~features.visual_padding[0]).any(dim=1).sum() == 67
    x1, y1, x2, y2 = sample.pred_instances.bboxes[0].tolist()
    assert 0 <= x1 < x2 <= 427 and 0 <= y1 < y2 <= 640


@pytest.mark.slow
def test_duet_takes_a_step_on_real_photos_with_all_layers(photos):
    config = load_config('grounding_dino_duet_refcoco')
    model = build('grounding_dino_duet_refcoco')
    # Half the size, for the memory of a laptop.
    small = dict(ResizeLongSide=dict(sides=[533]), PlaceOnCanvas=dict(size=544))
    data = model.data_preprocessor(load_photos(config, photos, 'test_dataloader', **small))
    losses = model(**data, mode='loss')
    assert len(losses) == 3 * (6 + 1 + 6) + 5
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)
