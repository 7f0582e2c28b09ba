import pytest
import torch
import torch.nn.functional as F

from mmduet.models.losses.gathering import gather_identity, gather_rows, require_equal_rows
from mmduet.models.losses.semantic_losses import relation_loss
from mmduet.structures import TargetIdentity
from tests.forking import run_ranks

WORLD, ROWS, WIDTH = 2, 3, 8


def make_case():
    """Six expressions, of which 1 and 4 (on different ranks) mean the same target; and a layer that embeds them.

    Expressions 0 and 3, on different ranks too, mean two targets in one crop of an image.
    """
    generator = torch.Generator().manual_seed(0)
    total = WORLD * ROWS
    inputs, text, region = (torch.randn(total, WIDTH, generator=generator) for _ in range(3))
    weight = torch.randn(WIDTH, WIDTH, generator=generator)
    boxes = torch.tensor([[0.5, 0.5, 0.3, 0.3]] * 3 + [[0.1, 0.1, 0.1, 0.1]] + [[0.5, 0.5, 0.3, 0.3]] * 2)
    identity = TargetIdentity(image=torch.tensor([0, 1, 2, 0, 1, 5]), boxes=boxes, view=torch.tensor([7, 0, 0, 7, 0, 0]),
                              whole=torch.tensor([False, True, True, False, True, True]))
    assert identity.same(0.5).nonzero().tolist() == [[0, 0], [1, 1], [1, 4], [2, 2], [3, 3], [4, 1], [4, 4], [5, 5]]
    return inputs, F.normalize(text, dim=1), F.normalize(region, dim=1), weight, identity


def relation_and_gradient(rows):
    inputs, text, region, weight, identity = make_case()
    weight = weight.requires_grad_()
    embedded = F.normalize(inputs[rows] @ weight, dim=1)
    student = gather_rows(embedded), gather_rows(F.normalize(embedded.roll(1, dims=1) + inputs[rows], dim=1))
    own = TargetIdentity(image=identity.image[rows], boxes=identity.boxes[rows], whole=identity.whole[rows],
                         view=identity.view[rows])
    teacher = gather_rows(text[rows]), gather_rows(region[rows])
    loss = relation_loss(student, teacher, 0.1, 10.0, gather_identity(own).same(0.5))
    loss.backward()
    return loss.detach(), weight.grad


def run_rank(folder):
    torch.distributed.init_process_group('gloo')
    rank = torch.distributed.get_rank()
    rows = torch.arange(rank * ROWS, (rank + 1) * ROWS)
    gathered = gather_rows(torch.tensor([[float(rank)]]))
    torch.save((relation_and_gradient(rows), gathered), f'{folder}/{rank}.pt')
    torch.distributed.destroy_process_group()


def test_a_gathered_loss_on_two_ranks_is_that_of_one_process(tmp_path):
    ranks = run_ranks(WORLD, run_rank, tmp_path)
    assert [rank.returncode for rank in ranks] == [0, 0], ranks
    (first, gathered), (second, _) = (torch.load(tmp_path / f'{r}.pt') for r in range(WORLD))
    assert gathered.tolist() == [[0.0], [1.0]]
    value, gradient = relation_and_gradient(torch.arange(WORLD * ROWS))
    torch.testing.assert_close(first[0], value)
    torch.testing.assert_close(second[0], value)
    # DistributedDataParallel averages the gradients of the ranks.
    torch.testing.assert_close((first[1] + second[1]) / 2, gradient)


def test_on_one_process_rows_stay_what_they_are():
    rows = torch.ones(2, 3, requires_grad=True)
    assert gather_rows(rows) is rows


def compare(folder, *counts):
    torch.distributed.init_process_group('gloo')
    rank = torch.distributed.get_rank()
    try:
        require_equal_rows(counts[rank])
        said = ''
    except ValueError as error:
        said = str(error)
    (folder / f'{rank}.txt').write_text(said)
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(('counts', 'said'), [
    ((3, 3), ''), ((3, 2), 'rank 0 has 3, rank 1 has 2.'), ((3, 3, 3), ''),
    ((3, 3, 0), 'rank 0 has 3, rank 1 has 3, rank 2 has 0.')])
def test_unequal_numbers_of_rows_are_named_on_every_rank(counts, said, tmp_path):
    ranks = run_ranks(len(counts), compare, tmp_path, *counts)
    assert [rank.returncode for rank in ranks] == [0] * len(counts), ranks
    for rank in range(len(counts)):
        text = (tmp_path / f'{rank}.txt').read_text()
        assert said in text and bool(text) == bool(said)


def test_one_process_has_nobody_to_compare_with():
    require_equal_rows(0)
