import re
import shutil

import pytest

from mmduet.apis import PretrainedGrounder
from mmduet.cli.export import main
from mmduet.export import OnnxExporter, OnnxGrounder
from mmduet.export.base_exporter import Exporter
from mmduet.export.exporting import CheckError, export
from mmduet.io.errors import DataError
from mmduet.registry import EXPORTERS
from tests.export.made_grounders import TINY, make_grounder
from tests.tiny_data import write_photo
from tests.tiny_grounder import make_data_root


class CopyExporter(Exporter):
    """Writes nothing of a model, and answers as it does, moved by a share of the image."""

    suffix = '.txt'

    def __init__(self, moved=0.0, loss=None):
        self.moved, self.loss = moved, loss

    def write(self, grounder, path):
        self.grounder = grounder
        path.write_text('0')

    def compress(self, path):
        if self.loss is not None:
            path.write_text('')
        return self.loss is not None

    def open(self, path):
        from dataclasses import replace

        from mmduet import GroundingInferencer
        from mmduet.apis import GroundingResults
        moved = self.moved if path.read_text() else self.loss
        ground = GroundingInferencer(self.grounder, device='cpu', show_progress=False)

        def answer(*question, **options):
            return GroundingResults(replace(one, box=(one.box[0] + moved * one.size[0], *one.box[1:]))
                                    for one in ground(*question, **options))
        return answer


@pytest.mark.parametrize('name', TINY)
@pytest.mark.slow
def test_other_students_answer_as_they_do_in_pytorch(name, tmp_path):
    grounder, lines = make_grounder(TINY[name]()), []
    export(grounder, OnnxExporter(opset=20, int8=True), tmp_path / 'a.onnx', check=100, say=lines.append)
    assert re.match(r'onnxruntime: 100 pairs: boxes differ by \d\.\de-0[678] of the image at most', lines[0])
    assert re.match(r'onnxruntime int8: 100 pairs: boxes differ by \d\.\de-0[1234]', lines[1])
    assert OnnxGrounder(tmp_path / 'a.onnx').description.student == name


def test_a_file_that_answers_otherwise_is_not_written(tmp_path, capsys):
    grounder = make_grounder(TINY['CLIPVG']())
    out, lines = tmp_path / 'new' / 'a.txt', []
    export(grounder, CopyExporter(), out, check=6, say=lines.append)
    assert lines == [lines[0], f'{out}: 0.0 MB'] and lines[0].startswith('exported: 6 pairs: boxes differ by 0.0e+00')
    with pytest.raises(CheckError, match=r'a\.txt is not written: boxes or scores are more than 0\.0001'):
        export(grounder, CopyExporter(moved=2e-4), tmp_path / 'other' / 'a.txt', check=6)
    assert not list((tmp_path / 'other').iterdir())
    out.write_text('old')
    with pytest.raises(CheckError):
        export(grounder, CopyExporter(moved=2e-4), out, check=6)
    assert [(file.name, file.read_text()) for file in out.parent.iterdir()] == [('a.txt', 'old')]
    export(grounder, CopyExporter(moved=2e-4), out, check=0)
    assert out.read_text() == '0'
    capsys.readouterr()


def test_the_loss_of_a_compressed_file_accuracy_and_time_are_said(tmp_path):
    grounder, lines = make_grounder(TINY['CLIPVG']()), []
    root = make_data_root(tmp_path / 'data')
    write_photo(tmp_path / 'images' / 'a.png', 40, 30)
    export(grounder, CopyExporter(loss=0.01), tmp_path / 'a.txt', check=5, images=tmp_path / 'images', data=root,
           splits=['val'], first=2, benchmark=1, say=lines.append)
    assert (tmp_path / 'a.txt').read_text() == ''
    assert lines[1].startswith('compressed: 5 pairs: boxes differ by 1.0e-02 of the image at most, 2.5e-03 in the mean')
    assert re.fullmatch(rf'accuracy at IoU 0\.5 on 2 expressions of {root}, val: eager ([\d.]+) %, exported \1 %, '
                        r'compressed [\d.]+ %', lines[2])
    assert re.fullmatch(r'one answer takes, with \d+ threads?, eager \d+ ms \(1\.00\), optimise_for_cpu \d+ ms '
                        r'\([\d.]+\), exported \d+ ms .*, compressed \d+ ms .*', lines[3])


