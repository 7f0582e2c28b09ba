"""A distillation term from outside."""
