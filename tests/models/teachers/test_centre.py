import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from mmduet.models.teachers import CLIPTeacher, MarkedView
from mmduet.models.teachers.centre import Centre, write_centre
from tests.models.teachers.test_clip_teacher import ALL, make_batch
from tests.tiny_clip_config import write_clip_config

SETTINGS = {'model': 'a', 'size': [32, 32]}


def draw_means(width=16):
    generator = torch.Generator().manual_seed(0)
    return {name: 0.2 * torch.randn(width, generator=generator) for name in ('text', 'region', 'image', 'patches')}


def test_the_mean_of_the_target_is_subtracted_and_the_rest_has_unit_norm(tmp_path):
    write_centre(tmp_path / 'centre.safetensors', {'text': torch.tensor([0.2, 0.0]), 'patches': torch.tensor([0.0, 0.4])},
                 torch.tensor(9.0), SETTINGS)
    centre = Centre(tmp_path / 'centre.safetensors', SETTINGS)
    torch.testing.assert_close(centre('text', torch.tensor([[0.8, 0.8]])), torch.tensor([[0.6, 0.8]]))
    given = centre('patches', torch.tensor([0.3, 0.8]).view(1, 2, 1, 1).expand(1, 2, 2, 3))
    torch.testing.assert_close(given[0, :, 1, 2], torch.tensor([0.6, 0.8]))
    assert not list(centre.parameters()) and not centre.state_dict()


def test_a_file_of_another_teacher_is_refused_by_what_differs(tmp_path):
    write_centre(tmp_path / 'centre.safetensors', draw_means(), torch.tensor(9.0), SETTINGS)
    with pytest.raises(ValueError, match=r'is the centre of a teacher of size \[32, 32\] and not \[64, 64\]: write it anew'):
        Centre(tmp_path / 'centre.safetensors', {**SETTINGS, 'size': [64, 64]})
    (tmp_path / 'short.safetensors').write_bytes((tmp_path / 'centre.safetensors').read_bytes()[:50])
    with pytest.raises(ValueError, match=r'short\.safetensors is truncated or corrupt'):
        Centre(tmp_path / 'short.safetensors', SETTINGS)
    with pytest.raises(FileNotFoundError, match='absent'):
        Centre(tmp_path / 'absent.safetensors', SETTINGS)


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_a_teacher_centres_all_that_it_embeds_and_takes_the_scale_of_the_file(tmp_path, precision):
    config = write_clip_config(tmp_path, 'tiny_sigmoid', custom_text=True, init_logit_bias=-10.0)

    def build(**settings):
        torch.manual_seed(0)
        return CLIPTeacher('tiny_sigmoid', model_config=config, precision=precision, **settings)

    plain, means = build(), draw_means()
    write_centre(tmp_path / 'centre.safetensors', means, torch.tensor(9.5), plain.settings)
    centred, batch = build(centre=tmp_path / 'centre.safetensors'), make_batch()
    assert plain.gives == ALL | {'logit_bias'} and centred.gives == ALL
    before, after = plain(batch, ALL), centred(batch, ALL)
    for name in ('text', 'region', 'image'):
        torch.testing.assert_close(after.get(name), F.normalize(before.get(name) - means[name], dim=1))
    torch.testing.assert_close(after.patches, F.normalize(before.patches - means['patches'].view(16, 1, 1), dim=1))
    torch.testing.assert_close(after.others[0, 1], F.normalize(before.others[0, 1] - means['region'], dim=0))
    assert after.others[1].abs().max() == 0 and after.logit_scale.item() == 9.5
    torch.testing.assert_close(after.similarity[1, 2, 3], after.patches[1, :, 2, 3] @ after.text[1])
    with pytest.raises(ValueError, match=r'views .*CropView\(scale=1\.2\).* and not .*MarkedView'):
        build(centre=tmp_path / 'centre.safetensors', views=[MarkedView()])


def test_the_settings_of_a_teacher_say_what_its_weights_are_and_how_it_computes(tmp_path):
    config = write_clip_config(tmp_path, 'tiny_vit')
    teacher = CLIPTeacher('tiny_vit', model_config=config)
    save_file(teacher.clip.state_dict(), tmp_path / 'a.safetensors')
    first = CLIPTeacher('tiny_vit', model_config=config, pretrained=str(tmp_path / 'a.safetensors'), quick_gelu=False).settings
    other = CLIPTeacher('tiny_vit', model_config=config, pretrained=str(tmp_path / 'a.safetensors'), quick_gelu=True,
                        mean=(0.1, 0.2, 0.3), std=(0.5, 0.5, 0.5)).settings
    assert teacher.settings['weights'] == 'random' and first['weights'].startswith('SHA-256 ')
    assert {name for name in first if first[name] != other[name]} == {'quick_gelu', 'mean', 'std'}
    (tmp_path / 'b').mkdir()
    save_file({name: value * 0.9 for name, value in teacher.clip.state_dict().items()}, tmp_path / 'b/a.safetensors')
    again = CLIPTeacher('tiny_vit', model_config=config, pretrained=str(tmp_path / 'b/a.safetensors'), quick_gelu=False)
    assert {name for name in first if first[name] != again.settings[name]} == {'weights'}
