"""Try a model on your own images, in the browser.

    mmduet demo                                  # the toy that ships with mmduet: coloured shapes only
    mmduet demo --model work_dirs/transvg_duet_refcoco/best_acc@0.5_epoch_80.pth
    mmduet demo --model someone/model --device cuda --port 8080 --no-browser

The page is on this machine alone (127.0.0.1), asks nothing of the internet, and keeps images and answers for an hour at most.
"""
import argparse
import os
import socket
import sys
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from mmduet.cli import common, running

HOST = '127.0.0.1'
NO_GRADIO = "the demo needs gradio, which is not installed: pip install 'mmduet[demo]'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('--model', default='toy',
                        help='folder of save_pretrained, name on the Hugging Face hub or checkpoint (default: %(default)s)')
    common.add_import_flag(parser)
    common.add_hub_flags(parser)
    common.add_device_flag(parser)
    parser.add_argument('--host', default=HOST,
                        help='address to serve at; another than this lets others in (default: %(default)s)')
    parser.add_argument('--port', type=_port, help='default: the first that is free from 7860 on')
    parser.add_argument('--no-browser', action='store_true', help='open no browser: print the address only')


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f'must be a number from 1 to 65535, got {text!r}')
    return int(text)


def _check_address(host: str) -> None:
    from mmduet.engine.config_tools import ConfigError
    try:
        family, *_, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        raise ConfigError(f'cannot serve at {host}, which is no address of this machine: {error}') from error


def serve(args: argparse.Namespace, folder: Path) -> str:
    """Read the model, start the page and give its address."""
    # gradio asks its own server whether it is there: not by a proxy, and nobody else anything.
    for name in ('NO_PROXY', 'no_proxy'):
        os.environ[name] = ','.join(filter(None, [os.environ.get(name), HOST, 'localhost']))
    os.environ.update(GRADIO_ANALYTICS_ENABLED='False', GRADIO_TEMP_DIR=str(folder / 'uploads'))
    from mmduet.apis import GroundingInferencer
    from mmduet.apis.teachers import build_teacher
    from mmduet.demo import Answerer
    from mmduet.engine.config_tools import ConfigError
    host = args.host.strip('[]')
    _check_address(host)  # before the model is read, and gradio has tried to reach itself there for half a minute
    common.import_own(args)
    ground = GroundingInferencer(args.model, device=args.device, show_progress=False, **common.hub_options(args))
    about = ground.grounder.description.teacher
    teacher = None if about is None else build_teacher(about)
    if about is not None and teacher is None:
        print(f'its teacher, {about.get("model")} {about.get("pretrained")}, is not on this machine: no similarity is shown')
    if teacher is not None and 'similarity' not in teacher.gives:
        teacher = None
    from mmduet.demo.page import build_page, keep_removing, launch
    keep_removing(folder)
    page = build_page(Answerer(ground, None if teacher is None else teacher.to(ground.device)), folder)
    try:
        return launch(page, f'[{host}]' if ':' in host else host, args.port, not args.no_browser)
    except OSError as error:  # the port is taken
        raise ConfigError(f'cannot serve at {args.host}{f":{args.port}" if args.port else ""}: {error}') from error


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    if find_spec('gradio') is None:
        print(NO_GRADIO, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix='mmduet_demo_') as folder:
        print(f'{serve(args, Path(folder))}  (Ctrl-C ends it)', flush=True)
        wait()
    return 0


def wait() -> None:
    """Until Ctrl-C."""
    import threading
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
