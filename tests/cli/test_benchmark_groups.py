import torch

from mmduet.cli import benchmark, benchmark_groups
from mmduet.registry import DATASETS
from tests.cli.test_benchmark import CONFIG, quick_u, time  # noqa: F401 (fixtures)
from tests.tiny_grounder import TinyGrounder


def prepare(folder, *numbers):
    args = benchmark.parse_args([CONFIG, '--steps', '2', '--threads', '1', '--batch-size', '4',
                                 '--expressions-per-image', *map(str, numbers)])
    return args, benchmark.prepare(args, folder)


def test_batches_have_as_many_images_as_their_groups_leave(tmp_path):
    _, cfg = prepare(tmp_path, 1, 2, 4)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    for k, images in ((1, 4), (2, 2), (4, 1)):
        batches = benchmark_groups.load_groups(dataset, 4, k)
        seen = []
        for _ in range(len(dataset) // 4):
            batch = next(batches)
            assert len(batch['inputs']) == images and len(batch['data_samples']) == 4
            seen += [sample.expression_id for sample in batch['data_samples']]
        assert sorted(seen) == sorted(str(number) for number in range(len(dataset)))
        assert len(next(batches)['data_samples']) == 4  # and on, in another order


def test_the_table_relates_every_number_to_the_first(tmp_path, quick_u):  # noqa: F811
    args, cfg = prepare(tmp_path, 1, 4)
    clock = benchmark.Clock('cpu', 1)
    torch.manual_seed(0)
    table = benchmark_groups.measure(TinyGrounder(), cfg, args, clock).splitlines()
    assert table[0].endswith('steps of 4 expressions, fp32, 1 thread, medians of 2')
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in table[3:]]
    assert [row[:2] for row in rows] == [['1', '4.0'], ['4', '1.0']]
    assert float(rows[0][5]) == 1 and len(clock.seconds['4 step']) == 2
    # By the clock of the test a step takes a second a layer, whatever its batch.
    assert rows[0][2] == rows[1][2] and float(rows[1][4]) == round(4 / float(rows[1][2]), 2)


def test_teacher_and_head_are_related_to_the_plain_student_by_number(tmp_path, quick_u, monkeypatch):  # noqa: F811
    seen = []
    monkeypatch.setattr(benchmark, 'train_step', lambda model, batch, optim, clock, prefix, taught: (
        seen.append((prefix, taught, len(batch['inputs']))), clock.add(f'{prefix}step', 3.0 if taught else 2.0)))
    args = benchmark.parse_args(['configs/duet/transvg_duet_refshapes.py', '--steps', '1', '--threads', '1', '--no-pretrained',
                                 '--batch-size', '4', '--expressions-per-image', '1', '4'])
    cfg, model = benchmark.build_model(args, tmp_path)
    table = benchmark_groups.measure(model, cfg, args, benchmark.Clock('cpu', 1)).splitlines()
    assert seen[4:] == [('1 ', True, 4), ('1 plain ', False, 4), ('4 ', True, 1), ('4 plain ', False, 1)] and len(seen) == 8
    assert table[1].endswith('| ratio | teacher and head |') and table[2].count(':') == 7
    assert [line.split('|')[-2].strip() for line in table[3:]] == ['+50%', '+50%']
