"""The distilled student that every arm is a change of, on the first 8,000 expressions of RefShapes."""
from mmengine.config import read_base

with read_base():
    from ...transvg_duet_cached_refshapes import *
    from .budget import *

# One process and one thread per run: a worker would take the core from the run beside it.
train_dataloader.update(num_workers=0, persistent_workers=False)
val_dataloader.update(num_workers=0, persistent_workers=False)
test_dataloader.update(num_workers=0)
train_dataloader['dataset']['pipeline'][0].update(cache_mb=512)
val_dataloader['dataset']['pipeline'][0].update(cache_mb=512)
# Chosen on val for the plain student at this budget, among 1.25e-4, 2.5e-4 and 5e-4 (results/plain_tuning.jsonl).
optim_wrapper['optimizer'].update(lr=2.5e-4)
