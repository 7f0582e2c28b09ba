"""Students, teachers and distillation."""
