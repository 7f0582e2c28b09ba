import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import CosineAnnealingLR
from safetensors.torch import save_file

from mmduet.models.conversion import CLIP_VG, OPEN_CLIP, convert, recognise
from mmduet.models.students.clip_vg import rounded_padding
from mmduet.registry import MODELS
from mmduet.structures import padding_mask
from tests.models.students.overfitting import overfit
from tests.models.students.parity_kit import ParityKit, keep_in
from tests.shared_data import ROOT
from tests.tiny_clip_vg import tiny_clip_vg_config
from tests.tiny_transvg import make_batch
from tests.unset_weights import unset_weights


@pytest.fixture(scope='module')
def full_size():
    config = Config.fromfile(ROOT / 'mmduet/configs/_base_/models/clip_vg_vit_b16.py').model
    config.pretrained = None
    with unset_weights():
        return MODELS.build(config).eval()


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return MODELS.build(tiny_clip_vg_config())


def test_trained_parameters_of_the_full_size_are_those_of_the_authors_without_an_unused_layer(full_size):
    # The authors' 21,832,964 have a projection of 262,656 in them that nothing reads.
    trained = {name: p.numel() for name, p in full_size.named_parameters() if p.requires_grad}
    assert sum(trained.values()) == 21_832_964 - 262_656
    assert [name for name in trained if '.tower.' in name] == ['visual_encoder.tower.positional_embedding']


