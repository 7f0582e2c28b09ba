"""The distillation wrapper and its head."""
