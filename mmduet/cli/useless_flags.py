"""Flags that would do nothing beside others are refused: whoever gives one takes it for done. Imports nothing heavy."""
import argparse


def refuse(args: argparse.Namespace, names: str, why: str) -> None:
    """Refuse flags that were given and that nothing would read.

    Args:
        args: of a command, with its ``parser``.
        names: destinations of the flags, with spaces between them. One that has its default was not given.
        why: when they do nothing, to be read after their names.

    Raises:
        argparse.ArgumentTypeError: names those that were given, as they are written.
    """
    flags = {action.dest: next(word for word in action.option_strings if word.startswith('--'))
             for action in args.parser._actions if action.option_strings}
    given = [flags[name] for name in names.split() if getattr(args, name) != args.parser.get_default(name)]
    if given:
        raise argparse.ArgumentTypeError(f'{", ".join(given)} would do nothing: {why}')
