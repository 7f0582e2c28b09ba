"""The command ``mmduet`` and its subcommands."""
import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

import mmduet
from mmduet.cli import running

# What a subcommand does, by its name; its module has the same name with underscores.
COMMANDS = {
    'train': 'train a grounder, plain or distilled',
    'test': 'test a checkpoint and print all metrics',
    'predict': 'ground expressions in images',
    'export': 'write a model as one ONNX file, and check it',
    'prepare': 'turn downloaded annotations into a data root',
    'check': 'check data roots, and training data for test images',
    'demo': 'try a model on your images in the browser',
    'publish': 'make a folder that travels of a checkpoint',
    'report': 'make a page of how good predictions are and where they fail',
    'browse': 'draw training samples before and after augmentation',
    'benchmark': 'time a training step by its phases, and a prediction',
    'doctor': 'say what is installed, which data and weights are here, and what to do next',
    'decode-images': 'decode all images once into one file to train from',
    'cache-teacher': 'encode training data once with a teacher',
    'convert': "turn another project's checkpoint into one of ours",
    'calibrate-score': 'publish a student whose answers carry a probability',
    'check-leaks': 'count test images that a training set or a backbone has seen',
    'analyse-teacher': 'measure what a teacher tells apart',
    'benchmark-data': 'time what feeds a model',
    'clip-retrieval': 'measure CLIP weights on regions of RefShapes',
    'storm': 'kill a training again and again, and compare its end',
    'make-refshapes': 'write the embedded data set RefShapes',
    'export-weights': 'publish one part of a checkpoint',
    'export-clip': 'take the CLIP out of a pre-training checkpoint',
    'make-tiny-tokenizer': 'make a tokenizer of whole words',
}


class _NoCompletion(argparse.Action):
    """Says what is missing, where shtab would print a script."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.error('--print-completion needs the package shtab, which is not installed: pip install shtab')


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of the command; with ``only``, of the other subcommands no more than their names."""
    parser = argparse.ArgumentParser(prog='mmduet', description='Visual grounding, distilled: find what an expression refers '
                                     'to in an image. Without installing the command, run python -m mmduet.')
    parser.add_argument('--version', action='version', version=f'mmduet {mmduet.__version__}')
    try:
        import shtab
    except ImportError:  # an extra
        parser.add_argument('--print-completion', action=_NoCompletion, help='needs the package shtab, which is not installed')
    else:
        shtab.add_argument_to(parser, '--print-completion', help='print the script that completes commands in a shell, and end')
    subparsers = parser.add_subparsers(metavar='COMMAND', required=True)
    for name, help_line in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=help_line)
        if only in (None, name):
            running.fill_parser(subparser, import_module(f'mmduet.cli.{name.replace("-", "_")}'))
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code."""
    running.print_anything()
    words = sys.argv[1:] if arguments is None else list(arguments)
    only = words[0] if words and words[0] in COMMANDS else '' if not words or words[0] in ('-h', '--help') else None
    return running.execute(running.check_arguments(build_parser(only).parse_args(words)))
