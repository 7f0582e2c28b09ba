"""The one place where a CPU is made fast."""
from mmduet.models.cpu.optimise import optimise_for_cpu, undo_for_cpu

__all__ = ['optimise_for_cpu', 'undo_for_cpu']
