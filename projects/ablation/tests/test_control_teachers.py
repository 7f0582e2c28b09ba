import pytest
import torch

from mmduet.models import GroundingDataPreprocessor
from mmduet.models.base_teacher import BaseTeacher
from mmduet.models.teachers import CLIPTeacher
from mmduet.structures import Canvas, TeacherTargets, to_content
from projects.ablation.control_teachers import ExactMapTeacher, ShuffledTeacher, UntrainedTeacher, cover
from tests.tiny_clip_config import write_clip_config
from tests.tiny_transvg import make_sample

CANVAS = Canvas(size=64, left=0, top=8, width=64, height=48, scale_x=1.6, scale_y=1.6)
REQUIRED = frozenset({'text', 'region', 'image', 'patches'})


@pytest.fixture(scope='module')
def clip_config(tmp_path_factory):
    path = write_clip_config(tmp_path_factory.mktemp('clip'))
    return dict(type=CLIPTeacher, model='tiny_vit', model_config=path, pretrained=None)


def make_batch(count, share=False):
    """Expressions, all about one image if it is shared."""
    image = torch.randint(0, 256, (3, 48, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    samples = [make_sample(f'thing {k}', CANVAS, (5.0, 5.0, 20.0, 20.0 + k), '0' if share else str(k)) for k in range(count)]
    inputs = [image if share else image.roll(7 * k, dims=2) for k in range(count)]
    return GroundingDataPreprocessor()({'inputs': inputs, 'data_samples': samples}, training=not share)['batch']


def test_every_expression_gets_all_that_is_said_about_the_one_before(clip_config):
    teacher, batch = ShuffledTeacher(clip_config), make_batch(3)
    given, shuffled = teacher.teacher(batch, REQUIRED), teacher(batch, REQUIRED)
    for name in REQUIRED:
        assert torch.equal(shuffled.get(name), given.get(name)[[2, 0, 1]])
        assert not torch.equal(shuffled.get(name), given.get(name))
    assert (teacher.embed_dims, teacher.gives) == (16, teacher.teacher.gives)


def test_what_is_not_required_stays_away(clip_config):
    assert ShuffledTeacher(clip_config)(make_batch(2), {'text'}).given().keys() == {'text'}


def test_a_batch_of_one_has_nobody_to_exchange_with(clip_config):
    with pytest.raises(ValueError, match='batches of two expressions or more'):
        ShuffledTeacher(clip_config)(make_batch(1), REQUIRED)


def test_expressions_that_share_an_image_are_refused(clip_config):
    with pytest.raises(ValueError, match='an image for each expression: those that share one would keep its targets'):
        ShuffledTeacher(clip_config)(make_batch(3, share=True), REQUIRED)


def test_an_untrained_teacher_is_the_same_in_every_run_and_disturbs_none(clip_config):
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        expected = torch.rand(3, generator=torch.Generator().manual_seed(seed))
        states.append(UntrainedTeacher(clip_config).state_dict())
        assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    other = UntrainedTeacher(clip_config, seed=1).state_dict()
    assert not torch.equal(states[0]['teacher.clip.text_projection'], other['teacher.clip.text_projection'])


def test_an_untrained_teacher_reads_no_weights(clip_config):
    teacher = UntrainedTeacher({**clip_config, 'pretrained': 'there/is/no.safetensors'})
    assert teacher(make_batch(2), REQUIRED).text.shape == (2, 16)
    assert (teacher.embed_dims, teacher.gives) == (16, teacher.teacher.gives)
    nested = UntrainedTeacher(dict(type=ShuffledTeacher, teacher={**clip_config, 'pretrained': 'no.safetensors'}))
    assert nested.embed_dims == 16


class FixedTeacher(BaseTeacher):
    """Gives what it was given."""

    def __init__(self, targets):
        super().__init__()
        self.targets = targets
        self.embed_dims = 4
        self.gives = frozenset(targets.given())

    def forward(self, batch, required):
        return self.targets


def test_whatever_a_teacher_gives_moves_together_but_what_is_of_no_expression():
    generator = torch.Generator().manual_seed(0)
    given = {'text': torch.rand(3, 4, generator=generator), 'similarity': torch.rand(3, 2, 2, generator=generator),
             'others': torch.rand(3, 5, 4, generator=generator), 'boxes': torch.rand(3, 2, 4, generator=generator),
             'logit_scale': torch.tensor(100.0)}
    shuffled = ShuffledTeacher(FixedTeacher(TeacherTargets(**given)))(make_batch(3), frozenset(given)).given()
    assert shuffled.keys() == given.keys() and shuffled['logit_scale'] == 100
    for name in given.keys() - {'logit_scale'}:
        assert torch.equal(shuffled[name], given[name][[2, 0, 1]])


def test_an_exact_map_is_1_in_the_target_and_all_else_is_the_trained_teachers(clip_config):
    teacher, batch = ExactMapTeacher(clip_config, cells=16), make_batch(2)
    given, exact = teacher.teacher(batch, REQUIRED), teacher(batch, REQUIRED | {'similarity'})
    assert all(torch.equal(exact.get(name), given.get(name)) for name in REQUIRED)
    assert exact.similarity.shape == (2, 16, 16)
    boxes = to_content(batch.target_boxes[:, None], batch.content, 64)[:, 0]
    assert torch.equal(exact.similarity, 2 * cover(boxes, 16) - 1)
    assert torch.allclose(((exact.similarity + 1) / 2).mean(dim=(1, 2)), boxes[:, 2:].prod(dim=1), atol=1e-6)


def test_a_cell_is_covered_by_its_share(clip_config):
    assert cover(torch.tensor([[0.5, 0.25, 0.5, 0.5]]), 2)[0].tolist() == [[0.5, 0.5], [0.0, 0.0]]
    assert cover(torch.tensor([[0.1, 0.1, 0.1, 0.2]]), 1).item() == pytest.approx(0.02)


def test_an_exact_map_is_made_where_it_is_required_and_has_cells(clip_config):
    teacher = ExactMapTeacher(clip_config)
    assert teacher(make_batch(1), {'text'}).given().keys() == {'text'}
    assert teacher(make_batch(1), {'similarity'}).similarity.shape == (1, 32, 32)
    assert teacher.gives >= {'similarity', 'text'}
    with pytest.raises(ValueError, match='at least 1 cell'):
        ExactMapTeacher(clip_config, cells=0)