def test_padding_is_that_of_the_mask_of_pixels_resized_with_antialiasing():
    for size, side in ((64, 8), (224, 14)):
        spans = [(low, low + width) for width in range(1, size + 1) for low in {(size - width) // 2, 0, (size - width) // 3}]
        content = torch.tensor([box for low, high in spans for box in ([0, low, size, high], [low, 0, high, size])]
                               + [[low, low // 2, high, high] for low, high in spans])
        shares = torch.cat([F.interpolate(padding_mask(part, size)[:, None].float(), (side, side), mode='bilinear',
                                          antialias=True)[:, 0] for part in content.split(128)])
        assert ((shares - 0.5).abs() < 1e-6).flatten(1).any(1).sum() > 80  # where rounding decides
        unseen = shares.round().bool().flatten(1).all(1)
        expected = torch.where(unseen[:, None, None], padding_mask(content, size, side), shares.round().bool())
        assert unseen.any() and torch.equal(rounded_padding(content, size, side), expected)


@pytest.mark.parity
def test_boxes_and_maps_are_those_of_the_authors_code(full_size):
    kit = ParityKit('clipvg_vitb16_224_L77', full_size)
    inputs, windows = kit.inputs, kit.windows
    got = {}
    keep = keep_in(got)
    hooks = [
        full_size.visual_encoder.tower.conv1.register_forward_hook(keep(patches=lambda a, out: out)),
        full_size.visual_encoder.register_forward_hook(keep(visual_levels=lambda a, out: out)),
        full_size.text_encoder.register_forward_hook(keep(text=lambda a, out: out)),
        full_size.fusion.register_forward_hook(keep(fusion_in=lambda a, out: a[0], fusion_out=lambda a, out: out,
                                                    fusion_mask=lambda a, out: a[2])),
        full_size.box_head.register_forward_hook(keep(reg_out=lambda a, out: a[0], box_logits=lambda a, out: out))]
    padding, text_padding = rounded_padding(windows, 224, 14), inputs['token_mask'] == 0
    with torch.no_grad():
        features = full_size.encode(inputs['image'], padding, inputs['ids'], text_padding)
    for hook in hooks:
        hook.remove()
    kit.check({**got, 'boxes': features.boxes[-1]})
    with torch.no_grad():
        short = full_size.encode(inputs['image'], padding, inputs['ids'][:, :32], text_padding[:, :32])
    assert torch.allclose(short.boxes, features.boxes, atol=1e-5)


def test_padding_is_that_of_the_resized_pixel_mask_rounded_half_to_none():
    # Half of the second row is padding: none. One pixel more: all of it. A window of two axes is rounded as a product.
    windows = torch.tensor([[0, 12, 32, 32], [0, 13, 32, 32], [8, 8, 32, 32], [12, 12, 32, 32]])
    padding = rounded_padding(windows, 32, 4)
    assert padding[:, :, 3].int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert padding[2].int().tolist() == [[1, 1, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert padding[3, 1].int().tolist() == [1, 1, 0, 0]

    # Half of no patch is filled: the patch that holds the middle is shown, as an image without any patch is not seen.
    narrow = rounded_padding(torch.tensor([[9, 0, 11, 32]]), 32, 4)
    assert narrow[0].int().tolist() == [[1, 0, 1, 1]] * 4


def test_the_visual_map_knows_no_words_as_the_student_declares(tiny):
    tiny.eval()
    data = tiny.data_preprocessor(make_batch())
    with torch.no_grad():
        before = tiny(**data, mode='tensor')
        other = tiny.data_preprocessor(make_batch(texts=('a small cat', 'a small cat')))
        after = tiny(**other, mode='tensor')
    assert not tiny.visual_reads_text
    assert before.visual.shape == (2, 32, 8, 8)
    assert torch.equal(before.visual, after.visual)
    assert not torch.allclose(before.boxes, after.boxes, atol=1e-5)


def test_one_batch_is_overfitted_by_what_is_not_frozen(tiny):
    before = {name: p.clone() for name, p in tiny.named_parameters()}
    losses = overfit(tiny)
    assert sorted(losses) == ['loss_bbox', 'loss_giou']
    frozen = {name for name, p in tiny.named_parameters() if torch.equal(p, before[name])}
    assert frozen == {name for name in before if '.tower.' in name} - {'visual_encoder.tower.positional_embedding'}


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_it_starts_from_a_clip_as_open_clip_stores_it_in_full_or_half_precision(tiny, tmp_path, dtype):
    theirs = {ours: prefix for prefix, ours in OPEN_CLIP.prefixes.items()}
    weights = {}
    for key, value in tiny.state_dict().items():
        ours = next((prefix for prefix in sorted(theirs, key=len, reverse=True) if key.startswith(prefix)), None)
        if ours is not None:
            weights[f'module.{theirs[ours]}{key.removeprefix(ours)}'] = value.to(dtype)
    weights |= {'module.visual.proj': torch.ones(24, 16), 'module.logit_scale': torch.ones(())}
    torch.save({'epoch': 32, 'state_dict': weights}, tmp_path / 'clip.pt')
    torch.manual_seed(1)
    other = MODELS.build(tiny_clip_vg_config(pretrained=str(tmp_path / 'clip.pt')))
    towers = [key for key in tiny.state_dict() if '.tower.' in key]
    assert all(torch.equal(other.state_dict()[key], tiny.state_dict()[key].to(dtype).float()) for key in towers)
    assert {p.dtype for p in other.parameters()} == {torch.float32}


def test_the_tiny_recipe_starts_from_the_clip_that_ships_with_the_package():
    config = Config.fromfile(ROOT / 'mmduet/configs/_base_/models/clip_vg_tiny.py').model
    student = MODELS.build(config)
    features = student(**student.data_preprocessor(make_batch()), mode='tensor')
    assert features.visual.shape == (2, 64, 8, 8)


def test_towers_of_another_size_are_refused_with_names_and_shapes(tiny, tmp_path):
    save_file(dict(tiny.state_dict()), tmp_path / 'ours.safetensors')
    config = tiny_clip_vg_config(pretrained=str(tmp_path / 'ours.safetensors'))
    config['visual_encoder']['patch_size'] = 16
    said = r'does not fit CLIPVG: 3 of another shape .*positions\.weight \(78, 32\) instead of \(30, 32\)'
    with pytest.raises(ValueError, match=said):
        MODELS.build(config)


def test_the_second_names_of_the_towers_and_what_nothing_reads_are_left_out():
    one = torch.ones(1)
    weights = {f'{prefix}x' if prefix.endswith('.') else prefix: one for prefix in CLIP_VG.prefixes}
    weights |= dict.fromkeys(('image_encoder_clip_vg.conv1.weight', 'text_encoder_clip_vg.ln_final.bias',
                              'clip.visual.ln_post.bias', 'clip.visual.proj', 'clip.logit_scale', 'visu_proj.bias'), one)
    assert recognise(weights) is CLIP_VG
    assert len(convert(weights, CLIP_VG)) == len(CLIP_VG.prefixes)


def test_the_recipe_anneals_one_rate_by_a_cosine_at_224_pixels_and_never_mirrors():
    config = Config.fromfile(ROOT / 'mmduet/configs/clip_vg/clip_vg_refcoco.py')
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=config.optim_wrapper.optimizer.lr)
    scheduler = config.param_scheduler[0]
    cosine = CosineAnnealingLR(optimizer, T_max=scheduler.T_max, eta_min=scheduler.eta_min)
    rates = []
    for _ in range(config.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        cosine.step()
    assert rates[0] == pytest.approx(2.5e-4) and rates[55] == pytest.approx(1.25e-4) and 0 < rates[-1] < 1e-6
    assert config.optim_wrapper.get('paramwise_cfg') is None and config.optim_wrapper.get('clip_grad') is None
    names = [step.type.__name__ for step in config.train_dataloader.dataset.pipeline]
    assert names == ['LoadImage', 'RandomTargetCrop', 'QuickResizeLongSide', 'ColorJitter', 'PlaceOnCanvas',
                     'PackGroundingInputs']
    assert config.train_dataloader.batch_size == 64
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        steps = {step.type.__name__.removeprefix('Quick'): step for step in loader.dataset.pipeline}
        assert steps['PlaceOnCanvas'].size == 224 and max(steps['ResizeLongSide'].sides) == 224
