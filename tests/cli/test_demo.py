import importlib.util
import socket

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


@pytest.mark.parametrize('host', ['no-such-host.invalid', '192.0.2.1', '127.0.0.1:7860'])
def test_an_address_that_is_not_of_this_machine_is_a_sentence_before_the_model_is_read(host, capsys):
    assert demo.main(['--host', host, '--model', 'gone.pth']) == 1
    assert f'error: cannot serve at {host}, which is no address of this machine: ' in capsys.readouterr().err


def _has_ipv6():
    try:
        socket.create_server(('::1', 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_addresses_of_this_machine_are_taken(tmp_path):
    for host in ('127.0.0.1', 'localhost', '0.0.0.0', *(['::1', '[::1]'] if _has_ipv6() else [])):
        with pytest.raises(FileNotFoundError, match='gone'):
            demo.serve(demo.parse_args(['--host', host, '--model', 'gone.pth']), tmp_path)
