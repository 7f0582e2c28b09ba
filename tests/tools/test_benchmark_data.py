import re

from PIL import Image

from tests.load_tool import load_tool

tool = load_tool('analysis_tools/benchmark_data')


def test_loading_is_timed_and_weighed(capsys):
    assert tool.main(['--expressions', '200']) == 0
    assert re.match(r'200 phrases: \d+\.\d s of processor time .*MB at the peak', capsys.readouterr().out)


def test_our_photo_is_the_familys_up_to_rounding(tmp_path, capsys):
    Image.effect_mandelbrot((120, 90), (-2, -1.5, 1, 1.5), 40).convert('RGB').save(tmp_path / 'a.jpg')
    assert tool.main(['--photos', str(tmp_path)]) == 0
    found = re.search(r'pixels are (\d\.\d+) apart on average and (\d+) at most', capsys.readouterr().out)
    assert float(found[1]) < 3
    assert int(found[2]) <= 6


def test_a_folder_without_photos_is_a_sentence(tmp_path, capsys):
    assert tool.main(['--photos', str(tmp_path)]) == 1
    assert 'holds no photo' in capsys.readouterr().err
