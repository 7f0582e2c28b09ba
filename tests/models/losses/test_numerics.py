import torch

from mmduet.models.losses.numerics import at_least_float32


def test_half_precision_is_raised_and_the_rest_is_left_alone():
    assert at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype == torch.float32
    assert at_least_float32(torch.ones(1, dtype=torch.float16)).dtype == torch.float32
    double = torch.ones(1, dtype=torch.float64)
    assert at_least_float32(double) is double
