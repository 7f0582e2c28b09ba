"""The command ``mmduet``: a module for each subcommand, which imports what is heavy when it runs."""
