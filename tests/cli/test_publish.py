import json

import torch

from mmduet.apis import GroundingInferencer
from mmduet.cli import publish
from tests.apis.made_checkpoint import CONFIG, write_checkpoint

IMAGE = torch.full((3, 40, 64), 90, dtype=torch.uint8)


def test_a_checkpoint_becomes_a_folder_that_answers_alike(tmp_path, capsys):
    checkpoint = write_checkpoint(tmp_path / 'best.pth')
    assert publish.main([str(checkpoint), str(tmp_path / 'whole')]) == 0
    assert publish.main([str(checkpoint), str(tmp_path / 'half'), '--half', '--notice', 'Knows\n nothing.']) == 0
    assert 'half: TransVG, 0.' in capsys.readouterr().out
    first, second, third = (GroundingInferencer(model)(IMAGE, 'the ring')[0].box
                            for model in (checkpoint, tmp_path / 'whole', tmp_path / 'half'))
    assert first == second and all(abs(one - other) < 0.1 for one, other in zip(first, third, strict=True))
    sizes = [(tmp_path / name / 'model.safetensors').stat().st_size for name in ('whole', 'half')]
    assert sizes[1] < 0.6 * sizes[0]
    assert json.loads((tmp_path / 'half/config.json').read_text())['notice'] == 'Knows nothing.'


def test_weights_without_a_config_take_one_and_errors_are_one_sentence(tmp_path, capsys):
    state = torch.load(write_checkpoint(tmp_path / 'best.pth'), weights_only=True)['state_dict']
    torch.save({'state_dict': state}, tmp_path / 'bare.pth')
    assert publish.main([str(tmp_path / 'bare.pth'), str(tmp_path / 'a')]) == 1
    assert capsys.readouterr().err.startswith('error: ') and not (tmp_path / 'a').exists()
    assert publish.main([str(tmp_path / 'bare.pth'), str(tmp_path / 'a'), '--config', CONFIG]) == 0
    (tmp_path / 'own.py').write_text("def change(cfg):\n    cfg.pretrain_excludes = ['mine']\n")
    assert publish.main([str(tmp_path / 'bare.pth'), str(tmp_path / 'c'), '--config', CONFIG,
                         '--patch', str(tmp_path / 'own.py'), '--cfg-options', 'model.text_encoder.vocab=gone.txt']) == 1
    assert 'that of gone.txt is neither here' in capsys.readouterr().err
    assert publish.main([str(tmp_path / 'bare.pth'), str(tmp_path / 'c'), '--config', CONFIG,
                         '--patch', str(tmp_path / 'own.py')]) == 0
    assert json.loads((tmp_path / 'c/config.json').read_text())['pretrain_excludes'] == ['mine']
    assert publish.main([str(tmp_path / 'gone.pth'), str(tmp_path / 'b')]) == 1
    assert 'there is no checkpoint or folder' in capsys.readouterr().err
