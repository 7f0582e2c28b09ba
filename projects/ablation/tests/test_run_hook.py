from types import SimpleNamespace

from projects.ablation.fingerprint import hash_state
from projects.ablation.run_hook import NOTED_BATCHES, RunHook, student_of
from tests.tiny_grounder import TinyGrounder
from tests.tiny_transvg import make_batch


def train(hook, model, steps):
    """Call the hook as a runner does; the iteration number is that before the step."""
    runner = SimpleNamespace(model=model, max_iters=steps, iter=0)
    hook.before_train(runner)
    for runner.iter in range(steps):
        hook.after_train_iter(runner, runner.iter, make_batch())
    return hook.record()


def test_the_weights_before_training_and_the_first_batches_are_noted():
    model = TinyGrounder()
    record = train(RunHook(), model, NOTED_BATCHES + 3)
    assert record['student_hash'] == hash_state(model.state_dict())
    assert len(record['order']) == NOTED_BATCHES
    assert len(set(record['order'])) == 1  # the same batch each time
    assert record['step_cpu_ms'] >= 0


def test_the_student_of_a_distilled_model_is_its_part():
    model = TinyGrounder()
    assert student_of(model) is model
    wrapper = TinyGrounder()
    wrapper.student = model
    assert student_of(wrapper) is model
