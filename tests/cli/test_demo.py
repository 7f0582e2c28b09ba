import importlib.util

import pytest

from mmduet.cli import demo


def test_without_gradio_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(demo, 'find_spec', lambda name: None if name == 'gradio' else importlib.util.find_spec(name))
    assert demo.main([]) == 1
    assert capsys.readouterr().err == "the demo needs gradio, which is not installed: pip install 'mmduet[demo]'\n"


@pytest.mark.parametrize(('words', 'said'), [
    (['--model', 'my.onnx'], 'error: my.onnx is an exported model, which needs no PyTorch: mmduet predict takes it'),
    (['--model', 'transvg_refcoco'], 'error: transvg_refcoco is the name of a config, which has no weights'),
    (['--model', 'transvg_refcoco.py'], 'error: a config without weights'),
    (['--device', 'abacus'], "error: there is no device 'abacus' here, only cpu")])
def test_a_model_or_a_device_that_it_cannot_take_is_a_sentence(words, said, capsys):
    assert demo.main(words) == 1
    err = capsys.readouterr().err
    assert said in err and 'Traceback' not in err


def test_the_page_is_for_this_machine_alone_and_ports_are_numbers(capsys):
    args = demo.parse_args([])
    assert (args.host, args.model, args.port, args.no_browser, args.device) == ('127.0.0.1', 'toy', None, False, 'auto')
    for port in ('0', '65536', 'http', '-1', '8.5'):
        with pytest.raises(SystemExit):
            demo.parse_args([f'--port={port}'])
        assert f"must be a number from 1 to 65535, got '{port}'" in capsys.readouterr().err
