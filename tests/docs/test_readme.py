"""What the pages show first works as it stands there: five lines, one command, a distilled config."""
import re

import pytest
from PIL import Image

from mmduet.cli.main import main
from mmduet.engine.config_tools import load_config
from tests.docs.pages import DOCS, blocks, commands
from tests.shared_data import ROOT

README = ROOT / 'README.md'


BOX = [42, 83, 136, 177]  # of the leftmost ring, as it was drawn


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with nothing in it, as a user's may be."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize('page', [README, DOCS / 'index.md', DOCS / 'inference.md'], ids=lambda page: page.name)
def test_five_lines_find_a_box_and_draw_it(page, folder, capsys):
    example = next(block.text for block in blocks(page) if block.language == 'python')
    assert len([line for line in example.splitlines() if line.strip()]) == 5
    exec(example, {})
    *box, score = [float(number) for number in re.findall(r'-?\d+\.?\d*', capsys.readouterr().out)]
    assert box == pytest.approx(BOX, abs=8) and 0.9 < score <= 1
    assert Image.open(folder / 'answer.png').size >= (320, 320)


@pytest.mark.parametrize('page', [README, DOCS / 'index.md'], ids=lambda page: page.name)
def test_the_command_for_a_box_writes_its_picture(page, folder, capsys):
    words = next(words for words in commands(page) if words[1] == 'predict')
    assert main(words[1:]) == 0
    assert capsys.readouterr().out.startswith('example: the leftmost ring: ') and (folder / 'answer.png').is_file()


def test_the_config_of_ten_lines_is_that_of_the_package(tmp_path):
    config = next(block.text for block in blocks(README) if 'DistilledGrounder' in block.text)
    assert len([line for line in config.splitlines() if line.strip()]) <= 10
    (tmp_path / 'from_readme.py').write_text(config)
    assert load_config(tmp_path / 'from_readme.py').model == load_config('transvg_duet_refcoco').model
