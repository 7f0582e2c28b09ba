from dataclasses import replace

import pytest
import torch

from mmduet.models.distill import RegionProjector
from mmduet.structures import pool_regions
from tests.distill_batch import CHANNELS, EMBED_DIMS, make_features


@pytest.mark.parametrize(('fused', 'read'), [(True, 'fused'), (False, 'visual')])
def test_a_region_is_embedded_by_what_the_map_that_the_answer_reads_shows_inside_it(fused, read):
    projector, features, boxes = RegionProjector(CHANNELS, EMBED_DIMS), make_features(), torch.rand(2, 3, 4)
    features = features if fused else replace(features, fused=None)
    torch.testing.assert_close(projector.embed(features, boxes), projector(pool_regions(getattr(features, read), boxes)))
