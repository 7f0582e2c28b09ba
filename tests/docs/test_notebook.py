"""The notebook runs from its first cell to its last, and is kept without what it printed."""
import ast
import json
import os
import sys

import nbformat
import pytest

from tests.docs.pages import DOCS
from tests.shared_data import ROOT

NOTEBOOK = DOCS / 'notebooks/quickstart.ipynb'
NO_CLOCK = 10**6  # seconds; a slow machine is no mistake


def outputs(notebook, kind):
    return [output for cell in notebook.cells if cell.cell_type == 'code' for output in cell.outputs
            if output.output_type == kind]


def test_it_is_kept_without_outputs_and_installs_only_what_is_not_there():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == 'code']
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    installing = [cell.source for cell in cells if 'pip install' in cell.source]
    assert len(installing) == 1 and installing[0].startswith('try:\n    import mmduet\nexcept ImportError:')


def test_it_runs_to_its_end_and_draws_what_the_trained_student_answers(tmp_path, monkeypatch):
    from nbclient import NotebookClient
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')])))
    monkeypatch.setenv('JUPYTER_PATH', str(make_kernel(tmp_path)))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    parameters, = (cell for cell in notebook.cells if 'parameters' in cell.metadata.get('tags', ()))
    parameters.source = 'scenes, steps = 40, 2'
    NotebookClient(notebook, kernel_name='these_tests', timeout=None, startup_timeout=NO_CLOCK,
                   resources={'metadata': {'path': str(tmp_path)}}).execute()
    pictures = [output for output in outputs(notebook, 'display_data') if 'image/png' in output.data]
    assert len(pictures) == 8  # four answers of the toy, four of the student that was trained
    assert (tmp_path / 'first_training/last_checkpoint').is_file() and (tmp_path / 'my_model/model.safetensors').is_file()
    box = ast.literal_eval(outputs(notebook, 'execute_result')[-1].data['text/plain'])  # the last cell's
    assert len(box) == 4 and all(0 <= value <= 64 for value in box)


def make_kernel(folder):
    """A kernel of this interpreter, in a folder that Jupyter is told to look in."""
    kernel = folder / 'jupyter/kernels/these_tests'
    kernel.mkdir(parents=True)
    (kernel / 'kernel.json').write_text(json.dumps({
        'argv': [sys.executable, '-m', 'ipykernel_launcher', '-f', '{connection_file}'], 'display_name': 'tests',
        'language': 'python'}))
    return folder / 'jupyter'


def test_a_cell_that_fails_fails_the_test(tmp_path, monkeypatch):
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError
    monkeypatch.setenv('JUPYTER_PATH', str(make_kernel(tmp_path)))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('1 / 0')])
    with pytest.raises(CellExecutionError, match='ZeroDivisionError'):
        NotebookClient(notebook, kernel_name='these_tests', timeout=None, startup_timeout=NO_CLOCK).execute()
