"""What hooks must remember from one validation to the next, so that a kill changes nothing."""
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.hooks import EarlyStoppingHook, Hook

# Of MMEngine's hooks, which have no state_dict.
_ATTRIBUTES: dict[type[Hook], tuple[str, ...]] = {EarlyStoppingHook: ('wait_count', 'best_score')}
# What those attributes are of: scores of another metric are not compared.
_MEASURE = ('monitor', 'rule')


def _named(hooks: Iterable[Hook]) -> dict[str, Hook]:
    """Hooks with a state by the name of their class; the second of a class is ``NAME.1``."""
    named: dict[str, Hook] = {}
    for hook in hooks:
        if hasattr(hook, 'state_dict') or _attributes(hook):
            same = sum(name.split('.')[0] == type(hook).__name__ for name in named)
            named[type(hook).__name__ + (f'.{same}' if same else '')] = hook
    return named


def _attributes(hook: Hook) -> tuple[str, ...]:
    return next((names for kind, names in _ATTRIBUTES.items() if isinstance(hook, kind)), ())


def get_hook_states(hooks: Iterable[Hook]) -> dict[str, Any]:
    """The state of each hook that has one: MMEngine's early stopping, those with ``state_dict`` and ``load_state_dict``."""
    return {name: hook.state_dict() if hasattr(hook, 'state_dict')
            else {key: getattr(hook, key) for key in (*_attributes(hook), *_MEASURE)} for name, hook in _named(hooks).items()}


def set_hook_states(hooks: Iterable[Hook], states: Mapping[str, Any]) -> None:
    """Put hooks into a state of ``get_hook_states``; one that it does not name or that watches another metric is left alone."""
    for name, hook in _named(hooks).items():
        state = states.get(name)
        if state is not None and hasattr(hook, 'load_state_dict'):
            hook.load_state_dict(state)
        elif isinstance(state, Mapping) and all(state.get(key, getattr(hook, key, None)) == getattr(hook, key, None)
                                                for key in _MEASURE):
            for key in _attributes(hook):
                setattr(hook, key, state[key])


def depends_on_validation(hooks: Iterable[Hook], schedulers: Any) -> bool:
    """Whether training depends on the values of a validation, which is made again where training resumes before it."""
    flat = [one for some in schedulers.values() for one in some] if isinstance(schedulers, dict) else schedulers or ()
    return bool(_named(hooks)) or any(getattr(scheduler, 'need_val_args', False) for scheduler in flat)
