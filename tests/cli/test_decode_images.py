import json

import pytest

from mmduet.cli.main import main
from mmduet.io.image_archives import ImageArchive
from tests.tiny_grounder import make_data_root


def test_the_command_writes_the_file_and_says_how_to_train_from_it(tmp_path, capsys):
    root, out = make_data_root(tmp_path / 'data', count=2), tmp_path / 'decoded.zip'
    assert main(['decode-images', str(root), '--splits', 'train', '--out', str(out)]) == 0
    assert list(ImageArchive(out)) == ['train_0.png', 'train_1.png']
    said = capsys.readouterr().out
    assert f'2 images of {root / "images"} take 0.0 GB' in said
    assert f'--cfg-options train_dataloader.dataset.image_dir={out}' in said.replace('\n', '')
    assert main(['decode-images', str(root), '--out', str(out)]) == 0
    assert len(ImageArchive(out)) == 4


def test_a_name_that_is_not_read_as_an_archive_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(['decode-images', 'data', '--out', str(tmp_path / 'decoded')])
    assert 'must end in .zip, got' in capsys.readouterr().err


def test_the_archive_that_images_come_from_is_not_replaced(tmp_path, capsys):
    root, out = make_data_root(tmp_path / 'data', count=2), tmp_path / 'all.zip'
    assert main(['decode-images', str(root), '--out', str(out)]) == 0
    manifest = root / 'manifest.json'
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), 'images': str(out)}))
    before = out.read_bytes()
    assert main(['decode-images', str(root), '--splits', 'val', '--out', str(out)]) == 1
    assert 'all.zip is read here, and what is written would take its place' in capsys.readouterr().err
    assert out.read_bytes() == before
