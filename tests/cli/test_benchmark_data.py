import re
from pathlib import Path

import pytest
from PIL import Image

from mmduet.cli import benchmark_data as tool
from mmduet.datasets import GroundingDataset


def test_loading_is_timed_and_weighed(capsys):
    assert tool.main(['--expressions', '200']) == 0
    said = capsys.readouterr().out
    assert re.match(r'200 phrases: \d+\.\d s of processor time .*MB at the peak\na worker process that reads them adds', said)
    if Path('/proc/self/smaps_rollup').exists():
        assert 'nan' not in said


@pytest.mark.skipif(not Path('/proc/self/smaps_rollup').exists(), reason='the system does not say how memory is shared')
def test_workers_share_the_annotations_instead_of_copying_them(tmp_path):
    weights = []
    for count in (100, 120_000):
        tool.write_phrases(tmp_path / str(count), count)
        weights.append(tool.weigh_workers(GroundingDataset(tmp_path / str(count), ['train'], [])))
    # The lines alone are 30 MB, and lists of as many values would be copied page by page as they are read, as a list of the
    # objects' boxes was (21 MB). The allowance is for what else a process writes to: memory that was free when it was made.
    assert weights[1] - weights[0] < 8


def test_our_image_is_the_familys_up_to_rounding(tmp_path, capsys):
    Image.effect_mandelbrot((120, 90), (-2, -1.5, 1, 1.5), 40).convert('RGB').save(tmp_path / 'a.jpg')
    assert tool.main(['--images', str(tmp_path)]) == 0
    said = capsys.readouterr().out
    found = re.search(r'pixels are (\d\.\d+) apart on average, \d+ or less in 999 of 1,000, (\d+) at most', said)
    assert float(found[1]) < 3
    assert int(found[2]) <= 6
    assert 'in batches of 8, ready for the trainer: ours' in said


def test_both_make_the_same_of_every_draw():
    draws = {tool.draw_changes(seed) for seed in range(40)}
    assert {draw.flip for draw in draws} == {True, False}
    assert {len(draw.order) for draw in draws} == {0, 3}
    assert {draw.side for draw in draws} == set(tool.SIDES)
    assert tool.draw_changes(3) == tool.draw_changes(3)


def test_a_folder_without_images_is_a_sentence(tmp_path, capsys):
    assert tool.main(['--images', str(tmp_path)]) == 1
    assert 'holds no image' in capsys.readouterr().err


def test_reading_is_compared_between_folders_and_archives(tmp_path, capsys):
    import zipfile
    folder, archive = tmp_path / 'images', tmp_path / 'images.zip'
    folder.mkdir()
    with zipfile.ZipFile(archive, 'w') as packed:
        for name in ('a.png', 'b.png'):
            Image.effect_noise((20, 10), 9).save(folder / name)
            packed.write(folder / name, name)
    assert tool.main(['--reading', str(folder), str(archive)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r'.*images: \d+\.\d\d ms an image, 1\.00 times as fast as the first', lines[0])
    assert re.fullmatch(r'.*images\.zip: \d+\.\d\d ms an image, \d+\.\d\d times as fast as the first', lines[1])
    assert tool.main(['--reading', str(archive), '--count', '1']) == 0
    (tmp_path / 'none').mkdir()
    assert tool.main(['--reading', str(tmp_path / 'none')]) == 1
    assert 'none holds no image' in capsys.readouterr().err
