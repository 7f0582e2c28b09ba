"""A command run in the process of the tests."""
from types import SimpleNamespace


def in_process(main, capsys):
    """A function that runs a command with its arguments and gives exit code and output, as ``run_tool`` does."""
    def run(*arguments):
        returncode = main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return SimpleNamespace(returncode=returncode, stdout=output.out, stderr=output.err)

    return run