@pytest.mark.parametrize('numbers', [{'check': -1}, {'benchmark': -1}, {'first': -1}])
def test_numbers_and_names_that_make_no_sense_are_named(numbers, tmp_path):
    grounder = make_grounder(TINY['CLIPVG']())
    with pytest.raises(ValueError, match='must not be negative'):
        export(grounder, CopyExporter(), tmp_path / 'a.txt', **numbers)
    with pytest.raises(ValueError, match=r'a\.onnx must end in \.txt'):
        export(grounder, CopyExporter(), tmp_path / 'a.onnx')


@pytest.mark.parametrize(('asked', 'said'), [
    ({'images': 'empty'}, 'the folder .*empty has no images'), ({'images': 'broken'}, r'a\.png is no image'),
    ({'data': 'empty'}, 'empty is no data root'), ({'data': 'root', 'splits': ['vall']}, "has no split 'vall'")])
def test_images_and_data_that_cannot_be_read_are_named_before_the_model_is_written(tmp_path, monkeypatch, asked, said):
    monkeypatch.chdir(tmp_path)
    make_data_root(tmp_path / 'root')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'broken').mkdir()
    (tmp_path / 'broken/a.png').write_text('page')
    exporter = CopyExporter()
    with pytest.raises(DataError, match=said):
        export(make_grounder(TINY['CLIPVG']()), exporter, tmp_path / 'new/a.txt', check=2, **asked)
    assert not hasattr(exporter, 'grounder') and not (tmp_path / 'new').exists()


class ShyExporter(CopyExporter):
    """Writes what it cannot open."""

    def open(self, path):
        raise DataError(f'{path} is no model')


def test_a_file_that_cannot_be_opened_again_is_named_as_it_will_be(tmp_path):
    with pytest.raises(DataError, match=f'^{tmp_path}/a.txt is no model$'):
        export(make_grounder(TINY['CLIPVG']()), ShyExporter(), tmp_path / 'a.txt', check=1)


def test_an_exporter_of_a_users_own_folder_is_found_by_its_config(folder, tmp_path, monkeypatch, capsys):
    shutil.copy(__file__, tmp_path / 'exporters_of_a_user.py')
    config = tmp_path / 'own.py'
    config.write_text('from exporters_of_a_user import CopyExporter\n\nexporter = dict(type=CopyExporter, moved=0.0)\n')
    monkeypatch.chdir(tmp_path)
    assert main([str(folder), '--exporter', str(config), '--check', '3']) == 0
    assert (tmp_path / 'tiny.txt').read_text() == '0'
    assert 'exported: 3 pairs' in capsys.readouterr().out
    config.write_text(config.read_text().replace('0.0', '0.5'))
    (tmp_path / 'tiny.txt').unlink()
    assert main([str(folder), '--exporter', str(config), '--check', '3']) == 1
    assert 'error: tiny.txt is not written' in capsys.readouterr().err
    assert not (tmp_path / 'tiny.txt').exists()
    config.write_text('a = 1\n')
    assert main([str(folder), '--exporter', str(config)]) == 1
    assert 'has no `exporter`' in capsys.readouterr().err
    assert main([str(folder), '--opset', '17']) == 1
    assert 'opset must be at least 18, got 17' in capsys.readouterr().err
    assert EXPORTERS.get('OnnxExporter') is OnnxExporter


def test_a_config_with_random_weights_can_be_tried(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(CopyExporter, 'write', lambda self, grounder, path: (written.append(grounder), path.write_text('0')))
    monkeypatch.setattr('mmduet.cli.export._find_exporter', lambda args: CopyExporter())
    monkeypatch.setattr(CopyExporter, 'open', lambda self, path: None)
    arguments = ['configs/duet/clip_vg_duet_refshapes.py', '--random', '--check', '0', '--out', str(tmp_path / 'a.txt')]
    assert main(arguments) == 0
    assert isinstance(written[0], PretrainedGrounder) and type(written[0].student).__name__ == 'CLIPVG'
    assert main([*arguments, '--patch', 'plain', '--cfg-options', 'model.fusion.num_layers=1']) == 0
    assert [grounder.description.model['fusion']['num_layers'] for grounder in written] == [3, 1]
