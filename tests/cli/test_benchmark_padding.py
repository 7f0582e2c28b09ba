import pytest
import torch

from mmduet.cli import benchmark, benchmark_padding
from mmduet.engine.config_tools import ConfigError
from mmduet.registry import DATASETS, MODELS
from tests.cli.test_benchmark import CONFIG, quick_u, time  # noqa: F401 (fixtures)
from tests.models.students.test_left_out_padding import load
from tests.tiny_grounder import SIZE, TinyGrounder
from tests.tiny_transvg import tiny_transvg_config


def prepare(folder, *flags):
    args = benchmark.parse_args([CONFIG, '--steps', '2', '--threads', '1', '--batch-size', '4', '--padding', *flags])
    return args, benchmark.prepare(args, folder)


def a_student():
    """A TransVG for the canvases of the tiny config."""
    torch.manual_seed(0)
    return MODELS.build(tiny_transvg_config(feature_size=SIZE // 8))


def test_images_have_the_sizes_of_photographs_and_the_padding_that_they_leave(tmp_path):
    _, cfg = prepare(tmp_path)
    dataset = DATASETS.build(benchmark_padding.test_dataset(cfg))
    sizes = [tuple(size) for size in dataset.annotations.sizes[:16].tolist()]
    assert sizes == list(benchmark.PHOTOGRAPHS) and dataset.test_mode
    assert all(box[2] <= width and box[3] <= height
               for box, (width, height) in zip(dataset.annotations.boxes, dataset.annotations.sizes, strict=True))


@pytest.mark.parametrize(('contents', 'padding', 'encoded'), [
    ([(0, 0, 64, 64)], 0, 1), ([(0, 8, 64, 56)], 0.25, 0.75), ([(0, 8, 64, 56), (0, 0, 32, 32)], 0.5, 0.75),
    # Of three images the two emptiest are a part.
    ([(0, 0, 32, 32), (0, 0, 64, 64), (0, 8, 64, 56)], 1 / 3, 5 / 6)])
def test_padding_and_what_is_encoded_are_counted(contents, padding, encoded):
    data = load(contents)
    items = [dict(inputs=image, data_samples=sample) for image, sample in zip(*data.values(), strict=True)]
    found = benchmark_padding.shares(MODELS.build(tiny_transvg_config()).data_preprocessor, [items, items])
    assert found == pytest.approx((padding, encoded))


def test_the_tables_count_tokens_and_relate_both_ways(tmp_path, quick_u):  # noqa: F811
    args, cfg = prepare(tmp_path)
    clock, model = benchmark.Clock('cpu', 1), a_student()
    tables = benchmark_padding.measure(model, cfg, args, clock).splitlines()
    counts = [[cell.strip() for cell in line.strip('|').split('|')] for line in tables[3:5]]
    assert [row[0] for row in counts] == ['training', 'test']
    for _, padding, encoded in counts:
        assert 0 < float(padding[:-2]) < 50 and 100 - float(padding[:-2]) <= float(encoded[:-2]) <= 100
    assert float(tables[6].rsplit(maxsplit=1)[-1]) < 1e-5
    times = [[cell.strip() for cell in line.strip('|').split('|')] for line in tables[9:]]
    assert [row[:2] for row in times] == [[name, way] for name in ('training step', 'prediction', 'prediction of one')
                                          for way in ('encoded', 'left out')]
    assert [row[4] for row in times[::2]] == ['1.000'] * 3 and len(clock.seconds['left out step']) == 2


def test_a_student_that_encodes_all_is_refused(tmp_path):
    args, cfg = prepare(tmp_path)
    with pytest.raises(ConfigError, match='TinyGrounder encodes all'):
        benchmark_padding.measure(TinyGrounder(), cfg, args, None)


def test_the_command_measures_padding(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmark_padding, 'measure', lambda model, cfg, args, clock: f'measured {type(model).__name__}')
    assert benchmark.main([CONFIG, '--padding', '--threads', '1']) == 0
    assert 'measured TinyGrounder' in capsys.readouterr().out
