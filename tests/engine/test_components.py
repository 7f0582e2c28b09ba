import pytest

import mmduet.engine
from mmduet.engine import components


def test_the_engine_offers_what_its_components_are_and_nothing_else():
    assert mmduet.engine.__all__ == components.__all__ == sorted(components.__all__)
    assert [name for name in components.__all__ if getattr(mmduet.engine, name) is not getattr(components, name)] == []
    with pytest.raises(AttributeError, match=r"module 'mmduet\.engine' has no attribute 'Runner'"):
        _ = mmduet.engine.Runner
