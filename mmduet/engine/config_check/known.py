"""Keys that MMEngine's runner and ours read, where no class of their own takes them."""
from collections.abc import Mapping

# What MMEngine's Runner.from_cfg reads, what its methods read of the config later, and what our runner reads.
RUNNER = (
    'model', 'work_dir', 'train_dataloader', 'val_dataloader', 'test_dataloader', 'train_cfg', 'val_cfg', 'test_cfg',
    'auto_scale_lr', 'optim_wrapper', 'param_scheduler', 'val_evaluator', 'test_evaluator', 'default_hooks', 'custom_hooks',
    'data_preprocessor', 'load_from', 'resume', 'launcher', 'env_cfg', 'log_processor', 'log_level', 'visualizer',
    'default_scope', 'randomness', 'experiment_name', 'custom_imports',
    'model_wrapper_cfg', 'find_unused_parameters', 'sync_bn', 'activation_checkpointing', 'efficient_conv_bn_eval', 'compile',
    'fold_frozen_norms', 'runner_type', 'optimise_for_cpu', 'pretrain_excludes', 'teacher_pretrain_excludes', 'resume_changed',
    'extra_keys')

# Slots of default hooks: MMEngine's and those of our default runtime.
HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint', 'visualization', 'progress')
LOADER = (
    # PyTorch's DataLoader and what MMEngine's build_dataloader takes out.
    'dataset', 'sampler', 'batch_sampler', 'collate_fn', 'worker_init_fn', 'num_batch_per_epoch', 'batch_size', 'shuffle',
    'num_workers', 'pin_memory', 'drop_last', 'timeout', 'multiprocessing_context', 'generator', 'prefetch_factor',
    'persistent_workers', 'pin_memory_device', 'in_order')
PARAMWISE = ('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'flat_decay_mult', 'dwconv_decay_mult',
             'dcn_offset_lr_mult', 'bypass_duplicate')
MULTIPLIERS = ('lr_mult', 'decay_mult')
CLIP = ('type', 'max_norm', 'norm_type', 'error_if_nonfinite', 'foreach', 'clip_value')

# Dictionaries without a type, by their place; * is any one key.
UNTYPED: Mapping[str, tuple[str, ...]] = {
    'auto_scale_lr': ('enable', 'base_batch_size'),
    'env_cfg': ('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit', 'tf32'),
    'env_cfg.mp_cfg': ('mp_start_method', 'opencv_num_threads'),
    'env_cfg.dist_cfg': ('backend', 'timeout'),
    'randomness': ('seed', 'diff_rank_seed', 'deterministic'),
    'custom_imports': ('imports', 'allow_failed_imports'),
    'train_dataloader': LOADER, 'val_dataloader': LOADER, 'test_dataloader': LOADER,
    'optim_wrapper.paramwise_cfg': PARAMWISE,
    'optim_wrapper.clip_grad': CLIP,
    'compile': ('fullgraph', 'dynamic', 'backend', 'mode', 'options', 'disable')}

# Classes that MMEngine takes where a dictionary names none.
DEFAULT_TYPES: Mapping[str, str] = {
    'val_cfg': 'ValLoop', 'test_cfg': 'TestLoop', 'optim_wrapper': 'OptimWrapper', 'log_processor': 'LogProcessor',
    'visualizer': 'Visualizer', 'model_wrapper_cfg': 'MMDistributedDataParallel'}

# What whoever builds a class takes out of its dictionary before, by its place.
TAKEN_OUT: Mapping[str, tuple[str, ...]] = {
    'optim_wrapper': ('constructor', 'paramwise_cfg'),
    'train_cfg': ('by_epoch', ),
    'default_hooks.*': ('priority', ),
    'custom_hooks.*': ('priority', ),
    'param_scheduler': ('convert_to_iter_based', ),
    'param_scheduler.*': ('convert_to_iter_based', ),
    '**.terms.*': ('from_teacher', ),
    '**.norm_cfg': ('requires_grad', 'eps', 'momentum')}
ALWAYS = ('type', '_scope_', '_delete_')
