import json
import subprocess
from importlib import metadata

import pytest

from mmduet import __version__
from mmduet.cli import diagnosis, doctor
from mmduet.cli.diagnosis import Finding
from mmduet.engine.version import find_commit
from tests.tiny_data import write_lines

BROKEN = Finding('host', 'OpenCV', 'its import fails', 'broken', 'pip install [it]')
NOTE = Finding('data', 'data/refcoco_unc', 'not here', 'note', 'mmduet prepare refcoco_unc')
GOOD = Finding('software', 'mmduet', '0.1')


def find(findings, name):
    return next(finding for finding in findings if finding.name == name)


def test_this_environment_is_described_and_json_says_the_same_as_the_table(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = doctor.main(['--json'])
    said = json.loads(capsys.readouterr().out)
    found = {entry['name']: entry for entry in said['findings']}
    assert found['mmduet']['value'].startswith(__version__)
    assert found['torch']['value'] == metadata.version('torch')
    assert found['open_clip_torch']['value'] == metadata.version('open_clip_torch')
    assert {'Python', 'system', 'OpenCV', 'MPS', 'free here', 'data/refcoco_unc', 'bert-base-uncased'} <= set(found)
    assert code == int(said['broken']) == int(any(entry['state'] == 'broken' for entry in said['findings']))
    shipped = found['mmduet/refshapes/tiny_clip/clip_tiny_refshapes.safetensors']
    assert shipped['state'] == 'ok' and shipped['value'].endswith(' MB')
    assert doctor.main([]) == code
    table = capsys.readouterr().out
    assert all(name in table for name in found)


@pytest.mark.parametrize(('findings', 'code'), [([GOOD], 0), ([GOOD, NOTE], 0), ([GOOD, NOTE, BROKEN], 1)])
def test_only_what_is_broken_makes_the_exit_code_1(findings, code, monkeypatch, capsys):
    monkeypatch.setattr(diagnosis, 'diagnose', lambda: findings)
    assert doctor.main([]) == code
    table = capsys.readouterr().out
    assert ('1 broken' if code else 'nothing is broken') in table
    assert doctor.main(['--json']) == code
    assert json.loads(capsys.readouterr().out)['next'] == doctor.next_steps(findings)


def test_what_is_broken_comes_first_among_the_next_steps(capsys):
    assert doctor.next_steps([GOOD, NOTE, BROKEN]) == ['OpenCV: pip install [it]',
                                                        'data/refcoco_unc: mmduet prepare refcoco_unc']
    doctor.show([BROKEN])
    assert 'OpenCV: pip install [it]' in capsys.readouterr().out  # brackets are text
    doctor.show([GOOD])
    assert 'Next: mmduet train transvg_duet_refshapes' in capsys.readouterr().out


@pytest.mark.parametrize(('installed', 'state', 'advice'), [
    ({'opencv-python-headless': '4.12'}, 'ok', ''),
    ({'opencv-python': '4.11', 'opencv-python-headless': '4.12'}, 'note',
     '2 packages share the folder cv2 and overwrite each other: pip uninstall -y opencv-python opencv-python-headless, then '
     'pip install --force-reinstall --no-deps opencv-python-headless==4.12')])
def test_several_packages_of_opencv_are_named(installed, state, advice, monkeypatch):
    monkeypatch.setattr(diagnosis, 'version_of', installed.get)
    finding = next(diagnosis._opencv())
    assert (finding.state, finding.advice) == (state, advice)
    assert all(name in finding.value for name in installed)


def test_missing_packages_are_broken_and_missing_extras_are_not(monkeypatch):
    monkeypatch.setattr(diagnosis, 'version_of', lambda name: None)
    findings = list(diagnosis._software())
    assert find(findings, 'torch') == Finding('software', 'torch', 'not installed', 'broken', 'pip install torch')
    assert find(findings, 'gradio').state == 'note' and 'mmduet[demo]' in find(findings, 'gradio').advice


def test_a_missing_host_is_broken_and_says_what_to_install(monkeypatch):
    monkeypatch.setattr(metadata, 'distributions', lambda **_: [])
    finding, = diagnosis._host()
    assert finding.state == 'broken' and 'pip install "mmduet[onedl]"' in finding.advice


def test_data_roots_that_are_here_half_here_and_not_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(diagnosis, 'PACKAGE_PARENT', tmp_path / 'none')
    for name in ('refcoco_unc', 'referit'):
        (tmp_path / 'data' / name / 'annotations').mkdir(parents=True)
    (tmp_path / 'data/refcoco_unc/manifest.json').write_text('{}')
    for split in ('val', 'train', 'objects'):
        write_lines(tmp_path / f'data/refcoco_unc/annotations/{split}.jsonl', [])
    findings = list(diagnosis._data())
    assert find(findings, 'data/refcoco_unc') == Finding('data', 'data/refcoco_unc', 'data/refcoco_unc: train, val')
    assert find(findings, 'data/referit').state == 'broken'
    assert find(findings, 'data/flickr30k').advice.startswith('mmduet prepare flickr30k --source')
    assert find(findings, 'data/refshapes').advice.startswith('mmduet make-refshapes')


def test_weights_that_are_here_empty_and_not_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'checkpoints').mkdir()
    (tmp_path / 'checkpoints/detr_r50_unc.safetensors').touch()
    (tmp_path / 'checkpoints/detr_r50_gref.safetensors').write_bytes(bytes(2_500_000))
    findings = list(diagnosis._weights())
    found = {name: find(findings, f'checkpoints/{name}.safetensors')
             for name in ('detr_r50_unc', 'detr_r50_gref', 'detr_r50_referit')}
    assert {name: (finding.value, finding.state) for name, finding in found.items()} == {
        'detr_r50_unc': ('empty', 'broken'), 'detr_r50_gref': ('2.5 MB', 'ok'), 'detr_r50_referit': ('not here', 'note')}


def test_little_room_on_the_disk_is_said(monkeypatch):
    for free, state in ((10 << 30, 'ok'), (1 << 30, 'note')):
        monkeypatch.setattr(diagnosis.shutil, 'disk_usage', lambda _, free=free: type('Usage', (), {'free': free}))
        assert next(diagnosis._disk()).state == state


def test_a_commit_is_that_of_the_checkout_and_says_whether_files_were_changed(tmp_path):
    def git(*words):
        subprocess.run(['git', '-C', str(tmp_path), '-c', 'user.name=a', '-c', 'user.email=a@b', *words], check=True,
                       capture_output=True)

    assert find_commit(tmp_path) is None
    git('init')
    (tmp_path / 'file').write_text('a')
    git('add', 'file')
    git('commit', '-m', 'first')
    commit = find_commit(tmp_path)
    assert len(commit) == 12
    (tmp_path / 'file').write_text('b')
    assert find_commit(tmp_path) == f'{commit}+'
