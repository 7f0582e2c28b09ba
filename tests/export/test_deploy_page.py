"""The code of docs/deploy.md runs, on the tiny exported model."""
import re
import sys

import numpy as np

from mmduet.cli.export import main
from mmduet.export import OnnxGrounder
from tests.shared_data import ROOT
from tests.tiny_data import write_photo

TEXT = 'the zebra in the middle'


def blocks():
    """The Python code of the page, block by block."""
    return re.findall(r'```python\n(.*?)```', (ROOT / 'docs/deploy.md').read_text(encoding='utf-8'), re.DOTALL)


def test_both_ways_to_predict_print_the_same_box(exported, tmp_path, monkeypatch, capsys):
    write_photo(tmp_path / 'image.jpg', width=100, height=60)
    (tmp_path / 'my_model.onnx').symlink_to(exported)
    monkeypatch.chdir(tmp_path)
    ours, alone = (code for code in blocks() if "'my_model.onnx'" in code)
    exec(compile(ours, 'deploy.md', 'exec'), {})
    exec(compile(alone, 'deploy.md', 'exec'), {})
    first, second = capsys.readouterr().out.strip().splitlines()
    box = np.array([float(number) for number in re.findall(r'[\d.e-]+', first.partition(')')[0])])
    assert 'mmduet' not in ''.join(line for line in alone.splitlines() if 'import' in line)
    assert np.allclose(box, [float(number) for number in re.findall(r'[\d.e+-]+', second)], atol=1e-3)
    assert (tmp_path / 'answer.png').stat().st_size > 0


def test_the_exporter_of_ones_own_writes_a_program(exported, folder, quiet, tmp_path, monkeypatch):
    import torch
    for code in blocks():
        if name := re.match(r'"""(\w+\.py)', code):
            (tmp_path / name[1]).write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [str(tmp_path), *sys.path])
    assert main([str(folder), '--exporter', 'my_export.py', '--check', '0']) == 0
    light = OnnxGrounder(exported)
    placed = light.place(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    ids, mask = light.encode([TEXT])
    boxes, scores = torch.export.load(tmp_path / 'tiny.pt2').module()(
        *(torch.from_numpy(value) for value in (placed.canvas[None], placed.content[None], np.array([0]), ids, mask)))
    expected, (score, ) = light.predict([placed], [0], [TEXT])
    assert np.allclose(boxes.detach(), expected, atol=1e-5) and abs(scores.item() - score) < 1e-5
