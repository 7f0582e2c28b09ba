"""What README shows first works as it stands there: five lines, one command, a distilled config."""
import re

import pytest
from PIL import Image, ImageDraw

from mmduet.cli.main import main
from mmduet.engine.config_tools import load_config
from tests.docs.pages import DOCS, blocks, commands
from tests.shared_data import ROOT

README = ROOT / 'README.md'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with an image of a red circle on the left and a blue square."""
    image = Image.new('RGB', (64, 64), (235, 235, 228))
    draw = ImageDraw.Draw(image)
    draw.ellipse((8, 24, 24, 40), fill=(214, 40, 40))
    draw.rectangle((42, 22, 56, 36), fill=(40, 70, 200))
    image.save(tmp_path / 'image.png')
    image.save(tmp_path / 'image.jpg')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize('page', [README, DOCS / 'index.md'], ids=lambda page: page.name)
def test_five_lines_find_a_box_and_draw_it(page, folder, capsys):
    example = next(block.text for block in blocks(page) if block.language == 'python')
    assert len([line for line in example.splitlines() if line.strip()]) == 5
    exec(example, {})
    box = [float(number) for number in re.findall(r'-?\d+\.?\d*', capsys.readouterr().out)[:4]]
    assert 0 <= box[0] < box[2] <= 64 and 0 <= box[1] < box[3] <= 64
    assert Image.open(folder / 'answer.png').size >= (64, 64)


def test_the_command_for_a_box_writes_its_picture(folder, capsys):
    words = next(words for words in commands(README) if words[1] == 'predict')
    assert main(words[1:]) == 0
    assert 'image.png: the leftmost red circle: ' in capsys.readouterr().out and (folder / 'answer.png').is_file()


def test_the_config_of_ten_lines_is_that_of_the_package(tmp_path):
    config = next(block.text for block in blocks(README) if 'DistilledGrounder' in block.text)
    assert len([line for line in config.splitlines() if line.strip()]) <= 10
    (tmp_path / 'from_readme.py').write_text(config)
    assert load_config(tmp_path / 'from_readme.py').model == load_config('transvg_duet_refcoco').model
